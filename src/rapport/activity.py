"""Domain types: the ten activity types, and activities.

All objects are immutable and validated when they are created, so that every instance can be recorded and reported.
"""

import enum
import re
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Final

import msgspec

from rapport.caching import MAX_CACHED_TEXT
from rapport.errors import InvalidField
from rapport.instant import Instant, iso, parse_instant


class ActivityType(enum.IntEnum):
    """The ten types, by their names in the API. The numbers are persisted: never change or reorder them."""

    EM_SENDS = 0
    EM_OPENS = 1
    EM_CLICKS = 2
    EM_BOUNCES = 3
    EM_OPTOUTS = 4
    EM_FORWARDS = 5
    P_CONTACT_OPEN = 6
    P_CONTACT_CLICK = 7
    P_CONTACT_ADD = 8
    P_CONTACT_UPDATE = 9


class DeviceType(enum.IntEnum):
    """The device that a contact used. The numbers are persisted: never change them."""

    COMPUTER = 0
    MOBILE = 1
    TABLET = 2
    OTHER = 3


class BounceCode(enum.IntEnum):
    """The reason of a bounce. The numbers are persisted: never change them.

    See https://developer.constantcontact.com/api_guide/email_summary_bounces_report.html.
    """

    B = 0
    D = 1
    F = 2
    S = 3
    V = 4
    X = 5
    Z = 6


TYPE_NAMES: Final = tuple(activity_type.name.lower() for activity_type in ActivityType)
"""The API's name of each activity type, by its number."""

TYPES: Final = {name: ActivityType(number) for number, name in enumerate(TYPE_NAMES)}
DEVICE_TYPES: Final = {device.name.lower(): device for device in DeviceType}
BOUNCE_CODES: Final = {code.name: code for code in BounceCode}
TYPES_WITHOUT_DEVICE: Final = frozenset({ActivityType.EM_SENDS, ActivityType.EM_BOUNCES})

_NO_DETAILS: Final = (None, None, None, None)
_LINK_TYPES: Final = frozenset({ActivityType.EM_CLICKS, ActivityType.P_CONTACT_CLICK})

EARLIEST: Final = parse_instant("1990-01-01T00:00:00Z")
"""The earliest time of an activity. An earlier one is most likely a time in the wrong unit."""

MAX_ID_LENGTH: Final = 255
ID_PATTERN: Final = r"^[^\x00-\x20\x7f-\xa0](?:[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0])?$"
"""For published schemas, with `MAX_ID_LENGTH`; `is_id` decides."""
ID_ALLOWED: Final = f"must have 1 to {MAX_ID_LENGTH} characters, without control characters or spaces at its ends"

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_CONTROL_EXCEPT_NEWLINES: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_NOT_IN_ID: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

ACCOUNT_ID_ALLOWED: Final = "must be 1 to 64 letters, digits, '-' or '_'"
_matches_account_id: Final = re.compile("[A-Za-z0-9_-]{1,64}", re.ASCII).fullmatch


def is_id(text: str) -> bool:
    """Return True if the text is an id: opaque, not necessarily a UUID (docs/compatibility.md#ids)."""
    return (
        0 < len(text) <= MAX_ID_LENGTH
        and (text.isprintable() or _NOT_IN_ID.search(text) is None)
        and text == text.strip()
    )


def is_account_id(text: str) -> bool:
    """Return True if the text is a valid account id or client id, which operators choose."""
    return _matches_account_id(text) is not None


def check_id(field: str, text: str | None) -> None:
    """Check that the text is a valid id, or None. Raises InvalidField."""
    if text is not None and not is_id(text):
        raise InvalidField(field, text, ID_ALLOWED)


def is_storable(text: str) -> bool:
    """Return True if the text has no control characters or lone surrogates, which not every store accepts."""
    return text.isprintable() or _CONTROL.search(text) is None


def check_text(field: str, text: str | None, max_length: int, forbidden: re.Pattern[str] = _CONTROL) -> None:
    """Check that the text is neither empty nor too long and has no forbidden characters. Raises InvalidField."""
    if text is None or (0 < len(text) <= max_length and text.isprintable()):
        return
    if not 0 < len(text) <= max_length:
        raise InvalidField(field, text, f"must have 1 to {max_length} characters")
    if forbidden.search(text):
        raise InvalidField(field, text, "must not contain control characters")


def check_multiline_text(field: str, text: str | None, max_length: int) -> None:
    """Check a text that may have several lines. Raises InvalidField."""
    check_text(field, text, max_length, _CONTROL_EXCEPT_NEWLINES)


def check_opt_out_reason(reason: str | None) -> None:
    """Check a reason, which may have several lines. Raises InvalidField."""
    check_multiline_text("opt_out_reason", reason, 2_048)


class ContactProfile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A contact's data at the time of an activity, as its source reported it; None if not reported."""

    email_address: str | None = None
    first_name: str | None = None
    last_name: str | None = None

    def __post_init__(self) -> None:
        address = self.email_address
        if address is not None:
            check_text("email_address", address, 254)
            if not 0 < address.find("@") < len(address) - 1:
                raise InvalidField("email_address", address, "must be an email address, like name@domain")
        check_text("first_name", self.first_name, 255)
        check_text("last_name", self.last_name, 255)


