"""Who is there? The contacts themselves (contract 6)."""

import msgspec
from msgspec.structs import replace

from rapport.errors import UnknownContact
from rapport.store.protocol import ContactQuery, KnownContact, Store


class ContactsRequest(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which page of the contacts: all that the cursor of the next one carries."""

    email_address: str | None
    limit: int
    with_count: bool
    included: tuple[str, ...]
    behind: str


class Contacts(msgspec.Struct, frozen=True, kw_only=True):
    """A page of contacts by their ids, how many there are if that was asked, and the next page if there is one."""

    contacts: list[KnownContact]
    count: int | None
    next: ContactsRequest | None


async def contacts(store: Store, account_id: str, request: ContactsRequest) -> Contacts:
    """A page of the account's contacts, all or those that have an email address."""
    found = await store.contacts(
        account_id,
        ContactQuery(email_address=request.email_address, behind=request.behind, limit=request.limit + 1),
    )
    page = found[: request.limit]
    return Contacts(
        contacts=page,
        count=await store.contact_count(account_id, request.email_address) if request.with_count else None,
        next=replace(request, behind=page[-1].contact_id) if len(found) > request.limit else None,
    )


async def contact(store: Store, account_id: str, contact_id: str) -> KnownContact:
    """What is known of a contact now. Raises UnknownContact."""
    found = await store.contact(account_id, contact_id)
    if found is None:
        raise UnknownContact(contact_id)
    return found
