"""The interface of a database engine, over which repositories share their code."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

Params: TypeAlias = Mapping[str, Any]
"""Values by parameter name. A list is an array."""

Row: TypeAlias = Sequence[Any]

Statement: TypeAlias = tuple[str, Params]
"""A query and its parameters."""


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

    async def execute(
        self, account_id: str, statements: Sequence[Statement], *, is_durable: bool = True
    ) -> Sequence[Row]:
        """Run statements in one transaction, in the turn of the account, and return the rows of the last one.

        Unless `is_durable`, a power failure may undo it.
        """
        ...

    async def execute_if(self, account_id: str, condition: Statement, statements: Sequence[Statement]) -> bool:
        """Run a statement and, if it returns rows, others in the same transaction. Return whether it does."""
        ...
