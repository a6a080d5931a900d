"""The Citus cluster that the tests run on: its control, and the nodes of contacts."""

import os
import subprocess

import asyncpg

from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.hashing import contact_key
from tests.helpers.loop import run_async
from tests.helpers.server import Server

URL = os.environ.get("RAPPORT_TEST_CITUS_URL", "")
SPARE = int(os.environ.get("RAPPORT_TEST_CITUS_SPARE", "0"))
CONTACTS = [f"c{number}" for number in range(400)]
_CONTACT_NODE = """
SELECT nodeport FROM pg_dist_node JOIN pg_dist_placement USING (groupid)
WHERE shardid = get_shard_id_for_distribution_column('tracking_activity', $1::bytea)
"""


def control(*arguments: str) -> None:
    """Kill, start, pause or resume a node."""
    subprocess.run([os.environ["RAPPORT_TEST_CITUS_CONTROL"], *arguments], check=True, capture_output=True)


async def fetch_rows(url: str, sql: str, *values: object) -> list[asyncpg.Record]:
    """Return the rows of a query."""
    connection = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(sql, *values)
        return rows
    finally:
        await connection.close()


async def contact_ports(database_url: str, contact_ids: list[str]) -> list[int]:
    """Return the port of each contact's node."""
    connection = await asyncpg.connect(database_url)
    try:
        return [
            await connection.fetchval(_CONTACT_NODE, contact_key("default", contact_id)) for contact_id in contact_ids
        ]
    finally:
        await connection.close()


def contact_port(database_url: str, contact_id: str) -> int:
    """Return the port of the contact's node."""
    (port,) = run_async(contact_ports(database_url, [contact_id]))
    return port


def contacts_by_port(database_url: str) -> dict[int, list[str]]:
    """Return the contacts of each worker."""
    by_port: dict[int, list[str]] = {}
    for port, contact_id in zip(run_async(contact_ports(database_url, CONTACTS)), CONTACTS, strict=True):
        by_port.setdefault(port, []).append(contact_id)
    assert len(by_port) == 2
    return by_port


async def find_differences(database_url: str) -> list[object]:
    """Return the mismatches that a recount finds."""
    async with open_store(Settings(data=database_url)) as store:
        return [difference async for difference in store.verification.verify(repair=False)]


def count_recorded(server: Server, contact_id: str) -> int:
    """Count the contact's activities and check that none is repeated."""
    with server.client("default") as client:
        times = [
            item["created_time"] for page in client.walk(contact_id, "tracking_activity_type=em_opens") for item in page
        ]
    assert len(times) == len(set(times))
    return len(times)
