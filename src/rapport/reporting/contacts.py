"""List, count and look up contacts."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from rapport.errors import UnknownContact
from rapport.instant import MAX_INSTANT, Instant
from rapport.reporting.cursor_params import CursorParams
from rapport.store.contacts import (
    ContactCursor,
    ContactQuery,
    ContactRecord,
    ContactRepository,
    ContactStatus,
    InstantRange,
)
from rapport.store.last_write_wins import Attributes

NOT_DELETED: Final = frozenset(ContactStatus) - {ContactStatus.DELETED}
"""The statuses that are listed by default."""


class ContactsRequest(CursorParams, frozen=True, kw_only=True):
    """The parameters of a page of contacts. The cursor of the next page contains them."""

    email_address: str | None
    statuses: frozenset[ContactStatus]
    updated: InstantRange | None
    created: InstantRange | None
    limit: int
    with_count: bool
    included: tuple[str, ...]
    after: ContactCursor | None
    opted_out: InstantRange | None = None
    lists: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None

    def to_query(self) -> ContactQuery:
        """Return the store query for one contact more than the page has, which tells whether there is a next page."""
        return ContactQuery(
            email_address=self.email_address,
            statuses=self.statuses,
            updated=self.updated,
            created=self.created,
            opted_out=self.opted_out,
            lists=self.lists,
            tags=self.tags,
            after=self.after,
            limit=self.limit + 1,
        )


class ContactsPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of contacts and their attributes, the total if requested, and the request for the next page, if any."""

    contacts: list[ContactRecord]
    attributes: Mapping[str, Attributes]
    count: int | None
    next: ContactsRequest | None


async def list_contacts(repository: ContactRepository, account_id: str, request: ContactsRequest) -> ContactsPage:
    """Return a page of the account's contacts that match the request."""
    query = request.to_query()
    records = await repository.find(account_id, query)
    page = records[: request.limit]
    return ContactsPage(
        contacts=page,
        attributes=await repository.get_attributes_of(account_id, [record.contact_id for record in page]),
        count=await repository.count(account_id, query) if request.with_count else None,
        next=replace(request, after=_cursor_after(query, page[-1])) if len(records) > request.limit else None,
    )


def _cursor_after(query: ContactQuery, contact: ContactRecord) -> ContactCursor:
    time: int | None = getattr(contact, query.order.value)
    return ContactCursor(time or 0, contact.contact_id)


class ContactCounts(msgspec.Struct, frozen=True):
    """The number of contacts, in all and by their permission to send."""

    total: int
    explicit: int
    implicit: int
    pending: int
    unsubscribed: int
    new_subscriber: int | None


async def count_contacts(repository: ContactRepository, account_id: str, new_since: Instant | None) -> ContactCounts:
    """Count the contacts by status. With `new_since`, also count those with permission that were created since then."""
    by_status = await repository.count_by_status(account_id)
    with_permission = frozenset({ContactStatus.EXPLICIT, ContactStatus.IMPLICIT})
    new = None
    if new_since is not None:
        created = InstantRange(new_since, MAX_INSTANT)
        new = await repository.count(account_id, ContactQuery(statuses=with_permission, created=created, limit=1))
    return ContactCounts(
        total=sum(count for status, count in by_status.items() if status in NOT_DELETED),
        explicit=by_status.get(ContactStatus.EXPLICIT, 0),
        implicit=by_status.get(ContactStatus.IMPLICIT, 0),
        pending=by_status.get(ContactStatus.PENDING_CONFIRMATION, 0),
        unsubscribed=by_status.get(ContactStatus.UNSUBSCRIBED, 0),
        new_subscriber=new,
    )


async def get_contact(repository: ContactRepository, account_id: str, contact_id: str) -> ContactRecord:
    """Return a contact's current attributes. Raises UnknownContact."""
    record = await repository.get(account_id, contact_id)
    if record is None:
        raise UnknownContact(contact_id)
    return record
