"""Compares the roll-ups with a recount, while servers write."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from rapport.store.links import url_id_of
from rapport.store.postgres.layout import FIRST_BUCKET, Layout
from rapport.store.postgres.permission import SQL as PERMISSION
from rapport.store.postgres.permission import lock_contacts, read_permissions, write_permissions
from rapport.store.postgres.pool import Connection, Pool
from rapport.store.postgres.rollups import grow_hours, grow_stats
from rapport.store.protocol import CounterMismatch, PermissionDifference
from rapport.store.recount import Hours, Recounted, Stats, hours_of, stats_of
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "recount.sql")

_STEP: Final = 500
_WITHIN: Final = 3600.0
"""Seconds that one campaign activity may take."""


async def differences(
    pool: Pool, *, repair: bool, layout: Layout
) -> AsyncIterator[CounterMismatch | PermissionDifference]:
    """Every difference; mended, if so wished, when those of its campaign activity have been told."""
    after = 0
    while found := await _campaign_activities(pool, after):
        for each in found:
            async with pool.acquire(_WITHIN) as connection:
                if not await _seems_to_differ(connection, each):
                    continue
                async with connection.transaction():
                    # A writer's changes come all at once; what changed between two looks was no difference.
                    await connection.execute(SQL["keep_writers_out"])
                    async for difference in _look(connection, each):
                        yield difference
                    if repair:
                        await _mend(connection, each)
        after = found[-1].key
    async for permission in _permissions(pool, repair=repair, layout=layout):
        yield permission


async def _permissions(pool: Pool, *, repair: bool, layout: Layout) -> AsyncIterator[PermissionDifference]:
    after = b""
    while contacts := await _next_contacts(pool, after):
        async with pool.acquire(_WITHIN) as connection:
            permissions = await read_permissions(connection, contacts, layout)
            differing = [each.key for each in permissions if each.stored != each.derived]
            if differing:
                async with connection.transaction():
                    await lock_contacts(connection, differing, layout)
                    permissions = await read_permissions(connection, differing, layout)
                    for each in permissions:
                        if each.stored != each.derived:
                            yield PermissionDifference(
                                account_id=each.account_id,
                                contact_id=each.contact_id,
                                stands=each.stored,
                                should=each.derived,
                            )
                    if repair:
                        await write_permissions(connection, permissions, layout)
        after = contacts[-1]


async def _next_contacts(pool: Pool, after: bytes) -> list[bytes]:
    async with pool.acquire(_WITHIN) as connection:
        return [key for (key,) in await connection.fetch(PERMISSION["next_contacts"], after, _STEP)]


async def _campaign_activities(pool: Pool, after: int) -> list[Recounted]:
    async with pool.acquire(_WITHIN) as connection:
        rows = await connection.fetch(SQL["next_campaign_activities"], after, _STEP)
        return [Recounted(*row) for row in rows]


async def _seems_to_differ(connection: Connection, each: Recounted) -> bool:
    if await _standing(connection, each) != await _recounted(connection, each):
        return True
    if await _standing_hours(connection, each) != await _recounted_hours(connection, each):
        return True
    for name in ("differing_engagement", "differing_bounced_contact", "differing_clicked_link"):
        if await connection.fetchrow(SQL[name], each.key) is not None:
            return True
    return False


async def _look(connection: Connection, each: Recounted) -> AsyncIterator[CounterMismatch]:
    for difference in each.stats(await _standing(connection, each), await _recounted(connection, each)):
        yield difference
    for difference in each.hours(await _standing_hours(connection, each), await _recounted_hours(connection, each)):
        yield difference
    async for row in connection.cursor(SQL["differing_engagement"], each.key, prefetch=_STEP):
        yield each.engagement(await _contact_id(connection, row[1]), tuple(row))
    async for row in connection.cursor(SQL["differing_bounced_contact"], each.key, prefetch=_STEP):
        yield each.bounced_contact(await _contact_id(connection, row[1]), tuple(row))
    async for row in connection.cursor(SQL["differing_clicked_link"], each.key, prefetch=_STEP):
        contact_id, url_id = await _contact_id(connection, row[1]), await _url_id(connection, row[0])
        yield each.clicked_link(contact_id, url_id, tuple(row))


async def _contact_id(connection: Connection, contact: bytes) -> str:
    return str(await connection.fetchval(SQL["contact_id"], contact))


async def _url_id(connection: Connection, link: int) -> str:
    link_url, url_id = await connection.fetchrow(SQL["link"], link)
    return str(url_id_of(link_url) if url_id is None else url_id)


async def _standing(connection: Connection, each: Recounted) -> Stats:
    return stats_of(await connection.fetch(SQL["standing_stats"], each.key))


async def _recounted(connection: Connection, each: Recounted) -> Stats:
    rows: list[Any] = []
    for name in ("recounted_totals", "recounted_details", "erased"):
        rows += await connection.fetch(SQL[name], each.key)
    return stats_of(rows)


async def _standing_hours(connection: Connection, each: Recounted) -> Hours:
    return hours_of(await connection.fetch(SQL["standing_hours"], each.key))


async def _recounted_hours(connection: Connection, each: Recounted) -> Hours:
    recounted = await connection.fetch(SQL["recounted_hours"], each.key)
    return hours_of([*recounted, *await connection.fetch(SQL["erased_hours"], each.key)])


async def _mend(connection: Connection, each: Recounted) -> None:
    for table in ("engagement", "bounced_contact", "clicked_link"):
        await connection.execute(SQL[f"clear_{table}"], each.key)
        await connection.execute(SQL[f"recount_{table}"], each.key)
    await connection.execute(SQL["clear_stats"], each.key)
    rows = [(each.key, *key, *counts, FIRST_BUCKET) for key, counts in (await _recounted(connection, each)).items()]
    await grow_stats(connection, rows)
    await connection.execute(SQL["clear_hours"], each.key)
    recounted = await _recounted_hours(connection, each)
    hours = [(each.key, *key, total, FIRST_BUCKET) for key, total in sorted(recounted.items())]
    await grow_hours(connection, hours)