class Link(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A link, by its URL, its id, or both."""

    link_url: str | None = None
    url_id: str | None = None

    def __post_init__(self) -> None:
        check_text("link_url", self.link_url, 8_192)
        check_id("url_id", self.url_id)


class CampaignActivity(msgspec.Struct, frozen=True, gc=False):
    """A part of a campaign that is sent, or a landing page. Its name is None if it is unknown."""

    campaign_activity_id: str
    campaign_activity_name: str | None


class Activity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that a contact did with a campaign activity at one time.

    Raises InvalidField, with the name of the field, if a value is invalid.
    """

    contact_id: str
    campaign_activity_id: str
    type: ActivityType
    created_time: Instant
    event_id: str | None = None
    person: ContactProfile | None = None
    campaign_activity_name: str | None = None
    campaign_id: str | None = None
    link: Link | None = None
    device_type: DeviceType | None = None
    bounce_code: BounceCode | None = None
    opt_out_reason: str | None = None

    def __post_init__(self) -> None:
        check_id("contact_id", self.contact_id)
        check_id("campaign_activity_id", self.campaign_activity_id)
        if self.created_time < EARLIEST:
            raise InvalidField("created_time", iso(self.created_time), "must not be before 1990")
        if self.campaign_id is not None:
            check_id("campaign_id", self.campaign_id)
        if self.campaign_activity_name is not None:
            check_text("campaign_activity_name", self.campaign_activity_name, 512)
        if self.event_id is not None:
            check_text("event_id", self.event_id, 255)
        if (self.link, self.device_type, self.bounce_code, self.opt_out_reason) != _NO_DETAILS:
            self._check_details()

    def _check_details(self) -> None:
        activity_type = self.type
        if self.link is not None and activity_type not in _LINK_TYPES:
            field = "url_id" if self.link.link_url is None else "link_url"
            raise InvalidField(field, getattr(self.link, field), "is allowed for em_clicks and p_contact_click only")
        if self.device_type is not None and activity_type in TYPES_WITHOUT_DEVICE:
            device = self.device_type.name.lower()
            raise InvalidField("device_type", device, f"is not allowed for {TYPE_NAMES[activity_type]}")
        if self.bounce_code is not None and activity_type is not ActivityType.EM_BOUNCES:
            raise InvalidField("bounce_code", self.bounce_code.name, "is allowed for em_bounces only")
        if self.opt_out_reason is not None:
            if activity_type is not ActivityType.EM_OPTOUTS:
                raise InvalidField("opt_out_reason", self.opt_out_reason, "is allowed for em_optouts only")
            check_opt_out_reason(self.opt_out_reason)

    @property
    def identity(self) -> int:
        """Identifies the activity among its contact's: see `event_identity` and `content_identity`."""
        if self.event_id is not None:
            return event_identity(TYPE_NAMES[self.type], self.campaign_activity_id, self.event_id)
        link = self.link
        if link is None:
            return content_identity(TYPE_NAMES[self.type], self.campaign_activity_id)
        return content_identity(TYPE_NAMES[self.type], self.campaign_activity_id, link.link_url, link.url_id)


def event_identity(type_name: str, campaign_activity_id: str, event_id: str) -> int:
    """Return the identity of an activity with an event id, whatever its time.

    It includes the type and the campaign activity, because some sources use the same id for a send and its opens, or
    count from 1 in each mailing. PostgreSQL computes it in SQL when it migrates (0022_event_identities.sql).
    """
    text = f"event\x1f{type_name}\x1f{campaign_activity_id}\x1f{event_id}"
    return int.from_bytes(sha256(text.encode()).digest()[:8], signed=True)


def content_identity(
    type_name: str, campaign_activity_id: str, link_url: str | None = None, url_id: str | None = None
) -> int:
    """Return the identity of an activity without an event id.

    The same contact, type, time, campaign activity and link are the same activity. Contact, type and time are in the
    store's key too, so six bytes are enough. The type is part of the digest nevertheless, so that (time, identity) is a
    total order of a contact's activities.
    """
    if link_url is None or len(link_url) <= MAX_CACHED_TEXT:
        return _cached_content_identity(type_name, campaign_activity_id, link_url, url_id)
    return _content_identity(type_name, campaign_activity_id, link_url, url_id)


def _content_identity(type_name: str, campaign_activity_id: str, link_url: str | None, url_id: str | None) -> int:
    link = (link_url or "",) if url_id is None else (link_url or "", url_id)
    return _digest("content", type_name, campaign_activity_id, *link) >> 16


_cached_content_identity: Final = lru_cache(maxsize=50_000)(_content_identity)


def _digest(*parts: str) -> int:
    return int.from_bytes(blake2b("\x1f".join(parts).encode(), digest_size=8).digest(), signed=True)
