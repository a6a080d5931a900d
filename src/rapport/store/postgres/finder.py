"""Finds by what a person types: the beginning of an address, a name or an id, a part of a campaign activity's name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rapport.activity import CampaignActivity
from rapport.store.known import ContactPrefix, ContactRecord
from rapport.store.postgres.pool import Every, Pool, Touched
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_find.sql")

_WITHIN: Final = 3.0
"""Seconds within which somebody who types gets an answer, or is told to try again."""

_LAST: Final = "\U0010ffff"
"""Behind whatever begins with the same text."""


class Finder:
    """Reads through a pool. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def contacts(self, account_id: str, prefix: ContactPrefix) -> list[ContactRecord]:
        """The contacts of which what is sought begins so."""
        params: list[object] = [prefix.beginning, prefix.beginning + _LAST, prefix.limit]
        if prefix.first_name is not None:
            params.append(prefix.first_name)
        rows = await self._all(prefix.statement, account_id, *params, contacts=Every.CONTACT)
        return [ContactRecord(*row) for row in rows]

    async def campaign_activities(self, account_id: str, text: str, limit: int) -> list[CampaignActivity]:
        """The campaign activities whose name holds the text, or whose id begins with it."""
        return [CampaignActivity(*row) for row in await self._all("campaign_activities", account_id, text, limit)]

    async def _all(self, statement: str, account_id: str, *values: object, contacts: Touched = ()) -> Sequence[Any]:
        async with self._pool.acquire(_WITHIN, account_id, contacts) as connection:
            rows: Sequence[Any] = await connection.fetch(SQL[statement], account_id, *values)
            return rows
