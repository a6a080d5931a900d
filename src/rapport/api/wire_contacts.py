"""The shapes of contacts."""

from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.api.wire import Id, Links, NextLink
from rapport.catalogue import OPT_OUT_SOURCES, PERMISSIONS, OptOutSource, PermissionToSend
from rapport.instant import iso
from rapport.reporting.contacts import ContactCounts, Contacts
from rapport.store.known import KnownContact

Second: TypeAlias = Annotated[
    str,
    Meta(
        description="UTC, with seconds and `Z`.",
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
        examples=["2026-09-29T14:33:39Z"],
    ),
]

_TO_THE_SECOND: Final = len("2026-09-29T14:33:39")


class EmailAddress(msgspec.Struct, kw_only=True):
    """Where a contact gets its email, and whether it agreed to."""

    address: str
    permission_to_send: Annotated[str, Meta(extra_json_schema={"enum": list(PERMISSIONS)})] | UnsetType = UNSET
    opt_out_source: Annotated[str, Meta(extra_json_schema={"enum": list(OPT_OUT_SOURCES)})] | UnsetType = UNSET
    opt_out_date: Second | UnsetType = UNSET
    opt_out_reason: str | UnsetType = UNSET


class Contact(msgspec.Struct, kw_only=True):
    """A contact as it is known now: what isn't known is left out. The lists that were asked for are empty."""

    contact_id: Id
    email_address: EmailAddress | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    created_at: Second | UnsetType = UNSET
    updated_at: Second | UnsetType = UNSET
    deleted_at: Second | UnsetType = UNSET
    custom_fields: list[str] | UnsetType = UNSET
    list_memberships: list[str] | UnsetType = UNSET
    phone_numbers: list[str] | UnsetType = UNSET
    street_addresses: list[str] | UnsetType = UNSET
    taggings: list[str] | UnsetType = UNSET
    notes: list[str] | UnsetType = UNSET


class ContactsPage(msgspec.Struct, kw_only=True):
    """A page of contacts, by their ids."""

    contacts: list[Contact]
    contacts_count: int | UnsetType = UNSET
    links: Links = msgspec.field(name="_links")


class ContactsCounts(msgspec.Struct, kw_only=True):
    """How many contacts there are, and how many agreed how to get email."""

    total: int
    explicit: int
    implicit: int
    pending: int
    unsubscribed: int
    new_subscriber: int | UnsetType = UNSET


def contact_counts_body(counts: ContactCounts) -> bytes:
    """The JSON of `ContactsCounts`."""
    return msgspec.json.encode(
        ContactsCounts(
            total=counts.total,
            explicit=counts.explicit,
            implicit=counts.implicit,
            pending=counts.pending,
            unsubscribed=counts.unsubscribed,
            new_subscriber=UNSET if counts.new_subscriber is None else counts.new_subscriber,
        )
    )


def contact_body(known: KnownContact, included: Sequence[str]) -> bytes:
    """The JSON of a `Contact`."""
    return msgspec.json.encode(_contact(known, included))


def contacts_body(contacts: Contacts, included: Sequence[str], *, next_href: str | None) -> bytes:
    """The JSON of a `ContactsPage`; `next_href` is None on the last page."""
    return msgspec.json.encode(
        ContactsPage(
            contacts=[_contact(known, included) for known in contacts.contacts],
            contacts_count=UNSET if contacts.count is None else contacts.count,
            links=Links() if next_href is None else Links(NextLink(next_href)),
        )
    )


def _contact(known: KnownContact, included: Sequence[str]) -> Contact:
    return Contact(
        contact_id=known.contact_id,
        email_address=_email_address(known),
        first_name=UNSET if known.first_name is None else known.first_name,
        last_name=UNSET if known.last_name is None else known.last_name,
        created_at=_second(known.created_at),
        updated_at=_second(known.updated_at),
        deleted_at=_second(known.deleted_at),
        **{name: list[str]() for name in included},
    )


def _email_address(known: KnownContact) -> EmailAddress | UnsetType:
    if known.email_address is None:
        return UNSET
    permission, source = known.permission_to_send, known.opt_out_source
    return EmailAddress(
        address=known.email_address,
        permission_to_send=UNSET if permission is None else PermissionToSend(permission).name.lower(),
        opt_out_source=UNSET if source is None else OptOutSource(source).name.capitalize(),
        opt_out_date=_second(known.opt_out_date),
        opt_out_reason=UNSET if known.opt_out_reason is None else known.opt_out_reason,
    )


def _second(instant: int | None) -> str | UnsetType:
    return UNSET if instant is None else f"{iso(instant)[:_TO_THE_SECOND]}Z"
