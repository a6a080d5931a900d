"""Subresources of contacts among their attributes: lists, tags, custom fields, phone numbers, addresses and notes.

A set of ids or objects is one attribute, stored as JSON. Each custom field is an attribute of its own: its value as it
is, or as JSON after a control character, which values can't contain, if it has the ids of choices. The contacts of a
list or a tag are derived from them, and so is the time at which a contact was created.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from rapport.catalog import ContactUpdate, CustomFieldValue, DefinitionType, Note, PhoneNumber, StreetAddress
from rapport.store.last_write_wins import Attributes, Value, merge_attributes

T = TypeVar("T")

RECORDED_AT: Final = "recorded_at"
"""The attribute for the earliest time of an update. It is both value and time."""

ID_SETS: Final = {"list_memberships": DefinitionType.LIST, "taggings": DefinitionType.TAG}
"""The attributes that are sets of ids, and what these identify."""

_DETAILS: Final = (
    *("job_title", "company_name", "anniversary", "birthday_month", "birthday_day", "create_source", "update_source"),
)
_CUSTOM_FIELD: Final = "custom_field:"
_CHOICES: Final = "\x1f"
_TYPES: Final[dict[str, Any]] = {
    "list_memberships": tuple[str, ...],
    "taggings": tuple[str, ...],
    "phone_numbers": tuple[PhoneNumber, ...],
    "street_addresses": tuple[StreetAddress, ...],
    "notes": tuple[Note, ...],
}


class Membership(NamedTuple):
    """A contact is on a list or has a tag."""

    type: DefinitionType
    definition_id: str


class MembershipRow(NamedTuple):
    """A contact on a list or with a tag, and the time at which it was created, by which it is ordered there."""

    type: int
    definition_id: str
    created_at: int


class DerivedContact(NamedTuple):
    """The values derived from a contact's attributes and activities."""

    created_at: int | None
    updated_at: int | None
    memberships: frozenset[MembershipRow]


def derive_contact(attributes: Attributes, first_time: int | None, stored: DerivedContact) -> DerivedContact:
    """Derive a contact's data from its attributes and the time of its first activity.

    A contact that was created in another way keeps its stored time. One without attributes is updated when created.
    """
    created_at = derive_created_at(attributes, first_time)
    if created_at is None:
        created_at = stored.created_at
    updated_at = max((time for _, time in attributes.values()), default=created_at)
    rows = [
        MembershipRow(int(entry.type), entry.definition_id, created_at or 0) for entry in list_memberships(attributes)
    ]
    return DerivedContact(created_at, updated_at, frozenset(rows))


def merge_subresources(attributes: Attributes, update: ContactUpdate) -> bool:
    """Merge the details and subresources of an update into the attributes. Return True if that changed them."""
    values: dict[str, Value] = {field: getattr(update, field) for field in _DETAILS}
    values |= {field: _dump(getattr(update, field)) for field in _TYPES}
    values = {field: value for field, value in values.items() if value is not None}
    values |= {_CUSTOM_FIELD + field.custom_field_id: _dump_custom_field(field) for field in update.custom_fields}
    values |= dict.fromkeys(update.cleared)
    is_changed = merge_attributes(attributes, values, update.updated_at)
    return _add_lists(attributes, update) or is_changed


def merge_recorded_at(attributes: Attributes, update: ContactUpdate) -> bool:
    """Keep the earliest time of an update. Return True if it changed."""
    time = update.updated_at
    if RECORDED_AT in attributes and attributes[RECORDED_AT][1] <= time:
        return False
    attributes[RECORDED_AT] = time, time
    return True


def derive_created_at(attributes: Attributes, first_time: int | None) -> int | None:
    """Return the time at which a contact was created: the one set by a source, or the earliest that is known.

    `first_time` is that of its first activity.
    """
    if "created_at" in attributes:
        return _to_int(attributes["created_at"][0])
    times = [first_time, _to_int(attributes[RECORDED_AT][0]) if RECORDED_AT in attributes else None]
    return min((time for time in times if time is not None), default=None)


