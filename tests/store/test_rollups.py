"""How the roll-ups are written and read: by their keys, and in buckets that a cluster would put beside the contacts."""

import asyncio
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
from tests.postgres import Databases

WIDTHS = {
    "increment_engagement": 5,
    "increment_bounced_contact": 4,
    "add_clicked_links": 3,
    "increment_stats": 7,
    "increment_hours": 5,
}
"""How many columns the rows of each statement have."""


@pytest.fixture
def place(postgresql: str) -> Iterator[str]:
    with Databases(postgresql).fresh() as url:
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
def test_rollup_update_plan_uses_primary_key(place: str, name: str, key: str, *, of_a_cluster: bool) -> None:
    sql = insert_statement(name, WIDTHS[name], 2) if of_a_cluster else SQL["ingest"][name]
    assert arbiters(place, sql) == [key]


def test_bulk_engagement_update_plan_uses_primary_key(place: str) -> None:
    assert arbiters(place, SQL["ingest"]["increment_staged_engagement"]) == ["engagement_pkey"]


def arbiters(place: str, sql: str) -> list[str]:
    """The indexes by which the statement finds what it adds to."""

    async def work() -> list[str]:
        async with open_store(Settings(data=place)):
            pass
        connection = await asyncpg.connect(place)
        await connection.execute(SQL["ingest"]["stage_engagement"].replace("ON COMMIT DROP", ""))
        statement = await connection.prepare(sql)
        values = ["'{}'" if each.activity_type == "array" else "NULL" for each in statement.get_parameters()]
        await connection.execute(f"PREPARE growing AS {sql}")
        executed = f"growing ({', '.join(values)})" if values else "growing"
        told = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {executed}")
        await connection.close()
        plan = json.loads(told)[0]["Plan"]
        # What is told of it afterwards, if anything, stands above.
        growing = next(each for each in (plan, *plan.get("Plans", ())) if each["Node Type"] == "ModifyTable")
        return list(growing["Conflict Arbiter Indexes"])

    return asyncio.run(work())
