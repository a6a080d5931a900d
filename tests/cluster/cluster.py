"""The cluster that the tests run on: where its contacts lie, and its control."""

import asyncio
import os
import subprocess

import asyncpg

from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.hashing import contact_key
from tests.world import Server

URL = os.environ.get("RAPPORT_TEST_CITUS_URL", "")
SPARE = int(os.environ.get("RAPPORT_TEST_CITUS_SPARE", "0"))
CONTACTS = [f"c{number}" for number in range(400)]
_NODE_OF = """
SELECT nodeport FROM pg_dist_node JOIN pg_dist_placement USING (groupid)
WHERE shardid = get_shard_id_for_distribution_column('tracking_activity', $1::bytea)
"""


def control(*words: str) -> None:
    """Kill, start, stop or go on with a node."""
    subprocess.run([os.environ["RAPPORT_TEST_CITUS_CONTROL"], *words], check=True, capture_output=True)


async def ask(url: str, sql: str, *values: object) -> list[asyncpg.Record]:
    """The rows of a query."""
    connection = await asyncpg.connect(url)
    try:
        found: list[asyncpg.Record] = await connection.fetch(sql, *values)
        return found
    finally:
        await connection.close()


async def ports_of(place: str, contact_ids: list[str]) -> list[int]:
    """The port of each contact's node."""
    connection = await asyncpg.connect(place)
    try:
        return [await connection.fetchval(_NODE_OF, contact_key("default", contact_id)) for contact_id in contact_ids]
    finally:
        await connection.close()


def port_of(place: str, contact_id: str) -> int:
    """The port of the contact's node."""
    (port,) = asyncio.run(ports_of(place, [contact_id]))
    return port


def contacts_by_port(place: str) -> dict[int, list[str]]:
    """The contacts of each worker."""
    by_port: dict[int, list[str]] = {}
    for port, contact_id in zip(asyncio.run(ports_of(place, CONTACTS)), CONTACTS, strict=True):
        by_port.setdefault(port, []).append(contact_id)
    assert len(by_port) == 2
    return by_port


async def find_differences(place: str) -> list[object]:
    """What a recount finds wrong."""
    async with open_store(Settings(data=place)) as store:
        return [difference async for difference in store.verification.verify(repair=False)]


def count_recorded(server: Server, contact_id: str) -> int:
    """How many activities the contact has, none of them twice."""
    with server.caller("default") as caller:
        times = [
            item["created_time"] for page in caller.walk(contact_id, "tracking_activity_type=em_opens") for item in page
        ]
    assert len(times) == len(set(times))
    return len(times)
