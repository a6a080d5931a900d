"""Databases that aren't set up for Rapport: errors name what is missing and what to run."""

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
from tests.helpers.api import make_line
from tests.helpers.command import run_rapport, run_rapport_process
from tests.helpers.loop import run_async
from tests.helpers.postgres import Databases, PostgresServer
from tests.helpers.server import Server
from tests.helpers.sql import execute_sql


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """URL of a schema without tables."""
    with Databases(postgres_url).empty_schema() as url:
        yield url


@pytest.fixture
def role(postgres_url: str) -> Iterator[str]:
    """A database user without privileges."""
    name = f"role_{uuid.uuid4().hex[:12]}"
    execute_sql(postgres_url, f"CREATE ROLE {name} LOGIN")
    yield name
    execute_sql(postgres_url, f"REASSIGN OWNED BY {name} TO postgres", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def get_schema(url: str) -> str:
    return url.rpartition("=")[2]


def replace_user(url: str, role: str) -> str:
    """Return the URL for another user."""
    return url.replace("postgres@", f"{role}@")


def run_and_fail(*arguments: str) -> str:
    """Run a command that must fail, and return its error."""
    run = run_rapport_process if arguments[0] == "serve" else run_rapport
    errors = run(*arguments, code=1).stderr
    assert "Traceback" not in errors
    (error,) = (text for text in errors.splitlines() if text.startswith("Error: "))
    return error


def extract_commands(sentence: str) -> list[str]:
    """Return the SQL commands in an error."""
    return sentence.rpartition("run: ")[2].strip().split("; ")


def create_tables(url: str) -> None:
    """Create the tables as the user in the URL."""

    async def run() -> None:
        async with open_store(Settings(data=url)):
            pass

    run_async(run())


def test_missing_privileges_error_lists_sufficient_grants(database_url: str, role: str, tmp_path: Path) -> None:
    create_tables(database_url)
    (tmp_path / "a.ndjson").write_text(json.dumps(make_line()))
    importing = ("import", str(tmp_path / "a.ndjson"), "--data", replace_user(database_url, role))
    sentence = run_and_fail(*importing)
    assert f"the database user {role} lacks USAGE on the schema {get_schema(database_url)}" in sentence
    assert f"lacks SELECT, INSERT, UPDATE, DELETE on {get_schema(database_url)}.account, " in sentence
    execute_sql(database_url, *extract_commands(sentence))
    assert "1 accepted" in run_rapport(*importing).stdout


@pytest.mark.parametrize(
    "arguments",
    [["token", "create"], ["serve"], ["export", "c1"], ["check"], ["keys", "rotate"], ["erase", "c1", "--yes"]],
)
def test_missing_privilege_gives_no_traceback(database_url: str, role: str, arguments: list[str]) -> None:
    create_tables(database_url)
    execute_sql(database_url, f"GRANT USAGE ON SCHEMA {get_schema(database_url)} TO {role}")
    assert "SELECT, INSERT, UPDATE, DELETE on" in run_and_fail(*arguments, "--data", replace_user(database_url, role))


def test_privilege_revoked_at_run_time_makes_server_unavailable(database_url: str, role: str) -> None:
    execute_sql(database_url, f"ALTER SCHEMA {get_schema(database_url)} OWNER TO {role}")
    create_tables(replace_user(database_url, role))
    schema = get_schema(database_url)
    execute_sql(database_url, f"ALTER SCHEMA {schema} OWNER TO postgres")
    execute_sql(database_url, f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    with Server(replace_user(database_url, role)) as server, server.client("a") as client:
        client.record(make_line())
        for revoke, missing in (
            (f"REVOKE INSERT ON feed FROM {role}", f"{role} lacks INSERT on {schema}.feed"),
            (f"REVOKE UPDATE ON engagement FROM {role}", f"{role} lacks UPDATE on {schema}.engagement"),
            (f"REVOKE USAGE ON SCHEMA {schema} FROM {role}", f"{role} lacks USAGE on the schema {schema}"),
        ):
            execute_sql(database_url, revoke)
            body = json.dumps(make_line(time=1_767_225_600_000)).encode()
            headers = {"content-type": "application/x-ndjson"}
            response = client.post("/track/v1/activities", content=body, headers=headers)
            assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE, response.text
            assert missing in server.log.read_text()
            assert "Traceback" not in server.log.read_text()
            execute_sql(database_url, revoke.replace("REVOKE", "GRANT").replace(" FROM ", " TO "))
        assert client.record(make_line(time=1_767_225_600_000))["accepted"] == 1


def test_import_names_missing_temporary_table_privilege(postgres_url: str, role: str, tmp_path: Path) -> None:
    database = f"database_{uuid.uuid4().hex[:12]}"
    execute_sql(postgres_url, f"CREATE DATABASE {database} OWNER {role}")
    url = replace_user(postgres_url.removesuffix("postgres") + database, role)
    try:
        lines = [json.dumps(make_line(time=1_767_225_600_000 + number)) for number in range(2_000)]
        (tmp_path / "a.ndjson").write_text("\n".join(lines))
        create_tables(url)
        execute_sql(postgres_url, f"ALTER DATABASE {database} OWNER TO postgres")
        execute_sql(postgres_url, f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")
        sentence = run_and_fail("import", str(tmp_path / "a.ndjson"), "--data", url)
        assert f"{role} lacks TEMPORARY on the database {database}" in sentence
        execute_sql(postgres_url, *extract_commands(sentence))
        assert "2000 accepted" in run_rapport("import", str(tmp_path / "a.ndjson"), "--data", url).stdout
    finally:
        execute_sql(postgres_url, f"DROP DATABASE {database}")


def test_missing_schema_is_reported(postgres_url: str) -> None:
    name = f"schema_{uuid.uuid4().hex[:12]}"
    url = f"{postgres_url}?search_path={name}"
    sentence = run_and_fail("token", "create", "--data", url)
    assert f"the schema {name} does not exist" in sentence
    execute_sql(postgres_url, *extract_commands(sentence))
    run_rapport("token", "create", "--create", "--data", url)
    execute_sql(postgres_url, f"DROP SCHEMA {name} CASCADE")


def test_missing_create_privilege_is_reported(database_url: str, role: str) -> None:
    execute_sql(database_url, f"GRANT USAGE ON SCHEMA {get_schema(database_url)} TO {role}")
    sentence = run_and_fail("token", "create", "--create", "--data", replace_user(database_url, role))
    assert f"the database user {role} lacks CREATE on the schema {get_schema(database_url)}" in sentence
    execute_sql(database_url, *extract_commands(sentence))
    run_rapport("token", "create", "--create", "--data", replace_user(database_url, role))


def test_migration_requires_owner_of_tables(database_url: str, role: str) -> None:
    create_tables(database_url)
    # A migration that changes a table, which only the owner may do.
    execute_sql(database_url, "DELETE FROM schema_migration WHERE number = 18")
    tables = f"ALL TABLES IN SCHEMA {get_schema(database_url)}"
    execute_sql(
        database_url,
        f"GRANT USAGE, CREATE ON SCHEMA {get_schema(database_url)} TO {role}",
        f"GRANT ALL ON {tables} TO {role}",
    )
    sentence = run_and_fail("token", "create", "--data", replace_user(database_url, role))
    assert "must be owner" in sentence
    assert "run `rapport migrate` once as the user that owns the tables" in sentence


def test_missing_database_is_reported(postgres_url: str) -> None:
    sentence = run_and_fail("token", "create", "--data", postgres_url.removesuffix("postgres") + "nowhere")
    assert 'database "nowhere" does not exist; create it with CREATE DATABASE' in sentence


def test_read_only_database_is_reported(database_url: str, role: str) -> None:
    execute_sql(database_url, f"ALTER SCHEMA {get_schema(database_url)} OWNER TO {role}")
    create_tables(replace_user(database_url, role))
    with Server(replace_user(database_url, role)) as server:
        server.stop()
        execute_sql(database_url, f"ALTER ROLE {role} SET default_transaction_read_only = on")
        sentence = run_and_fail("token", "create", "--account", "new", "--data", replace_user(database_url, role))
        assert "the database is read-only" in sentence
        assert "default_transaction_read_only is on" in sentence


@pytest.fixture
def password_server(own_postgres: PostgresServer, role: str) -> PostgresServer:
    """A server that requires a password from the role."""
    hba = own_postgres._data / "pg_hba.conf"  # noqa: SLF001 - our helper
    hba.write_text(f"host all {role} 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
    execute_sql(own_postgres.url, f"CREATE ROLE {role} LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()")
    return own_postgres


def test_wrong_password_error_says_where_it_is_read_from(password_server: PostgresServer, role: str) -> None:
    url = replace_user(password_server.url, f"{role}:wrong")
    sentence = run_and_fail("token", "create", "--data", url)
    assert "password authentication failed" in sentence
    assert "PGPASSWORD or ~/.pgpass" in sentence
    assert "wrong" not in sentence.replace("wrong password", "")


def test_outdated_postgresql_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "MIN_VERSION", 99)
    with pytest.raises(StoreUnavailable, match=r"PostgreSQL \d+\.\d+, and Rapport needs 99 or newer: upgrade it"):
        create_tables(database_url)
