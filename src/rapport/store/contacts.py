"""Contacts: their attributes and status, searches, and updates from sources."""

import enum
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from rapport.catalogue import ContactUpdate
from rapport.instant import Instant
from rapport.store.attributes import ContactAttributes, load_attributes
from rapport.store.sql_engine import SqlEngine


class ContactRecord(NamedTuple):
    """The current attributes of a contact."""

    contact_id: str
    email_address: str | None
    first_name: str | None
    last_name: str | None
    permission_to_send: int | None
    created_at: Instant | None
    updated_at: Instant | None
    deleted_at: Instant | None
    opt_out_date: Instant | None = None
    opt_out_source: int | None = None
    opt_out_reason: str | None = None


class ContactStatus(enum.IntEnum):
    """A contact's permission to send, or that it is deleted. The numbers are used in SQL."""

    EXPLICIT = 0
    IMPLICIT = 1
    PENDING_CONFIRMATION = 2
    UNSUBSCRIBED = 3
    TEMP_HOLD = 4
    NOT_SET = 5
    UNKNOWN = 6
    DELETED = 7


class InstantRange(NamedTuple):
    """From one instant to another, both included."""

    start: Instant
    end: Instant


class ContactCursor(NamedTuple):
    """A position among contacts: the time that they are ordered by, if any, and the id."""

    time: int
    contact_id: str


FIRST_CONTACT: Final = ContactCursor(-1, "")


class ContactQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Up to `limit` contacts after a position that match all filters.

    They are ordered by the first of `updated`, `created` and `opted_out` that is set, then by the bytes of their ids.
    Addresses are compared without regard to the case of ASCII letters.
    """

    email_address: str | None = None
    statuses: frozenset[ContactStatus] = frozenset(ContactStatus)
    updated: InstantRange | None = None
    created: InstantRange | None = None
    opted_out: InstantRange | None = None
    after: ContactCursor = FIRST_CONTACT
    limit: int


class SearchField(enum.Enum):
    """A field by whose prefix contacts are searched."""

    EMAIL_ADDRESS = "email_address"
    CONTACT_ID = "contact_id"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"


class ContactPrefix(NamedTuple):
    """Up to `limit` contacts whose field starts with a prefix, ordered by the field.

    With `first_name`, only contacts with that first name; `field` is LAST_NAME then. All fields but ids are compared
    without regard to the case of ASCII letters.
    """

    field: SearchField
    prefix: str
    limit: int
    first_name: str | None = None


LAST_CHARACTER: Final = "\U0010ffff"
"""Sorts after every text with the same prefix."""

_NO_RANGE: Final = None, None


class ContactRepository(ABC):
    """Reads and updates contacts. Every method raises StoreUnavailable."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine
        self._sql = engine.sql["contacts"]

    async def get(self, account_id: str, contact_id: str) -> ContactRecord | None:
        """Return the current attributes of a contact, or None if it doesn't exist."""
        params = {"account_id": account_id, "contact_id": contact_id}
        row = await self._engine.fetch_one(self._sql["get"], params, account_id=account_id, bounded=True)
        return None if row is None else ContactRecord(*row)

    async def find(self, account_id: str, query: ContactQuery) -> list[ContactRecord]:
        """Return the contacts that match the query."""
        rows = await self._engine.fetch_all(
            self._sql[_find_statement(query)], _find_params(account_id, query), account_id=account_id
        )
        return [ContactRecord(*row) for row in rows]

    async def find_by_prefix(self, account_id: str, prefix: ContactPrefix) -> list[ContactRecord]:
        """Return the contacts whose address, name or id starts with a prefix."""
        field = prefix.field.value if prefix.first_name is None else "full_name"
        params = {
            "account_id": account_id,
            "start": prefix.prefix,
            "end": prefix.prefix + LAST_CHARACTER,
            "first_name": prefix.first_name,
            "limit": prefix.limit,
        }
        rows = await self._engine.fetch_all(self._sql[f"find_by_{field}_prefix"], params, account_id=account_id)
        return [ContactRecord(*row) for row in rows]

    async def count(self, account_id: str, query: ContactQuery) -> int:
        """Count the contacts that match the query, on all pages."""
        name = "count" if query.email_address is None else "count_by_address"
        row = await self._engine.fetch_one(self._sql[name], _find_params(account_id, query), account_id=account_id)
        return 0 if row is None else int(row[0])

    async def count_by_status(self, account_id: str) -> dict[ContactStatus, int]:
        """Count the account's contacts in each status; statuses without contacts are left out."""
        rows = await self._engine.fetch_all(
            self._sql["count_by_status"], {"account_id": account_id}, account_id=account_id
        )
        return {ContactStatus(status): count for status, count in rows}

    async def has_any(self, account_id: str) -> bool:
        """Return True if the account has contacts."""
        row = await self._engine.fetch_one(self._sql["find_any"], {"account_id": account_id}, bounded=True)
        return row is not None

    async def list_ids(self, account_id: str, after: str, limit: int) -> list[str]:
        """Return the ids of up to `limit` contacts after an id, ordered by their bytes."""
        params = {"account_id": account_id, "after": after, "limit": limit}
        return [contact_id for (contact_id,) in await self._engine.fetch_all(self._sql["list_ids"], params)]

    async def get_attributes(self, account_id: str, contact_id: str) -> ContactAttributes | None:
        """Return the attributes that sources have set for a contact, or None if there are none."""
        params = {"account_id": account_id, "contact_id": contact_id}
        row = await self._engine.fetch_one(self._sql["get_attributes"], params, account_id=account_id, bounded=True)
        return None if row is None else ContactAttributes(contact_id, load_attributes(row[0]))

    async def list_attributes(self, account_id: str, after: str, limit: int) -> list[ContactAttributes]:
        """Return the attributes of up to `limit` contacts that have any after an id, ordered by the ids' bytes."""
        params = {"account_id": account_id, "after": after, "limit": limit}
        rows = await self._engine.fetch_all(self._sql["list_attributes"], params, account_id=account_id)
        return [ContactAttributes(contact_id, load_attributes(stored)) for contact_id, stored in rows]

    @abstractmethod
    async def upsert(self, account_id: str, updates: Sequence[ContactUpdate]) -> int:
        """Merge updates into the contacts, creating those that don't exist. Return how many changed something.

        The later of two values wins, whether it comes from an update or an activity. An erased contact is recreated
        only by an update that is dated after the erasure. Updates are committed in chunks.
        """


def _find_statement(query: ContactQuery) -> str:
    if query.updated is not None:
        return "find_by_update"
    if query.created is not None:
        return "find_by_creation"
    if query.opted_out is not None:
        return "find_by_opt_out"
    return "find" if query.email_address is None else "find_by_address"


def _find_params(account_id: str, query: ContactQuery) -> dict[str, Any]:
    updated_after, updated_before = query.updated or _NO_RANGE
    created_after, created_before = query.created or _NO_RANGE
    opted_out_after, opted_out_before = query.opted_out or _NO_RANGE
    order = query.updated or query.created or query.opted_out
    after = query.after if order is None else max(query.after, ContactCursor(order.start, ""))
    return {
        "account_id": account_id,
        "email_address": query.email_address,
        "status_bits": sum(1 << status for status in query.statuses),
        "updated_after": updated_after,
        "updated_before": updated_before,
        "created_after": created_after,
        "created_before": created_before,
        "opted_out_after": opted_out_after,
        "opted_out_before": opted_out_before,
        "after_time": after.time,
        "after": after.contact_id,
        "limit": query.limit,
    }
