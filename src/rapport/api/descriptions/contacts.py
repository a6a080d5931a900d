"""The operations on contacts themselves."""

from typing import Final

from rapport.api.contact_parameters import CONTACTS as UNSAID
from rapport.api.contact_parameters import INCLUDABLE, MOST_CONTACTS, NEW_SUBSCRIBERS, STATUSES
from rapport.api.descriptions.parts import AUTHORISED, EXAMPLE_CONTACT, Json, answer, problems, schema, time_parameter
from rapport.api.v3.contacts import CONTACT, CONTACT_COUNTS, CONTACTS
from rapport.auth.scope import Privilege, Scope
from rapport.errors import InvalidField, StoreUnavailable, UnknownContact

_EXAMPLE: Final[Json] = {
    "contact_id": EXAMPLE_CONTACT,
    "email_address": {"address": "ada@example.com", "permission_to_send": "implicit"},
    "first_name": "Ada",
    "last_name": "Lovelace",
    "created_at": "2026-01-05T09:30:00Z",
    "updated_at": "2026-03-10T15:30:49Z",
}

_INCLUDE: Final[Json] = {
    "name": "include",
    "in": "query",
    "description": "What else a contact is to have. Rapport has none of it, so each is an empty list.",
    "required": False,
    "style": "form",
    "explode": False,
    "schema": {"type": "array", "items": {"type": "string", "enum": list(INCLUDABLE)}},
}

_CONTACTS: Final[Json] = {
    "tags": ["Contacts"],
    "operationId": "getAllContacts",
    "summary": "Who is there?",
    "description": "The contacts of the account by their ids; with a filter by time, by that time. The vendor's other "
    "filters are refused by name, as Rapport has no data for them.",
    "parameters": [
        {
            "name": "email",
            "in": "query",
            "description": "Only contacts that have this address now, whatever the case of its letters.",
            "required": False,
            "schema": {"type": "string", "minLength": 1},
            "example": "ada@example.com",
        },
        {
            "name": "status",
            "in": "query",
            "description": "Only contacts that stand so; without it all that aren't deleted. Of whom no permission was "
            "stated counts as active.",
            "required": False,
            "style": "form",
            "explode": False,
            "schema": {"type": "array", "items": {"type": "string", "enum": list(STATUSES)}},
        },
        time_parameter("updated_after", "Only contacts of whom something was stated then or later."),
        time_parameter("updated_before", "Only contacts of whom the last was stated then or earlier."),
        time_parameter("created_after", "Only contacts that came to be then or later, as stated."),
        time_parameter("created_before", "Only contacts that came to be then or earlier, as stated."),
        time_parameter("optout_after", "Only contacts that are unsubscribed since then or later."),
        time_parameter("optout_before", "Only contacts that are unsubscribed since then or earlier."),
        _INCLUDE,
        {
            "name": "include_count",
            "in": "query",
            "description": "Whether to say how many there are; `1` and `0` are taken as well.",
            "required": False,
            "schema": {"type": "boolean", "default": False},
        },
        {
            "name": "limit",
            "in": "query",
            "description": f"How many contacts a page has, 1 to {MOST_CONTACTS}.",
            "required": False,
            "schema": {"type": "integer", "minimum": 1, "maximum": MOST_CONTACTS, "default": UNSAID},
        },
        {
            "name": "cursor",
            "in": "query",
            "description": "The cursor that `_links.next.href` carries; it stands for all other parameters. "
            "`next` is taken for it.",
            "required": False,
            "schema": {"type": "string"},
        },
    ],
    "responses": {
        "200": answer("A page.", schema("ContactsPage"), {"contacts": [_EXAMPLE], "contacts_count": 1, "_links": {}}),
        **problems(InvalidField, *AUTHORISED, StoreUnavailable),
    },
    "security": [{"token": [Scope.CONTACT_DATA.value]}],
    "x-authorization-privileges": [Privilege.CONTACTS_READ.value],
}

_CONTACT: Final[Json] = {
    "tags": ["Contacts"],
    "operationId": "getContactById",
    "summary": "Who is this?",
    "description": "What is known of a contact now.",
    "parameters": [
        {
            "name": "contact_id",
            "in": "path",
            "description": "The contact.",
            "required": True,
            "schema": schema("Id"),
            "example": EXAMPLE_CONTACT,
        },
        _INCLUDE,
    ],
    "responses": {
        "200": answer("The contact.", schema("Contact"), _EXAMPLE),
        **problems(InvalidField, *AUTHORISED, UnknownContact, StoreUnavailable),
    },
    "security": [{"token": [Scope.CONTACT_DATA.value]}],
    "x-authorization-privileges": [Privilege.CONTACTS_READ.value],
}

_CONTACT_COUNTS: Final[Json] = {
    "tags": ["Contacts"],
    "operationId": "countContact",
    "summary": "How many are there?",
    "description": "How many contacts aren't deleted, and how many have which permission: as stated, "
    "or as their last opt-out or sign-up set it.",
    "parameters": [
        {
            "name": "include",
            "in": "query",
            "description": "Whether to count those that agreed and came to be within the last 30 days.",
            "required": False,
            "schema": {"type": "string", "enum": list(NEW_SUBSCRIBERS)},
        }
    ],
    "responses": {
        "200": answer(
            "The counts.",
            schema("ContactsCounts"),
            {"total": 72, "explicit": 10, "implicit": 20, "pending": 30, "unsubscribed": 12},
        ),
        **problems(InvalidField, *AUTHORISED, StoreUnavailable),
    },
    "security": [{"token": [Scope.CONTACT_DATA.value]}],
    "x-authorization-privileges": [Privilege.CONTACTS_READ.value],
}

OPERATIONS: Final[Json] = {
    CONTACTS: {"get": _CONTACTS},
    CONTACT_COUNTS: {"get": _CONTACT_COUNTS},
    CONTACT: {"get": _CONTACT},
}
