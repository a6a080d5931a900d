"""A contact's permission to send, derived from its updates, opt-outs and sign-ups.

The latest of them wins, and of several at the same time the most restrictive. So the permission doesn't depend on the
order in which they arrive. An opt-out sets `unsubscribed`, a sign-up `explicit`. An undated update may unsubscribe
a contact, but never resubscribes one.
"""

from typing import Final, NamedTuple

from rapport.activity import ActivityType
from rapport.catalog import ContactUpdate, OptOut, OptOutSource, PermissionToSend
from rapport.instant import Instant
from rapport.store.last_write_wins import Attributes

PERMISSION_TYPES: Final = (ActivityType.EM_OPTOUTS, ActivityType.P_CONTACT_ADD)
"""Activities that change the permission of their contact."""

LATEST: Final = "permission_to_send"
"""The attribute for the latest dated update."""

PREVIOUS: Final = "permission_before"
"""The attribute for the latest dated update to another permission, if the latest update is `unsubscribed`."""

UNDATED: Final = "undated_permission"
"""The attribute for the latest undated update that isn't `unsubscribed`; its time is that of its arrival."""

OPT_OUT: Final = ("opt_out_date", "opt_out_source", "opt_out_reason")
"""The attributes for the latest opt-out with details in an update. They are merged as one, with one time."""

PERMISSION_ATTRIBUTES: Final = frozenset({LATEST, PREVIOUS, UNDATED, *OPT_OUT})

_RESTRICTIONS: Final = (
    PermissionToSend.EXPLICIT,
    PermissionToSend.IMPLICIT,
    PermissionToSend.PENDING_CONFIRMATION,
    PermissionToSend.NOT_SET,
    PermissionToSend.TEMP_HOLD,
    PermissionToSend.UNSUBSCRIBED,
)
"""The permissions, the most restrictive last."""

_RANKS: Final = {permission: rank for rank, permission in enumerate(_RESTRICTIONS)}


class PermissionColumns(NamedTuple):
    """The columns of a contact that show its permission."""

    permission_to_send: int | None
    opt_out_date: int | None
    opt_out_source: int | None
    opt_out_reason: str | None


class NewestActivities(NamedTuple):
    """A contact's newest opt-out, its reason, and its newest sign-up; None where it has none."""

    opt_out_time: int | None
    opt_out_reason: str | None
    sign_up_time: int | None


class TimedPermission(NamedTuple):
    """A permission and the time since when it applies. Compare by `order`."""

    value: PermissionToSend
    time: int

    @property
    def order(self) -> tuple[int, int]:
        """Return a sort key: the later is greater, of two at the same time the more restrictive."""
        return self.time, _RANKS[self.value]

    @property
    def is_unsubscribed(self) -> bool:
        """Return True if it forbids sending because the contact or the account opted out."""
        return self.value is PermissionToSend.UNSUBSCRIBED


class Permission(NamedTuple):
    """The current permission of a contact, and its opt-out if it is unsubscribed."""

    current: TimedPermission | None
    opt_out: OptOut | None

    @property
    def columns(self) -> PermissionColumns:
        """Return the values of the contact's columns."""
        value = None if self.current is None else int(self.current.value)
        if self.opt_out is None:
            return PermissionColumns(value, None, None, None)
        return PermissionColumns(value, self.opt_out.date, int(self.opt_out.source), self.opt_out.reason)


def merge_permission(attributes: Attributes, update: ContactUpdate) -> bool:
    """Merge the update's permission into the attributes. Return True if that changed them."""
    value = update.permission_to_send
    if value is None:
        return False
    new = TimedPermission(value, update.updated_at)
    if not new.is_unsubscribed and not update.is_dated:
        return _put_later(attributes, UNDATED, new)
    is_changed = _put_opt_out(attributes, update)
    latest = _read(attributes, LATEST)
    if latest is None or new.order > latest.order:
        _put(attributes, LATEST, new)
        if not new.is_unsubscribed:
            attributes.pop(PREVIOUS, None)
        elif latest is not None and not latest.is_unsubscribed:
            _put(attributes, PREVIOUS, latest)
        return True
    if latest.is_unsubscribed and not new.is_unsubscribed:
        return _put_later(attributes, PREVIOUS, new) or is_changed
    return is_changed


