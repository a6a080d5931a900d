"""Accounts: details come back as stored, and deletion uses indexes and is bound to its account."""

import re
from pathlib import Path

import pytest

from rapport.settings import Settings
from rapport.store.accounts import AccountDetails
from rapport.store.copying import copy
from rapport.store.engines import open_store
from rapport.store.sqlite.connection import connect
from rapport.store.sqlite.queries import SQL
from rapport.store.store import Store
from tests.helpers.command import run_rapport

DETAILS = AccountDetails(
    organization_name="The Shop",
    contact_email="ada@example.com",
    first_name="Ada",
    last_name="Lovelace",
    phone="1",
    country_code="US",
    time_zone_id="US/Eastern",
)
READS_EVERYTHING = {"list_ids", "delete_tombstones", "delete_feed", "bump_names_revision"}
"""Small tables, and the list of all accounts."""


@pytest.mark.parametrize(
    "name", [name for name in SQL["accounts"] if name not in {*READS_EVERYTHING, "add", "set_details"}]
)
def test_each_statement_is_served_by_an_index(tmp_path: Path, name: str) -> None:
    run_rapport("token", "create", "--create", "--data", str(tmp_path))
    connection = connect(tmp_path, busy_timeout=1)
    query = SQL["accounts"][name]
    values = dict.fromkeys(re.findall(r":(\w+)", query), "1")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    connection.close()
    assert plan
    assert not [step for step in plan if step.startswith("SCAN")], plan


DELETED_ELSEWHERE = {
    *("contact", "hook", "account_user", "user_session"),
    *("application", "application_grant", "authorization_code", "device_authorization"),
}
"""Tables whose repositories delete what belongs to an account."""


def test_deletion_covers_every_table_of_an_account(tmp_path: Path) -> None:
    run_rapport("token", "create", "--create", "--data", str(tmp_path))
    connection = connect(tmp_path, busy_timeout=1)
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    belonging = {
        table
        for (table,) in tables
        for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        if column in {"account", "account_id", "campaign_activity"}
    }
    connection.close()
    deleted = set(re.findall(r"DELETE FROM (\w+)", "\n".join(SQL["accounts"].values())))
    # Activities are deleted with their contacts.
    assert belonging - deleted - DELETED_ELSEWHERE - {"tracking_activity"} == set()


async def test_details_come_back_as_stored(store: Store) -> None:
    await store.accounts.ensure("shop")
    assert await store.accounts.get_details("shop") == AccountDetails()
    await store.accounts.set_details("shop", DETAILS)
    assert await store.accounts.get_details("shop") == DETAILS
    assert await store.accounts.get_details("other") == AccountDetails()
    await store.accounts.set_details("shop", AccountDetails(first_name="Ada"))
    assert await store.accounts.get_details("shop") == AccountDetails(first_name="Ada")


async def test_copy_includes_details(location: str, tmp_path: Path) -> None:
    async with (
        open_store(Settings(data=location)) as source,
        open_store(Settings(data=str(tmp_path / "copy"))) as target,
    ):
        await source.accounts.ensure("shop")
        await source.accounts.set_details("shop", DETAILS)
        await copy(source, target, lambda _: None)
        assert await target.accounts.get_details("shop") == DETAILS
