"""Rollups: written by their keys, and spread over buckets."""

import json
import os
from collections import Counter
from collections.abc import Iterator

import asyncpg
import pytest

from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.postgres.citus.layout import insert_statement
from rapport.store.postgres.layout import ONE_DATABASE
from rapport.store.postgres.queries import SQL
from tests.helpers.postgres import Databases

WIDTHS = {
    "increment_engagement": 5,
    "increment_bounced_contact": 4,
    "add_clicked_links": 3,
    "increment_stats": 7,
    "increment_hours": 5,
}
"""Number of columns of each statement's rows."""


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    with Databases(postgres_url).migrated_schema() as url:
        yield url


def test_contacts_are_spread_evenly_over_buckets() -> None:
    filled = Counter(ONE_DATABASE.bucket_of(os.urandom(16)) for _ in range(6_400))
    assert len(filled) == 32
    assert max(filled.values()) < 400


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("increment_engagement", "engagement_pkey"),
        ("increment_bounced_contact", "bounced_contact_pkey"),
        ("add_clicked_links", "clicked_link_pkey"),
        ("increment_stats", "campaign_activity_stats_pkey"),
        ("increment_hours", "campaign_activity_hour_pkey"),
    ],
)
@pytest.mark.parametrize("of_a_cluster", [False, True])
async def test_rollup_update_plan_uses_primary_key(
    database_url: str, name: str, key: str, *, of_a_cluster: bool
) -> None:
    sql = insert_statement(name, WIDTHS[name], 2) if of_a_cluster else SQL["ingest"][name]
    assert await explain_conflict_indexes(database_url, sql) == [key]


async def test_bulk_engagement_update_plan_uses_primary_key(database_url: str) -> None:
    assert await explain_conflict_indexes(database_url, SQL["ingest"]["increment_staged_engagement"]) == [
        "engagement_pkey"
    ]


async def explain_conflict_indexes(database_url: str, sql: str) -> list[str]:
    """Return the indexes by which the statement finds the rows it updates."""
    async with open_store(Settings(data=database_url)):
        pass
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(SQL["ingest"]["stage_engagement"].replace("ON COMMIT DROP", ""))
        statement = await connection.prepare(sql)
        values = ["'{}'" if parameter.kind == "array" else "NULL" for parameter in statement.get_parameters()]
        await connection.execute(f"PREPARE growing AS {sql}")
        executed = f"growing ({', '.join(values)})" if values else "growing"
        plan = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {executed}"))[0]["Plan"]
    finally:
        await connection.close()
    # Nodes for its RETURNING clause, if any, are above it.
    growing = next(node for node in (plan, *plan.get("Plans", ())) if node["Node Type"] == "ModifyTable")
    return list(growing["Conflict Arbiter Indexes"])
