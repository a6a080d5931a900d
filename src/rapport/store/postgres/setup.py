"""Explanations for a database that isn't set up as Rapport needs it: what is missing, and what to run."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from asyncpg.exceptions import InterfaceError, InternalClientError, PostgresConnectionError, PostgresError
from asyncpg.pool import PoolConnectionProxy

from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["privileges"]

MIN_VERSION: Final = 14

_CREDENTIALS: Final = "check the user in the URL, and the password in PGPASSWORD or ~/.pgpass"
_READ_ONLY: Final = "it is a standby, or default_transaction_read_only is on for the server, the database or the user"

_ON_CONNECTING: Final = {
    "28000": _CREDENTIALS,
    "28P01": _CREDENTIALS,
    "3D000": "create it with CREATE DATABASE, or correct the URL",
    "42501": "as the database's owner, GRANT CONNECT ON DATABASE … to the user",
}

_INSUFFICIENT_PRIVILEGE: Final = "42501"
_READ_ONLY_TRANSACTION: Final = "25006"
_MISSING: Final = frozenset({"3F000", "42P01"})
"""A schema or a table that doesn't exist, or is hidden from a user without USAGE on its schema."""


def describe_connecting(exc: BaseException) -> str:
    """Return what a failed attempt to connect says, with what to do about it if that is known."""
    advice = _ON_CONNECTING.get(_state(exc))
    return f"{exc}; {advice}" if advice else str(exc)


def check_version(major: int, version: str) -> str | None:
    """Return what is wrong with the server's version, or None."""
    if major >= MIN_VERSION:
        return None
    return f"the database server is PostgreSQL {version}, and Rapport needs {MIN_VERSION} or newer: upgrade it"


async def explain(connection: PoolConnectionProxy, exc: PostgresError) -> str | None:
    """Return what is missing and how to add it, or None if `exc` has another cause.

    The connection must be outside of a transaction.
    """
    state = _state(exc)
    if state == _READ_ONLY_TRANSACTION:
        return f"the database is read-only ({exc}): {_READ_ONLY}"
    if state != _INSUFFICIENT_PRIVILEGE and state not in _MISSING:
        return None
    if "must be owner" in str(exc):
        return f"{exc}: run `rapport migrate` once as the user that owns the tables"
    missing: list[str] = []
    commands: list[str] = []
    # The connection may have been lost meanwhile; then what the database said has to do.
    with suppress(PostgresConnectionError, InterfaceError, InternalClientError, OSError):
        await _find_missing(connection, state, str(exc), missing, commands)
    if missing:
        return _advise(missing, commands, f" ({exc})")
    return f"the database is not set up for this user: {exc}"


async def explain_absence(connection: PoolConnectionProxy) -> str | None:
    """Return why tables can't be seen that may exist all the same, and what to run, or None if they don't exist."""
    missing: list[str] = []
    commands: list[str] = []
    await _find_missing(connection, "", "", missing, commands)
    return _advise(missing, commands) if missing else None


def _advise(missing: Sequence[str], commands: Sequence[str], reason: str = "") -> str:
    return f"{', '.join(missing)}{reason}. As an administrator of the database, run: {'; '.join(commands)}"


async def _find_missing(
    connection: PoolConnectionProxy, state: str, message: str, missing: list[str], commands: list[str]
) -> None:
    user = await connection.fetchrow(_SQL["user"])
    schemas = await connection.fetch(_SQL["schemas"])
    name, to_user = user["name"], f"TO {user['quoted_name']}"
    existing = [schema for schema in schemas if schema["exists"]]
    if not existing:
        first = schemas[-1] if schemas else {"name": "public", "quoted_name": "public"}
        missing.append(f"the schema {first['name']} does not exist")
        commands.append(f"CREATE SCHEMA {first['quoted_name']} AUTHORIZATION {user['quoted_name']}")
        return
    lacks = f"the database user {name} lacks"
    for schema in existing:
        if not schema["has_usage"]:
            missing.append(f"{lacks} USAGE on the schema {schema['name']}")
            commands.append(f"GRANT USAGE ON SCHEMA {schema['quoted_name']} {to_user}")
        for row in await connection.fetch(_SQL["tables"], schema["name"]):
            tables = ", ".join(row["tables"])
            missing.append(f"{lacks} {row['privileges']} on {tables}")
            commands.append(f"GRANT {row['privileges']} ON {tables} {to_user}")
    if "temporary" in message and not user["has_temporary"]:
        missing.append(f"{lacks} TEMPORARY on the database {user['database']}")
        commands.append(f"GRANT TEMPORARY ON DATABASE {user['quoted_database']} {to_user}")
    if not missing and (state == "3F000" or "for schema" in message):
        _require_create(existing, lacks, to_user, missing, commands)


def _require_create(schemas: Sequence[Any], lacks: str, to_user: str, missing: list[str], commands: list[str]) -> None:
    """Add that tables can't be created in the first schema, where new tables go."""
    if not schemas[0]["has_create"]:
        missing.append(f"{lacks} CREATE on the schema {schemas[0]['name']}")
        commands.append(f"GRANT CREATE ON SCHEMA {schemas[0]['quoted_name']} {to_user}")


def _state(exc: BaseException) -> str:
    return str(getattr(exc, "sqlstate", "") or "")
