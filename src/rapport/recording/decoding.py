"""Decode lines into activities, repairing what can be repaired.

An invalid optional field never causes a rejection: it is mapped, cleaned or left out, with a warning.
"""

import difflib
import json
import re
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from rapport.activity import (
    BOUNCE_CODES,
    DEVICE_TYPES,
    ID_ALLOWED,
    TYPE_NAMES,
    TYPES_WITHOUT_DEVICE,
    Activity,
    ActivityType,
    BounceCode,
    DeviceType,
    Link,
    is_id,
    is_storable,
)
from rapport.email_address import normalize_address
from rapport.errors import InvalidField
from rapport.recording.activity_codec import (
    FIELDS,
    IGNORED_FIELDS,
    WHOLE_LINE,
    Context,
    LineFormat,
    RawActivity,
    build_activity,
    check_line_length,
    get_profile,
    parse_created_time,
    parse_type,
    raise_missing,
)
from rapport.recording.details import bounce_code_from, device_type_from

E = TypeVar("E", DeviceType, BounceCode)

_DECODER: Final = msgspec.json.Decoder(RawActivity)
_ANY: Final = msgspec.json.Decoder()
_KNOWN: Final = frozenset((*FIELDS, *IGNORED_FIELDS))

_SYNONYMS: Final = {
    "created_time": frozenset({"date", "time", "timestamp", "when", "at", "datum", "zeit"}),
    "email_address": frozenset({"email", "mail", "e", "recipient", "address"}),
    "link_url": frozenset({"url", "link", "href"}),
    "device_type": frozenset({"device", "client", "platform", "agent"}),
    "bounce_code": frozenset({"bounce", "smtp", "status"}),
    "campaign_activity_id": frozenset({"mailing", "newsletter", "campaign", "message", "broadcast"}),
    "tracking_activity_type": frozenset({"event", "action", "type", "activity"}),
    "first_name": frozenset({"first", "given", "forename", "vorname"}),
    "last_name": frozenset({"last", "family", "surname", "nachname"}),
    "contact_id": frozenset({"subscriber", "user", "customer", "person", "member", "lead", "contact", "id", "key"}),
}
"""Words by which columns of other tools are recognized, in the order in which they decide."""

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")

_MAX_EVENT_ID: Final = 255
_MAX_NAME: Final = 255
_MAX_CAMPAIGN_ACTIVITY_NAME: Final = 512
_MAX_LINK: Final = 8_192
_MAX_REASON: Final = 2_048

_CLICKS: Final = frozenset({ActivityType.EM_CLICKS, ActivityType.P_CONTACT_CLICK})


