"""Request bodies that create or update a contact, with the limits that Constant Contact documents.

Fields that only the server sets, such as `contact_id`, are ignored, because clients send whole contacts back.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta
from msgspec.structs import asdict

from rapport import catalog
from rapport.activity import ContactProfile, check_text
from rapport.catalog import (
    CLEARABLE_FIELDS,
    OPT_OUT_SOURCES,
    PERMISSIONS,
    ContactUpdate,
    PermissionToSend,
)
from rapport.email_address import normalize_address
from rapport.errors import InvalidField
from rapport.instant import Instant, parse_instant

T = TypeVar("T")

_MAX_NAME: Final = 50
_MAX_ADDRESS: Final = 80
_NAMES: Final = ("first_name", "last_name", "job_title", "company_name")
_ANNIVERSARY: Final = re.compile(r"\d{1,2}([/-])\d{1,2}\1\d{4}|\d{4}([/-])\d{1,2}\2\d{1,2}", re.ASCII)

_PERMISSIONS_BY_SOURCE: Final = {"Account": PermissionToSend.IMPLICIT, "Contact": PermissionToSend.EXPLICIT}
"""The permission of a contact that is added without one: one that added itself has given it."""

Source = Annotated[str, Meta(extra_json_schema={"enum": list(OPT_OUT_SOURCES)})]
Name = Annotated[str, Meta(extra_json_schema={"maxLength": _MAX_NAME})]


class EmailAddressBody(msgspec.Struct, kw_only=True):
    """An email address and the permission to send to it."""

    address: str
    permission_to_send: Annotated[str, Meta(extra_json_schema={"enum": list(PERMISSIONS)})] | None = None


class CustomFieldBody(msgspec.Struct, kw_only=True):
    """A value of a custom field, or the ids of its choices; null or an empty string removes it."""

    custom_field_id: str
    value: str | int | float | bool | None = None
    choice_ids: list[str | int] | None = None


class PhoneNumberBody(msgspec.Struct, kw_only=True):
    """A phone number."""

    phone_number: str
    kind: str | None = None


class NoteBody(msgspec.Struct, kw_only=True):
    """A note about a contact. Without `created_at`, it is of now."""

    content: str
    created_at: str | None = None


class StreetAddressBody(msgspec.Struct, kw_only=True):
    """A street address."""

    kind: str
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


class _Details(msgspec.Struct, kw_only=True):
    """What all bodies have. `sms_channel` is ignored: Rapport sends and records no text messages."""

    first_name: Name | None = None
    last_name: Name | None = None
    job_title: Name | None = None
    company_name: Name | None = None
    birthday_month: int | None = None
    birthday_day: int | None = None
    anniversary: str | None = None
    list_memberships: list[str] | None = None
    custom_fields: list[CustomFieldBody] | None = None
    sms_channel: Any = None


class ContactPost(_Details, kw_only=True):
    """A contact to create: with a first name, a last name or an email address."""

    create_source: Source
    email_address: EmailAddressBody | None = None
    taggings: list[str] | None = None
    phone_numbers: list[PhoneNumberBody] | None = None
    street_addresses: list[StreetAddressBody] | None = None
    notes: list[NoteBody] | None = None


class ContactPut(_Details, kw_only=True):
    """A contact's new values. Names, titles and dates that are left out are removed; subresources stay."""

    update_source: Source
    email_address: EmailAddressBody | None = None
    taggings: list[str] | None = None
    phone_numbers: list[PhoneNumberBody] | None = None
    street_addresses: list[StreetAddressBody] | None = None
    notes: list[NoteBody] | None = None


class SignUp(_Details, kw_only=True):
    """A contact that signed up with a form: with lists, or with who adds it (`source`), which sets its permission."""

    email_address: str
    source: Source | None = None
    phone_number: str | None = None
    street_address: StreetAddressBody | None = None


def build_post(body: ContactPost, contact_id: str, now: Instant) -> ContactUpdate:
    """Return the update that creates a contact. Raises InvalidField."""
    if body.email_address is None and not body.first_name and not body.last_name:
        raise InvalidField("email_address", None, "is required, unless there is a first_name or a last_name")
    source = _check_source("create_source", body.create_source)
    permission = _parse_permission(body.email_address)
    if body.email_address is not None and permission is None:
        permission = _PERMISSIONS_BY_SOURCE[source]
    return _build(
        body,
        contact_id,
        now,
        email_address=None if body.email_address is None else body.email_address.address,
        permission_to_send=permission,
        created_at=now,
        create_source=source,
        **_subresources(body, now),
    )


def build_put(body: ContactPut, contact_id: str, now: Instant) -> ContactUpdate:
    """Return the update that replaces a contact's values. Raises InvalidField."""
    return _build(
        body,
        contact_id,
        now,
        email_address=None if body.email_address is None else body.email_address.address,
        permission_to_send=_parse_permission(body.email_address),
        update_source=_check_source("update_source", body.update_source),
        cleared=frozenset(field for field in CLEARABLE_FIELDS if not getattr(body, field)),
        **_subresources(body, now),
    )


