"""GET /v3/contacts, /v3/contacts/{contact_id} and /v3/contacts/counts: routes only."""

import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import is_id
from rapport.api.answers import json_answer
from rapport.api.contact_parameters import contacts_or_cursor, included, wants_new_subscribers
from rapport.api.cursor import open_cursor, seal_cursor
from rapport.api.door import admit
from rapport.api.handler import get
from rapport.api.wire_contacts import contact_body, contact_counts_body, contacts_body
from rapport.auth.gate import Gate
from rapport.auth.scope import Privilege, Scope
from rapport.auth.watch import KeyWatch
from rapport.errors import MalformedContactId
from rapport.instant import DAY, Instant
from rapport.reporting.contacts import ContactsRequest, contact, contact_counts, contacts
from rapport.store.protocol import Store

CONTACTS: Final = "/v3/contacts"
CONTACT: Final = "/v3/contacts/{contact_id}"
CONTACT_COUNTS: Final = "/v3/contacts/counts"

_NEW: Final = 30 * DAY
"""How long a subscriber is new."""


class ContactRoutes:
    """Who is there."""

    def __init__(self, store: Store, gate: Gate, keys: KeyWatch) -> None:
        self._store = store
        self._gate = gate
        self._keys = keys

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            get(CONTACTS, self.contacts),
            # Before the other: no contact can be called so.
            get(CONTACT_COUNTS, self.contact_counts),
            get(CONTACT, self.contact),
        ]

    async def contacts(self, request: Request) -> Response:
        """A page of the account's contacts, or of those that have an address."""
        principal = await admit(self._gate, request, Scope.CONTACT_DATA, Privilege.CONTACTS_READ)
        sealing = self._keys.keys.sealing
        wanted = contacts_or_cursor(request.scope["query_string"])
        if isinstance(wanted, str):
            wanted = open_cursor(sealing, principal.account_id, CONTACTS, wanted, ContactsRequest)
        page = await contacts(self._store, principal.account_id, wanted)
        href = None
        if page.next is not None:
            href = f"{CONTACTS}?cursor={seal_cursor(sealing, principal.account_id, CONTACTS, page.next)}"
        return json_answer(contacts_body(page, wanted.included, next_href=href))

    async def contact_counts(self, request: Request) -> Response:
        """How many contacts there are, and how many agreed how to get email."""
        principal = await admit(self._gate, request, Scope.CONTACT_DATA, Privilege.CONTACTS_READ)
        new_since = None
        if wants_new_subscribers(request.scope["query_string"]):
            new_since = Instant(time.time_ns() // 1_000_000 - _NEW)
        return json_answer(contact_counts_body(await contact_counts(self._store, principal.account_id, new_since)))

    async def contact(self, request: Request) -> Response:
        """One contact, as it is known now."""
        principal = await admit(self._gate, request, Scope.CONTACT_DATA, Privilege.CONTACTS_READ)
        contact_id: str = request.path_params["contact_id"]
        include = included(request.scope["query_string"])
        if not is_id(contact_id):
            raise MalformedContactId
        return json_answer(contact_body(await contact(self._store, principal.account_id, contact_id), include))
