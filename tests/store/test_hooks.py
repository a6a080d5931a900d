"""How hooks are stored: by index, bound to their account, and taken along by a copy."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from rapport.instant import HOUR, Instant
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.hooks import (
    CapturedMessage,
    CapturedWork,
    Hook,
    HookDelivery,
    UnmatchedCount,
    UnmatchedItem,
    UsedToken,
)
from rapport.store.postgres.queries import SQL as POSTGRES_SQL
from rapport.store.sqlite.connection import connect
from rapport.store.sqlite.queries import SQL as SQLITE_SQL
from rapport.store.store import Store
from tests.helpers.command import run_rapport
from tests.helpers.loop import run_async
from tests.helpers.postgres import Databases

NOW = Instant(1_772_000_000_000)
ARRAY = "ARRAY['a', 'b']"

PLANS = {
    "get_account": ("account_account_id_key", "text", "'a'"),
    "delete": ("hook_pkey", "bigint, text", "1, 'h'"),
    "delete_deliveries": ("hook_delivery_pkey", "text", "'h'"),
    "delete_hours": ("hook_hour_pkey", "text", "'h'"),
    "delete_tokens": ("used_token_pkey", "text", "'h'"),
    "delete_unmatched_of_hook": ("unmatched_item_hook_id_digest_key", "text", "'h'"),
    "find_contacts": ("contact_by_email_address", "bigint, text[]", f"1, {ARRAY}"),
    "find_sends": ("tracking_activity_pkey", "bigint, text[]", f"1, {ARRAY}"),
    "find_messages": ("captured_message_pkey", "bigint, text[]", f"1, {ARRAY}"),
    "list_messages": ("captured_message_pkey", "bigint, text, bigint", "1, 'm', 10"),
    "prune_messages": ("captured_message_by_time", "timestamptz", "now()"),
    "deliveries": ("hook_delivery_pkey", "text, bigint", "'h', 10"),
    "prune_deliveries": ("hook_delivery_pkey", "text, bigint", "'h', 10"),
    "hours": ("hook_hour_pkey", "text, bigint", "'h', 1"),
    "unmatched": ("unmatched_item_by_account", "bigint, bigint, bigint", "1, 1, 10"),
    "due_unmatched": ("unmatched_item_by_retry_time", "timestamptz, bigint", "now(), 10"),
    "count_unmatched": ("unmatched_item_by_", "bigint", "1"),
    "delete_unmatched": ("unmatched_item_", "bigint, bigint", "1, 1"),
    "find_tokens": ("used_token_pkey", "text, text[]", f"'h', {ARRAY}"),
    "list_tokens": ("used_token_pkey", "text, text, bigint", "'h', 't', 10"),
    "prune_tokens": ("used_token_by_time", "timestamptz", "now()"),
    "forget_messages": ("captured_message_by_contact", "bigint, text", "1, 'c'"),
    "forget_unmatched": ("unmatched_item_by_recipient", "bigint, text", "1, 'a@example.com'"),
}
"""The index, or the beginning of its name if several serve, the types and the values of each statement that reads."""

INSERTS = {"create", "hooks", "save_message", "save_delivery", "count_events", "save_unmatched", "save_token"}


def test_every_statement_has_a_plan() -> None:
    assert set(SQLITE_SQL["hooks"]) == set(POSTGRES_SQL["hooks"]) == PLANS.keys() | INSERTS


@pytest.mark.parametrize("name", sorted(PLANS.keys() - INSERTS))
def test_sqlite_statement_is_served_by_an_index(tmp_path: Path, name: str) -> None:
    run_async(migrate(str(tmp_path)))
    connection = connect(tmp_path, busy_timeout=1)
    query = SQLITE_SQL["hooks"][name]
    values = ["[1]"] * max(map(int, re.findall(r"\?(\d+)", query)))
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    connection.close()
    assert plan
    # The values that are looked for come as a JSON array.
    scans = [
        step for step in plan if step.startswith("SCAN") and not re.match(r"SCAN (?:wanted|json_each) VIRTUAL", step)
    ]
    assert scans == [], plan
    sorts = [step for step in plan if "TEMP B-TREE" in step]
    assert sorts == [] or name in {"find_contacts", "count_unmatched"}, plan


@pytest.fixture(scope="module")
def database_url(postgres_url: str) -> Iterator[str]:
    """URL of a schema without rows."""
    with Databases(postgres_url).migrated_schema() as url:
        run_async(migrate(url))
        yield url


async def migrate(url: str) -> None:
    async with open_store(Settings(data=url)):
        pass


def walk_plan(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from walk_plan(child)


@pytest.mark.parametrize("name", sorted(PLANS))
async def test_postgres_statement_is_served_by_an_index(database_url: str, name: str) -> None:
    index, types, values = PLANS[name]
    connection = await asyncpg.connect(database_url)
    try:
        # Few rows are read faster without an index, so the choice is forced: what remains has no index.
        await connection.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE explained ({types}) AS {POSTGRES_SQL['hooks'][name]}")
        plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE explained ({values})")
    finally:
        await connection.close()
    nodes = list(walk_plan(json.loads(plan)[0]["Plan"]))
    assert [node["Node Type"] for node in nodes if node["Node Type"] == "Seq Scan"] == [], nodes
    assert any(node.get("Index Name", "").startswith(index) for node in nodes), nodes


HOOK = Hook(
    account_id="default",
    hook_id="h1",
    provider="brevo",
    name="Brevo",
    settings={"campaign_activity": "constant:spring"},
    secret_hashes=("hash",),
    created_time=NOW,
)
WORK = CapturedWork(
    messages=[CapturedMessage("m1", "c1", "spring", NOW, None), CapturedMessage("m2", "c1", "spring", NOW, NOW)],
    unmatched=[
        UnmatchedItem("h1", "d1", NOW, "no contact", "why", "ada@example.com", "{}", retry_time=NOW),
        UnmatchedItem("h1", "d2", NOW, "unreadable", "why", "", "{}", attempts=3),
    ],
    deliveries=[HookDelivery("h1", NOW, "d", "recorded", 2, 1, "")],
    hours={("h1", NOW // HOUR): 7},
)


async def fill(store: Store) -> None:
    await store.accounts.ensure("default")
    await store.hooks.save(HOOK)
    await store.hooks.save_work("default", WORK)
    await store.hooks.claim_tokens([UsedToken("h1", "t1", "r1", NOW)])


async def read_all(store: Store) -> dict[str, Any]:
    return {
        "hooks": await store.hooks.hooks(),
        "messages": await store.hooks.list_messages("default", "", 10),
        "unmatched": [item._replace(number=0) for item in await store.hooks.unmatched("default", 0, 10)],
        "deliveries": await store.hooks.deliveries("h1", 10),
        "hours": await store.hooks.hours("h1", 0),
        "tokens": await store.hooks.list_tokens("h1", "", 10),
    }


STORED = {
    "hooks": [HOOK],
    "messages": list(WORK.messages),
    "unmatched": list(WORK.unmatched),
    "deliveries": list(WORK.deliveries),
    "hours": {NOW // HOUR: 7},
    "tokens": [UsedToken("h1", "t1", "r1", NOW)],
}


async def test_stored_hooks_are_returned_unchanged(store: Store) -> None:
    await fill(store)
    assert await read_all(store) == STORED
    assert await store.hooks.count_unmatched("default") == [
        UnmatchedCount("h1", "no contact", 1),
        UnmatchedCount("h1", "unreadable", 1),
    ]


async def test_items_are_due_when_their_time_has_come(store: Store) -> None:
    await fill(store)
    assert await store.hooks.due_unmatched(Instant(NOW - 1), 10) == []
    [(account_id, item)] = await store.hooks.due_unmatched(NOW, 10)
    assert (account_id, item.digest, item.retry_time) == ("default", "d1", NOW)


async def test_another_account_changes_nothing(store: Store) -> None:
    await fill(store)
    await store.accounts.ensure("other")
    assert await store.hooks.unmatched("other", 0, 10) == []
    assert await store.hooks.list_messages("other", "", 10) == []
    numbers = [item.number for item in await store.hooks.unmatched("default", 0, 10)]
    await store.hooks.delete_unmatched("other", numbers)
    assert not await store.hooks.delete("other", "h1")
    assert await read_all(store) == STORED


@pytest.mark.slow
def test_copy_includes_hooks(location: str, tmp_path: Path) -> None:
    async def fill_source() -> None:
        async with open_store(Settings(data=location)) as source:
            await fill(source)

    async def read(place: str) -> dict[str, Any]:
        async with open_store(Settings(data=place)) as copied:
            return await read_all(copied)

    run_async(fill_source())
    target = str(tmp_path / "copy")
    for options in (["--create"], []):
        run_rapport("copy", "--from", location, "--to", target, *options)
        assert run_async(read(target)) == STORED
