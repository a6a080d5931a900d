"""From a line that came in, NDJSON or CSV, to an activity, or to the reason why it is none. Pure.

The fields are those of the recording page of the docs; an item of an `activity_details` answer is a line as well.
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
"""The field of a rejection that concerns the line itself and none of its fields."""

MAX_LINE_BYTES: Final = 128 * 1024
"""More than an activity can have, with its longest link in escapes. A longer line isn't made into objects."""

_EXCERPT: Final = 200

T_co = TypeVar("T_co", covariant=True)


class Form(NamedTuple, Generic[T_co]):
    """How what a line states is read: from a line of JSON, and from a row of CSV with these columns.

    Both raise InvalidField; an instant is now.
    """

    what: str
    columns: tuple[str, ...]
    of_json: Callable[[bytes | msgspec.Raw, Instant], T_co]
    of_row: Callable[[Mapping[str, str], Instant], T_co]


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why one line was not recorded: its place, the field, the field's value, and what is wrong with it."""

    index: int
    field: str
    value: str | int | float | bool | None
    reason: str


def rejection_from(index: int, problem: InvalidField) -> Rejection:
    """The rejection of the line at `index` for what is wrong with one of its fields."""
    return Rejection(index=index, field=problem.field, value=excerpt(problem.value), reason=problem.reason)


class Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line's fields as they arrive. An absent one, a null and an empty text are the same: not said."""

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


FIELDS: Final = Line.__struct_fields__

LINE_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What one contact did with one campaign activity. An item of an response is one as well.",
    "required": ["contact_id", "campaign_activity_id", "created_time"],
    "properties": {
        "contact_id": {"type": "string", "pattern": ID_PATTERN},
        "campaign_activity_id": {"type": "string", "pattern": ID_PATTERN},
        "tracking_activity_type": {"type": "string", "enum": list(TYPES)},
        "created_time": {
            "description": "ISO 8601 with any offset, or milliseconds since 1970.",
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}],
        },
        "event_id": {"type": "string", "description": "What its source calls it; the same one is recorded once."},
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
"""What a line may have, for the published description: JSON Schema."""

_DECODER: Final = msgspec.json.Decoder(Line)


def decode_activity(line: bytes | msgspec.Raw, now: Instant) -> Activity:
    """The activity that a JSON object states. Raises InvalidField."""
    check_line_length(line)
    try:
        decoded = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _explain(bytes(line))
    return activity_of(decoded, now)


def check_line_length(line: bytes | msgspec.Raw) -> None:
    """Raise InvalidField if the line is longer than `MAX_LINE_BYTES`."""
    if len(line) > MAX_LINE_BYTES:
        raise InvalidField(WHOLE_LINE, None, f"must not be longer than {MAX_LINE_BYTES} bytes")


def decode_row(row: Mapping[str, str], now: Instant) -> Activity:
    """The activity that a row of CSV states, by the names of its columns. Raises InvalidField."""
    return activity_of(Line(**row), now)


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


def activity_of(line: Line, now: Instant) -> Activity:
    """The activity that a line's fields state. Raises InvalidField."""
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
    ) = astuple(line)
    if not contact_id:
        _missing("contact_id")
    if not campaign_activity_id:
        _missing("campaign_activity_id")
    person = link = None
    if email_address or first_name or last_name:
        person = _person(email_address or None, first_name or None, last_name or None)
    if link_url or url_id:
        link = _link(link_url or None, url_id or None)
    return Activity(
        contact_id=contact_id,
        campaign_activity_id=campaign_activity_id,
        type=_type(type_name, listed),
        created_time=_created_time(time, now),
        event_id=event_id or None,
        person=person,
        campaign_activity_name=campaign_activity_name or None,
        campaign_id=campaign_id or None,
        link=link,
        device_type=_device_type(device_type) if device_type else None,
        bounce_code=_bounce_code(bounce_code) if bounce_code else None,
        opt_out_reason=opt_out_reason or None,
    )


def excerpt(value: object) -> str | int | float | bool | None:
    """A value as a rejection shows it: itself, or its beginning."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…"


@lru_cache(maxsize=50_000)
def _cached_person(email_address: str | None, first_name: str | None, last_name: str | None) -> ContactProfile:
    return ContactProfile(email_address=email_address, first_name=first_name, last_name=last_name)


@lru_cache(maxsize=10_000)
def _cached_link(link_url: str | None, url_id: str | None) -> Link:
    return Link(link_url=link_url, url_id=url_id)


def _person(email_address: str | None, first_name: str | None, last_name: str | None) -> ContactProfile:
    if len(email_address or "") + len(first_name or "") + len(last_name or "") <= MAX_CACHED_TEXT:
        return _cached_person(email_address, first_name, last_name)
    return ContactProfile(email_address=email_address, first_name=first_name, last_name=last_name)


def _link(link_url: str | None, url_id: str | None) -> Link:
    if len(link_url or "") + len(url_id or "") <= MAX_CACHED_TEXT:
        return _cached_link(link_url, url_id)
    return Link(link_url=link_url, url_id=url_id)


def _missing(field: str) -> NoReturn:
    raise InvalidField(field, None, "is required")


def _type(name: str | None, listed: str | list[str] | None) -> ActivityType:
    if listed:
        name = _listed_type(name, listed)
    if not name:
        _missing("tracking_activity_type")
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


def _created_time(value: str | int | None, now: Instant) -> Instant:
    if value is None or value == "":
        _missing("created_time")
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
    """Say which field of a line that didn't decode is to blame. Slow, and only for lines that are refused."""
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        reason = "is nested too deep" if isinstance(problem, RecursionError) else f"must be JSON in UTF-8: {problem}"
        raise InvalidField(WHOLE_LINE, line.decode(errors="replace").strip(), reason) from None
    if not isinstance(fields, dict):
        raise InvalidField(WHOLE_LINE, fields, "must be a JSON object")
    for field, value in fields.items():
        if field not in FIELDS:
            raise InvalidField(field, value, "is no field of an activity; there are " + ", ".join(FIELDS))
        _check_json_type(field, value)
    raise InvalidField(WHOLE_LINE, fields, "must be an activity")


def _check_json_type(field: str, value: object) -> None:
    if value is None or isinstance(value, str):
        return
    if field == "created_time":
        if isinstance(value, int) and not isinstance(value, bool):
            return
        raise InvalidField(field, value, "must be a text or a whole number")
    if field == "tracking_activities_list" and isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return
        raise InvalidField(field, value, "must be a text, or a list of one")
    raise InvalidField(field, value, "must be a text")


ACTIVITIES: Final[Form[Activity]] = Form("an activity", FIELDS, decode_activity, decode_row)