def derive_permission(attributes: Attributes, newest: NewestActivities) -> Permission:
    """Return the permission of a contact with these attributes and activities."""
    latest_update, sign_up, opt_out = _read(attributes, LATEST), None, None
    if newest.sign_up_time is not None:
        sign_up = TimedPermission(PermissionToSend.EXPLICIT, newest.sign_up_time)
    if newest.opt_out_time is not None:
        opt_out = TimedPermission(PermissionToSend.UNSUBSCRIBED, newest.opt_out_time)
    candidates = [candidate for candidate in (latest_update, sign_up, opt_out) if candidate is not None]
    latest = max(candidates, key=_get_order, default=None)
    if latest is not None and latest.is_unsubscribed:
        before = _read(attributes, PREVIOUS)
        if before is not None:
            candidates.append(before)
        subscribed = max((candidate.time for candidate in candidates if not candidate.is_unsubscribed), default=0)
        return Permission(latest, _find_opt_out(attributes, newest, latest.time, subscribed))
    undated = _read(attributes, UNDATED)
    if undated is not None and (latest is None or undated.time > latest.time):
        latest = undated
    return Permission(latest, None)


def include_permission(attributes: Attributes, contact_id: str, permission: Permission) -> Attributes:
    """Return the attributes as if a source had set the permission, so that they show it without activities."""
    current, opt_out = permission.current, permission.opt_out
    included = dict(attributes)
    undated = _read(attributes, UNDATED)
    if current is not None and current != undated:
        if undated is not None and undated.time <= current.time:
            # It no longer counts, and must not count again when it is imported at a later time.
            del included[UNDATED]
        update = ContactUpdate(
            contact_id=contact_id,
            updated_at=Instant(current.time),
            is_dated=True,
            permission_to_send=current.value,
            opt_out_date=None if opt_out is None else Instant(opt_out.date),
            opt_out_source=None if opt_out is None else opt_out.source,
            opt_out_reason=None if opt_out is None else opt_out.reason,
        )
        merge_permission(included, update)
    return included


def list_permissions(attributes: Attributes) -> list[tuple[TimedPermission, OptOut | None]]:
    """Return the dated permissions in the attributes, each with its opt-out if it has details."""
    latest, previous, details = _read(attributes, LATEST), _read(attributes, PREVIOUS), _read_opt_out(attributes)
    permissions: list[tuple[TimedPermission, OptOut | None]] = [] if previous is None else [(previous, None)]
    if details is not None:
        time, opt_out = details
        unsubscribed = TimedPermission(PermissionToSend.UNSUBSCRIBED, time)
        permissions.append((unsubscribed, opt_out))
        if latest == unsubscribed:
            return permissions
    if latest is not None:
        permissions.append((latest, None))
    return permissions


def get_undated(attributes: Attributes) -> TimedPermission | None:
    """Return the permission from an undated update; its time is that of its arrival."""
    return _read(attributes, UNDATED)


def _find_opt_out(attributes: Attributes, newest: NewestActivities, time: int, subscribed: int) -> OptOut:
    """Return the newest opt-out with details that nothing has overridden, or else the time of the update."""
    opt_outs: list[tuple[int, OptOut]] = []
    details = _read_opt_out(attributes)
    if details is not None:
        opt_outs.append(details)
    if newest.opt_out_time is not None:
        activity = OptOut(newest.opt_out_time, OptOutSource.CONTACT, newest.opt_out_reason)
        opt_outs.append((newest.opt_out_time, activity))
    valid = [opt_out for opt_out in opt_outs if opt_out[0] >= subscribed]
    if not valid:
        return OptOut(time, OptOutSource.ACCOUNT, None)
    return max(valid, key=_get_opt_out_order)[1]


def _put_opt_out(attributes: Attributes, update: ContactUpdate) -> bool:
    opt_out, time = update.opt_out, update.updated_at
    if opt_out is None:
        return False
    stored = _read_opt_out(attributes)
    if stored is not None and _get_opt_out_order(stored) >= _get_opt_out_order((time, opt_out)):
        return False
    values = opt_out.date, int(opt_out.source), opt_out.reason
    attributes.update({field: (value, time) for field, value in zip(OPT_OUT, values, strict=True)})
    return True


def _read_opt_out(attributes: Attributes) -> tuple[int, OptOut] | None:
    if OPT_OUT[0] not in attributes:
        return None
    (date, time), (source, _), (reason, _) = (attributes[field] for field in OPT_OUT)
    return time, OptOut(int(date or 0), OptOutSource(int(source or 0)), None if reason is None else str(reason))


def _get_opt_out_order(opt_out: tuple[int, OptOut]) -> tuple[int, int, int, str]:
    time, details = opt_out
    return time, details.source, details.date, details.reason or ""


def _get_order(permission: TimedPermission) -> tuple[int, int]:
    return permission.order


def _read(attributes: Attributes, field: str) -> TimedPermission | None:
    if field not in attributes:
        return None
    value, time = attributes[field]
    return None if value is None else TimedPermission(PermissionToSend(int(value)), time)


def _put(attributes: Attributes, field: str, permission: TimedPermission) -> None:
    attributes[field] = int(permission.value), permission.time


def _put_later(attributes: Attributes, field: str, permission: TimedPermission) -> bool:
    stored = _read(attributes, field)
    if stored is not None and stored.order >= permission.order:
        return False
    _put(attributes, field, permission)
    return True
