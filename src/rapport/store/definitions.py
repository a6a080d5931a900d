"""Contact lists, tags and custom fields: attributes, pages, and updates from sources.

A definition also exists if only contacts refer to it; it has no name then.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from rapport.catalog import Choice, DefinitionType, DefinitionUpdate
from rapport.instant import MAX_INSTANT, Instant
from rapport.store.attributes import dump_attributes, get_number, get_text, load_attributes, updated_at
from rapport.store.last_write_wins import Attributes, Value, merge_attributes
from rapport.store.sql_engine import SqlEngine
from rapport.store.subresources import RECORDED_AT, Membership, derive_created_at

_TEXTS: Final = ("name", "description", "tag_source", "field_type")


class DefinitionCursor(NamedTuple):
    """A position among definitions, most recently created first."""

    created_at: int
    definition_id: str


LATEST_DEFINITION: Final = DefinitionCursor(MAX_INSTANT + 1, "")


class DefinitionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Up to `limit` definitions of a type after a position, most recently created first.

    `name` is compared as it is. `with_deleted` and `with_current` select deleted ones and all others.
    """

    type: DefinitionType
    name: str | None = None
    with_current: bool = True
    with_deleted: bool = False
    after: DefinitionCursor = LATEST_DEFINITION
    limit: int


class DefinitionRecord(NamedTuple):
    """The current attributes of a definition."""

    definition_id: str
    created_at: Instant
    deleted_at: Instant | None
    attributes: Attributes

    @property
    def name(self) -> str:
        """Return the name, or the id if no source has set one."""
        return get_text(self.attributes, "name") or self.definition_id

    @property
    def updated_at(self) -> Instant:
        """Return the time of the latest update."""
        return Instant(updated_at(self.attributes) or self.created_at)

    @property
    def is_favorite(self) -> bool:
        """Return True if the list is a favorite of the account."""
        return bool(get_number(self.attributes, "favorite"))

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Return the choices of a custom field."""
        stored = get_text(self.attributes, "choices")
        return () if stored is None else msgspec.json.decode(stored, type=tuple[Choice, ...])


class DefinitionAttributes(NamedTuple):
    """The attributes that sources have set for a definition."""

    type: DefinitionType
    definition_id: str
    attributes: Attributes


class DefinitionRow(NamedTuple):
    """The row of a definition, except for its account."""

    type: int
    definition_id: str
    name: str | None
    created_at: int | None
    deleted_at: int | None
    stored: str


class DefinitionRepository(ABC):
    """Reads and updates definitions. Every method raises StoreUnavailable."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine
        self._sql: Mapping[str, str] = engine.sql["definitions"]

    async def find(self, account_id: str, query: DefinitionQuery) -> list[DefinitionRecord]:
        """Return the definitions that match the query."""
        params = {
            "account_id": account_id,
            "type": int(query.type),
            "name": query.name,
            "with_current": int(query.with_current),
            "with_deleted": int(query.with_deleted),
            "after_time": query.after.created_at,
            "after_id": query.after.definition_id,
            "limit": query.limit,
        }
        rows = await self._engine.fetch_all(self._sql["find"], params, account_id=account_id)
        return [_record(row) for row in rows]

    async def get(
        self, account_id: str, definition_type: DefinitionType, definition_id: str
    ) -> DefinitionRecord | None:
        """Return a definition, or None if it doesn't exist."""
        params = {"account_id": account_id, "type": int(definition_type), "definition_id": definition_id}
        row = await self._engine.fetch_one(self._sql["get"], params, account_id=account_id, bounded=True)
        return None if row is None else _record(row)

    async def count(self, account_id: str, query: DefinitionQuery) -> int:
        """Count the definitions that match the query, on all pages."""
        params = {
            "account_id": account_id,
            "type": int(query.type),
            "name": query.name,
            "with_current": int(query.with_current),
            "with_deleted": int(query.with_deleted),
        }
        row = await self._engine.fetch_one(self._sql["count"], params, account_id=account_id)
        return 0 if row is None else int(row[0])

    async def find_missing(self, account_id: str, references: Iterable[Membership]) -> list[Membership]:
        """Return the references to definitions that don't exist or are deleted."""
        missing = []
        for reference in sorted(references):
            record = await self.get(account_id, *reference)
            if record is None or record.deleted_at is not None:
                missing.append(reference)
        return missing

    async def count_contacts(
        self, account_id: str, definition_type: DefinitionType, definition_ids: Sequence[str], *, only_active: bool
    ) -> Mapping[str, int]:
        """Count the contacts that are on lists or have tags, by their ids; deleted contacts don't count.

        With `only_active`, only contacts to whom email may be sent.
        """
        if not definition_ids:
            return {}
        params = {
            "account_id": account_id,
            "type": int(definition_type),
            "definition_ids": list(definition_ids),
            "only_active": int(only_active),
        }
        rows = await self._engine.fetch_all(self._sql["count_contacts"], params, account_id=account_id)
        return {row[0]: row[1] for row in rows}

    async def list_attributes(self, account_id: str) -> list[DefinitionAttributes]:
        """Return the attributes of all definitions of the account."""
        rows = await self._engine.fetch_all(
            self._sql["list_attributes"], {"account_id": account_id}, account_id=account_id
        )
        return [
            DefinitionAttributes(DefinitionType(number), definition_id, load_attributes(stored))
            for number, definition_id, stored in rows
        ]

    @abstractmethod
    async def upsert(self, account_id: str, updates: Sequence[DefinitionUpdate]) -> int:
        """Merge updates into the definitions, creating those that don't exist. Return how many changed something."""

    @abstractmethod
    async def ensure(self, account_id: str, references: Mapping[Membership, int]) -> None:
        """Create the definitions that something refers to, at the time of the earliest reference."""


