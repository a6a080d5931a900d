"""The resource of a contact, with its subresources."""

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport import catalog
from rapport.api.responses import DateTimeSeconds, Id, format_second
from rapport.catalog import OPT_OUT_SOURCES, PERMISSIONS, OptOutSource, PermissionToSend
from rapport.store.attributes import get_time, get_value
from rapport.store.contacts import ContactRecord
from rapport.store.last_write_wins import Attributes
from rapport.store.subresources import read_custom_fields, read_subresource


class EmailAddress(msgspec.Struct, kw_only=True):
    """The contact's email address, its permission to send and, if it unsubscribed, when, how and why."""

    address: str
    permission_to_send: Annotated[str, Meta(extra_json_schema={"enum": list(PERMISSIONS)})] | UnsetType = UNSET
    opt_out_source: Annotated[str, Meta(extra_json_schema={"enum": list(OPT_OUT_SOURCES)})] | UnsetType = UNSET
    opt_out_date: DateTimeSeconds | UnsetType = UNSET
    opt_out_reason: str | UnsetType = UNSET


class CustomFieldValue(msgspec.Struct, kw_only=True):
    """The contact's value of a custom field, which is empty if it has only choices, and the ids of these."""

    custom_field_id: Id
    value: str
    choice_ids: list[Id] | UnsetType = UNSET


class PhoneNumber(msgspec.Struct, kw_only=True):
    """A phone number of the contact."""

    phone_number_id: Id
    phone_number: str
    kind: str | UnsetType = UNSET
    created_at: DateTimeSeconds | UnsetType = UNSET
    updated_at: DateTimeSeconds | UnsetType = UNSET


class Note(msgspec.Struct, kw_only=True):
    """A note about the contact."""

    note_id: Id
    created_at: DateTimeSeconds | UnsetType = UNSET
    content: str


class StreetAddress(msgspec.Struct, kw_only=True):
    """A street address of the contact."""

    street_address_id: Id
    kind: str
    street: str | UnsetType = UNSET
    city: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    postal_code: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    created_at: DateTimeSeconds | UnsetType = UNSET
    updated_at: DateTimeSeconds | UnsetType = UNSET


class Contact(msgspec.Struct, kw_only=True):
    """A contact. Unknown values are left out, and so are subresources that aren't in `include`."""

    contact_id: Id
    email_address: EmailAddress | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    created_at: DateTimeSeconds | UnsetType = UNSET
    updated_at: DateTimeSeconds | UnsetType = UNSET
    deleted_at: DateTimeSeconds | UnsetType = UNSET
    job_title: str | UnsetType = UNSET
    company_name: str | UnsetType = UNSET
    birthday_month: int | UnsetType = UNSET
    birthday_day: int | UnsetType = UNSET
    anniversary: str | UnsetType = UNSET
    create_source: str | UnsetType = UNSET
    update_source: str | UnsetType = UNSET
    custom_fields: list[CustomFieldValue] | UnsetType = UNSET
    list_memberships: list[Id] | UnsetType = UNSET
    phone_numbers: list[PhoneNumber] | UnsetType = UNSET
    street_addresses: list[StreetAddress] | UnsetType = UNSET
    taggings: list[Id] | UnsetType = UNSET
    notes: list[Note] | UnsetType = UNSET


def build_contact(record: ContactRecord, attributes: Attributes, included: Sequence[str]) -> Contact:
    """Return the resource of a contact with the subresources in `included`."""
    values = {field: get_value(attributes, field) for field in _DETAILS}
    details: dict[str, Any] = {field: value for field, value in values.items() if value is not None}
    details |= {name: SUBRESOURCES[name](record.contact_id, attributes) for name in included}
    return Contact(
        contact_id=record.contact_id,
        email_address=_email_address(record),
        first_name=UNSET if record.first_name is None else record.first_name,
        last_name=UNSET if record.last_name is None else record.last_name,
        created_at=format_second(record.created_at),
        updated_at=format_second(record.last_activity or record.updated_at),
        deleted_at=format_second(record.deleted_at),
        **details,
    )