def decode_activity(line: bytes | msgspec.Raw, context: Context) -> Activity:
    """Return the activity of a JSON object. Raises InvalidField."""
    check_line_length(line)
    try:
        return build_activity(_DECODER.decode(line), context.now)
    except (InvalidField, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return repair_activity(decode_object(line), context)


def decode_fields(fields: Mapping[str, Any], context: Context) -> Activity:
    """Return the activity of a row, by the names of its columns. Raises InvalidField."""
    try:
        return build_activity(RawActivity(**fields), context.now)
    except (InvalidField, TypeError, AttributeError):
        return repair_activity(fields, context)


def build_or_repair(line: RawActivity, context: Context) -> Activity:
    """Return the activity of a line. Raises InvalidField."""
    try:
        return build_activity(line, context.now)
    except (InvalidField, TypeError, AttributeError):
        return repair_activity({field: getattr(line, field) for field in FIELDS}, context)


def decode_object(line: bytes | msgspec.Raw) -> dict[str, Any]:
    """Return the fields of a JSON object. Raises InvalidField."""
    try:
        fields = _ANY.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        if isinstance(exc, RecursionError):
            reason = "is nested too deep"
        elif _has_half_character(line):
            reason = r"must be JSON in UTF-8: an escape such as \ud83d is only half of a character"
        else:
            reason = f"must be JSON in UTF-8: {exc}"
        raise InvalidField(WHOLE_LINE, bytes(line).decode(errors="replace").strip(), reason) from None
    if not isinstance(fields, dict):
        raise InvalidField(WHOLE_LINE, fields, "must be a JSON object")
    return fields


def _has_half_character(line: bytes | msgspec.Raw) -> bool:
    """Return True if a line is JSON but for a lone surrogate, which Python's own module accepts."""
    try:
        return _SURROGATE.search(bytes(line)) is not None and json.loads(bytes(line)) is not None
    except (ValueError, RecursionError):
        return False


def repair_activity(fields: Mapping[str, Any], context: Context) -> Activity:
    """Return the activity of fields of which some need repair, with a warning for each. Raises InvalidField."""
    for field, value in fields.items():
        if field not in _KNOWN:
            raise_unknown_field(field, value, FIELDS, "an activity")
    repair = _Repair(fields, context)
    activity_type = repair.type()
    return Activity(
        contact_id=repair.required_id("contact_id"),
        campaign_activity_id=repair.required_id("campaign_activity_id"),
        type=activity_type,
        created_time=repair.time(),
        event_id=repair.event_id(),
        person=repair.profile(),
        campaign_activity_name=repair.text("campaign_activity_name", _MAX_CAMPAIGN_ACTIVITY_NAME),
        campaign_id=repair.optional_id("campaign_id"),
        link=repair.link(activity_type),
        device_type=repair.device(activity_type),
        bounce_code=repair.bounce_code(activity_type),
        opt_out_reason=repair.opt_out_reason(activity_type),
    )


def raise_unknown_field(field: str, value: object, known: Collection[str], noun: str) -> NoReturn:
    """Raise InvalidField for an unknown field, suggesting the most similar known one."""
    nearest = find_nearest(field, known)
    hint = "" if nearest is None else f" (did you mean {nearest}?)"
    raise InvalidField(field, value, f"is not a field of {noun}{hint}; expected one of {', '.join(known)}")


def find_nearest(name: str, known: Collection[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most similar to `name`, or None if none is similar enough."""
    normal = normalize_name(name)
    close = difflib.get_close_matches(normal, list(known), 1, max(cutoff, 0.6))
    if close:
        return close[0]
    words = normal.split("_")
    for field, synonyms in _SYNONYMS.items():
        if field in known and not synonyms.isdisjoint(words):
            return field
    close = difflib.get_close_matches(normal, list(known), 1, cutoff)
    return close[0] if close else None


def normalize_name(name: str) -> str:
    """Return a column's name in the spelling of fields: `Email Address` becomes `email_address`."""
    return "_".join(name.strip().casefold().replace("-", " ").replace(".", " ").replace("_", " ").split())


class _Repair:
    """Reads the fields of one line."""

    def __init__(self, fields: Mapping[str, Any], context: Context) -> None:
        self._fields = fields
        self._context = context

    def _get(self, field: str) -> Any:  # noqa: ANN401 - JSON
        value = self._fields.get(field)
        return None if value is None or value == "" else value

    def _warn(self, field: str, action: str) -> None:
        self._context.warn(field, self._fields.get(field), action)

    def required_id(self, field: str) -> str:
        value = self._get(field)
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "":
            raise_missing(field)
        text = _to_text(value)
        if text is None:
            raise InvalidField(field, value, "must be a text or a whole number")
        if not is_id(text):
            raise InvalidField(field, self._fields[field], ID_ALLOWED)
        return text

    def optional_id(self, field: str) -> str | None:
        value = self._get(field)
        text = None if value is None else _to_text(value)
        if text is not None:
            text = text.strip()
            if is_id(text):
                return text
        if value is not None and text != "":
            self._warn(field, f"left out: {ID_ALLOWED}")
        return None

    def type(self) -> ActivityType:
        name, listed = self._get("tracking_activity_type"), self._get("tracking_activities_list")
        if name is not None and not isinstance(name, str):
            raise InvalidField("tracking_activity_type", name, "must be a text")
        if isinstance(listed, list):
            if not all(isinstance(item, str) for item in listed):
                raise InvalidField("tracking_activities_list", listed, "must be a text, or a list of one")
        elif listed is not None and not isinstance(listed, str):
            raise InvalidField("tracking_activities_list", listed, "must be a text, or a list of one")
        return parse_type(name and name.strip(), listed)

    def time(self) -> Any:  # noqa: ANN401 - an Instant
        value = self._get("created_time")
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            raise InvalidField("created_time", value, "must be a text or a number")
        return parse_created_time(value, self._context.now, self._context.times)

    def event_id(self) -> str | None:
        value = self._get("event_id")
        if value is None:
            return None
        text = _to_text(value)
        if text is None:
            raise InvalidField("event_id", value, "must be a text or a whole number")
        if len(text) <= _MAX_EVENT_ID and is_storable(text):
            return text
        # It identifies the activity, so it can't be left out or shortened.
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        self._warn(
            "event_id",
            f"recorded as its SHA-256 digest: must have 1 to {_MAX_EVENT_ID} characters, and no control characters",
        )
        return digest

    def text(self, field: str, max_length: int, *, keep_lines: bool = False) -> str | None:
        value = self._get(field)
        if value is None:
            return None
        if not isinstance(value, str):
            text = _to_text(value) if not isinstance(value, float) else str(value)
            if text is None:
                self._warn(field, "left out: must be a text")
                return None
            value = text
            self._warn(field, "recorded as a text")
        kept = "".join(
            character if character.isprintable() or _is_kept(character, keep_lines=keep_lines) else " "
            for character in value
        )
        if kept != value:
            kept = kept.strip()
            self._warn(field, "recorded without control characters")
        if len(kept) > max_length:
            kept = kept[:max_length]
            self._warn(field, f"shortened to {max_length} characters")
        return kept or None

    def profile(self) -> Any:  # noqa: ANN401 - a ContactProfile
        address = self._get("email_address")
        if address is not None:
            try:
                if not isinstance(address, str):
                    raise ValueError("must be a text")  # noqa: TRY004 - one reason among several
                address = normalize_address(address)
            except ValueError as exc:
                self._warn("email_address", f"left out: {exc}")
                address = None
        first_name, last_name = self.text("first_name", _MAX_NAME), self.text("last_name", _MAX_NAME)
        if address is None and first_name is None and last_name is None:
            return None
        return get_profile(address, first_name, last_name)

    def link(self, activity_type: ActivityType) -> Link | None:
        if activity_type not in _CLICKS:
            for field in ("link_url", "url_id"):
                if self._get(field) is not None:
                    self._warn(field, "left out: belongs to em_clicks and p_contact_click only")
            return None
        url_id = self.optional_id("url_id")
        link_url = self._get("link_url")
        if link_url is not None and (not isinstance(link_url, str) or len(link_url) > _MAX_LINK):
            self._warn("link_url", f"left out: must be a text of at most {_MAX_LINK} characters")
            link_url = None
        if link_url is not None:
            link_url = self.text("link_url", _MAX_LINK)
        return None if link_url is None and url_id is None else Link(link_url=link_url, url_id=url_id)

    def device(self, activity_type: ActivityType) -> DeviceType | None:
        value = self._get("device_type")
        if value is None:
            return None
        if activity_type in TYPES_WITHOUT_DEVICE:
            self._warn("device_type", f"left out: does not belong to {TYPE_NAMES[activity_type]}")
            return None
        return self._choose("device_type", value, DEVICE_TYPES, device_type_from)

    def bounce_code(self, activity_type: ActivityType) -> BounceCode | None:
        value = self._get("bounce_code")
        if value is None:
            return None
        if activity_type is not ActivityType.EM_BOUNCES:
            self._warn("bounce_code", "left out: belongs to em_bounces only")
            return None
        return self._choose("bounce_code", value, BOUNCE_CODES, bounce_code_from)

    def _choose(
        self, field: str, value: object, known: Mapping[str, E], map_value: Callable[[str], str | None]
    ) -> E | None:
        text = _to_text(value) or ""
        if text in known:
            return known[text]
        name = map_value(text)
        if name is None:
            self._warn(field, "left out: must be one of " + ", ".join(known))
            return None
        self._warn(field, f"recorded as {name}")
        return known[name]

    def opt_out_reason(self, activity_type: ActivityType) -> str | None:
        if activity_type is ActivityType.EM_OPTOUTS:
            return self.text("opt_out_reason", _MAX_REASON, keep_lines=True)
        if self._get("opt_out_reason") is not None:
            self._warn("opt_out_reason", "left out: belongs to em_optouts only")
        return None


def _to_text(value: object) -> str | None:
    """Return a text or a whole number as a text; None for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _is_kept(character: str, *, keep_lines: bool) -> bool:
    code = ord(character)
    if keep_lines and character in "\t\n\r":
        return True
    return not (code < 0x20 or code == 0x7F or 0xD800 <= code < 0xE000)


ACTIVITIES: Final[LineFormat[Activity]] = LineFormat(
    noun="an activity",
    fields=FIELDS,
    decode_json=decode_activity,
    decode_fields=decode_fields,
    required=(
        ("contact_id",),
        ("campaign_activity_id",),
        ("tracking_activity_type", "tracking_activities_list"),
        ("created_time",),
    ),
)
