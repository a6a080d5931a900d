"""Domain types: what sources report about contacts, and about campaigns with their campaign activities and links.

Activities can be recorded without any of it; reports show it once it is recorded. All objects are immutable and
validated when they are created.
"""

import enum
import re
from typing import Final, NamedTuple, TypeAlias

import msgspec

from rapport.activity import EARLIEST, ContactProfile, Link, check_id, check_opt_out_reason, check_text
from rapport.errors import InvalidField
from rapport.instant import Instant, iso

MAX_NAME_LENGTH: Final = 512
MAX_LINKS: Final = 1_000
MAX_CAMPAIGN_ACTIVITIES: Final = 100

_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")
_CAMPAIGN_TYPE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_TYPE_CODES: Final = range(100)


class PermissionToSend(enum.IntEnum):
    """A contact's permission to be sent email. The numbers are persisted: never change them."""

    EXPLICIT = 0
    IMPLICIT = 1
    PENDING_CONFIRMATION = 2
    UNSUBSCRIBED = 3
    TEMP_HOLD = 4
    NOT_SET = 5


class OptOutSource(enum.IntEnum):
    """Who unsubscribed a contact: the account or the contact. The numbers are persisted: never change them."""

    ACCOUNT = 0
    CONTACT = 1


class CampaignStatus(enum.Enum):
    """The status of a campaign, as in the list of campaigns; a single campaign has it in capitals."""

    DRAFT = "Draft"
    SCHEDULED = "Scheduled"
    EXECUTING = "Executing"
    DONE = "Done"
    ERROR = "Error"
    REMOVED = "Removed"


class CampaignRole(enum.Enum):
    """The role of a campaign activity in its campaign."""

    PRIMARY_EMAIL = "primary_email"
    PERMALINK = "permalink"
    RESEND = "resend"


PERMISSIONS: Final = {permission.name.lower(): permission for permission in PermissionToSend}
OPT_OUT_SOURCES: Final = {source.name.capitalize(): source for source in OptOutSource}
CAMPAIGN_STATUSES: Final = {status.name: status for status in CampaignStatus}
CAMPAIGN_ROLES: Final = {role.value: role for role in CampaignRole}


class OptOut(NamedTuple):
    """An opt-out: its date, who unsubscribed the contact, and the reason if it is known."""

    date: int
    source: OptOutSource
    reason: str | None


class ContactUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """A source's data about a contact. A field that is None is left as it is, except that `deleted_at` is cleared.

    `updated_at` is the time of the update; `is_dated` is True if the source sent it. Raises InvalidField.
    """

    contact_id: str
    updated_at: Instant
    is_dated: bool
    person: ContactProfile = ContactProfile()
    permission_to_send: PermissionToSend | None = None
    created_at: Instant | None = None
    deleted_at: Instant | None = None
    opt_out_date: Instant | None = None
    opt_out_source: OptOutSource | None = None
    opt_out_reason: str | None = None

    def __post_init__(self) -> None:
        check_id("contact_id", self.contact_id)
        for field in ("updated_at", "created_at", "deleted_at", "opt_out_date"):
            _check_instant(field, getattr(self, field))
        check_opt_out_reason(self.opt_out_reason)
        if self.permission_to_send is not PermissionToSend.UNSUBSCRIBED:
            for field in ("opt_out_date", "opt_out_source", "opt_out_reason"):
                if getattr(self, field) is not None:
                    raise InvalidField(field, None, "is allowed for the permission_to_send 'unsubscribed' only")

    @property
    def opt_out(self) -> OptOut | None:
        """The details of the opt-out, or None if the update has none."""
        if (self.opt_out_date, self.opt_out_source, self.opt_out_reason) == (None, None, None):
            return None
        return OptOut(
            self.updated_at if self.opt_out_date is None else self.opt_out_date,
            OptOutSource.ACCOUNT if self.opt_out_source is None else self.opt_out_source,
            self.opt_out_reason,
        )


class CampaignActivityUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """A source's data about a campaign activity. Raises InvalidField."""

    campaign_activity_id: str
    campaign_activity_name: str | None = None
    role: CampaignRole | None = None
    subject: str | None = None
    preheader: str | None = None
    from_name: str | None = None
    from_email: str | None = None
    reply_to_email: str | None = None
    links: tuple[Link, ...] = ()

    def __post_init__(self) -> None:
        check_id("campaign_activity_id", self.campaign_activity_id)
        for field in ("campaign_activity_name", "subject", "preheader", "from_name"):
            check_text(field, getattr(self, field), MAX_NAME_LENGTH)
        for field in ("from_email", "reply_to_email"):
            address = getattr(self, field)
            check_text(field, address, 254)
            if address is not None and _ADDRESS.fullmatch(address) is None:
                raise InvalidField(field, address, "must be an email address, like name@domain")
        if len(self.links) > MAX_LINKS:
            raise InvalidField("links", len(self.links), f"must be at most {MAX_LINKS}")


class CampaignUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """A source's data about a campaign and its campaign activities. Raises InvalidField."""

    campaign_id: str
    updated_at: Instant
    campaign_name: str | None = None
    type: str | None = None
    type_code: int | None = None
    current_status: CampaignStatus | None = None
    created_at: Instant | None = None
    campaign_activities: tuple[CampaignActivityUpdate, ...] = ()

    def __post_init__(self) -> None:
        check_id("campaign_id", self.campaign_id)
        check_text("campaign_name", self.campaign_name, MAX_NAME_LENGTH)
        if self.type is not None and _CAMPAIGN_TYPE.fullmatch(self.type) is None:
            raise InvalidField("type", self.type, "must be capital letters, digits and '_', like NEWSLETTER")
        if self.type_code is not None and self.type_code not in _TYPE_CODES:
            raise InvalidField("type_code", self.type_code, f"must be from 0 to {_TYPE_CODES[-1]}")
        for field in ("updated_at", "created_at"):
            _check_instant(field, getattr(self, field))
        if len(self.campaign_activities) > MAX_CAMPAIGN_ACTIVITIES:
            count = len(self.campaign_activities)
            raise InvalidField("campaign_activities", count, f"must be at most {MAX_CAMPAIGN_ACTIVITIES}")


CatalogUpdate: TypeAlias = ContactUpdate | CampaignUpdate


def _check_instant(field: str, instant: Instant | None) -> None:
    if instant is not None and instant < EARLIEST:
        raise InvalidField(field, iso(instant), "must not be before 1990")
