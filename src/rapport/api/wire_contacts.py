"""The shapes of contacts (contract 6)."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from rapport.api.wire import Id, Links, NextLink
from rapport.reporting.contacts import Contacts
from rapport.store.protocol import KnownContact


class EmailAddress(msgspec.Struct):
    """Where a contact gets its email."""

    address: str


class Contact(msgspec.Struct, kw_only=True):
    """A contact as it is known now: what isn't known is left out. The lists that were asked for are empty."""

    contact_id: Id
    email_address: EmailAddress | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
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
        email_address=UNSET if known.email_address is None else EmailAddress(known.email_address),
        first_name=UNSET if known.first_name is None else known.first_name,
        last_name=UNSET if known.last_name is None else known.last_name,
        **{name: list[str]() for name in included},
    )
