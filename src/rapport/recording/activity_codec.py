"""The fields of an activity's line, their schema, and the activity of a line that needs no repair. Pure.

The fields are those of the recording page of the docs; an item of an `activity_details` answer is a line as well.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, NoReturn, Protocol, TypeVar

import msgspec
from msgspec.structs import astuple

from rapport.activity import (
    BOUNCE_CODES,
    DEVICE_TYPES,
    EARLIEST,
    ID_PATTERN,
    MAX_ID_LENGTH,
    TYPE_NAMES,
    TYPES,
    Activity,
    ActivityType,
    BounceCode,
    ContactProfile,
    DeviceType,
    Link,
)
from rapport.caching import MAX_CACHED_TEXT
from rapport.email_address import normalize_address
from rapport.errors import InvalidField
from rapport.instant import DAY, Instant, iso
from rapport.recording.times import UNKNOWN_FORMAT, TimeFormat, parse_time

WHOLE_LINE: Final = "line"
"""The field of a rejection that concerns the line itself and none of its fields."""

MAX_LINE_BYTES: Final = 128 * 1024
"""More than an activity can have, with its longest link in escapes. A longer line isn't made into objects."""

_MAX_EXCERPT: Final = 200

T_co = TypeVar("T_co", covariant=True)


class Warn(Protocol):
    """What is called for a field that was not recorded as it came in."""

    def __call__(self, field: str, value: object, action: str, /) -> None:
        """Take note of the field, its value, and what was done."""
        ...


def ignore_warning(_field: str, _value: object, _action: str) -> None:
    """Take no note."""


class Context(NamedTuple):
    """What decoding needs to know besides the line: the time, how times are written, and whom to warn."""

    now: Instant
    warn: Warn = ignore_warning
    times: TimeFormat = UNKNOWN_FORMAT


class LineFormat(NamedTuple, Generic[T_co]):
    """How a line is decoded: from JSON, and from its fields, whose names are `fields`. Both raise InvalidField."""

    noun: str
    fields: tuple[str, ...]
    decode_json: Callable[[bytes | msgspec.Raw, Context], T_co]
    decode_fields: Callable[[Mapping[str, Any], Context], T_co]


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why one line was not recorded: its place, the field, the field's value, and what is wrong with it."""

    index: int
    field: str
    value: str | int | float | bool | None
    reason: str


class FieldWarning(msgspec.Struct, frozen=True, kw_only=True):
    """What of a recorded line was changed or left out: its index, the field, the field's value, and what was done."""

    index: int
    field: str
    value: str | int | float | bool | None
    action: str


def rejection_from(index: int, problem: InvalidField) -> Rejection:
    """The rejection of the line at `index` for what is wrong with one of its fields."""
    return Rejection(index=index, field=problem.field, value=excerpt(problem.value), reason=problem.reason)


