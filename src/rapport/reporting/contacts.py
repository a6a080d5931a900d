"""Who is there? The contacts themselves."""

from typing import Final

import msgspec
from msgspec.structs import replace

from rapport.errors import UnknownContact
from rapport.instant import LAST, Instant
from rapport.store.known import ContactCursor, ContactQuery, ContactRecord, ContactStatus, Within
from rapport.store.protocol import Store

HERE: Final = frozenset(ContactStatus) - {ContactStatus.DELETED}
"""Who is shown unless the request says otherwise."""


class ContactsRequest(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which page of the contacts: all that the cursor of the next one carries."""

    email_address: str | None
    statuses: frozenset[ContactStatus]
    updated: Within | None
    created: Within | None
    limit: int
    with_count: bool
    included: tuple[str, ...]
    after: ContactCursor
    opted_out: Within | None = None

    def query(self) -> ContactQuery:
        """What is asked of the store: one more than the page has, to know whether there is another."""
        return ContactQuery(
            email_address=self.email_address,
            statuses=self.statuses,
            updated=self.updated,
            created=self.created,
            opted_out=self.opted_out,
            after=self.after,
            limit=self.limit + 1,
        )


class Contacts(msgspec.Struct, frozen=True, kw_only=True):
    """A page of contacts by their ids, how many there are if that was asked, and the next page if there is one."""

    contacts: list[ContactRecord]
    count: int | None
    next: ContactsRequest | None


async def contacts(store: Store, account_id: str, request: ContactsRequest) -> Contacts:
    """A page of the account's contacts, all or those that have an email address."""
    query = request.query()
    found = await store.contacts(account_id, query)
    page = found[: request.limit]
    return Contacts(
        contacts=page,
        count=await store.contact_count(account_id, query) if request.with_count else None,
        next=replace(request, after=_place(request, page[-1])) if len(found) > request.limit else None,
    )


def _place(request: ContactsRequest, contact: ContactRecord) -> ContactCursor:
    time: int | None = None
    if request.updated is not None:
        time = contact.updated_at
    elif request.created is not None:
        time = contact.created_at
    elif request.opted_out is not None:
        time = contact.opt_out_date
    return ContactCursor(time or 0, contact.contact_id)


class ContactCounts(msgspec.Struct, frozen=True):
    """How many contacts there are, and how many of them agreed how to get email."""

    total: int
    explicit: int
    implicit: int
    pending: int
    unsubscribed: int
    new_subscriber: int | None


async def contact_counts(store: Store, account_id: str, new_since: Instant | None) -> ContactCounts:
    """The counts; with an instant, also how many of those that agreed came to be since then."""
    by_status = await store.contacts_by_status(account_id)
    agreed = frozenset({ContactStatus.EXPLICIT, ContactStatus.IMPLICIT})
    new = None
    if new_since is not None:
        created = Within(new_since, LAST)
        new = await store.contact_count(account_id, ContactQuery(statuses=agreed, created=created, limit=1))
    return ContactCounts(
        total=sum(count for status, count in by_status.items() if status in HERE),
        explicit=by_status.get(ContactStatus.EXPLICIT, 0),
        implicit=by_status.get(ContactStatus.IMPLICIT, 0),
        pending=by_status.get(ContactStatus.PENDING_CONFIRMATION, 0),
        unsubscribed=by_status.get(ContactStatus.UNSUBSCRIBED, 0),
        new_subscriber=new,
    )


async def contact(store: Store, account_id: str, contact_id: str) -> ContactRecord:
    """What is known of a contact now. Raises UnknownContact."""
    found = await store.contact(account_id, contact_id)
    if found is None:
        raise UnknownContact(contact_id)
    return found
