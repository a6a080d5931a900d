"""What is asked of contacts and campaigns themselves, and what is known of them. The same for every engine."""

import enum
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from rapport.instant import Instant
from rapport.store.catalogue import get_text
from rapport.store.facts import Attributes


class ContactRecord(NamedTuple):
    """What is known of a contact now."""

    contact_id: str
    email_address: str | None
    first_name: str | None
    last_name: str | None
    permission_to_send: int | None
    created_at: Instant | None
    updated_at: Instant | None
    deleted_at: Instant | None
    opt_out_date: Instant | None = None
    opt_out_source: int | None = None
    opt_out_reason: str | None = None


class ContactStatus(enum.IntEnum):
    """How a contact stands: its permission to send, or that it is deleted. Numbered as the stores' statements do."""

    EXPLICIT = 0
    IMPLICIT = 1
    PENDING_CONFIRMATION = 2
    UNSUBSCRIBED = 3
    TEMP_HOLD = 4
    NOT_SET = 5
    UNKNOWN = 6
    DELETED = 7


class Within(NamedTuple):
    """From one instant to another, both included."""

    after: Instant
    before: Instant


class ContactCursor(NamedTuple):
    """A place among contacts: the time that they are ordered by, if they are, and the id."""

    time: int
    contact_id: str


FIRST_CONTACT: Final = ContactCursor(-1, "")


class ContactQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Up to `limit` contacts behind a place: those that have an address, a status, were stated within some time.

    They come by the time of their last statement if that is asked for, else by that of their creation if that is, else
    by their opt_out_date if `opted_out` is set, and by the bytes of their ids. Addresses are compared without regard to
    the case of ASCII's letters.
    """

    email_address: str | None = None
    statuses: frozenset[ContactStatus] = frozenset(ContactStatus)
    updated: Within | None = None
    created: Within | None = None
    opted_out: Within | None = None
    after: ContactCursor = FIRST_CONTACT
    limit: int

    @property
    def order(self) -> str:
        """The name of the statement that reads them in their order."""
        if self.updated is not None:
            return "contacts_by_update"
        if self.created is not None:
            return "contacts_by_creation"
        if self.opted_out is not None:
            return "contacts_by_opt_out"
        return "contacts" if self.email_address is None else "contacts_of_address"

    @property
    def start(self) -> ContactCursor:
        """Where the page begins: behind its place, and not before the time that is asked for."""
        times = self.updated or self.created or self.opted_out
        return self.after if times is None else max(self.after, ContactCursor(times.after, ""))

    @property
    def status_bits(self) -> int:
        """The statuses as the statements take them: a bit for each."""
        return sum(1 << status for status in self.statuses)


class SearchField(enum.Enum):
    """What of contacts is searched by."""

    EMAIL_ADDRESS = "email_address"
    CONTACT_ID = "contact_id"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"


class ContactPrefix(NamedTuple):
    """Up to `limit` contacts of which what is sought begins so, in its order; with `first_name` only those of that one.

    All but ids are compared without regard to the case of ASCII's letters.
    """

    sought: SearchField
    beginning: str
    limit: int
    first_name: str | None = None

    @property
    def statement(self) -> str:
        """The name of the statement that finds them."""
        return f"contacts_by_{self.sought.value}" if self.first_name is None else "contacts_by_both_names"


class CampaignCursor(NamedTuple):
    """A place among campaigns, that which was changed last first."""

    updated_at: int
    campaign_id: str


class CampaignQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Up to `limit` email campaigns behind a place, that were last changed within some time."""

    within: Within
    after: CampaignCursor
    limit: int


class CampaignActivityRecord(NamedTuple):
    """What is known of a campaign activity. `is_sent`: whether it ever was."""

    campaign_activity_id: str
    campaign_id: str | None
    campaign_activity_name: str | None
    facts: Attributes
    is_sent: bool
    campaign_status: str | None


class CampaignRecord(NamedTuple):
    """What is known of a campaign: `updated_at` is the last statement's time, or else the last send's, or else 0.

    `activity_name` is the first, by its bytes, of the names of its campaign activities.
    """

    campaign_id: str
    facts: Attributes
    updated_at: int
    is_sent: bool
    activity_name: str | None
    campaign_activities: Sequence[CampaignActivityRecord]


def campaign_from_rows(
    campaign_id: str, facts: Attributes, updated: int, rows: Sequence[tuple[str, str | None, Attributes, int | None]]
) -> CampaignRecord:
    """A campaign from its facts and the rows of its campaign activities: id, name, facts and last send of each."""
    status = get_text(facts, "current_status")
    last_sent = max((each[3] for each in rows if each[3] is not None), default=None)
    return CampaignRecord(
        campaign_id=campaign_id,
        facts=facts,
        updated_at=updated or last_sent or 0,
        is_sent=last_sent is not None,
        activity_name=min((name for _, name, *_ in rows if name is not None), key=str.encode, default=None),
        campaign_activities=[
            CampaignActivityRecord(each_id, campaign_id, name, of_it, sent is not None, status)
            for each_id, name, of_it, sent in rows
        ],
    )
