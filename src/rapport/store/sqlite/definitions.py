"""Updates of contact lists, tags and custom fields in SQLite."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import apsw

from rapport.catalog import DefinitionUpdate
from rapport.instant import Instant
from rapport.store.attributes import load_attributes
from rapport.store.chunks import chunk_updates
from rapport.store.definitions import DefinitionRepository, definition_row, keep_recorded_at, merge_definition
from rapport.store.last_write_wins import Attributes
from rapport.store.sqlite.connection import Values, fetch_one
from rapport.store.sqlite.engine import Engine
from rapport.store.sqlite.identifiers import account_key
from rapport.store.sqlite.queries import SQL
from rapport.store.subresources import Membership

_SQL: Final = SQL["definitions"]


class SQLiteDefinitions(DefinitionRepository):
    """Reads and updates definitions."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._write = engine.write

    async def upsert(self, account_id: str, updates: Sequence[DefinitionUpdate]) -> int:
        """Merge updates into the definitions, one transaction for each chunk. Return how many changed something."""
        changes = 0
        for chunk in chunk_updates(updates):
            changes += await self._write(account_id, partial(_upsert, account_id, chunk))
        return changes

    async def ensure(self, account_id: str, references: Mapping[Membership, int]) -> None:
        """Create the definitions that something refers to."""
        await self._write(account_id, partial(_ensure, account_id, references))


def _ensure(account_id: str, references: Mapping[Membership, int], connection: apsw.Connection) -> None:
    account = account_key(connection, account_id, Instant(time.time_ns() // 1_000_000))
    ensure_definitions(connection, account, references)


def _upsert(account_id: str, updates: Sequence[DefinitionUpdate], connection: apsw.Connection) -> int:
    account = account_key(connection, account_id, Instant(time.time_ns() // 1_000_000))
    changes = 0
    for update in updates:
        reference = Membership(update.type, update.definition_id)
        attributes = _get(connection, account, reference) or {}
        is_changed = merge_definition(attributes, update)
        if keep_recorded_at(attributes, update.updated_at) or is_changed:
            connection.execute(_SQL["put"], (account, *definition_row(reference, attributes)))
        changes += is_changed
    return changes


def ensure_definitions(connection: apsw.Connection, account: int, references: Mapping[Membership, int]) -> None:
    """Create the definitions that contacts refer to, at the time of the reference."""
    for reference, time_of_reference in references.items():
        attributes = _get(connection, account, reference) or {}
        if keep_recorded_at(attributes, time_of_reference):
            connection.execute(_SQL["put"], (account, *definition_row(reference, attributes)))


def _get(connection: apsw.Connection, account: int, reference: Membership) -> Attributes | None:
    params: Values = {
        "account": account,
        "type": int(reference.type),
        "definition_id": reference.definition_id,
    }
    row = fetch_one(connection, _SQL["get_stored"], params)
    return None if row is None else load_attributes(row[0])
