"""What is asked of the activities of one campaign activity, what is answered, and who the contact was at the time.

Pure; the same for every engine.
"""

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
    """A place among the activities of a campaign activity, newest first; a contact of "" stands before all others."""

    created_time: int
    contact_id: str
    identity: int
    contact_key: int | None = None
    """SQLite's key of the contact, which it orders by; the contact may be erased before the next page is read."""


START_OF_REPORT: Final = TrackingCursor(2**63 - 1, "", -(2**63))
"""Where they begin."""


class RowSelection(enum.Enum):
    """Which activities of a type are shown. Of a contact's last one there is one row, however many share its time."""

    EVERY = "every"
    LATEST_PER_CONTACT = "last_of_contact"
    LATEST_PER_CONTACT_AND_LINK = "last_of_contact_and_link"
    NOT_OPENED = "unanswered"
    """A contact's last one, if the contact neither opened the e-mail nor did it come back."""


class TrackingQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The newest `limit` activities of one type behind a place: of all links or one, of all bounce codes or some.

    With a contacts_filter only of contacts whose name or address, as known now, has it in it; upper and lower case are
    the same, as far as they are ASCII.
    """

    type: ActivityType
    after: TrackingCursor
    not_before: Instant
    limit: int
    url_id: str | None = None
    bounce_codes: Sequence[BounceCode] = ()
    shown: RowSelection = RowSelection.EVERY
    contacts_filter: str | None = None

    def __post_init__(self) -> None:
        if (self.url_id is not None) + bool(self.bounce_codes) + (self.contacts_filter is not None) > 1:
            raise ValueError("a page is selected by one of url_id, bounce_codes and contacts_filter")

    @property
    def is_selective(self) -> bool:
        """Whether more has to be looked at than is answered."""
        return bool(self.selections)

    @property
    def selections(self) -> tuple[str, ...]:
        """What is selected by: the names of the statements' parts."""
        wanted = {
            self.shown.value: self.shown is not RowSelection.EVERY,
            "of_links": self.url_id is not None,
            "of_bounce_codes": bool(self.bounce_codes),
            "of_contacts": self.contacts_filter is not None,
        }
        return tuple(name for name, is_wanted in wanted.items() if is_wanted)

    @property
    def filter_text(self) -> str | None:
        """The contacts_filter in lower case, as the database will have what it looks into."""
        return None if self.contacts_filter is None else self.contacts_filter.encode().lower().decode()

    @property
    def bounce_bits(self) -> int:
        """The wanted bounce codes, a bit each."""
        return sum(1 << code for code in set(self.bounce_codes))


def selecting(parts: Mapping[str, str], selections: Sequence[str]) -> str:
    """The conditions of a page, out of the parts that an engine has for them."""
    return "\n".join(parts[name] for name in selections)


class Known(NamedTuple):
    """What is known, or was said, of a contact. None is not."""

    email_address: str | None
    first_name: str | None
    last_name: str | None


class TrackingRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An activity of a campaign activity: who, as known `then` and `now`, when, and what belongs to its type."""

    created_time: int
    identity: int
    contact_id: str
    then: Known
    now: Known
    deleted_at: int | None
    device_type: int | None
    bounce_code: int | None
    opt_out_reason: str | None
    link_url: str | None
    url_id: str | None
    contact_key: int | None = None

    @property
    def place(self) -> TrackingCursor:
        """Where the row is among the activities of its campaign activity."""
        return TrackingCursor(self.created_time, self.contact_id, self.identity, self.contact_key)


Statement: TypeAlias = tuple[int, int, Known]
"""created_time, identity, and what that activity said of its contact."""


def contacts_missing_fields(rows: Iterable[TrackingRow]) -> set[str]:
    """The contacts of whom something is known that their rows don't say: it is to be found what was known then."""
    return {
        row.contact_id
        for row in rows
        if any(then is None and now is not None for then, now in zip(row.then, row.now, strict=True))
    }


def resolve_profiles(
    rows: Sequence[TrackingRow], statements: Mapping[str, Sequence[Statement]] | None = None
) -> list[TrackingRow]:
    """The rows, with all that was known of their contacts at the time.

    That is what the activity itself said, else what was said by the latest one before it, else what is known now.
    `statements` are needed only of contacts of whom more than one thing was said.
    """
    histories = {contact_id: _History(said) for contact_id, said in (statements or {}).items()}
    return [
        row if row.then == row.now else replace(row, then=_known_then(row, histories.get(row.contact_id)))
        for row in rows
    ]


def _known_then(row: TrackingRow, history: "_History | None") -> Known:
    fields = []
    for place, (then, now) in enumerate(zip(row.then, row.now, strict=True)):
        value = then
        if value is None and history is not None:
            value = history.at(place, row.created_time)
        fields.append(now if value is None else value)
    return Known(*fields)


class _History:
    """What was said of each field of one contact, in the order of time."""

    def __init__(self, said: Iterable[Statement]) -> None:
        self._times: dict[int, list[int]] = defaultdict(list)
        self._values: dict[int, list[str]] = defaultdict(list)
        for created_time, _, known in sorted(said):
            for place, value in enumerate(known):
                if value is not None:
                    self._times[place].append(created_time)
                    self._values[place].append(value)

    def at(self, place: int, time: int) -> str | None:
        """What was said of a field last, at a time."""
        number = bisect_right(self._times[place], time)
        return self._values[place][number - 1] if number else None
