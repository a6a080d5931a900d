"""A contact's permission to send, derived from its statements, opt-outs and sign-ups. Pure; the same for every engine.

The latest of them wins, and of several at the same time the most restrictive. So the permission doesn't depend on the
order in which they arrive. An opt-out states `unsubscribed`, a sign-up `explicit`. A statement without a date may
unsubscribe a contact, but never subscribes one again.
"""

from typing import Final, NamedTuple

from rapport.activity import ActivityType
from rapport.catalogue import ContactUpdate, OptOut, OptOutSource, PermissionToSend
from rapport.instant import Instant
from rapport.store.facts import Attributes

PERMISSION_TYPES: Final = (ActivityType.EM_OPTOUTS, ActivityType.P_CONTACT_ADD)
"""Activities that change the permission of their contact."""

STATED: Final = "permission_to_send"
"""The fact of the latest dated statement."""

STATED_BEFORE: Final = "permission_before"
"""The fact of the latest dated statement of another permission, where the latest statement is `unsubscribed`."""

UNDATED: Final = "undated_permission"
"""The fact of the latest statement without a date that isn't `unsubscribed`; its time is that of its arrival."""

OPT_OUT: Final = ("opt_out_date", "opt_out_source", "opt_out_reason")
"""The facts of the latest stated opt-out with details. They are merged as one, and have the same time."""

PERMISSION_FACTS: Final = frozenset({STATED, STATED_BEFORE, UNDATED, *OPT_OUT})

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


class StatedPermission(NamedTuple):
    """A permission, and the time from which it holds. Compares by `order`."""

    value: PermissionToSend
    time: int

    @property
    def order(self) -> tuple[int, int]:
        """Sort key: the later is greater, of two at the same time the more restrictive."""
        return self.time, _RANKS[self.value]

    @property
    def is_unsubscribed(self) -> bool:
        """Return True if it forbids to send because somebody opted out."""
        return self.value is PermissionToSend.UNSUBSCRIBED


class Permission(NamedTuple):
    """The permission of a contact: the one that holds, and its opt-out if it is unsubscribed."""

    stated: StatedPermission | None
    opt_out: OptOut | None

    @property
    def columns(self) -> PermissionColumns:
        """Return the values of the contact's columns."""
        value = None if self.stated is None else int(self.stated.value)
        if self.opt_out is None:
            return PermissionColumns(value, None, None, None)
        return PermissionColumns(value, self.opt_out.date, int(self.opt_out.source), self.opt_out.reason)


def take_permission(facts: Attributes, statement: ContactUpdate) -> bool:
    """Merge the statement's permission into the facts. Return True if that changed them."""
    value = statement.permission_to_send
    if value is None:
        return False
    stated = StatedPermission(value, statement.updated_at)
    if not stated.is_unsubscribed and not statement.is_dated:
        return _put_later(facts, UNDATED, stated)
    is_changed = _put_opt_out(facts, statement)
    latest = _read(facts, STATED)
    if latest is None or stated.order > latest.order:
        _put(facts, STATED, stated)
        if not stated.is_unsubscribed:
            facts.pop(STATED_BEFORE, None)
        elif latest is not None and not latest.is_unsubscribed:
            _put(facts, STATED_BEFORE, latest)
        return True
    if latest.is_unsubscribed and not stated.is_unsubscribed:
        return _put_later(facts, STATED_BEFORE, stated) or is_changed
    return is_changed


def derive_permission(facts: Attributes, newest: NewestActivities) -> Permission:
    """Return the permission of a contact with these facts and activities."""
    stated, sign_up, opt_out = _read(facts, STATED), None, None
    if newest.sign_up_time is not None:
        sign_up = StatedPermission(PermissionToSend.EXPLICIT, newest.sign_up_time)
    if newest.opt_out_time is not None:
        opt_out = StatedPermission(PermissionToSend.UNSUBSCRIBED, newest.opt_out_time)
    candidates = [candidate for candidate in (stated, sign_up, opt_out) if candidate is not None]
    latest = max(candidates, key=_get_order, default=None)
    if latest is not None and latest.is_unsubscribed:
        before = _read(facts, STATED_BEFORE)
        if before is not None:
            candidates.append(before)
        subscribed = max((candidate.time for candidate in candidates if not candidate.is_unsubscribed), default=0)
        return Permission(latest, _find_opt_out(facts, newest, latest.time, subscribed))
    undated = _read(facts, UNDATED)
    if undated is not None and (latest is None or undated.time > latest.time):
        latest = undated
    return Permission(latest, None)


