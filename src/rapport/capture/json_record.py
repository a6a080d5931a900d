"""Read JSON objects of other systems tolerantly."""

import re
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from rapport.capture.errors import InvalidPayload
from rapport.instant import MAX_INSTANT, MIN_INSTANT, Instant, parse_instant

_MAX_SECONDS: Final = 100_000_000_000
"""Larger numbers are milliseconds: in seconds they would be after the year 5000."""

_LONG_FRACTION: Final = re.compile(r"([.,]\d{6})\d+")


class JsonRecord:
    """A JSON object. Fields that are missing, null, empty or of another type are None."""

    __slots__ = ("_fields",)

    def __init__(self, value: object) -> None:
        self._fields: dict[str, object] = value if isinstance(value, dict) else {}

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def value(self, name: str) -> object:
        """Return the field's value unchanged."""
        return self._fields.get(name)

    def record(self, *path: str) -> "JsonRecord":
        """Return the object at the path; an empty one if there is none."""
        record = self
        for name in path:
            record = JsonRecord(record.value(name))
        return record

    def text(self, *names: str) -> str | None:
        """Return the first of these fields that has a text or a number, as text."""
        for name in names:
            value = self._fields.get(name)
            if value is not None:
                text = as_text(value)
                if text is not None:
                    return text
        return None

    def items(self, name: str) -> list[object]:
        """Return the list in the field; an empty one if there is none."""
        value = self._fields.get(name)
        return value if isinstance(value, list) else []

    def is_true(self, name: str) -> bool:
        """Return True if the field is exactly `true`."""
        return self._fields.get(name) is True

    def time(self, *names: str) -> Instant:
        """Return the first of these fields that has a time. Raises InvalidPayload if none has one."""
        for name in names:
            value = self._fields.get(name)
            if value is not None and value != "":
                return read_time(name, value)
        raise InvalidPayload(f"{names[0]}: the time of the event is missing")

    def flat(self, without: AbstractSet[str] = frozenset()) -> dict[str, str]:
        """Return all fields that have a text or number, as text, but for those in `without`."""
        texts = {name: as_text(value) for name, value in self._fields.items() if name not in without}
        return {name: text for name, text in texts.items() if text is not None}


def as_text(value: object) -> str | None:
    """Return a text or number as text, and None for anything else."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list, or a single text as a tuple of one."""
    items = value if isinstance(value, list) else [value]
    return tuple(text for text in map(as_text, items) if text is not None)


def decode_json(data: bytes | str, what: str = "the body") -> object:
    """Return the decoded JSON. Raises InvalidPayload, naming `what`."""
    try:
        decoded: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise InvalidPayload(f"{what} is not valid JSON: {exc}") from exc
    return decoded


def decode_metadata(text: str | None) -> dict[str, str]:
    """Return the fields of a text that is a JSON object, or else the text as the field `value`."""
    if text is None:
        return {}
    try:
        decoded = decode_json(text)
    except InvalidPayload:
        decoded = text
    return JsonRecord(decoded).flat() if isinstance(decoded, dict) else {"value": text}


def read_time(name: str, value: object) -> Instant:
    """Return the instant of seconds or milliseconds since 1970, or of an ISO 8601 text. Raises InvalidPayload."""
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdecimal():
            # Python reads at most six decimals; a space before the offset isn't ISO 8601.
            return parse_instant(_LONG_FRACTION.sub(r"\1", value.strip()).replace(" UTC", "Z").replace(" +", "+"))
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        if number is not None:
            instant = Instant(round(number * 1_000 if abs(number) < _MAX_SECONDS else number))
            if MIN_INSTANT <= instant <= MAX_INSTANT:
                return instant
    except (ValueError, OverflowError) as exc:
        raise InvalidPayload(f"{name}: {value!r} is not a time") from exc
    raise InvalidPayload(f"{name}: {value!r} is not a time")
