"""The index by which contacts are found by any part of their address.

It is a GIN index of the three-letter sequences in the address in lower case. The extension pg_trgm has such an index as
well, but a managed database may not offer it, creating it takes a privilege, and a cluster needs it on every node. This
index is an expression of built-in functions only. Lower case is that of Unicode, by the first collation that the
database has of those that know it, or else that of the database's locale.
"""

from typing import Final

from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["contacts"]

_COLLATIONS: Final = ("pg_c_utf8", "und-x-icu", "C.utf8", "C.UTF-8", "en_US.utf8", "en_US.UTF-8")
"""Collations whose lower case is that of Unicode: built in from PostgreSQL 17 on, of ICU, and of the system."""

_TEXT: Final = "lower(email_address{collation})"
_GRAMS: Final = " || ".join(
    f"string_to_array(regexp_replace(substr({_TEXT}, {start}), '(...)', E'\\\\1\\x01', 'g'), E'\\x01')"
    for start in (1, 2, 3)
)
"""All three-letter sequences of the address: those from its first, second and third letter on."""

_INDEX: Final = "CREATE INDEX contact_by_part ON contact USING gin (({grams})) WHERE email_address IS NOT NULL"


async def create_index(connection: Connection) -> None:
    """Create the index. Part of a migration."""
    name = await connection.fetchval(_SQL["find_collation"], list(_COLLATIONS))
    await connection.execute(_INDEX.format(grams=_GRAMS).format(collation=_collate(name)))


async def get_search_query(connection: Connection) -> str:
    """Return the query that the database's index serves."""
    definition: str = await connection.fetchval(_SQL["get_search_index"]) or ""
    collation = _collate(next((name for name in _COLLATIONS if name in definition), None))
    query = _SQL["find_containing"].replace("{grams}", _GRAMS).replace("{text}", _TEXT)
    return query.replace("{collation}", collation)


def _collate(name: str | None) -> str:
    return "" if name is None else f' COLLATE "{name}"'


def list_grams(text: str) -> list[str]:
    """Return the three-letter sequences that a text in lower case contains."""
    return sorted({text[start : start + 3] for start in range(len(text) - 2)})
