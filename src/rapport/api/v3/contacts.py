"""Contacts: list, get, count."""

import time
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.activity import is_storable
from rapport.api import examples
from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.id_params import Ids
from rapport.api.pagination import Cursors
from rapport.api.params import Choices, Cursor, Flag, Limit, PathId, Text, TimeRange
from rapport.api.query import Query, get_query
from rapport.api.responses import Links, encode_response, page_links
from rapport.api.v3.contact_resource import SUBRESOURCES, Contact, build_contact
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.email_address import normalize_query_address
from rapport.errors import MalformedContactId, UnknownContact, UnknownResource
from rapport.instant import DAY, Instant
from rapport.reporting.contacts import NOT_DELETED, ContactsRequest, count_contacts, get_contact, list_contacts
from rapport.store.contacts import ContactRepository, ContactStatus

CONTACTS: Final = "/v3/contacts"

_NEW_SUBSCRIBER_PERIOD: Final = 30 * DAY
_READ: Final = Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ)

_STATUSES: Final = {
    "active": frozenset({ContactStatus.EXPLICIT, ContactStatus.IMPLICIT, ContactStatus.UNKNOWN}),
    "unsubscribed": frozenset({ContactStatus.UNSUBSCRIBED}),
    "deleted": frozenset({ContactStatus.DELETED}),
    "not_set": frozenset({ContactStatus.NOT_SET}),
    "pending_confirmation": frozenset({ContactStatus.PENDING_CONFIRMATION}),
    "temp_hold": frozenset({ContactStatus.TEMP_HOLD}),
    "all": frozenset(ContactStatus),
}
"""Constant Contact's statuses. A contact without a permission counts as active."""


def _parse_email(text: str) -> str:
    if not (text and is_storable(text)):
        raise ValueError("must be an email address without control characters")
    return normalize_query_address(text)


# Parameters

CONTACT_ID: Final = PathId("contact_id", "The contact.", examples.CONTACT_ID, MalformedContactId)
EMAIL: Final = Text(
    "email",
    "Only contacts with this email address, case-insensitively.",
    _parse_email,
    {"type": "string", "minLength": 1},
    "ada@example.com",
)
STATUS: Final = Choices(
    "status",
    "Only contacts with one of these statuses; without it, all that aren't deleted. A contact without a "
    "permission counts as active.",
    _STATUSES,
    noun="status",
)
UPDATED: Final = TimeRange("updated_after", "updated_before", "contacts that were last updated")
CREATED: Final = TimeRange("created_after", "created_before", "contacts that were created")
OPTED_OUT: Final = TimeRange("optout_after", "optout_before", "contacts that unsubscribed")
LISTS: Final = Ids("lists", "Only contacts on one of these lists.", 25, examples.LIST_ID)
TAGS: Final = Ids("tags", "Only contacts with one of these tags.", 50, examples.TAG_ID)
SEGMENT_ID: Final = Text(
    "segment_id",
    "Only contacts in this segment. Rapport has no segments, so each is unknown.",
    str,
    {"type": "string", "minLength": 1},
    "14",
)
SMS_STATUS: Final = Choices(
    "sms_status",
    "Only contacts with one of these permissions for text messages. Rapport records none, so it is `not_set` for all.",
    {name: name for name in ("all", "explicit", "unsubscribed", "pending_confirmation", "not_set")},
    noun="status",
)
INCLUDE: Final = Choices(
    "include",
    "What else to include in each contact. Rapport stores no notes, so that list is empty.",
    {name: name for name in SUBRESOURCES},
    noun="subresource",
)
INCLUDE_COUNT: Final = Flag("include_count", "Whether to return the number of matching contacts.", default=False)
LIMIT: Final = Limit("contacts", 500, 50, as_text=False)
CURSOR: Final = Cursor("cursor")
INCLUDE_NEW: Final = Choices(
    "include",
    "Count the contacts that gave permission and were created in the last 30 days as well.",
    # Constant Contact's schema has one spelling, its text the other.
    {name: name for name in ("new_subscriber", "new_subscribers")},
    noun="count",
)


# Response types


class ContactsPage(msgspec.Struct, kw_only=True):
    """A page of contacts."""

    contacts: list[Contact]
    contacts_count: int | UnsetType = UNSET
    links: Links = msgspec.field(name="_links")


class ContactsCounts(msgspec.Struct, kw_only=True):
    """The number of contacts, in total and by permission."""

    total: int
    explicit: int
    implicit: int
    pending: int
    unsubscribed: int
    new_subscriber: int | UnsetType = UNSET


_EXAMPLE: Final[dict[str, Any]] = {
    "contact_id": examples.CONTACT_ID,
    "email_address": {"address": "ada@example.com", "permission_to_send": "implicit"},
    "first_name": "Ada",
    "last_name": "Lovelace",
    "created_at": "2026-01-05T09:30:00Z",
    "updated_at": "2026-03-10T15:30:49Z",
}