def build_sign_up(body: SignUp, contact_id: str, now: Instant) -> ContactUpdate:
    """Return the update of a contact that signed up, to be merged into a contact with its address.

    Raises InvalidField.
    """
    if not body.list_memberships and body.source is None:
        raise InvalidField("list_memberships", None, "must have at least one list_id, unless there is a source")
    source = _check_source("source", body.source or "Contact")
    phone = None if not body.phone_number else (catalog.PhoneNumber(phone_number=body.phone_number, kind="other"),)
    street = None if body.street_address is None else (_build_street_address(body.street_address),)
    return _build(
        body,
        contact_id,
        now,
        email_address=body.email_address,
        permission_to_send=_PERMISSIONS_BY_SOURCE[source],
        update_source=source,
        added_lists=_check_ids("list_memberships", body.list_memberships or ()),
        phone_numbers=phone,
        street_addresses=street,
    )


def _build(
    body: _Details,
    contact_id: str,
    now: Instant,
    *,
    email_address: str | None,
    **values: Any,  # noqa: ANN401 - fields
) -> ContactUpdate:
    for field in _NAMES:
        check_text(field, getattr(body, field) or None, _MAX_NAME)
    if body.anniversary and _ANNIVERSARY.fullmatch(body.anniversary) is None:
        raise InvalidField("anniversary", body.anniversary, "must be a date like 12/31/2020 or 2020-12-31")
    if (body.birthday_month is None) != (body.birthday_day is None):
        raise InvalidField("birthday_day", None, "and birthday_month must be sent together")
    return ContactUpdate(
        contact_id=contact_id,
        updated_at=now,
        is_dated=True,
        person=ContactProfile(
            email_address=_parse_address(email_address),
            first_name=body.first_name or None,
            last_name=body.last_name or None,
        ),
        job_title=body.job_title or None,
        company_name=body.company_name or None,
        anniversary=body.anniversary or None,
        birthday_month=body.birthday_month,
        birthday_day=body.birthday_day,
        custom_fields=tuple(map(_build_custom_field, body.custom_fields or ())),
        **values,
    )


def _subresources(body: ContactPost | ContactPut, now: Instant) -> dict[str, Any]:
    return {
        "list_memberships": _map("list_memberships", body.list_memberships, _check_ids),
        "taggings": _map("taggings", body.taggings, _check_ids),
        "phone_numbers": _map("phone_numbers", body.phone_numbers, _build_phone_numbers),
        "street_addresses": _map("street_addresses", body.street_addresses, _build_street_addresses),
        "notes": None if body.notes is None else tuple(_build_note(note, now) for note in body.notes),
    }


def _map(field: str, value: T | None, build: Callable[[str, T], Any]) -> Any:  # noqa: ANN401 - one of several tuples
    return None if value is None else build(field, value)


def _check_ids(field: str, ids: Sequence[str]) -> tuple[str, ...]:
    limit = catalog.MAX_RESOURCES[field]
    if len(ids) > limit:
        raise InvalidField(field, len(ids), f"must be at most {limit}")
    return tuple(dict.fromkeys(ids))


def _build_custom_field(body: CustomFieldBody) -> catalog.CustomFieldValue:
    value = str(body.value).lower() if isinstance(body.value, bool) else body.value
    return catalog.CustomFieldValue(
        custom_field_id=body.custom_field_id,
        value=None if value is None or value == "" else str(value),
        choice_ids=tuple(dict.fromkeys(map(str, body.choice_ids or ()))),
    )


def _build_phone_numbers(_field: str, bodies: Sequence[PhoneNumberBody]) -> tuple[catalog.PhoneNumber, ...]:
    return tuple(catalog.PhoneNumber(phone_number=body.phone_number, kind=body.kind or None) for body in bodies)


def _build_street_addresses(_field: str, bodies: Sequence[StreetAddressBody]) -> tuple[catalog.StreetAddress, ...]:
    return tuple(map(_build_street_address, bodies))


def _build_street_address(body: StreetAddressBody) -> catalog.StreetAddress:
    return catalog.StreetAddress(**{field: value or None for field, value in asdict(body).items()})


def _build_note(body: NoteBody, now: Instant) -> catalog.Note:
    return catalog.Note(
        content=body.content, created_at=now if not body.created_at else _parse_time("notes", body.created_at)
    )


def _parse_time(field: str, text: str) -> Instant:
    try:
        return parse_instant(text)
    except ValueError as exc:
        raise InvalidField(field, text, str(exc)) from None


def _parse_address(address: str | None) -> str | None:
    if address is None:
        return None
    check_text("email_address", address, _MAX_ADDRESS)
    try:
        return normalize_address(address)
    except ValueError as exc:
        raise InvalidField("email_address", address, str(exc)) from None


def _parse_permission(body: EmailAddressBody | None) -> PermissionToSend | None:
    if body is None or body.permission_to_send is None:
        return None
    permission = PERMISSIONS.get(body.permission_to_send)
    if permission is None:
        raise InvalidField("permission_to_send", body.permission_to_send, "must be one of " + ", ".join(PERMISSIONS))
    return permission


def _check_source(field: str, source: str) -> str:
    if source not in OPT_OUT_SOURCES:
        raise InvalidField(field, source, "must be one of " + ", ".join(OPT_OUT_SOURCES))
    return source
