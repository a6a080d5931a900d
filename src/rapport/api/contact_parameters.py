"""What a request for contacts asks (contract 6). What Rapport has no data for is refused by its name, not ignored."""

from typing import Final

from rapport.api.parameters import Query, read_boolean, read_cursor, read_limit, read_one, read_query, read_segments
from rapport.errors import InvalidField
from rapport.reporting.contacts import ContactsRequest

MOST_CONTACTS: Final = 500
CONTACTS: Final = 50
"""On a page, when the request doesn't say."""

INCLUDABLE: Final = ("custom_fields", "list_memberships", "phone_numbers", "street_addresses", "taggings", "notes")
"""What else a contact has at the vendor. Rapport has none of it, so each is an empty list."""

_REFUSED: Final = (
    *("status", "lists", "segment_id", "tags", "sms_status"),
    *("updated_after", "updated_before", "created_after", "created_before", "optout_after", "optout_before"),
)


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
    if email_address == "":
        raise InvalidField("email", "", "must be an address")
    return ContactsRequest(
        email_address=email_address,
        limit=read_limit(query, MOST_CONTACTS, CONTACTS),
        with_count=read_boolean(query, "include_count", default=False),
        included=_included(query),
        behind="",
    )


def included(query_string: bytes) -> tuple[str, ...]:
    """What the `include` of a request names. Raises InvalidField."""
    return _included(read_query(query_string))


def _included(query: Query) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(read_segments(query, "include")))
    for name in names:
        if name not in INCLUDABLE:
            raise InvalidField("include", name, f"must hold only {', '.join(INCLUDABLE)}")
    return names
