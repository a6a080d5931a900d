"""The interface of a database engine, over which repositories share their reads."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

Params: TypeAlias = Mapping[str, Any]
"""Values by parameter name. A list is an array."""

Row: TypeAlias = Sequence[Any]


class SqlEngine(Protocol):
    """Runs queries with named parameters. Every method raises StoreUnavailable."""

    sql: Mapping[str, Mapping[str, str]]
    """The engine's statements, by file and name."""

    async def fetch_all(
        self, query: str, params: Params, *, account_id: str = "", bounded: bool = False
    ) -> Sequence[Row]:
        """Return all rows, in the turn of the account.

        `bounded`: the cost is bounded by the number of rows, so SQLite may read in the event loop.
        """
        ...

    async def fetch_one(self, query: str, params: Params, *, account_id: str = "", bounded: bool = False) -> Row | None:
        """Return the first row, or None."""
        ...

    async def fetch_of_contact(
        self, query: str, account_id: str, contact_id: str, params: Params
    ) -> Sequence[Row] | None:
        """Return all rows of a query about `:contact`, or None if the contact doesn't exist."""
        ...