def merge_definition(attributes: Attributes, update: DefinitionUpdate) -> bool:
    """Merge an update into the attributes of its definition. Return True if that changed them."""
    is_new = not attributes
    values: dict[str, Value] = {field: getattr(update, field) for field in _TEXTS}
    values["favorite"] = None if update.favorite is None else int(update.favorite)
    values["created_at"] = update.created_at
    if update.choices is not None:
        values["choices"] = msgspec.json.encode(update.choices).decode()
    values = {field: value for field, value in values.items() if value is not None}
    is_changed = merge_attributes(attributes, {**values, "deleted_at": update.deleted_at}, update.updated_at)
    return is_changed or is_new


def keep_recorded_at(attributes: Attributes, time: int) -> bool:
    """Keep the earliest time of an update of or reference to a definition. Return True if it changed."""
    if RECORDED_AT in attributes and attributes[RECORDED_AT][1] <= time:
        return False
    attributes[RECORDED_AT] = time, time
    return True


def definition_row(reference: Membership, attributes: Attributes) -> DefinitionRow:
    """Return the row of a definition with these attributes."""
    return DefinitionRow(
        int(reference.type),
        reference.definition_id,
        get_text(attributes, "name"),
        derive_created_at(attributes, None),
        get_number(attributes, "deleted_at"),
        dump_attributes(attributes),
    )


def get_recorded_at(definition: DefinitionAttributes) -> int:
    """Return the earliest time of an update of or reference to a definition."""
    return definition.attributes[RECORDED_AT][1]


def definition_updates(definition: DefinitionAttributes) -> Iterator[DefinitionUpdate]:
    """Yield updates that reproduce the attributes of a definition, except for `RECORDED_AT`, the latest first."""
    attributes = definition.attributes
    deleted_at = get_number(attributes, "deleted_at")
    # As each update says whether the definition is deleted, an earlier one must not be the first to say it.
    for time in sorted({time for field, (_, time) in attributes.items() if field != RECORDED_AT}, reverse=True):
        values = {field: value for field, (value, set_at) in attributes.items() if set_at == time}
        created_at, favorite, choices = (values.get(field) for field in ("created_at", "favorite", "choices"))
        yield DefinitionUpdate(
            type=definition.type,
            definition_id=definition.definition_id,
            updated_at=Instant(time),
            favorite=None if favorite is None else bool(favorite),
            choices=None if choices is None else msgspec.json.decode(str(choices), type=tuple[Choice, ...]),
            created_at=None if created_at is None else Instant(int(created_at)),
            deleted_at=None if deleted_at is None else Instant(deleted_at),
            **{field: str(values[field]) for field in _TEXTS if values.get(field) is not None},
        )


def exported_updates(definition: DefinitionAttributes) -> Iterator[DefinitionUpdate]:
    """Yield updates that reproduce a definition, with the time at which it was created. The latest comes first."""
    updates = list(definition_updates(definition))
    yield from updates
    recorded_at = Instant(get_recorded_at(definition))
    if not updates or recorded_at < updates[-1].updated_at:
        yield DefinitionUpdate(
            type=definition.type,
            definition_id=definition.definition_id,
            updated_at=recorded_at,
            deleted_at=updates[0].deleted_at if updates else None,
        )


def _record(row: Sequence[Any]) -> DefinitionRecord:
    definition_id, created_at, deleted_at, stored = row
    return DefinitionRecord(definition_id, created_at, deleted_at, load_attributes(stored))
