"""The fields of an activity, their JSON Schema, and building activities from valid lines. `decoding` repairs others.

docs/recording.md lists the fields. An item of an `activity_details` response is a valid line too.
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
"""The field name that a rejection gives when it concerns the whole line."""

MAX_LINE_BYTES: Final = 128 * 1024
"""Longer than any valid activity, even with every character of its link escaped. Longer lines aren't parsed."""

_MAX_EXCERPT: Final = 200

T_co = TypeVar("T_co", covariant=True)


class Warn(Protocol):
    """Callback for a field that isn't recorded as received."""

    def __call__(self, field: str, value: object, action: str, /) -> None:
        """Report the field, its value, and what was done."""
        ...


def ignore_warning(_field: str, _value: object, _action: str) -> None:
    """Do nothing."""


class Context(NamedTuple):
    """The context of decoding a line: the current time, the callback for warnings, and the time format."""

    now: Instant
    warn: Warn = ignore_warning
    times: TimeFormat = UNKNOWN_FORMAT


class LineFormat(NamedTuple, Generic[T_co]):
    """Functions that decode a line of one data type: JSON, and a mapping of these fields. Both raise InvalidField.

    `noun` names the data type in error messages. Of each group of `required` fields, every line has at least one.
    """

    noun: str
    fields: tuple[str, ...]
    decode_json: Callable[[bytes | msgspec.Raw, Context], T_co]
    decode_fields: Callable[[Mapping[str, Any], Context], T_co]
    required: tuple[tuple[str, ...], ...]


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why a line was not recorded: its index in the request, the field, the field's value, and the reason."""

    index: int
    field: str
    value: str | int | float | bool | None
    reason: str


class FieldWarning(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a recorded line that was changed or left out: the line's index, the field, its value, the action."""

    index: int
    field: str
    value: str | int | float | bool | None
    action: str


def rejection_from(index: int, exc: InvalidField) -> Rejection:
    """Return the rejection of the line at `index`."""
    return Rejection(index=index, field=exc.field, value=excerpt(exc.value), reason=exc.reason)


class RawActivity(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An activity as received, not yet validated. A missing field, a null and an empty string mean the same.

    The last two fields occur in rows of Constant Contact's reports and are ignored.
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
    "description": "What one contact did with one campaign activity. An item of a report is one too.",
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
"""JSON Schema of a line, for the OpenAPI document. Unknown fields are accepted with a warning."""


def check_line_length(line: bytes | msgspec.Raw) -> None:
    """Raise InvalidField if the line is longer than `MAX_LINE_BYTES`."""
    if len(line) > MAX_LINE_BYTES:
        raise InvalidField(WHOLE_LINE, None, f"must not be longer than {MAX_LINE_BYTES} bytes")


def encode_activity(activity: Activity) -> bytes:
    """Encode an activity as a JSON object, from which `decode_activity` returns an equal one."""
    profile, link = activity.person or ContactProfile(), activity.link or Link()
    fields = {
        "contact_id": activity.contact_id,
        "campaign_activity_id": activity.campaign_activity_id,
        "tracking_activity_type": TYPE_NAMES[activity.type],
        "created_time": iso(activity.created_time),
        "event_id": activity.event_id,
        "campaign_activity_name": activity.campaign_activity_name,
        "campaign_id": activity.campaign_id,
        "email_address": profile.email_address,
        "first_name": profile.first_name,
        "last_name": profile.last_name,
        "link_url": link.link_url,
        "url_id": link.url_id,
        "device_type": None if activity.device_type is None else activity.device_type.name.lower(),
        "bounce_code": None if activity.bounce_code is None else activity.bounce_code.name,
        "opt_out_reason": activity.opt_out_reason,
    }
    return msgspec.json.encode({field: value for field, value in fields.items() if value is not None})


def build_activity(line: RawActivity, now: Instant) -> Activity:
    """Return the activity of a line that needs no repair. Raises InvalidField."""
    # Unpacking all fields at once is faster than reading them one by one, and imports spend their time here.
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
    """Return the value as a rejection shows it, shortened if it is long."""
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
    """Return the profile, with a normalized address. Raises InvalidField."""
    if len(email_address or "") + len(first_name or "") + len(last_name or "") <= MAX_CACHED_TEXT:
        return _cached_profile(email_address, first_name, last_name)
    return _cached_profile.__wrapped__(email_address, first_name, last_name)


def get_link(link_url: str | None, url_id: str | None) -> Link:
    """Return the link, shared with other activities unless it is very long. Raises InvalidField."""
    if len(link_url or "") + len(url_id or "") <= MAX_CACHED_TEXT:
        return _cached_link(link_url, url_id)
    return Link(link_url=link_url, url_id=url_id)


def raise_missing(field: str) -> NoReturn:
    """Raise InvalidField for a required field that is missing."""
    raise InvalidField(field, None, "is required")


def parse_type(name: str | None, listed: str | list[str] | None) -> ActivityType:
    """Return the activity type that either of the two fields names. Raises InvalidField."""
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
            raise InvalidField("tracking_activities_list", listed, "must contain exactly one type")
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
