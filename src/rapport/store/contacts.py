"""Contacts: their attributes and status, searches, and updates from sources."""

import enum
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from rapport.catalog import ContactUpdate, DefinitionType
from rapport.instant import MAX_INSTANT, Instant
from rapport.store.attributes import ContactAttributes, load_attributes
from rapport.store.last_write_wins import Attributes
from rapport.store.sql_engine import Row, SqlEngine


class ContactRecord(NamedTuple):
    """The current attributes of a contact.

    `created_at` is the time set by a source, or else that of the first update or activity. `updated_at` is the time of
    the latest update; if no source has updated the contact, it is `created_at`, and `last_activity` is set.
    """

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
    last_activity: Instant | None = None


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


class ContactQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Up to `limit` contacts after a position that match all filters.

    They are ordered by creation, most recently created first; but if `updated` or `opted_out` is set, and there are no
    lists, tags or address, by that time, earliest first. Equal times are ordered by the bytes of the ids. Addresses are
    compared without regard to the case of ASCII letters. `lists` and `tags` select contacts that are on one of the
    lists, and have one of the tags.
    """

    email_address: str | None = None
    statuses: frozenset[ContactStatus] = frozenset(ContactStatus)
    updated: InstantRange | None = None
    created: InstantRange | None = None
    opted_out: InstantRange | None = None
    lists: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    after: ContactCursor | None = None
    limit: int

    @property
    def order(self) -> "ContactOrder":
        """Return what the contacts are ordered by."""
        if self.email_address is not None or self.lists is not None or self.tags is not None:
            return ContactOrder.CREATION
        if self.updated is not None:
            return ContactOrder.UPDATE
        if self.opted_out is not None and self.created is None:
            return ContactOrder.OPT_OUT
        return ContactOrder.CREATION


class ContactOrder(enum.Enum):
    """The order of contacts: by creation, latest first, or by another time, earliest first."""

    CREATION = "created_at"
    UPDATE = "updated_at"
    OPT_OUT = "opt_out_date"


class UpsertOutcome(enum.Enum):
    """The outcome of an update whose address must be unique."""

    CREATED = "created"
    UPDATED = "updated"
    CONFLICT = "conflict"


class UniqueUpsert(NamedTuple):
    """The contact that an update was merged into; in case of a conflict, the one that has its address."""

    contact_id: str
    outcome: UpsertOutcome


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


MIN_SUBSTRING_LENGTH: Final = 3
"""The minimum length of a text that is searched for anywhere in an address."""

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
        if row is None:
            return None
        (record,) = await self._add_last_times(account_id, [ContactRecord(*row)])
        return record

    async def find(self, account_id: str, query: ContactQuery) -> list[ContactRecord]:
        """Return the contacts that match the query."""
        if () in (query.lists, query.tags):
            return []
        if query.lists is not None or query.tags is not None:
            records = await self._find_members(account_id, query)
        else:
            rows = await self._engine.fetch_all(
                self._sql[_find_statement(query)], _find_params(account_id, query), account_id=account_id
            )
            records = [ContactRecord(*row) for row in rows]
        return await self._add_last_times(account_id, records)

    async def _find_members(self, account_id: str, query: ContactQuery) -> list[ContactRecord]:
        """Merge the pages of the lists, or else of the tags, each of which is a range of an index."""
        definition_type, ids, statement = _find_ranges(query)
        records: dict[str, ContactRecord] = {}
        for definition_id in dict.fromkeys(ids):
            params = {**_find_params(account_id, query), "type": int(definition_type), "definition_id": definition_id}
            rows = await self._engine.fetch_all(self._sql[f"find_{statement}"], params, account_id=account_id)
            records |= {row[0]: ContactRecord(*row) for row in rows}
        ordered = sorted(records.values(), key=lambda record: (record.created_at or 0, record.contact_id.encode()))
        return ordered[::-1][: query.limit]

    async def _add_last_times(self, account_id: str, records: list[ContactRecord]) -> list[ContactRecord]:
        """Return the records with the times of their last activities, where no source has updated the contact."""
        # Only such contacts have the same time twice, except for some that were updated once.
        contact_ids = [record.contact_id for record in records if record.updated_at == record.created_at]
        if not contact_ids:
            return records
        rows = await self._list_last_times(account_id, contact_ids)
        last_times = {row[0]: row[1] for row in rows if row[1] is not None}
        return [record._replace(last_activity=last_times.get(record.contact_id)) for record in records]

    async def _list_last_times(self, account_id: str, contact_ids: list[str]) -> Sequence[Row]:
        """Return the ids of contacts that no source has updated, with the times of their last activities."""
        params = {"account_id": account_id, "contact_ids": contact_ids}
        return await self._engine.fetch_all(self._sql["list_last_times"], params, account_id=account_id)

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

    @abstractmethod
    async def find_containing(self, account_id: str, text: str, limit: int) -> list[ContactRecord]:
        """Return up to `limit` contacts whose address contains a text of at least three characters.

        The case of letters makes no difference. Returns an empty list for shorter texts.
        """

    async def count(self, account_id: str, query: ContactQuery) -> int:
        """Count the contacts that match the query, on all pages."""
        if () in (query.lists, query.tags):
            return 0
        params = _count_params(account_id, query)
        if query.lists is not None or query.tags is not None:
            definition_type, ids, statement = _find_ranges(query)
            params |= {"type": int(definition_type), "definition_ids": list(ids)}
            name = f"count_{statement}"
        else:
            name = "count" if query.email_address is None else "count_by_address"
        row = await self._engine.fetch_one(self._sql[name], params, account_id=account_id)
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

    async def get_attributes_of(self, account_id: str, contact_ids: Sequence[str]) -> dict[str, Attributes]:
        """Return the attributes that sources have set for contacts, by their ids."""
        if not contact_ids:
            return {}
        rows = await self._list_attributes_of(account_id, contact_ids)
        return {contact_id: load_attributes(stored) for contact_id, stored in rows}

    async def _list_attributes_of(self, account_id: str, contact_ids: Sequence[str]) -> Sequence[Row]:
        """Return the ids of contacts that have attributes, with their stored attributes."""
        params = {"account_id": account_id, "contact_ids": list(contact_ids)}
        return await self._engine.fetch_all(self._sql["list_attributes_of"], params, account_id=account_id)

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

    @abstractmethod
    async def upsert_unique(self, account_id: str, update: ContactUpdate, *, into_owner: bool) -> UniqueUpsert:
        """Merge an update into its contact, unless another contact has the same address.

        With `into_owner`, merge it into that contact instead. Addresses of deleted contacts count, too. Nothing else
        that calls this can give the address to another contact meanwhile.
        """


def is_same_address(address: str, stored: str | None) -> bool:
    """Return True if two addresses differ only in the case of ASCII letters."""
    return stored is not None and _fold(address) == _fold(stored)


def _fold(address: str) -> bytes:
    return address.encode().lower()


def _find_statement(query: ContactQuery) -> str:
    if query.email_address is not None:
        return "find_by_address"
    statements = {ContactOrder.UPDATE: "find_by_update", ContactOrder.OPT_OUT: "find_by_opt_out"}
    return statements.get(query.order, "find")


def _find_ranges(query: ContactQuery) -> tuple[DefinitionType, tuple[str, ...], str]:
    """Return the definitions whose contacts are read, and the statement that filters them by the others."""
    if query.lists is None:
        return DefinitionType.TAG, query.tags or (), "members"
    return DefinitionType.LIST, query.lists, "members" if query.tags is None else "tagged_members"


def _find_params(account_id: str, query: ContactQuery) -> dict[str, Any]:
    """Return the parameters for a page. In the order of creation, the period always has a start."""
    params = _count_params(account_id, query)
    if query.order is ContactOrder.CREATION and query.created is None:
        params["created_after"] = Instant(0)
    return params


def _count_params(account_id: str, query: ContactQuery) -> dict[str, Any]:
    updated_after, updated_before = query.updated or _NO_RANGE
    created_after, created_before = query.created or _NO_RANGE
    opted_out_after, opted_out_before = query.opted_out or _NO_RANGE
    after = _start_after(query)
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
        "tags": list(query.tags) if query.tags else None,
        "after_time": after.time,
        "after": after.contact_id,
        "limit": query.limit,
    }


def _start_after(query: ContactQuery) -> ContactCursor:
    """Return the position after which contacts are read: the query's, or the end of its period at which it starts."""
    if query.order is ContactOrder.CREATION:
        end = MAX_INSTANT if query.created is None else query.created.end
        start = ContactCursor(end + 1, "")
        return start if query.after is None else min(query.after, start)
    period = query.updated if query.order is ContactOrder.UPDATE else query.opted_out
    start = ContactCursor(-1 if period is None else period.start, "")
    return start if query.after is None else max(query.after, start)
