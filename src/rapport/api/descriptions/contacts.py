"""The operations on contacts themselves (contract 6)."""

from typing import Final

from rapport.api.contact_parameters import CONTACTS as UNSAID
from rapport.api.contact_parameters import INCLUDABLE, MOST_CONTACTS
from rapport.api.descriptions.parts import AUTHORISED, EXAMPLE_CONTACT, Json, answer, problems, schema
from rapport.api.v3.contacts import CONTACT, CONTACTS
from rapport.auth.scope import Privilege, Scope
from rapport.errors import InvalidField, StoreUnavailable, UnknownContact

_EXAMPLE: Final[Json] = {
    "contact_id": EXAMPLE_CONTACT,
    "email_address": {"address": "ada@example.com"},
    "first_name": "Ada",
    "last_name": "Lovelace",
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
    "description": "The contacts of the account by their ids, or those that have an email address. The vendor's other "
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

OPERATIONS: Final[Json] = {CONTACTS: {"get": _CONTACTS}, CONTACT: {"get": _CONTACT}}
