"""Decode activities from lines of NDJSON and rows of CSV, and encode them again.

docs/recording.md lists the fields. An item of an `activity_details` response is a valid line too.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeVar

import msgspec
from msgspec.structs import astuple

from rapport.activity import (
    BOUNCE_CODES,
    DEVICE_TYPES,
    EARLIEST,
    ID_PATTERN,
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
from rapport.errors import InvalidField
from rapport.instant import DAY, Instant, iso, parse_instant

WHOLE_LINE: Final = "line"
"""The field name that a rejection gives when it concerns the whole line."""

MAX_LINE_BYTES: Final = 128 * 1024
"""Longer than any valid activity, even with every character of its link escaped. Longer lines aren't parsed."""

_MAX_EXCERPT: Final = 200

T_co = TypeVar("T_co", covariant=True)


class LineFormat(NamedTuple, Generic[T_co]):
    """How to decode one kind of line: from JSON, and from a row of CSV that has these columns.

    Both decoders take the current time and raise InvalidField. `noun` names the kind in error messages.
    """

    noun: str
    columns: tuple[str, ...]
    decode_json: Callable[[bytes | msgspec.Raw, Instant], T_co]
    decode_fields: Callable[[Mapping[str, str], Instant], T_co]


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why a line was not recorded: its index in the request, the field, the field's value, and the reason."""

    index: int
    field: str
    value: str | int | float | bool | None
    reason: str


def rejection_from(index: int, exc: InvalidField) -> Rejection:
    """Return the rejection of the line at `index`."""
    return Rejection(index=index, field=exc.field, value=excerpt(exc.value), reason=exc.reason)


