"""Domain types: what sources report about contacts, and about campaigns with their campaign activities and links.

Activities can be recorded without any of it; reports show it once it is recorded. All objects are immutable and
validated when they are created.
"""

import enum
import re
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

import msgspec

from rapport.activity import (
    EARLIEST,
    ContactProfile,
    Link,
    check_id,
    check_multiline_text,
    check_opt_out_reason,
    check_text,
)
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
    """The party that unsubscribed a contact. The numbers are persisted: never change them."""

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


MAX_VALUE_LENGTH: Final = 255
MAX_PHONE_LENGTH: Final = 25
MAX_NOTE_LENGTH: Final = 2_000
MAX_CHOICES: Final = 100
PHONE_KINDS: Final = ("home", "work", "mobile", "other")
STREET_KINDS: Final = ("home", "work", "other")

CLEARABLE_FIELDS: Final = frozenset(
    {"first_name", "last_name", "job_title", "company_name", "anniversary", "birthday_month", "birthday_day"}
)
"""Fields of a contact whose values an update can remove."""

MAX_RESOURCES: Final = {
    "list_memberships": 50,
    "added_lists": 50,
    "taggings": 50,
    "custom_fields": 50,
    "phone_numbers": 3,
    "street_addresses": 3,
    "notes": 150,
}
"""The maximum number of subresources in an update, by field: Constant Contact's limits."""

_MONTHS: Final = range(1, 13)
_DAYS: Final = range(1, 32)


class OptOut(NamedTuple):
    """An opt-out: its date, who unsubscribed the contact, and the reason if it is known."""

    date: int
    source: OptOutSource
    reason: str | None


class CustomFieldValue(msgspec.Struct, frozen=True, kw_only=True):
    """A contact's value of a custom field, or the ids of its choices; neither removes it. Raises InvalidField."""

    custom_field_id: str
    value: str | None = None
    choice_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_id("custom_field_id", self.custom_field_id)
        check_text("custom_fields", self.value, MAX_VALUE_LENGTH)
        if len(self.choice_ids) > MAX_CHOICES:
            raise InvalidField("choice_ids", len(self.choice_ids), f"must be at most {MAX_CHOICES}")
        for choice_id in self.choice_ids:
            check_id("choice_ids", choice_id)

    @property
    def is_removed(self) -> bool:
        """Return True if the contact no longer has a value."""
        return self.value is None and not self.choice_ids


