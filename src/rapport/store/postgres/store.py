"""The store for several machines: PostgreSQL, or Citus."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rapport.errors import DataNotFound, StoreUnavailable
from rapport.instant import Instant
from rapport.store.applications import ApplicationRepository
from rapport.store.copying import copy
from rapport.store.postgres.accounts import PostgresAccounts
from rapport.store.postgres.activities import PostgresActivities
from rapport.store.postgres.campaigns import PostgresCampaigns
from rapport.store.postgres.citus.tables import ALL_TABLES, distribute, distributed, is_cluster
from rapport.store.postgres.contacts import PostgresContacts
from rapport.store.postgres.definitions import PostgresDefinitions
from rapport.store.postgres.engine import Engine
from rapport.store.postgres.erasure import PostgresErasure
from rapport.store.postgres.feed import PostgresFeed
from rapport.store.postgres.hooks import PostgresHooks
from rapport.store.postgres.ingest import PostgresIngest
from rapport.store.postgres.merges import PostgresMerges
from rapport.store.postgres.migrations import is_current, migrate, schema_exists
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.rate_limits import PostgresRateLimits
from rapport.store.postgres.reports import PostgresReports
from rapport.store.postgres.secrets import PostgresSecrets
from rapport.store.postgres.setup import explain_absence
from rapport.store.postgres.verification import PostgresVerification
from rapport.store.postgres.writer import WRITE_TIMEOUT
from rapport.store.sql_hooks import SqlHooks
from rapport.store.store import Store
from rapport.store.users import UserRepository

_OPEN_TIMEOUT: Final = 60.0
_MIGRATE_TIMEOUT: Final = 24 * 3600.0


class PostgresStore:
    """A store in a PostgreSQL database. Implements `rapport.store.store.Store`.

    `create_backup` makes a store in a directory, to which `backup` copies everything.
    """

    def __init__(
        self, url: str, connections: int, *, use_pgbouncer: bool, create_backup: Callable[[Path], Store]
    ) -> None:
        self._engine = engine = Engine(url, connections, use_pgbouncer=use_pgbouncer)
        self._create_backup = create_backup
        self.accounts = PostgresAccounts(engine)
        self.applications = ApplicationRepository(engine)
        self.users = UserRepository(engine)
        self.hooks = SqlHooks(PostgresHooks(engine))
        self.activities = PostgresActivities(engine)
        self.contacts = PostgresContacts(engine)
        self.campaigns = PostgresCampaigns(engine)
        self.definitions = PostgresDefinitions(engine)
        self.reports = PostgresReports(engine)
        self.feed = PostgresFeed(engine)
        self.ingest = PostgresIngest(engine)
        self.merges = PostgresMerges(engine)
        self.erasure = PostgresErasure(engine, self.contacts, self.hooks, self.merges)
        self.secrets = PostgresSecrets(engine)
        self.rate_limits = PostgresRateLimits(engine)
        self.verification = PostgresVerification(engine)

    async def open(self, *, create: bool = True) -> None:
        """Connect, and migrate the schema."""
        reading = self._engine.reading
        try:
            await self._engine.open()
            async with reading.acquire(_OPEN_TIMEOUT) as connection:
                if not create and not await schema_exists(connection):
                    explanation = await explain_absence(connection)
                    if explanation is not None:
                        raise StoreUnavailable(explanation)
                    raise DataNotFound("there is no data in this database: name another one with --data")
                must_migrate = not await is_current(connection)
            if must_migrate:
                # A migration may take hours in a large store.
                async with reading.acquire(_MIGRATE_TIMEOUT) as connection:
                    await migrate(connection)
            async with reading.acquire(_OPEN_TIMEOUT) as connection:
                is_distributed = await is_cluster(connection) and bool(await distributed(connection))
            if is_distributed:
                await self._engine.open_cluster()
        except BaseException:
            await self.close()
            raise

    async def migrate(self) -> list[str]:
        """Distribute the tables, if the database is a cluster. Return a description of each change."""
        async with self._engine.reading.acquire(_MIGRATE_TIMEOUT) as connection:
            if not await is_cluster(connection):
                return []
            return await distribute(connection)

    def stop_reports(self) -> None:
        """Refuse waiting reads, and terminate the connections of running ones."""
        self._engine.stop_reports()

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.close()

    async def check(self) -> None:
        """Return if the database responds, isn't a standby, and accepts writes to all tables."""
        row = await self._engine.fetch_one(SQL["health"]["is_readable"], {})
        if row is None or row[1]:
            raise StoreUnavailable("the database is a standby, and takes no writes")
        async with self._engine.writing.acquire(WRITE_TIMEOUT) as connection:
            forbidden = await connection.fetch(SQL["health"]["list_forbidden_tables"], list(ALL_TABLES))
            if forbidden:
                tables = ", ".join(name for (name,) in forbidden)
                raise StoreUnavailable(f"the database's user may not insert, update and delete rows of {tables}")
            await connection.execute(SQL["health"]["write_probe"], Instant(time.time_ns() // 1_000_000))

    async def backup(self, folder: Path) -> None:
        """Copy everything to a data directory."""
        if await asyncio.to_thread(folder.exists):
            raise StoreUnavailable(f"{folder} exists already; name a folder that doesn't")
        target = self._create_backup(folder)
        await target.open()
        try:
            await copy(self, target, lambda _: None)
        finally:
            await target.close()
