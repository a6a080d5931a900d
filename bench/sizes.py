"""Measure the disk space per activity, including contacts, links, devices, roll-ups and all indexes."""

import asyncio
from pathlib import Path
from typing import Final

import apsw
import asyncpg

from bench.data import activities, fill_store
from bench.measure import Measurement, expect_max
from tests.helpers.postgres import Databases

_TARGET: Final = 120

_CONTACT_SIZES: Final = """
SELECT count(*), sum(length(contact_id) + coalesce(length(email_address), 0)), (
    SELECT sum(pgsize) FROM dbstat
    WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name IN ('contact', 'person'))
) FROM contact
"""


_INDEX: Final = "tracking_activity_by_campaign_activity"
_ROLL_UPS: Final = (
    *("engagement", "bounced_contact", "clicked_link", "campaign_activity_stats", "campaign_activity_hour"),
)

_POSTGRESQL_SIZES: Final = """
SELECT (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = n.oid),
       (SELECT pg_relation_size(c.oid) FROM pg_class AS c WHERE c.relname = $1 AND c.relnamespace = n.oid),
       (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c
        WHERE c.relname = ANY($2) AND c.relnamespace = n.oid)
FROM pg_namespace AS n WHERE n.nspname = current_schema
"""


def measure_postgresql(databases: Databases, count: int) -> Measurement:
    """Measure contacts with a history on PostgreSQL, for comparison."""
    with databases.migrated_schema() as data:
        asyncio.run(fill_store(data, activities(count, max(1, count // 25))))
        whole, index, roll_ups = asyncio.run(_sizes_on_postgresql(data))
    return Measurement(
        name=f"PostgreSQL: bytes on disk per activity, of {count:,} with everything",
        value=whole / count,
        unit="bytes",
        baseline=_describe_share(index / count, roll_ups / count),
    )


async def _sizes_on_postgresql(data: str) -> tuple[float, float, float]:
    connection = await asyncpg.connect(data)
    row = await connection.fetchrow(_POSTGRESQL_SIZES, _INDEX, list(_ROLL_UPS))
    await connection.close()
    return float(row[0]), float(row[1]), float(row[2])


def _describe_share(index: float, roll_ups: float) -> str:
    return f"index by campaign activity {index:.0f}, roll-ups {roll_ups:.0f}"


def measure_contacts_with_history(data: str, count: int) -> Measurement:
    """Measure contacts with about 25 activities each, which the target is for."""
    return expect_max(
        _TARGET,
        name=f"bytes on disk per activity, of {count:,} with everything",
        value=_get_size(data) / count,
        unit="bytes",
        baseline=_describe_parts(data, count),
    )


def measure_one_campaign(data: str, count: int) -> Measurement:
    """Measure contacts with about 2.5 activities each, for comparison: the contacts take as much as the activities."""
    return Measurement(
        name=f"bytes on disk per activity, of one campaign's {count:,}",
        value=_get_size(data) / count,
        unit="bytes",
        baseline=_describe_parts(data, count),
    )


def _get_size(data: str) -> int:
    return (Path(data) / "rapport.db").stat().st_size


def _describe_parts(data: str, count: int) -> str:
    connection = apsw.Connection(f"{data}/rapport.db", flags=apsw.SQLITE_OPEN_READONLY)
    ((contacts, texts, of_contacts),) = connection.execute(_CONTACT_SIZES)
    sizes = dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
    share = _describe_share(sizes[_INDEX] / count, sum(sizes.get(table, 0) for table in _ROLL_UPS) / count)
    connection.close()
    # Both are stored twice: in the table and in an index.
    ids_and_addresses = 2 * texts / contacts
    contact, activity = of_contacts / contacts, (_get_size(data) - of_contacts) / count
    return (
        f"{contact:.0f} per contact, of which id and address (stored twice) {ids_and_addresses:.0f}; "
        f"{activity:.0f} per activity, of which {share}"
    )
