"""Pages of the activities of one campaign activity, and the profiles of their contacts at the time."""

import enum
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from rapport.activity import ActivityType, BounceCode
from rapport.instant import Instant


class TrackingCursor(NamedTuple):
    """A position among the activities of a campaign activity, newest first. A contact_id of "" precedes all others."""

    created_time: int
    contact_id: str
    identity: int
    contact_key: int | None = None
    """SQLite's key of the contact, part of its order; the contact may be erased before the next page is read."""


START_OF_REPORT: Final = TrackingCursor(2**63 - 1, "", -(2**63))


class RowSelection(enum.Enum):
    """The selection of activities of a type. The latest of a contact is one row, even if others share its time."""

    ALL = "all"
    LATEST_PER_CONTACT = "latest_per_contact"
    LATEST_PER_CONTACT_AND_LINK = "latest_per_contact_and_link"
    NOT_OPENED = "not_opened"
    """The latest of a contact, if the contact didn't open the email and it didn't bounce."""


class TrackingReport(NamedTuple):
    """A report on the activities of one type: all of them, or a selection."""

    type: ActivityType
    selection: RowSelection = RowSelection.ALL


EMAIL_REPORTS: Final = {
    "sends": TrackingReport(ActivityType.EM_SENDS),
    "opens": TrackingReport(ActivityType.EM_OPENS),
    "unique_opens": TrackingReport(ActivityType.EM_OPENS, RowSelection.LATEST_PER_CONTACT),
    "didnotopens": TrackingReport(ActivityType.EM_SENDS, RowSelection.NOT_OPENED),
    "clicks": TrackingReport(ActivityType.EM_CLICKS),
    "forwards": TrackingReport(ActivityType.EM_FORWARDS),
    "optouts": TrackingReport(ActivityType.EM_OPTOUTS),
    "bounces": TrackingReport(ActivityType.EM_BOUNCES),
}
"""The reports on an email, by the last segment of their paths."""

LANDING_PAGE_REPORTS: Final = {
    "p_contact_opens": TrackingReport(ActivityType.P_CONTACT_OPEN),
    "p_unique_contact_opens": TrackingReport(ActivityType.P_CONTACT_OPEN, RowSelection.LATEST_PER_CONTACT),
    "p_unique_contact_clicks": TrackingReport(ActivityType.P_CONTACT_CLICK, RowSelection.LATEST_PER_CONTACT_AND_LINK),
    "p_unique_contact_adds": TrackingReport(ActivityType.P_CONTACT_ADD, RowSelection.LATEST_PER_CONTACT),
    "p_unique_contact_updates": TrackingReport(ActivityType.P_CONTACT_UPDATE, RowSelection.LATEST_PER_CONTACT),
    "p_unique_contact_sms_optins": None,
}
"""The reports on a landing page, by the last segment of their paths. A report that is None is always empty."""

TRACKING_REPORTS: Final = {
    name: report for name, report in {**EMAIL_REPORTS, **LANDING_PAGE_REPORTS}.items() if report is not None
}
"""All reports that can have rows."""


class TrackingQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The newest `limit` activities of one type after a position: of all links or one, of all bounce codes or some.

    With a contacts_filter, only those of contacts whose current name or address contains it, without regard to the
    case of ASCII letters.
    """

    type: ActivityType
    after: TrackingCursor
    not_before: Instant
    limit: int
    url_id: str | None = None
    bounce_codes: Sequence[BounceCode] = ()
    selection: RowSelection = RowSelection.ALL
    contacts_filter: str | None = None

    def __post_init__(self) -> None:
        if (self.url_id is not None) + bool(self.bounce_codes) + (self.contacts_filter is not None) > 1:
            raise ValueError("a page is selected by one of url_id, bounce_codes and contacts_filter")

    @property
    def is_selective(self) -> bool:
        """Return True if more rows are read than returned."""
        return (
            self.selection is not RowSelection.ALL
            or self.url_id is not None
            or bool(self.bounce_codes)
            or self.contacts_filter is not None
        )

    @property
    def filter_text(self) -> str | None:
        """Return the contacts_filter in the lower case of the database."""
        return None if self.contacts_filter is None else self.contacts_filter.encode().lower().decode()

    @property
    def bounce_bits(self) -> int:
        """Return the bounce codes as a bit each."""
        return sum(1 << code for code in set(self.bounce_codes))


class Profile(NamedTuple):
    """The email address and the names of a contact, as far as they are known."""

    email_address: str | None
    first_name: str | None
    last_name: str | None


class TrackingRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An activity of a campaign activity, with the profile of its contact then and now."""

    created_time: int
    identity: int
    contact_id: str
    profile_at_activity: Profile
    current_profile: Profile
    deleted_at: int | None
    device_type: int | None
    bounce_code: int | None
    opt_out_reason: str | None
    link_url: str | None
    url_id: str | None
    event_id: str | None
    contact_key: int | None = None

    @property
    def cursor(self) -> TrackingCursor:
        """Return the position of the row among the activities of its campaign activity."""
        return TrackingCursor(self.created_time, self.contact_id, self.identity, self.contact_key)


ReportedProfile: TypeAlias = tuple[int, int, Profile]
"""created_time and identity of an activity, and the profile that it reported."""


def contacts_missing_fields(rows: Iterable[TrackingRow]) -> set[str]:
    """Return the contacts that have fields now which their rows lack, so that earlier profiles have to be read."""
    return {
        row.contact_id
        for row in rows
        if any(
            then is None and now is not None
            for then, now in zip(row.profile_at_activity, row.current_profile, strict=True)
        )
    }


def resolve_profiles(
    rows: Sequence[TrackingRow], reported: Mapping[str, Sequence[ReportedProfile]] | None = None
) -> list[TrackingRow]:
    """Return the rows with the full profiles of their contacts at the time.

    A field has the value that the activity reported, else that of the latest activity before it, else the current one.
    `reported` is needed only for contacts with several profiles.
    """
    histories = {contact_id: ProfileHistory(profiles) for contact_id, profiles in (reported or {}).items()}
    return [
        row
        if row.profile_at_activity == row.current_profile
        else replace(row, profile_at_activity=_resolve_profile(row, histories.get(row.contact_id)))
        for row in rows
    ]


def _resolve_profile(row: TrackingRow, history: "ProfileHistory | None") -> Profile:
    fields = []
    for index, (then, now) in enumerate(zip(row.profile_at_activity, row.current_profile, strict=True)):
        value = then
        if value is None and history is not None:
            value = history.value_at(index, row.created_time)
        fields.append(now if value is None else value)
    return Profile(*fields)


class ProfileHistory:
    """The values of each profile field of one contact over time."""

    def __init__(self, profiles: Iterable[ReportedProfile]) -> None:
        self._times: dict[int, list[int]] = defaultdict(list)
        self._values: dict[int, list[str]] = defaultdict(list)
        for created_time, _, profile in sorted(profiles):
            for index, value in enumerate(profile):
                if value is not None:
                    self._times[index].append(created_time)
                    self._values[index].append(value)

    def value_at(self, index: int, time: int) -> str | None:
        """Return the latest value of a field at a time, or None."""
        count = bisect_right(self._times[index], time)
        return self._values[index][count - 1] if count else None
