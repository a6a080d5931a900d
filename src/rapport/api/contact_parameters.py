"""What a request for contacts asks. What Rapport has no data for is refused by its name, not ignored."""

from typing import Final

from rapport.activity import is_storable
from rapport.api.parameters import (
    Query,
    read_boolean,
    read_cursor,
    read_limit,
    read_one,
    read_query,
    read_segments,
    read_within,
)
from rapport.errors import InvalidField
from rapport.reporting.contacts import HERE, ContactsRequest
from rapport.store.known import FIRST_CONTACT, ContactStatus

MOST_CONTACTS: Final = 500
CONTACTS: Final = 50
"""On a page, when the request doesn't say."""

NEW_SUBSCRIBERS: Final = ("new_subscriber", "new_subscribers")
"""The vendor's enum has the one, its text the other."""

INCLUDABLE: Final = ("custom_fields", "list_memberships", "phone_numbers", "street_addresses", "taggings", "notes")
"""What else a contact has at the vendor. Rapport has none of it, so each is an empty list."""

STATUSES: Final = {
    "active": frozenset({ContactStatus.EXPLICIT, ContactStatus.IMPLICIT, ContactStatus.UNKNOWN}),
    "unsubscribed": frozenset({ContactStatus.UNSUBSCRIBED}),
    "deleted": frozenset({ContactStatus.DELETED}),
    "not_set": frozenset({ContactStatus.NOT_SET}),
    "pending_confirmation": frozenset({ContactStatus.PENDING_CONFIRMATION}),
    "temp_hold": frozenset({ContactStatus.TEMP_HOLD}),
    "all": frozenset(ContactStatus),
}
"""The vendor's words for how contacts stand. Of whom no permission was stated counts as active."""

_REFUSED: Final = ("lists", "segment_id", "tags", "sms_status")


def contacts_or_cursor(query_string: bytes) -> ContactsRequest | str:
    """Its cursor if it has one, else the first page of what its parameters say. Raises InvalidField."""
    query = read_query(query_string)
    cursor = read_cursor(query)
    if cursor is not None:
        return cursor
    for name in _REFUSED:
        if name in query:
            raise InvalidField(name, query[name][0], "is a filter that Rapport has no data for: ask without it")
    email_address = read_one(query, "email")
    if email_address is not None and not (email_address and is_storable(email_address)):
        raise InvalidField("email", email_address, "must be an address, without control characters")
    return ContactsRequest(
        email_address=email_address,
        statuses=_statuses(query),
        updated=read_within(query, "updated_after", "updated_before"),
        created=read_within(query, "created_after", "created_before"),
        opted_out=read_within(query, "optout_after", "optout_before"),
        limit=read_limit(query, MOST_CONTACTS, CONTACTS),
        with_count=read_boolean(query, "include_count", default=False),
        included=_included(query),
        behind=FIRST_CONTACT,
    )


def wants_new_subscribers(query_string: bytes) -> bool:
    """Whether the new subscribers are to be counted too. Raises InvalidField."""
    names = read_segments(read_query(query_string), "include")
    for name in names:
        if name not in NEW_SUBSCRIBERS:
            raise InvalidField("include", name, f"must be {NEW_SUBSCRIBERS[0]}")
    return bool(names)


def _statuses(query: Query) -> frozenset[ContactStatus]:
    statuses: frozenset[ContactStatus] = frozenset()
    names = read_segments(query, "status")
    for name in names:
        if name not in STATUSES:
            raise InvalidField("status", name, f"must hold only {', '.join(STATUSES)}")
        statuses |= STATUSES[name]
    return statuses if names else HERE


def included(query_string: bytes) -> tuple[str, ...]:
    """What the `include` of a request names. Raises InvalidField."""
    return _included(read_query(query_string))


def _included(query: Query) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(read_segments(query, "include")))
    for name in names:
        if name not in INCLUDABLE:
            raise InvalidField("include", name, f"must hold only {', '.join(INCLUDABLE)}")
    return names