def list_memberships(attributes: Attributes) -> set[Membership]:
    """Return the lists and tags of a contact."""
    return {
        Membership(definition_type, definition_id)
        for field, definition_type in ID_SETS.items()
        for definition_id in read_subresource(attributes, field, tuple[str, ...])
    }


def time_references(updates: Iterable[ContactUpdate]) -> dict[Membership, int]:
    """Return the lists, tags and custom fields that updates refer to, each with the earliest time of a reference."""
    references: dict[Membership, int] = {}
    for update in updates:
        for reference in _list_references(update):
            references[reference] = min(update.updated_at, references.get(reference, update.updated_at))
    return references


def _list_references(update: ContactUpdate) -> Iterator[Membership]:
    for list_id in (*(update.list_memberships or ()), *update.added_lists):
        yield Membership(DefinitionType.LIST, list_id)
    for tag_id in update.taggings or ():
        yield Membership(DefinitionType.TAG, tag_id)
    for field in update.custom_fields:
        if not field.is_removed:
            yield Membership(DefinitionType.CUSTOM_FIELD, field.custom_field_id)


def read_subresource(attributes: Attributes, field: str, value_type: type[tuple[T, ...]]) -> tuple[T, ...]:
    """Return a subresource of a contact, which is empty if it was never set."""
    value = attributes[field][0] if field in attributes else None
    return () if value is None else msgspec.json.decode(str(value), type=value_type)


def read_custom_fields(attributes: Attributes) -> tuple[CustomFieldValue, ...]:
    """Return the values of a contact's custom fields, in the order of their ids."""
    return tuple(
        _load_custom_field(field, value)
        for field, (value, _) in sorted(attributes.items())
        if field.startswith(_CUSTOM_FIELD) and value is not None
    )


def read_update_fields(values: Mapping[str, Value]) -> dict[str, Any]:
    """Return the fields of a `ContactUpdate` that sets these attributes again."""
    fields: dict[str, Any] = {field: values[field] for field in _DETAILS if values.get(field) is not None}
    for field, value_type in _TYPES.items():
        value = values.get(field)
        if value is not None:
            fields[field] = msgspec.json.decode(str(value), type=value_type)
    fields["custom_fields"] = tuple(
        _load_custom_field(field, value) for field, value in values.items() if field.startswith(_CUSTOM_FIELD)
    )
    return fields


def _add_lists(attributes: Attributes, update: ContactUpdate) -> bool:
    """Add the contact to lists, whatever the time of the update, because no update removes it from a single list."""
    present = read_subresource(attributes, "list_memberships", tuple[str, ...])
    added = [list_id for list_id in dict.fromkeys(update.added_lists) if list_id not in present]
    if not added:
        return False
    time = max(update.updated_at, attributes["list_memberships"][1] if "list_memberships" in attributes else 0)
    attributes["list_memberships"] = _dump((*present, *added)), time
    return True


def _dump(value: tuple[Any, ...] | None) -> str | None:
    """Encode a subresource. The order of ids has no meaning, so that equal sets are equal texts."""
    if value is None:
        return None
    ordered = sorted(set(value)) if all(isinstance(item, str) for item in value) else value
    return msgspec.json.encode(ordered).decode()


def _dump_custom_field(field: CustomFieldValue) -> str | None:
    if not field.choice_ids:
        return field.value
    return _CHOICES + msgspec.json.encode((field.value, field.choice_ids)).decode()


def _load_custom_field(name: str, stored: Value) -> CustomFieldValue:
    custom_field_id = name.removeprefix(_CUSTOM_FIELD)
    if stored is None or not str(stored).startswith(_CHOICES):
        return CustomFieldValue(custom_field_id=custom_field_id, value=None if stored is None else str(stored))
    value, choice_ids = _CHOICES_DECODER.decode(str(stored).removeprefix(_CHOICES))
    return CustomFieldValue(custom_field_id=custom_field_id, value=value, choice_ids=choice_ids)


_CHOICES_DECODER: Final = msgspec.json.Decoder(tuple[str | None, tuple[str, ...]])


def _to_int(value: Value) -> int | None:
    return None if value is None else int(value)
