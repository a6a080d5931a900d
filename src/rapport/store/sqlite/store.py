"""The embedded store: a directory with one SQLite database."""

import asyncio
import time
from pathlib import Path

import apsw

from rapport.store.applications import ApplicationRepository
from rapport.store.sql_hooks import SqlHooks
from rapport.store.sqlite.accounts import SQLiteAccounts
from rapport.store.sqlite.activities import SQLiteActivities
from rapport.store.sqlite.backup import back_up
from rapport.store.sqlite.campaigns import SQLiteCampaigns
from rapport.store.sqlite.connection import fetch_one, translate_errors
from rapport.store.sqlite.contacts import SQLiteContacts
from rapport.store.sqlite.definitions import SQLiteDefinitions
from rapport.store.sqlite.engine import SHARED, Engine
from rapport.store.sqlite.erasure import SQLiteErasure
from rapport.store.sqlite.feed import SQLiteFeed
from rapport.store.sqlite.hooks import SQLiteHooks
from rapport.store.sqlite.ingest import SQLiteIngest
from rapport.store.sqlite.merges import SQLiteMerges
from rapport.store.sqlite.profiles import ContactCache
from rapport.store.sqlite.queries import SQL
from rapport.store.sqlite.rate_limits import SQLiteRateLimits
from rapport.store.sqlite.reports import SQLiteReports
from rapport.store.sqlite.secrets import SQLiteSecrets
from rapport.store.sqlite.verification import SQLiteVerification
from rapport.store.users import UserRepository


class SQLiteStore:
    """A store in a directory. Implements `rapport.store.store.Store`."""

    def __init__(self, folder: Path) -> None:
        self._engine = engine = Engine(folder)
        cache = ContactCache()
        self.accounts = SQLiteAccounts(engine)
        self.applications = ApplicationRepository(engine)
        self.users = UserRepository(engine)
        self.hooks = SqlHooks(SQLiteHooks(engine))
        self.activities = SQLiteActivities(engine)
        self.contacts = SQLiteContacts(engine, cache)
        self.campaigns = SQLiteCampaigns(engine)
        self.definitions = SQLiteDefinitions(engine)
        self.reports = SQLiteReports(engine)
        self.feed = SQLiteFeed(engine)
        self.ingest = SQLiteIngest(engine, cache)
        self.merges = SQLiteMerges(engine, cache, self.ingest)
        self.erasure = SQLiteErasure(engine, cache, self.contacts, self.hooks, self.merges)
        self.secrets = SQLiteSecrets(folder)
        self.rate_limits = SQLiteRateLimits(engine)
        self.verification = SQLiteVerification(engine)

    async def open(self, *, create: bool = True) -> None:
        """Open the database, create it if there is none, and migrate its schema."""
        await self._engine.open(create=create)

    async def migrate(self) -> list[str]:
        """Return an empty list: `open` has migrated everything."""
        return []

    def stop_reports(self) -> None:
        """Refuse waiting reports, and stop running ones."""
        self._engine.stop_reports()

    async def close(self) -> None:
        """Finish the running write, and close the database."""
        await self._engine.close()

    async def check(self) -> None:
        """Return if the database can be read and written, and is still where it was opened."""
        with translate_errors():
            fetch_one(self._engine.reading, SQL["health"]["is_readable"])
        await self._engine.write(SHARED, _write_probe)

    async def backup(self, folder: Path) -> None:
        """Copy the directory to another one."""
        await asyncio.to_thread(back_up, self._engine.folder, folder)


def _write_probe(connection: apsw.Connection) -> None:
    connection.execute(SQL["health"]["write_probe"], {"now": time.time_ns() // 1_000_000})