class Contacts(Resource):
    """The contacts of an account."""

    def __init__(self, repository: ContactRepository, cursors: Cursors) -> None:
        self._repository = repository
        self._cursors = cursors

    @endpoint(
        "GET",
        CONTACTS,
        operation_id="getAllContacts",
        tag="Contacts",
        summary="List contacts",
        description="The contacts of the account, most recently created first. Filtered by the time of their "
        "update or opt-out, and not by email, lists or tags, they are ordered by that time, earliest first.",
        access=_READ,
        params=(
            *(EMAIL, STATUS, LISTS, TAGS, SEGMENT_ID, SMS_STATUS, UPDATED, CREATED, OPTED_OUT),
            *(INCLUDE, INCLUDE_COUNT, LIMIT, CURSOR),
        ),
        returns=Returns(
            description="A page of contacts.",
            schema=ContactsPage,
            example={"contacts": [_EXAMPLE], "contacts_count": 1, "_links": {}},
        ),
        errors=(UnknownResource,),
    )
    async def list_contacts(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        page_request = self._cursors.decode_optional(CURSOR.get(query), principal, CONTACTS, ContactsRequest)
        if page_request is None:
            page_request = _first_page(query)
        page = await list_contacts(self._repository, principal.account_id, page_request)
        return encode_response(
            ContactsPage(
                contacts=[
                    build_contact(record, page.attributes.get(record.contact_id, {}), page_request.included)
                    for record in page.contacts
                ],
                contacts_count=UNSET if page.count is None else page.count,
                links=page_links(self._cursors.next_href(principal, CONTACTS, page.next, "cursor")),
            )
        )

    # Before the path of a contact, which would match as well: no contact can have this id.
    @endpoint(
        "GET",
        f"{CONTACTS}/counts",
        operation_id="countContact",
        tag="Contacts",
        summary="Count contacts",
        description="The number of contacts that aren't deleted, in total and by permission, which is the one in "
        "the contact's attributes, or that of the last opt-out or sign-up.",
        access=_READ,
        params=(INCLUDE_NEW,),
        returns=Returns(
            description="The counts.",
            schema=ContactsCounts,
            example={"total": 72, "explicit": 10, "implicit": 20, "pending": 30, "unsubscribed": 12},
        ),
    )
    async def count_contacts(self, request: Request, principal: Principal) -> Response:
        new_since = None
        if INCLUDE_NEW.get(get_query(request)):
            new_since = Instant(time.time_ns() // 1_000_000 - _NEW_SUBSCRIBER_PERIOD)
        counts = await count_contacts(self._repository, principal.account_id, new_since)
        return encode_response(
            ContactsCounts(
                total=counts.total,
                explicit=counts.explicit,
                implicit=counts.implicit,
                pending=counts.pending,
                unsubscribed=counts.unsubscribed,
                new_subscriber=UNSET if counts.new_subscriber is None else counts.new_subscriber,
            )
        )

    @endpoint(
        "GET",
        f"{CONTACTS}/{{contact_id}}",
        operation_id="getContactById",
        tag="Contacts",
        summary="Get a contact",
        description="The contact's current attributes.",
        access=_READ,
        params=(CONTACT_ID, INCLUDE),
        returns=Returns(description="The contact.", schema=Contact, example=_EXAMPLE),
        errors=(UnknownContact,),
    )
    async def get_contact(self, request: Request, principal: Principal) -> Response:
        included = INCLUDE.get(get_query(request))
        contact_id = CONTACT_ID.get(request)
        record = await get_contact(self._repository, principal.account_id, contact_id)
        attributes = await self._repository.get_attributes_of(principal.account_id, [contact_id])
        return encode_response(build_contact(record, attributes.get(contact_id, {}), included))


def _first_page(query: Query) -> ContactsRequest:
    segment_id = SEGMENT_ID.get(query)
    if segment_id is not None:
        raise UnknownResource(segment_id)
    statuses = STATUS.get(query)
    selected = frozenset[ContactStatus]().union(*statuses) if statuses else NOT_DELETED
    sms_statuses = SMS_STATUS.get(query)
    return ContactsRequest(
        email_address=EMAIL.get(query),
        statuses=frozenset() if sms_statuses and {"all", "not_set"}.isdisjoint(sms_statuses) else selected,
        updated=UPDATED.get(query),
        created=CREATED.get(query),
        opted_out=OPTED_OUT.get(query),
        lists=LISTS.get(query),
        tags=TAGS.get(query),
        limit=LIMIT.get(query),
        with_count=INCLUDE_COUNT.get(query),
        included=INCLUDE.get(query),
        after=None,
    )
