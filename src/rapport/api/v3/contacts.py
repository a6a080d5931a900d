"""Contacts: list, get, count. Filters that Rapport has no data for are rejected, not ignored."""

import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.activity import is_storable
from rapport.api import examples
from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.pagination import Cursors
from rapport.api.params import Choices, Cursor, Flag, Limit, PathId, Text, TimeRange
from rapport.api.query import Query, get_query
from rapport.api.responses import DateTimeSeconds, Id, Links, encode_response, page_links
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.catalogue import OPT_OUT_SOURCES, PERMISSIONS, OptOutSource, PermissionToSend
from rapport.email_address import normalize_query_address
from rapport.errors import InvalidField, MalformedContactId, UnknownContact
from rapport.instant import DAY, Instant, iso
from rapport.reporting.contacts import NOT_DELETED, ContactsRequest, count_contacts, get_contact, list_contacts
from rapport.store.contacts import FIRST_CONTACT, ContactRecord, ContactRepository, ContactStatus

CONTACTS: Final = "/v3/contacts"

_NEW_SUBSCRIBER_PERIOD: Final = 30 * DAY
_READ: Final = Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ)
_UNSUPPORTED_FILTERS: Final = ("lists", "segment_id", "tags", "sms_status")
_INCLUDABLE: Final = ("custom_fields", "list_memberships", "phone_numbers", "street_addresses", "taggings", "notes")

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
INCLUDE: Final = Choices(
    "include",
    "What else to include in each contact. Rapport stores none of it, so each is an empty list.",
    {name: name for name in _INCLUDABLE},
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


class EmailAddress(msgspec.Struct, kw_only=True):
    """The contact's email address, its permission to send and, if it unsubscribed, when, how and why."""

    address: str
    permission_to_send: Annotated[str, Meta(extra_json_schema={"enum": list(PERMISSIONS)})] | UnsetType = UNSET
    opt_out_source: Annotated[str, Meta(extra_json_schema={"enum": list(OPT_OUT_SOURCES)})] | UnsetType = UNSET
    opt_out_date: DateTimeSeconds | UnsetType = UNSET
    opt_out_reason: str | UnsetType = UNSET


class Contact(msgspec.Struct, kw_only=True):
    """A contact. Unknown fields are left out; what `include` names is an empty list."""

    contact_id: Id
    email_address: EmailAddress | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    created_at: DateTimeSeconds | UnsetType = UNSET
    updated_at: DateTimeSeconds | UnsetType = UNSET
    deleted_at: DateTimeSeconds | UnsetType = UNSET
    custom_fields: list[str] | UnsetType = UNSET
    list_memberships: list[str] | UnsetType = UNSET
    phone_numbers: list[str] | UnsetType = UNSET
    street_addresses: list[str] | UnsetType = UNSET
    taggings: list[str] | UnsetType = UNSET
    notes: list[str] | UnsetType = UNSET


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
        description="The contacts of the account, ordered by id; with a filter by time, by that time. Constant "
        "Contact's other filters are rejected, because Rapport has no data for them.",
        access=_READ,
        params=(EMAIL, STATUS, UPDATED, CREATED, OPTED_OUT, INCLUDE, INCLUDE_COUNT, LIMIT, CURSOR),
        returns=Returns(
            description="A page of contacts.",
            schema=ContactsPage,
            example={"contacts": [_EXAMPLE], "contacts_count": 1, "_links": {}},
        ),
    )
    async def list_contacts(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        page_request = self._cursors.decode_optional(CURSOR.get(query), principal, CONTACTS, ContactsRequest)
        if page_request is None:
            page_request = _first_page(query)
        page = await list_contacts(self._repository, principal.account_id, page_request)
        return encode_response(
            ContactsPage(
                contacts=[_contact(record, page_request.included) for record in page.contacts],
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
        record = await get_contact(self._repository, principal.account_id, CONTACT_ID.get(request))
        return encode_response(_contact(record, included))


def _first_page(query: Query) -> ContactsRequest:
    for name in _UNSUPPORTED_FILTERS:
        if name in query:
            raise InvalidField(name, query[name][0], "is not supported: Rapport has no data for it; leave it out")
    email_address = EMAIL.get(query)
    statuses = STATUS.get(query)
    return ContactsRequest(
        email_address=email_address,
        statuses=frozenset[ContactStatus]().union(*statuses) if statuses else NOT_DELETED,
        updated=UPDATED.get(query),
        created=CREATED.get(query),
        opted_out=OPTED_OUT.get(query),
        limit=LIMIT.get(query),
        with_count=INCLUDE_COUNT.get(query),
        included=INCLUDE.get(query),
        after=FIRST_CONTACT,
    )


def _contact(record: ContactRecord, included: Sequence[str]) -> Contact:
    return Contact(
        contact_id=record.contact_id,
        email_address=_email_address(record),
        first_name=UNSET if record.first_name is None else record.first_name,
        last_name=UNSET if record.last_name is None else record.last_name,
        created_at=_format_second(record.created_at),
        updated_at=_format_second(record.updated_at),
        deleted_at=_format_second(record.deleted_at),
        **{name: list[str]() for name in included},
    )


def _email_address(record: ContactRecord) -> EmailAddress | UnsetType:
    if record.email_address is None:
        return UNSET
    permission, source = record.permission_to_send, record.opt_out_source
    return EmailAddress(
        address=record.email_address,
        permission_to_send=UNSET if permission is None else PermissionToSend(permission).name.lower(),
        opt_out_source=UNSET if source is None else OptOutSource(source).name.capitalize(),
        opt_out_date=_format_second(record.opt_out_date),
        opt_out_reason=UNSET if record.opt_out_reason is None else record.opt_out_reason,
    )


def _format_second(instant: int | None) -> str | UnsetType:
    return UNSET if instant is None else f"{iso(instant)[:-5]}Z"