class PhoneNumber(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A phone number of a contact. Raises InvalidField."""

    phone_number: str
    kind: str | None = None

    def __post_init__(self) -> None:
        check_text("phone_numbers", self.phone_number, MAX_PHONE_LENGTH)
        _check_kind("phone_numbers", self.kind, PHONE_KINDS)


class StreetAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A street address of a contact. Raises InvalidField."""

    kind: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None

    def __post_init__(self) -> None:
        _check_kind("street_addresses", self.kind, STREET_KINDS)
        for field in ("street", "city", "state", "postal_code", "country"):
            check_text("street_addresses", getattr(self, field), MAX_VALUE_LENGTH)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A note about a contact. Raises InvalidField."""

    content: str
    created_at: Instant

    def __post_init__(self) -> None:
        check_multiline_text("notes", self.content, MAX_NOTE_LENGTH)
        _check_instant("notes", self.created_at)


class ContactUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """A source's data about a contact. A field that is None is left as it is, except that `deleted_at` is cleared.

    `updated_at` is the time of the update; `is_dated` is True if the source sent it. `list_memberships`, `taggings`,
    `phone_numbers`, `street_addresses` and `notes` replace all others, but `added_lists` are added; each custom field
    is updated by itself. `cleared` names fields whose values are removed. Raises InvalidField.
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
    job_title: str | None = None
    company_name: str | None = None
    anniversary: str | None = None
    birthday_month: int | None = None
    birthday_day: int | None = None
    create_source: str | None = None
    update_source: str | None = None
    list_memberships: tuple[str, ...] | None = None
    added_lists: tuple[str, ...] = ()
    taggings: tuple[str, ...] | None = None
    custom_fields: tuple[CustomFieldValue, ...] = ()
    phone_numbers: tuple[PhoneNumber, ...] | None = None
    street_addresses: tuple[StreetAddress, ...] | None = None
    notes: tuple[Note, ...] | None = None
    cleared: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_id("contact_id", self.contact_id)
        self._check_details()
        for field in ("updated_at", "created_at", "deleted_at", "opt_out_date"):
            _check_instant(field, getattr(self, field))
        check_opt_out_reason(self.opt_out_reason)
        if self.permission_to_send is not PermissionToSend.UNSUBSCRIBED:
            for field in ("opt_out_date", "opt_out_source", "opt_out_reason"):
                if getattr(self, field) is not None:
                    raise InvalidField(field, None, "is allowed only if permission_to_send is 'unsubscribed'")

    def _check_details(self) -> None:
        for field in ("job_title", "company_name", "anniversary"):
            check_text(field, getattr(self, field), MAX_VALUE_LENGTH)
        for field, allowed in (("birthday_month", _MONTHS), ("birthday_day", _DAYS)):
            number = getattr(self, field)
            if number is not None and number not in allowed:
                raise InvalidField(field, number, f"must be from 1 to {allowed[-1]}")
        for field in ("create_source", "update_source"):
            _check_kind(field, getattr(self, field), OPT_OUT_SOURCES)
        for field, limit in MAX_RESOURCES.items():
            resources = getattr(self, field)
            if resources is not None and len(resources) > limit:
                raise InvalidField(field, len(resources), f"must be at most {limit}")
        for field in ("list_memberships", "added_lists", "taggings"):
            for resource_id in getattr(self, field) or ():
                check_id(field, resource_id)
        unknown = sorted(self.cleared - CLEARABLE_FIELDS)
        if unknown:
            raise InvalidField("clear", unknown[0], "must be one of " + ", ".join(sorted(CLEARABLE_FIELDS)))

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


class ContactMerge(msgspec.Struct, frozen=True):
    """An id of a contact, and the id of the contact that it is merged into. Raises InvalidField."""

    contact_id: str
    merged_into: str

    def __post_init__(self) -> None:
        check_id("contact_id", self.contact_id)
        check_id("merged_into", self.merged_into)
        if self.contact_id == self.merged_into:
            raise InvalidField("merged_into", self.merged_into, "must be the id of another contact")


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


class DefinitionType(enum.IntEnum):
    """The definitions that contacts refer to by id. The numbers are persisted: never change them."""

    LIST = 0
    TAG = 1
    CUSTOM_FIELD = 2


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a custom field can have. Raises InvalidField."""

    choice_id: int
    choice_label: str
    display_order: int = 0

    def __post_init__(self) -> None:
        check_text("choices", self.choice_label, MAX_VALUE_LENGTH)
        for field in ("choice_id", "display_order"):
            if getattr(self, field) not in _CHOICE_NUMBERS:
                raise InvalidField(field, getattr(self, field), f"must be from 0 to {_CHOICE_NUMBERS[-1]}")


class DefinitionUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """A source's data about a contact list, a tag or a custom field.

    A field that is None is left as it is, except that `deleted_at` is cleared. The name of a custom field is its label.
    `description` and `favorite` belong to lists, `tag_source` to tags, `field_type` and `choices` to custom fields.
    Raises InvalidField.
    """

    type: DefinitionType
    definition_id: str
    updated_at: Instant
    name: str | None = None
    description: str | None = None
    favorite: bool | None = None
    tag_source: str | None = None
    field_type: str | None = None
    choices: tuple[Choice, ...] | None = None
    created_at: Instant | None = None
    deleted_at: Instant | None = None

    def __post_init__(self) -> None:
        check_id(ID_FIELDS[self.type], self.definition_id)
        check_text(NAME_FIELDS[self.type], self.name, MAX_VALUE_LENGTH)
        check_text("description", self.description, MAX_NAME_LENGTH)
        check_text("tag_source", self.tag_source, MAX_VALUE_LENGTH)
        _check_kind("type", self.field_type, CUSTOM_FIELD_TYPES)
        if self.choices is not None and len(self.choices) > MAX_CHOICES:
            raise InvalidField("choices", len(self.choices), f"must be at most {MAX_CHOICES}")
        for field in ("updated_at", "created_at", "deleted_at"):
            _check_instant(field, getattr(self, field))


ID_FIELDS: Final = {
    DefinitionType.LIST: "list_id",
    DefinitionType.TAG: "tag_id",
    DefinitionType.CUSTOM_FIELD: "custom_field_id",
}
"""The field of the API that holds the id of each type of definition."""

NAME_FIELDS: Final = {
    DefinitionType.LIST: "name",
    DefinitionType.TAG: "name",
    DefinitionType.CUSTOM_FIELD: "label",
}
"""The field of the API that holds the name of each type of definition."""

CUSTOM_FIELD_TYPES: Final = (
    *("string", "text_area", "number", "currency", "date", "datetime", "boolean", "single_select", "multi_select"),
)
_CHOICE_NUMBERS: Final = range(2**31)

CatalogUpdate: TypeAlias = ContactUpdate | CampaignUpdate | DefinitionUpdate


def _check_kind(field: str, value: str | None, allowed: Iterable[str]) -> None:
    if value is not None and value not in allowed:
        raise InvalidField(field, value, "must be one of " + ", ".join(allowed))


def _check_instant(field: str, instant: Instant | None) -> None:
    if instant is not None and instant < EARLIEST:
        raise InvalidField(field, iso(instant), "must not be before 1990")
