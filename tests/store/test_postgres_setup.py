"""A database that isn't set up for Rapport: commands and the server name what is missing and what to run."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rapport.errors import StoreUnavailable
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.postgres import setup
from tests.cli.command import rapport
from tests.postgres import Databases, PostgresServer
from tests.store.earlier import execute
from tests.world import Server, line


@pytest.fixture
def place(postgresql: str) -> Iterator[str]:
    """The URL of a schema that has no tables yet."""
    with Databases(postgresql).bare() as url:
        yield url


@pytest.fixture
def role(postgresql: str) -> Iterator[str]:
    """A database user without any privilege of its own."""
    name = f"role_{uuid.uuid4().hex[:12]}"
    execute(postgresql, f"CREATE ROLE {name} LOGIN")
    yield name
    execute(postgresql, f"REASSIGN OWNED BY {name} TO postgres", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def schema_of(url: str) -> str:
    return url.rpartition("=")[2]


def as_user(url: str, role: str) -> str:
    """The URL for another user."""
    return url.replace("postgres@", f"{role}@")


def refused(*arguments: str) -> str:
    """Run a command that must fail, and return its error, a line."""
    errors = rapport(*arguments, code=1).stderr
    assert "Traceback" not in errors
    (error,) = (text for text in errors.splitlines() if text.startswith("Error: "))
    return error


def commands_in(sentence: str) -> list[str]:
    """The SQL that a sentence says to run."""
    return sentence.rpartition("run: ")[2].strip().split("; ")


def create(url: str) -> None:
    """Have Rapport create its tables, as the user in the URL."""

    async def run() -> None:
        async with open_store(Settings(data=url)):
            pass

    asyncio.run(run())


def test_all_missing_privileges_are_named_at_once_and_the_named_commands_suffice(
    place: str, role: str, tmp_path: Path
) -> None:
    create(place)
    (tmp_path / "a.ndjson").write_text(json.dumps(line()))
    importing = ("import", str(tmp_path / "a.ndjson"), "--data", as_user(place, role))
    sentence = refused(*importing)
    assert f"the database user {role} lacks USAGE on the schema {schema_of(place)}" in sentence
    assert f"lacks SELECT, INSERT, UPDATE, DELETE on {schema_of(place)}.account, " in sentence
    execute(place, *commands_in(sentence))
    assert "1 accepted" in rapport(*importing).stdout


@pytest.mark.parametrize(
    "arguments", [["token"], ["serve"], ["export", "c1"], ["check"], ["keys", "rotate"], ["erase", "c1", "--yes"]]
)
def test_no_command_shows_a_traceback_for_a_missing_privilege(place: str, role: str, arguments: list[str]) -> None:
    create(place)
    execute(place, f"GRANT USAGE ON SCHEMA {schema_of(place)} TO {role}")
    assert "SELECT, INSERT, UPDATE, DELETE on" in refused(*arguments, "--data", as_user(place, role))


def test_a_privilege_that_is_revoked_while_the_server_runs_makes_it_unavailable(place: str, role: str) -> None:
    execute(place, f"ALTER SCHEMA {schema_of(place)} OWNER TO {role}")
    create(as_user(place, role))
    schema = schema_of(place)
    execute(place, f"ALTER SCHEMA {schema} OWNER TO postgres")
    execute(place, f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    with Server(as_user(place, role)) as server, server.caller("a") as caller:
        caller.record(line())
        for revoke, missing in (
            (f"REVOKE INSERT ON feed FROM {role}", f"{role} lacks INSERT on {schema}.feed"),
            (f"REVOKE UPDATE ON engagement FROM {role}", f"{role} lacks UPDATE on {schema}.engagement"),
            (f"REVOKE USAGE ON SCHEMA {schema} FROM {role}", f"{role} lacks USAGE on the schema {schema}"),
        ):
            execute(place, revoke)
            body = json.dumps(line(time=1_767_225_600_000)).encode()
            headers = {"content-type": "application/x-ndjson"}
            response = caller.post("/track/v1/activities", content=body, headers=headers)
            assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE, response.text
            assert missing in server.log.read_text()
            assert "Traceback" not in server.log.read_text()
            execute(place, revoke.replace("REVOKE", "GRANT").replace(" FROM ", " TO "))
        assert caller.record(line(time=1_767_225_600_000))["accepted"] == 1


def test_an_import_that_may_not_create_temporary_tables_names_that_privilege(
    postgresql: str, role: str, tmp_path: Path
) -> None:
    database = f"database_{uuid.uuid4().hex[:12]}"
    execute(postgresql, f"CREATE DATABASE {database} OWNER {role}")
    url = as_user(postgresql.removesuffix("postgres") + database, role)
    try:
        lines = [json.dumps(line(time=1_767_225_600_000 + number)) for number in range(2_000)]
        (tmp_path / "a.ndjson").write_text("\n".join(lines))
        create(url)
        execute(postgresql, f"ALTER DATABASE {database} OWNER TO postgres")
        execute(postgresql, f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")
        sentence = refused("import", str(tmp_path / "a.ndjson"), "--data", url)
        assert f"{role} lacks TEMPORARY on the database {database}" in sentence
        execute(postgresql, *commands_in(sentence))
        assert "2000 accepted" in rapport("import", str(tmp_path / "a.ndjson"), "--data", url).stdout
    finally:
        execute(postgresql, f"DROP DATABASE {database}")


def test_a_missing_schema_is_named(postgresql: str) -> None:
    name = f"schema_{uuid.uuid4().hex[:12]}"
    url = f"{postgresql}?search_path={name}"
    sentence = refused("token", "--data", url)
    assert f"the schema {name} does not exist" in sentence
    execute(postgresql, *commands_in(sentence))
    rapport("token", "--create", "--data", url)
    execute(postgresql, f"DROP SCHEMA {name} CASCADE")


def test_tables_that_may_not_be_created_are_told_by_the_missing_privilege(place: str, role: str) -> None:
    execute(place, f"GRANT USAGE ON SCHEMA {schema_of(place)} TO {role}")
    sentence = refused("token", "--create", "--data", as_user(place, role))
    assert f"the database user {role} lacks CREATE on the schema {schema_of(place)}" in sentence
    execute(place, *commands_in(sentence))
    rapport("token", "--create", "--data", as_user(place, role))


def test_tables_of_another_owner_are_upgraded_by_that_owner_only(place: str, role: str) -> None:
    create(place)
    # A step that changes a table, which only its owner may.
    execute(place, "DELETE FROM schema_migration WHERE number = 18")
    tables = f"ALL TABLES IN SCHEMA {schema_of(place)}"
    execute(place, f"GRANT USAGE, CREATE ON SCHEMA {schema_of(place)} TO {role}", f"GRANT ALL ON {tables} TO {role}")
    sentence = refused("token", "--data", as_user(place, role))
    assert "must be owner" in sentence
    assert "run `rapport migrate` once as the user that owns the tables" in sentence


def test_a_missing_database_is_named(postgresql: str) -> None:
    sentence = refused("token", "--data", postgresql.removesuffix("postgres") + "nowhere")
    assert 'database "nowhere" does not exist; create it with CREATE DATABASE' in sentence


def test_a_database_that_is_read_only_by_default_is_told_as_such(place: str, role: str) -> None:
    execute(place, f"ALTER SCHEMA {schema_of(place)} OWNER TO {role}")
    create(as_user(place, role))
    with Server(as_user(place, role)) as server:
        server.stop()
        execute(place, f"ALTER ROLE {role} SET default_transaction_read_only = on")
        sentence = refused("token", "--account", "new", "--data", as_user(place, role))
        assert "the database is read-only" in sentence
        assert "default_transaction_read_only is on" in sentence


@pytest.fixture
def guarded(own_postgres: PostgresServer, role: str) -> PostgresServer:
    """A server that asks one of its users, named like the role, for a password."""
    hba = own_postgres._data / "pg_hba.conf"  # noqa: SLF001 - ours
    hba.write_text(f"host all {role} 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
    execute(own_postgres.url, f"CREATE ROLE {role} LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()")
    return own_postgres


def test_a_wrong_password_is_told_with_where_it_is_read_from(guarded: PostgresServer, role: str) -> None:
    url = as_user(guarded.url, f"{role}:wrong")
    sentence = refused("token", "--data", url)
    assert "password authentication failed" in sentence
    assert "PGPASSWORD or ~/.pgpass" in sentence
    assert "wrong" not in sentence.replace("wrong password", "")


def test_a_server_that_is_too_old_is_refused(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "MIN_VERSION", 99)
    with pytest.raises(StoreUnavailable, match=r"PostgreSQL \d+\.\d+, and Rapport needs 99 or newer: upgrade it"):
        create(place)
