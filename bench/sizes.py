"""What does an activity take on disk, with its contact's address, link and device, the roll-ups and all indexes?"""

import asyncio
from pathlib import Path
from typing import Final

import apsw
import asyncpg

from bench.data import activities, fill
from bench.measure import Measure, at_most
from tests.postgres import Databases

_PROMISED: Final = 120

_OF_CONTACTS: Final = """
SELECT count(*), sum(length(contact_id) + coalesce(length(email_address), 0)), (
    SELECT sum(pgsize) FROM dbstat
    WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name IN ('contact', 'person'))
) FROM contact
"""


_INDEX: Final = "tracking_activity_by_campaign_activity"
_ROLL_UPS: Final = (
    *("engagement", "bounced_contact", "clicked_link", "campaign_activity_stats", "campaign_activity_hour"),
)

_OF_POSTGRESQL: Final = """
SELECT (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = n.oid),
       (SELECT pg_relation_size(c.oid) FROM pg_class AS c WHERE c.relname = $1 AND c.relnamespace = n.oid),
       (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c
        WHERE c.relname = ANY($2) AND c.relnamespace = n.oid)
FROM pg_namespace AS n WHERE n.nspname = current_schema
"""


def of_postgresql(databases: Databases, count: int) -> Measure:
    """The same contacts on PostgreSQL: a comparison."""
    with databases.fresh() as data:
        asyncio.run(fill(data, activities(count, max(1, count // 25))))
        whole, index, roll_ups = asyncio.run(_sizes_on_postgresql(data))
    return Measure(
        question=f"PostgreSQL: bytes on disk an activity, of {count:,} with everything",
        value=whole / count,
        unit="bytes",
        yardstick=_share(index / count, roll_ups / count),
    )


async def _sizes_on_postgresql(data: str) -> tuple[float, float, float]:
    connection = await asyncpg.connect(data)
    row = await connection.fetchrow(_OF_POSTGRESQL, _INDEX, list(_ROLL_UPS))
    await connection.close()
    return float(row[0]), float(row[1]), float(row[2])


def _share(index: float, roll_ups: float) -> str:
    return f"{index:.0f} are the index by campaign activity, {roll_ups:.0f} the roll-ups"


def of_contacts_with_a_history(data: str, count: int) -> Measure:
    """The promise: contacts who did two dozen things each."""
    return at_most(
        _PROMISED,
        question=f"bytes on disk an activity, of {count:,} with everything",
        value=_size(data) / count,
        unit="bytes",
        yardstick=_parts(data, count),
    )


def of_one_campaign(data: str, count: int) -> Measure:
    """A comparison: two and a half activities for each contact. What a contact takes weighs as much as what it did."""
    return Measure(
        question=f"bytes on disk an activity, of one campaign's {count:,}",
        value=_size(data) / count,
        unit="bytes",
        yardstick=_parts(data, count),
    )


def _size(data: str) -> int:
    return (Path(data) / "rapport.db").stat().st_size


def _parts(data: str, count: int) -> str:
    connection = apsw.Connection(f"{data}/rapport.db", flags=apsw.SQLITE_OPEN_READONLY)
    ((contacts, texts, of_contacts),) = connection.execute(_OF_CONTACTS)
    sizes = dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
    share = _share(sizes[_INDEX] / count, sum(sizes.get(table, 0) for table in _ROLL_UPS) / count)
    connection.close()
    # To be shown, and in an index to be found by.
    ids_and_addresses = 2 * texts / contacts
    each, activity = of_contacts / contacts, (_size(data) - of_contacts) / count
    return (
        f"{each:.0f} a contact, of which id and address, twice, are {ids_and_addresses:.0f}; "
        f"{activity:.0f} an activity, of which {share}"
    )
