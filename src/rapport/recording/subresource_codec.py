"""Decode the subresources of contacts, which are lists: JSON in a line of NDJSON, and text in a cell of a table."""

import contextlib
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from rapport.catalog import CustomFieldValue, Note, PhoneNumber, StreetAddress
from rapport.errors import InvalidField
from rapport.instant import Instant, iso

Item = TypeVar("Item", bound=msgspec.Struct)
Built = TypeVar("Built")

RawId = str | int | None

RawTime = str | int | float | None
"""A time as received: a string, or a number since 1970."""


class CustomFieldValueLine(msgspec.Struct, forbid_unknown_fields=True):
    """A contact's value of a custom field, or the ids of its choices, as received. A null removes it."""

    custom_field_id: RawId = None
    value: str | int | float | bool | None = None
    choice_ids: list[RawId] | None = None


class PhoneNumberLine(msgspec.Struct, forbid_unknown_fields=True):
    """A phone number, as received."""

    phone_number: str | None = None
    kind: str | None = None


class NoteLine(msgspec.Struct, forbid_unknown_fields=True):
    """A note, as received."""

    content: str | None = None
    created_at: RawTime = None


class StreetAddressLine(msgspec.Struct, forbid_unknown_fields=True):
    """A street address, as received."""

    kind: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


def required(field: str, value: RawId) -> str:
    """Return a required id as text. Raises InvalidField."""
    text = optional_id(value)
    if text is None:
        raise InvalidField(field, None, "is required")
    return text


def optional_id(value: RawId) -> str | None:
    """Return an id as text, or None if it is empty."""
    return str(value).strip() or None if value is not None else None


def build_custom_field_value(line: CustomFieldValueLine) -> CustomFieldValue:
    """Validate a received value. Raises InvalidField."""
    value = line.value
    text = ("true" if value else "false") if isinstance(value, bool) else None if value is None else str(value)
    return CustomFieldValue(
        custom_field_id=required("custom_field_id", line.custom_field_id),
        value=text or None,
        choice_ids=parse_ids("choice_ids", line.choice_ids) or (),
    )


def build_phone_number(line: PhoneNumberLine) -> PhoneNumber:
    """Validate a received phone number. Raises InvalidField."""
    if not line.phone_number:
        raise InvalidField("phone_numbers", None, "must each have a phone_number")
    return PhoneNumber(phone_number=line.phone_number, kind=line.kind or None)


def build_note(line: NoteLine, created_at: Instant) -> Note:
    """Validate a received note. Raises InvalidField."""
    if not line.content:
        raise InvalidField("notes", None, "must each have a content")
    return Note(content=line.content, created_at=created_at)


def build_street_address(line: StreetAddressLine) -> StreetAddress:
    """Validate a received street address. Raises InvalidField."""
    return StreetAddress(**{field: getattr(line, field) or None for field in line.__struct_fields__})


def encode_custom_field(field: CustomFieldValue) -> dict[str, Any]:
    """Return a value as a JSON object that decodes to an equal one."""
    encoded: dict[str, Any] = {"custom_field_id": field.custom_field_id}
    if field.value is not None or not field.choice_ids:
        encoded["value"] = field.value
    if field.choice_ids:
        encoded["choice_ids"] = field.choice_ids
    return encoded


def encode_note(note: Note) -> dict[str, str]:
    """Return a note as a JSON object that decodes to an equal one."""
    return {"content": note.content, "created_at": iso(note.created_at)}


def map_items(build: Callable[[Item], Built], items: list[Item] | None) -> tuple[Built, ...] | None:
    """Return the built items of a list, or None."""
    return None if items is None else tuple(map(build, items))


def parse_items(field: str, value: list[Item] | str | None, item_type: type[list[Item]]) -> list[Item] | None:
    """Return the objects of a list, which is JSON in a cell of a table."""
    if value is None or isinstance(value, list):
        return value
    if not value.strip():
        return None
    try:
        return msgspec.json.decode(value, type=item_type)
    except msgspec.MsgspecError as exc:
        raise InvalidField(field, value, f"must be a list of JSON objects: {exc}") from None


def _split_ids(text: str) -> Sequence[RawId]:
    if text.startswith("["):
        with contextlib.suppress(msgspec.MsgspecError):
            return msgspec.json.decode(text, type=list[RawId])
    return re.split(r"[,;]", text)


def parse_ids(field: str, value: Sequence[RawId] | None) -> tuple[str, ...] | None:
    """Return the ids of a list; in a cell of a table, they are separated by commas or semicolons, or a list in JSON."""
    if value is None or value == "":
        return None
    ids = _split_ids(value) if isinstance(value, str) else value
    texts = [optional_id(item) for item in ids]
    if isinstance(value, str):
        texts = [text for text in texts if text is not None]
    if None in texts:
        raise InvalidField(field, None, "must not contain an empty id")
    return tuple(text for text in texts if text is not None)
