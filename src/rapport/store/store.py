"""The interface of a store: its lifecycle, and a repository for each concern.

A store keeps accounts apart: every call names its account, and never returns anything of another one. Every call may
raise StoreUnavailable, and has acknowledged nothing then.
"""

from pathlib import Path
from typing import Protocol

from rapport.store.accounts import AccountRepository
from rapport.store.activities import ActivityRepository
from rapport.store.applications import ApplicationRepository
from rapport.store.campaigns import CampaignRepository
from rapport.store.contacts import ContactRepository
from rapport.store.definitions import DefinitionRepository
from rapport.store.erasure import Erasure
from rapport.store.feed import FeedRepository
from rapport.store.hooks import HookRepository
from rapport.store.ingest import IngestRepository
from rapport.store.merges import MergeRepository
from rapport.store.rate_limits import RateLimitRepository
from rapport.store.reports import ReportRepository
from rapport.store.secrets import SecretRepository
from rapport.store.users import UserRepository
from rapport.store.verification import Verification


class Store(Protocol):
    """Persistent storage for one Rapport instance. The repositories can be used while it is open."""

    @property
    def accounts(self) -> AccountRepository:
        """Accounts."""
        ...

    @property
    def applications(self) -> ApplicationRepository:
        """OAuth applications and grants."""
        ...

    @property
    def users(self) -> UserRepository:
        """Users, and their sessions."""
        ...

    @property
    def hooks(self) -> HookRepository:
        """Webhooks, and their captured events."""
        ...

    @property
    def activities(self) -> ActivityRepository:
        """The histories of contacts."""
        ...

    @property
    def contacts(self) -> ContactRepository:
        """Contacts."""
        ...

    @property
    def campaigns(self) -> CampaignRepository:
        """Campaigns and campaign activities."""
        ...

    @property
    def definitions(self) -> DefinitionRepository:
        """Contact lists, tags and custom fields."""
        ...

    @property
    def reports(self) -> ReportRepository:
        """Reports about campaign activities."""
        ...

    @property
    def feed(self) -> FeedRepository:
        """The feed of recorded activities."""
        ...

    @property
    def ingest(self) -> IngestRepository:
        """Recording of activities."""
        ...

    @property
    def erasure(self) -> Erasure:
        """Erasure of contacts."""
        ...

    @property
    def merges(self) -> MergeRepository:
        """Merges of contacts."""
        ...

    @property
    def secrets(self) -> SecretRepository:
        """Secrets."""
        ...

    @property
    def rate_limits(self) -> RateLimitRepository:
        """Counts of requests."""
        ...

    @property
    def verification(self) -> Verification:
        """Verification of counters and permissions."""
        ...

    async def open(self, *, create: bool = True) -> None:
        """Connect, and migrate the schema. Raises SchemaTooNew, and DataNotFound if there is no store to open."""

    async def migrate(self) -> list[str]:
        """Run the migrations that `open` doesn't run. Return a description of each change."""
        ...

    def stop_reports(self) -> None:
        """Refuse waiting reports and interrupt running ones; they raise StoreUnavailable."""

    async def close(self) -> None:
        """Close all connections. Acknowledged writes are durable without it."""

    async def check(self) -> None:
        """Return if the store can read and write now."""

    async def backup(self, folder: Path) -> None:
        """Copy everything, as of one moment, into a new data directory. Other clients may write meanwhile."""