def _list_custom_fields(_contact_id: str, attributes: Attributes) -> list[CustomFieldValue]:
    return [
        CustomFieldValue(
            custom_field_id=field.custom_field_id,
            value=field.value or "",
            choice_ids=list(field.choice_ids) or UNSET,
        )
        for field in read_custom_fields(attributes)
    ]


def _list_ids(field: str, _contact_id: str, attributes: Attributes) -> list[str]:
    return list(read_subresource(attributes, field, tuple[str, ...]))


def _list_phone_numbers(contact_id: str, attributes: Attributes) -> list[PhoneNumber]:
    time = format_second(get_time(attributes, "phone_numbers"))
    return [
        PhoneNumber(
            phone_number_id=_subresource_id(contact_id, "phone_number", index),
            phone_number=number.phone_number,
            kind=UNSET if number.kind is None else number.kind,
            created_at=time,
            updated_at=time,
        )
        for index, number in enumerate(read_subresource(attributes, "phone_numbers", tuple[catalog.PhoneNumber, ...]))
    ]


def _list_street_addresses(contact_id: str, attributes: Attributes) -> list[StreetAddress]:
    time = format_second(get_time(attributes, "street_addresses"))
    addresses = read_subresource(attributes, "street_addresses", tuple[catalog.StreetAddress, ...])
    return [
        StreetAddress(
            street_address_id=_subresource_id(contact_id, "street_address", index),
            kind=address.kind or "other",
            created_at=time,
            updated_at=time,
            **{
                field: value
                for field in ("street", "city", "state", "postal_code", "country")
                if (value := getattr(address, field)) is not None
            },
        )
        for index, address in enumerate(addresses)
    ]


def _list_notes(contact_id: str, attributes: Attributes) -> list[Note]:
    """Return the notes, newest first."""
    notes = enumerate(read_subresource(attributes, "notes", tuple[catalog.Note, ...]))
    return [
        Note(
            note_id=_subresource_id(contact_id, "note", index),
            created_at=format_second(note.created_at),
            content=note.content,
        )
        for index, note in sorted(notes, key=lambda entry: entry[1].created_at, reverse=True)
    ]


def _subresource_id(contact_id: str, kind: str, index: int) -> str:
    """Return the id of a subresource, which is the same for each response."""
    return str(uuid.uuid5(_SUBRESOURCE_NAMESPACE, f"{kind}/{index}/{contact_id}"))


_SUBRESOURCE_NAMESPACE: Final = uuid.UUID("5c0b2d3a-43d7-4f9c-9a5f-2a3a6c1f7b10")

_DETAILS: Final = (
    *("job_title", "company_name", "birthday_month", "birthday_day", "anniversary", "create_source", "update_source"),
)

SUBRESOURCES: Final[dict[str, Callable[[str, Attributes], list[Any]]]] = {
    "custom_fields": _list_custom_fields,
    "list_memberships": partial(_list_ids, "list_memberships"),
    "taggings": partial(_list_ids, "taggings"),
    "phone_numbers": _list_phone_numbers,
    "street_addresses": _list_street_addresses,
    "notes": _list_notes,
}


def _email_address(record: ContactRecord) -> EmailAddress | UnsetType:
    if record.email_address is None:
        return UNSET
    permission, source = record.permission_to_send, record.opt_out_source
    return EmailAddress(
        address=record.email_address,
        permission_to_send=UNSET if permission is None else PermissionToSend(permission).name.lower(),
        opt_out_source=UNSET if source is None else OptOutSource(source).name.capitalize(),
        opt_out_date=format_second(record.opt_out_date),
        opt_out_reason=UNSET if record.opt_out_reason is None else record.opt_out_reason,
    )