class RawActivity(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An activity as received, not yet validated. A missing field, a null and an empty string mean the same."""

    contact_id: str | None = None
    campaign_activity_id: str | None = None
    tracking_activity_type: str | None = None
    created_time: str | int | None = None
    event_id: str | None = None
    campaign_activity_name: str | None = None
    campaign_id: str | None = None
    email_address: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    link_url: str | None = None
    url_id: str | None = None
    device_type: str | None = None
    bounce_code: str | None = None
    opt_out_reason: str | None = None
    tracking_activities_list: str | list[str] | None = None


FIELDS: Final = RawActivity.__struct_fields__

ACTIVITY_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What one contact did with one campaign activity. An item of a report is one too.",
    "required": ["contact_id", "campaign_activity_id", "created_time"],
    "properties": {
        "contact_id": {"type": "string", "pattern": ID_PATTERN},
        "campaign_activity_id": {"type": "string", "pattern": ID_PATTERN},
        "tracking_activity_type": {"type": "string", "enum": list(TYPES)},
        "created_time": {
            "description": "ISO 8601 with any offset, or milliseconds since 1970.",
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}],
        },
        "event_id": {"type": "string", "description": "The source's id of the event; the same id is recorded once."},
        "campaign_activity_name": {"type": "string"},
        "campaign_id": {"type": "string", "pattern": ID_PATTERN},
        "email_address": {"type": "string"},
        "first_name": {"type": "string"},
        "last_name": {"type": "string"},
        "link_url": {"type": "string", "description": "With clicks only."},
        "url_id": {"type": "string", "description": "With clicks only."},
        "device_type": {"type": "string", "enum": list(DEVICE_TYPES)},
        "bounce_code": {"type": "string", "enum": list(BOUNCE_CODES), "description": "With bounces only."},
        "opt_out_reason": {"type": "string", "description": "With opt-outs only."},
        "tracking_activities_list": {"type": "string", "description": "One type, for tracking_activity_type."},
    },
    "additionalProperties": False,
}
"""JSON Schema of a line, for the OpenAPI document."""

_DECODER: Final = msgspec.json.Decoder(RawActivity)


def decode_activity(line: bytes | msgspec.Raw, now: Instant) -> Activity:
    """Decode an activity from a JSON object. Raises InvalidField."""
    check_line_length(line)
    try:
        decoded = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _explain(bytes(line))
    return build_activity(decoded, now)


def check_line_length(line: bytes | msgspec.Raw) -> None:
    """Raise InvalidField if the line is longer than `MAX_LINE_BYTES`."""
    if len(line) > MAX_LINE_BYTES:
        raise InvalidField(WHOLE_LINE, None, f"must not be longer than {MAX_LINE_BYTES} bytes")


def decode_row(row: Mapping[str, str], now: Instant) -> Activity:
    """Decode an activity from a row of CSV, keyed by column name. Raises InvalidField."""
    return build_activity(RawActivity(**row), now)


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
    """Validate a received activity. Raises InvalidField."""
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
    ) = astuple(line)
    if not contact_id:
        raise_missing("contact_id")
    if not campaign_activity_id:
        raise_missing("campaign_activity_id")
    profile = link = None
    if email_address or first_name or last_name:
        profile = get_profile(email_address or None, first_name or None, last_name or None)
    if link_url or url_id:
        link = get_link(link_url or None, url_id or None)
    return Activity(
        contact_id=contact_id,
        campaign_activity_id=campaign_activity_id,
        type=parse_type(type_name, listed),
        created_time=parse_created_time(time, now),
        event_id=event_id or None,
        person=profile,
        campaign_activity_name=campaign_activity_name or None,
        campaign_id=campaign_id or None,
        link=link,
        device_type=_device_type(device_type) if device_type else None,
        bounce_code=_bounce_code(bounce_code) if bounce_code else None,
        opt_out_reason=opt_out_reason or None,
    )


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
    return ContactProfile(email_address=email_address, first_name=first_name, last_name=last_name)


@lru_cache(maxsize=10_000)
def _cached_link(link_url: str | None, url_id: str | None) -> Link:
    return Link(link_url=link_url, url_id=url_id)


def get_profile(email_address: str | None, first_name: str | None, last_name: str | None) -> ContactProfile:
    """Return the profile, shared with other activities unless it is very long."""
    if len(email_address or "") + len(first_name or "") + len(last_name or "") <= MAX_CACHED_TEXT:
        return _cached_profile(email_address, first_name, last_name)
    return ContactProfile(email_address=email_address, first_name=first_name, last_name=last_name)


def get_link(link_url: str | None, url_id: str | None) -> Link:
    """Return the link, shared with other activities unless it is very long."""
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


def parse_created_time(value: str | int | None, now: Instant) -> Instant:
    """Return the time of an activity. Raises InvalidField."""
    if value is None or value == "":
        raise_missing("created_time")
    try:
        if isinstance(value, int):
            created_time = Instant(value)
        elif value.isascii() and value.isdecimal():
            created_time = Instant(int(value))
        else:
            created_time = parse_instant(value)
    except ValueError:
        allowed = "must be ISO 8601 with an offset or Z, or milliseconds since 1970"
        raise InvalidField("created_time", value, allowed) from None
    if created_time < EARLIEST:
        raise InvalidField("created_time", value, "must not be before 1990 (a number counts milliseconds)")
    if created_time > now + DAY:
        raise InvalidField("created_time", value, f"must not be more than a day ahead of {iso(now)}")
    return created_time


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


def _explain(line: bytes) -> NoReturn:
    """Raise InvalidField for the field that made decoding fail. Slow, so only called for invalid lines."""
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        reason = "is nested too deeply" if isinstance(exc, RecursionError) else f"must be JSON in UTF-8: {exc}"
        raise InvalidField(WHOLE_LINE, line.decode(errors="replace").strip(), reason) from None
    if not isinstance(fields, dict):
        raise InvalidField(WHOLE_LINE, fields, "must be a JSON object")
    for field, value in fields.items():
        if field not in FIELDS:
            raise InvalidField(field, value, "is not a field of an activity; expected one of " + ", ".join(FIELDS))
        _check_json_type(field, value)
    raise InvalidField(WHOLE_LINE, fields, "must be an activity")


def _check_json_type(field: str, value: object) -> None:
    if value is None or isinstance(value, str):
        return
    if field == "created_time":
        if isinstance(value, int) and not isinstance(value, bool):
            return
        raise InvalidField(field, value, "must be a string or an integer")
    if field == "tracking_activities_list" and isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return
        raise InvalidField(field, value, "must be a string or a list of one string")
    raise InvalidField(field, value, "must be a string")


ACTIVITIES: Final[LineFormat[Activity]] = LineFormat("an activity", FIELDS, decode_activity, decode_row)
