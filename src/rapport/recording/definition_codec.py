"""Decode updates of contact lists, tags and custom fields from lines of NDJSON and rows of CSV."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from rapport.catalog import ID_FIELDS, NAME_FIELDS, Choice, DefinitionType, DefinitionUpdate
from rapport.errors import InvalidField
from rapport.recording.activity_codec import Context, LineFormat, check_line_length
from rapport.recording.catalog_codec import decode_json, parse_time
from rapport.recording.subresource_codec import RawId, RawTime, required

T = TypeVar("T", bound=msgspec.Struct)

_FLAGS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class ListLine(msgspec.Struct, forbid_unknown_fields=True):
    """A contact list as received, not yet validated. A missing field, a null and an empty string mean the same."""

    list_id: RawId = None
    updated_at: RawTime = None
    name: str | None = None
    description: str | None = None
    favorite: bool | str | None = None
    created_at: RawTime = None
    deleted_at: RawTime = None


class TagLine(msgspec.Struct, forbid_unknown_fields=True):
    """A tag, as received."""

    tag_id: RawId = None
    updated_at: RawTime = None
    name: str | None = None
    tag_source: str | None = None
    created_at: RawTime = None
    deleted_at: RawTime = None


class ChoiceLine(msgspec.Struct, forbid_unknown_fields=True):
    """A choice of a custom field, as received."""

    choice_id: int
    choice_label: str
    display_order: int = 0


class CustomFieldLine(msgspec.Struct, forbid_unknown_fields=True):
    """A custom field, as received. The choices are JSON in a cell of a table."""

    custom_field_id: RawId = None
    updated_at: RawTime = None
    label: str | None = None
    type: str | None = None
    choices: list[ChoiceLine] | str | None = None
    created_at: RawTime = None
    deleted_at: RawTime = None


def build_list(line: ListLine, context: Context) -> DefinitionUpdate:
    """Validate a received list. Raises InvalidField."""
    return DefinitionUpdate(
        type=DefinitionType.LIST,
        definition_id=required("list_id", line.list_id),
        updated_at=parse_time("updated_at", line.updated_at, context) or context.now,
        name=line.name or None,
        description=line.description or None,
        favorite=_parse_flag("favorite", line.favorite),
        created_at=parse_time("created_at", line.created_at, context),
        deleted_at=parse_time("deleted_at", line.deleted_at, context),
    )


def build_tag(line: TagLine, context: Context) -> DefinitionUpdate:
    """Validate a received tag. Raises InvalidField."""
    return DefinitionUpdate(
        type=DefinitionType.TAG,
        definition_id=required("tag_id", line.tag_id),
        updated_at=parse_time("updated_at", line.updated_at, context) or context.now,
        name=line.name or None,
        tag_source=line.tag_source or None,
        created_at=parse_time("created_at", line.created_at, context),
        deleted_at=parse_time("deleted_at", line.deleted_at, context),
    )


def build_custom_field(line: CustomFieldLine, context: Context) -> DefinitionUpdate:
    """Validate a received custom field. Raises InvalidField."""
    return DefinitionUpdate(
        type=DefinitionType.CUSTOM_FIELD,
        definition_id=required("custom_field_id", line.custom_field_id),
        updated_at=parse_time("updated_at", line.updated_at, context) or context.now,
        name=line.label or None,
        field_type=line.type or None,
        choices=_parse_choices(line.choices),
        created_at=parse_time("created_at", line.created_at, context),
        deleted_at=parse_time("deleted_at", line.deleted_at, context),
    )


def get_definition_fields(update: DefinitionUpdate) -> dict[str, Any]:
    """Return the fields of an update by name, with times as instants."""
    return {
        ID_FIELDS[update.type]: update.definition_id,
        "updated_at": update.updated_at,
        NAME_FIELDS[update.type]: update.name,
        "description": update.description,
        "favorite": None if update.favorite is None else str(update.favorite).lower(),
        "tag_source": update.tag_source,
        "type": update.field_type,
        "choices": update.choices,
        "created_at": update.created_at,
        "deleted_at": update.deleted_at,
    }


def _parse_flag(field: str, value: bool | str | None) -> bool | None:  # noqa: FBT001 - a value, not an option
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.lower() not in _FLAGS:
        raise InvalidField(field, value, "must be true or false")
    return _FLAGS[value.lower()] if isinstance(value, str) else value


def _parse_choices(value: list[ChoiceLine] | str | None) -> tuple[Choice, ...] | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value, type=list[ChoiceLine])
        except msgspec.MsgspecError as exc:
            raise InvalidField("choices", value, f"must be a list of JSON objects: {exc}") from None
    return tuple(
        Choice(choice_id=line.choice_id, choice_label=line.choice_label, display_order=line.display_order)
        for line in value
    )


def _decode_row(
    line_type: Callable[..., T],
    build: Callable[[T, Context], DefinitionUpdate],
    row: Mapping[str, Any],
    context: Context,
) -> DefinitionUpdate:
    return build(line_type(**row), context)


def _line_format(
    noun: str, line_type: type[T], build: Callable[[T, Context], DefinitionUpdate], id_field: str
) -> LineFormat[DefinitionUpdate]:
    return LineFormat(
        noun,
        line_type.__struct_fields__,
        partial(decode_json, check_line_length, msgspec.json.Decoder(line_type), build),
        partial(_decode_row, line_type, build),
        ((id_field,),),
    )


LISTS: Final = _line_format("a list", ListLine, build_list, "list_id")
TAGS: Final = _line_format("a tag", TagLine, build_tag, "tag_id")
CUSTOM_FIELDS: Final = _line_format("a custom field", CustomFieldLine, build_custom_field, "custom_field_id")