def include_permission(facts: Attributes, contact_id: str, permission: Permission) -> Attributes:
    """Return the facts as if a source had stated the permission, so that they need no activities to show it."""
    stated, opt_out = permission.stated, permission.opt_out
    included = dict(facts)
    undated = _read(facts, UNDATED)
    if stated is not None and stated != undated:
        if undated is not None and undated.time <= stated.time:
            # It no longer counts, and must not count again when it is imported at a later time.
            del included[UNDATED]
        statement = ContactUpdate(
            contact_id=contact_id,
            updated_at=Instant(stated.time),
            is_dated=True,
            permission_to_send=stated.value,
            opt_out_date=None if opt_out is None else Instant(opt_out.date),
            opt_out_source=None if opt_out is None else opt_out.source,
            opt_out_reason=None if opt_out is None else opt_out.reason,
        )
        take_permission(included, statement)
    return included


def list_permissions(facts: Attributes) -> list[tuple[StatedPermission, OptOut | None]]:
    """Return the dated permissions that the facts hold, each with its stated opt-out."""
    stated, before, details = _read(facts, STATED), _read(facts, STATED_BEFORE), _read_opt_out(facts)
    permissions: list[tuple[StatedPermission, OptOut | None]] = [] if before is None else [(before, None)]
    if details is not None:
        time, opt_out = details
        unsubscribed = StatedPermission(PermissionToSend.UNSUBSCRIBED, time)
        permissions.append((unsubscribed, opt_out))
        if stated == unsubscribed:
            return permissions
    if stated is not None:
        permissions.append((stated, None))
    return permissions


def get_undated(facts: Attributes) -> StatedPermission | None:
    """Return the permission that was stated without a date; its time is that of its arrival."""
    return _read(facts, UNDATED)


def _find_opt_out(facts: Attributes, newest: NewestActivities, time: int, subscribed: int) -> OptOut:
    """Return the newest opt-out with details that nothing has overridden, or else the bare statement's time."""
    opt_outs: list[tuple[int, OptOut]] = []
    details = _read_opt_out(facts)
    if details is not None:
        opt_outs.append(details)
    if newest.opt_out_time is not None:
        activity = OptOut(newest.opt_out_time, OptOutSource.CONTACT, newest.opt_out_reason)
        opt_outs.append((newest.opt_out_time, activity))
    standing = [opt_out for opt_out in opt_outs if opt_out[0] >= subscribed]
    if not standing:
        return OptOut(time, OptOutSource.ACCOUNT, None)
    return max(standing, key=_get_opt_out_order)[1]


def _put_opt_out(facts: Attributes, statement: ContactUpdate) -> bool:
    opt_out, time = statement.opt_out, statement.updated_at
    if opt_out is None:
        return False
    known = _read_opt_out(facts)
    if known is not None and _get_opt_out_order(known) >= _get_opt_out_order((time, opt_out)):
        return False
    values = opt_out.date, int(opt_out.source), opt_out.reason
    facts.update({field: (value, time) for field, value in zip(OPT_OUT, values, strict=True)})
    return True


def _read_opt_out(facts: Attributes) -> tuple[int, OptOut] | None:
    if OPT_OUT[0] not in facts:
        return None
    (date, time), (source, _), (reason, _) = (facts[field] for field in OPT_OUT)
    return time, OptOut(int(date or 0), OptOutSource(int(source or 0)), None if reason is None else str(reason))


def _get_opt_out_order(opt_out: tuple[int, OptOut]) -> tuple[int, int, int, str]:
    time, details = opt_out
    return time, details.source, details.date, details.reason or ""


def _get_order(stated: StatedPermission) -> tuple[int, int]:
    return stated.order


def _read(facts: Attributes, field: str) -> StatedPermission | None:
    if field not in facts:
        return None
    value, time = facts[field]
    return None if value is None else StatedPermission(PermissionToSend(int(value)), time)


def _put(facts: Attributes, field: str, stated: StatedPermission) -> None:
    facts[field] = int(stated.value), stated.time


def _put_later(facts: Attributes, field: str, stated: StatedPermission) -> bool:
    known = _read(facts, field)
    if known is not None and known.order >= stated.order:
        return False
    _put(facts, field, stated)
    return True