class RawActivity(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line's fields as they arrive. An absent one, a null and an empty text are the same: not given.

    The rows of Constant Contact's reports have the last two as well, which say nothing about the activity.
    """

    contact_id: str | int | None = None
    campaign_activity_id: str | int | None = None
    tracking_activity_type: str | None = None
    created_time: str | int | float | None = None
    event_id: str | int | None = None
    campaign_activity_name: str | None = None
    campaign_id: str | int | None = None
    email_address: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    link_url: str | None = None
    url_id: str | int | None = None
    device_type: str | None = None
    bounce_code: str | None = None
    opt_out_reason: str | None = None
    tracking_activities_list: str | list[str] | None = None
    deleted_at: msgspec.Raw | None = None
    current_email_address: msgspec.Raw | None = None


IGNORED_FIELDS: Final = ("deleted_at", "current_email_address")
FIELDS: Final = RawActivity.__struct_fields__[: -len(IGNORED_FIELDS)]

_ID: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string", "pattern": ID_PATTERN, "minLength": 1, "maxLength": MAX_ID_LENGTH},
        {"type": "integer"},
    ]
}

ACTIVITY_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What one contact did with one campaign activity. An item of a report is one as well.",
    "required": ["contact_id", "campaign_activity_id", "created_time"],
    "properties": {
        "contact_id": _ID,
        "campaign_activity_id": _ID,
        "tracking_activity_type": {"type": "string", "enum": list(TYPES)},
        "created_time": {
            "description": "ISO 8601 with any offset, RFC 2822, or seconds, milliseconds or microseconds since 1970.",
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}],
        },
        "event_id": {
            "description": "The source's id of the event: with the same contact, type and campaign activity it is "
            "recorded once.",
            "anyOf": [{"type": "string", "minLength": 1, "maxLength": 255}, {"type": "integer"}],
        },
        "campaign_activity_name": {"type": "string"},
        "campaign_id": _ID,
        "email_address": {"type": "string"},
        "first_name": {"type": "string"},
        "last_name": {"type": "string"},
        "link_url": {"type": "string", "description": "With clicks only."},
        "url_id": {**_ID, "description": "With clicks only."},
        "device_type": {"type": "string", "enum": list(DEVICE_TYPES)},
        "bounce_code": {"type": "string", "enum": list(BOUNCE_CODES), "description": "With bounces only."},
        "opt_out_reason": {"type": "string", "description": "With opt-outs only."},
        "tracking_activities_list": {"type": "string", "description": "One type, for tracking_activity_type."},
        "deleted_at": {"description": "Ignored: rows of reports have it."},
        "current_email_address": {"description": "Ignored: rows of reports have it."},
    },
    "additionalProperties": False,
}
"""What a line may have, for the published description: JSON Schema. More is taken with a warning."""


def check_line_length(line: bytes | msgspec.Raw) -> None:
    """Raise InvalidField if the line is longer than `MAX_LINE_BYTES`."""
    if len(line) > MAX_LINE_BYTES:
        raise InvalidField(WHOLE_LINE, None, f"must not be longer than {MAX_LINE_BYTES} bytes")


def encode_activity(activity: Activity) -> bytes:
    """The activity as a JSON object that `decode_activity` takes back unchanged."""
    person, link = activity.person or ContactProfile(), activity.link or Link()
    fields = {
        "contact_id": activity.contact_id,
        "campaign_activity_id": activity.campaign_activity_id,
        "tracking_activity_type": TYPE_NAMES[activity.type],
        "created_time": iso(activity.created_time),
        "event_id": activity.event_id,
        "campaign_activity_name": activity.campaign_activity_name,
        "campaign_id": activity.campaign_id,
        "email_address": person.email_address,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "link_url": link.link_url,
        "url_id": link.url_id,
        "device_type": None if activity.device_type is None else activity.device_type.name.lower(),
        "bounce_code": None if activity.bounce_code is None else activity.bounce_code.name,
        "opt_out_reason": activity.opt_out_reason,
    }
    return msgspec.json.encode({field: value for field, value in fields.items() if value is not None})


def build_activity(line: RawActivity, now: Instant) -> Activity:
    """Return the activity of a line that needs no repair. Raises InvalidField."""
    # Taken out all at once: this is where an import spends its time.
    (
        contact_id,
        campaign_activity_id,
        type_name,
        time,
        event_id,
        campaign_activity_name,
        campaign_id,
        email_address,
        first_name,
        last_name,
        link_url,
        url_id,
        device_type,
        bounce_code,
        opt_out_reason,
        listed,
        _,
        _,
    ) = astuple(line)
    if not contact_id:
        raise_missing("contact_id")
    if not campaign_activity_id:
        raise_missing("campaign_activity_id")
    profile = link = None
    if email_address or first_name or last_name:
        profile = get_profile(email_address or None, first_name or None, last_name or None)
    if link_url or url_id:
        link = get_link(link_url or None, _to_text(url_id))
    return Activity(
        contact_id=contact_id if contact_id.__class__ is str else str(contact_id),
        campaign_activity_id=campaign_activity_id
        if campaign_activity_id.__class__ is str
        else str(campaign_activity_id),
        type=parse_type(type_name, listed),
        created_time=parse_created_time(time, now),
        event_id=_to_text(event_id),
        person=profile,
        campaign_activity_name=campaign_activity_name or None,
        campaign_id=_to_text(campaign_id),
        link=link,
        device_type=_device_type(device_type) if device_type else None,
        bounce_code=_bounce_code(bounce_code) if bounce_code else None,
        opt_out_reason=opt_out_reason or None,
    )


def _to_text(value: str | int | None) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else str(value)


def excerpt(value: object) -> str | int | float | bool | None:
    """A value as a rejection shows it: itself, or its beginning."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _MAX_EXCERPT else text[:_MAX_EXCERPT] + "…"


@lru_cache(maxsize=50_000)
def _cached_profile(email_address: str | None, first_name: str | None, last_name: str | None) -> ContactProfile:
    if email_address is not None:
        try:
            email_address = normalize_address(email_address)
        except ValueError as exc:
            raise InvalidField("email_address", email_address, str(exc)) from None
    return ContactProfile(email_address=email_address, first_name=first_name, last_name=last_name)


@lru_cache(maxsize=10_000)
def _cached_link(link_url: str | None, url_id: str | None) -> Link:
    return Link(link_url=link_url, url_id=url_id)


def get_profile(email_address: str | None, first_name: str | None, last_name: str | None) -> ContactProfile:
    """Return the profile, with the address in its normal form. Raises InvalidField."""
    if len(email_address or "") + len(first_name or "") + len(last_name or "") <= MAX_CACHED_TEXT:
        return _cached_profile(email_address, first_name, last_name)
    return _cached_profile.__wrapped__(email_address, first_name, last_name)


def get_link(link_url: str | None, url_id: str | None) -> Link:
    """Return the link. Raises InvalidField."""
    if len(link_url or "") + len(url_id or "") <= MAX_CACHED_TEXT:
        return _cached_link(link_url, url_id)
    return Link(link_url=link_url, url_id=url_id)


def raise_missing(field: str) -> NoReturn:
    """Raise the error of a required field that is missing."""
    raise InvalidField(field, None, "is required")


def parse_type(name: str | None, listed: str | list[str] | None) -> ActivityType:
    """Return the activity type that a line gives by either of the two fields. Raises InvalidField."""
    if listed:
        name = _listed_type(name, listed)
    if not name:
        raise_missing("tracking_activity_type")
    activity_type = TYPES.get(name)
    if activity_type is None:
        raise InvalidField("tracking_activity_type", name, "must be one of " + ", ".join(TYPES))
    return activity_type


def _listed_type(name: str | None, listed: str | list[str]) -> str:
    if isinstance(listed, list):
        if len(listed) != 1:
            raise InvalidField("tracking_activities_list", listed, "must hold one type")
        listed = listed[0]
    if name and name != listed:
        raise InvalidField("tracking_activities_list", listed, f"differs from tracking_activity_type, {name}")
    return listed


def parse_created_time(value: str | float | None, now: Instant, times: TimeFormat = UNKNOWN_FORMAT) -> Instant:
    """Return the time of an activity. Raises InvalidField."""
    if value is None or value == "":
        raise_missing("created_time")
    return check_time("created_time", value, now, times)


def check_time(field: str, value: str | float, now: Instant, times: TimeFormat) -> Instant:
    """Return the time that a value names, from 1990 to a day ahead. Raises InvalidField."""
    try:
        time = parse_time(value, times)
    except ValueError as exc:
        raise InvalidField(field, value, str(exc)) from None
    if time < EARLIEST:
        raise InvalidField(field, value, "must not be before 1990")
    if time > now + DAY:
        raise InvalidField(field, value, f"must not be more than a day ahead of {iso(now)}")
    return time


def _device_type(name: str) -> DeviceType:
    device = DEVICE_TYPES.get(name)
    if device is None:
        raise InvalidField("device_type", name, "must be one of " + ", ".join(DEVICE_TYPES))
    return device


def _bounce_code(name: str) -> BounceCode:
    code = BOUNCE_CODES.get(name)
    if code is None:
        raise InvalidField("bounce_code", name, "must be one of " + ", ".join(BOUNCE_CODES))
    return code
