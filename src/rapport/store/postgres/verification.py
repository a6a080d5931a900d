"""Verification in PostgreSQL, while servers write."""

from collections.abc import AsyncIterator
from typing import Any, Final

from rapport.store.links import make_url_id
from rapport.store.postgres.engine import Engine
from rapport.store.postgres.layout import GLOBAL_BUCKET
from rapport.store.postgres.memberships import read_contacts, write_contacts
from rapport.store.postgres.permission import lock_contacts, read_permissions, write_permissions
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.rollups import increment_hours, increment_stats
from rapport.store.verification import (
    CounterComparer,
    CounterMismatch,
    DerivedMismatch,
    Hours,
    Mismatch,
    PermissionMismatch,
    Stats,
    sum_hours,
    sum_stats,
)

_SQL: Final = SQL["verification"]
_PERMISSION: Final = SQL["permission"]

_STEP: Final = 500
_TIMEOUT: Final = 3600.0
"""Seconds for one campaign activity."""


class PostgresVerification:
    """Verifies counters and permissions while others write."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pool = engine.reading

    async def verify(self, *, repair: bool) -> AsyncIterator[Mismatch]:
        """Yield every mismatch, and correct those of a campaign activity afterwards with `repair`."""
        after = 0
        while comparers := await self._next_comparers(after):
            for comparer in comparers:
                async with self._pool.acquire(_TIMEOUT) as connection:
                    if not await _seems_to_differ(connection, comparer):
                        continue
                    async with connection.transaction():
                        # What differed above may only have changed between two reads.
                        await connection.execute(_SQL["lock_against_writes"])
                        async for mismatch in _compare(connection, comparer):
                            yield mismatch
                        if repair:
                            await _repair(connection, comparer)
            after = comparers[-1].key
        async for permission in self._verify_permissions(repair=repair):
            yield permission
        async for derived in self._verify_derived(repair=repair):
            yield derived

    async def _verify_derived(self, *, repair: bool) -> AsyncIterator[DerivedMismatch]:
        layout = self._engine.layout
        after = b""
        while keys := await self._next_contacts(after):
            async with self._pool.acquire(_TIMEOUT) as connection:
                differing = [contact.key for contact in await read_contacts(connection, keys) if contact.differs]
                if differing:
                    async with connection.transaction():
                        # What differed above may only have changed between two reads.
                        await lock_contacts(connection, differing, layout)
                        contacts = [
                            contact for contact in await read_contacts(connection, differing) if contact.differs
                        ]
                        for contact in contacts:
                            yield DerivedMismatch(
                                account_id=contact.account_id,
                                contact_id=contact.contact_id,
                                stored=contact.stored,
                                expected=contact.derived,
                            )
                        if repair:
                            await write_contacts(connection, contacts)
            after = keys[-1]

    async def _verify_permissions(self, *, repair: bool) -> AsyncIterator[PermissionMismatch]:
        layout = self._engine.layout
        after = b""
        while contacts := await self._next_contacts(after):
            async with self._pool.acquire(_TIMEOUT) as connection:
                permissions = await read_permissions(connection, contacts, layout)
                differing = [permission.key for permission in permissions if permission.differs]
                if differing:
                    async with connection.transaction():
                        await lock_contacts(connection, differing, layout)
                        permissions = await read_permissions(connection, differing, layout)
                        for permission in permissions:
                            if permission.differs:
                                yield PermissionMismatch(
                                    account_id=permission.account_id,
                                    contact_id=permission.contact_id,
                                    stored=permission.stored,
                                    expected=permission.derived,
                                )
                        if repair:
                            await write_permissions(connection, permissions, layout)
            after = contacts[-1]

    async def _next_contacts(self, after: bytes) -> list[bytes]:
        async with self._pool.acquire(_TIMEOUT) as connection:
            return [key for (key,) in await connection.fetch(_PERMISSION["list_contacts"], after, _STEP)]

    async def _next_comparers(self, after: int) -> list[CounterComparer]:
        async with self._pool.acquire(_TIMEOUT) as connection:
            rows = await connection.fetch(_SQL["next_campaign_activities"], after, _STEP)
            return [CounterComparer(*row) for row in rows]


async def _seems_to_differ(connection: Connection, comparer: CounterComparer) -> bool:
    if await _stored_stats(connection, comparer) != await _recount_stats(connection, comparer):
        return True
    if await _stored_hours(connection, comparer) != await _recount_hours(connection, comparer):
        return True
    for name in ("differing_engagement", "differing_bounced_contact", "differing_clicked_link"):
        if await connection.fetchrow(_SQL[name], comparer.key) is not None:
            return True
    return False


async def _compare(connection: Connection, comparer: CounterComparer) -> AsyncIterator[CounterMismatch]:
    stats = await _stored_stats(connection, comparer), await _recount_stats(connection, comparer)
    for mismatch in comparer.compare_stats(*stats):
        yield mismatch
    hours = await _stored_hours(connection, comparer), await _recount_hours(connection, comparer)
    for mismatch in comparer.compare_hours(*hours):
        yield mismatch
    async for row in connection.cursor(_SQL["differing_engagement"], comparer.key, prefetch=_STEP):
        yield comparer.compare_engagement(await _contact_id(connection, row[1]), tuple(row))
    async for row in connection.cursor(_SQL["differing_bounced_contact"], comparer.key, prefetch=_STEP):
        yield comparer.compare_bounced_contact(await _contact_id(connection, row[1]), tuple(row))
    async for row in connection.cursor(_SQL["differing_clicked_link"], comparer.key, prefetch=_STEP):
        contact_id, url_id = await _contact_id(connection, row[1]), await _url_id(connection, row[0])
        yield comparer.compare_clicked_link(contact_id, url_id, tuple(row))


async def _contact_id(connection: Connection, contact: bytes) -> str:
    return str(await connection.fetchval(_SQL["get_contact_id"], contact))


async def _url_id(connection: Connection, link: int) -> str:
    link_url, url_id = await connection.fetchrow(_SQL["get_link"], link)
    return str(make_url_id(link_url) if url_id is None else url_id)


async def _stored_stats(connection: Connection, comparer: CounterComparer) -> Stats:
    return sum_stats(await connection.fetch(_SQL["stored_stats"], comparer.key))


async def _recount_stats(connection: Connection, comparer: CounterComparer) -> Stats:
    rows: list[Any] = []
    for name in ("recounted_totals", "recounted_details", "erased_stats"):
        rows += await connection.fetch(_SQL[name], comparer.key)
    return sum_stats(rows)


async def _stored_hours(connection: Connection, comparer: CounterComparer) -> Hours:
    return sum_hours(await connection.fetch(_SQL["stored_hours"], comparer.key))


async def _recount_hours(connection: Connection, comparer: CounterComparer) -> Hours:
    recounted = await connection.fetch(_SQL["recounted_hours"], comparer.key)
    return sum_hours([*recounted, *await connection.fetch(_SQL["erased_hours"], comparer.key)])


async def _repair(connection: Connection, comparer: CounterComparer) -> None:
    for table in ("engagement", "bounced_contact", "clicked_link"):
        await connection.execute(_SQL[f"clear_{table}"], comparer.key)
        await connection.execute(_SQL[f"recount_{table}"], comparer.key)
    await connection.execute(_SQL["clear_stats"], comparer.key)
    stats = (await _recount_stats(connection, comparer)).items()
    await increment_stats(connection, [(comparer.key, *key, *counts, GLOBAL_BUCKET) for key, counts in stats])
    await connection.execute(_SQL["clear_hours"], comparer.key)
    hours = sorted((await _recount_hours(connection, comparer)).items())
    await increment_hours(connection, [(comparer.key, *key, total, GLOBAL_BUCKET) for key, total in hours])
