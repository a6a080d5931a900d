"""The accounts of a store."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec
from msgspec.structs import asdict

from rapport.store.sql_engine import Params, SqlEngine


class AccountDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The details of an account, as the account summary returns them, and its physical address. All are optional."""

    organization_name: str | None = None
    contact_email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    country_code: str | None = None
    time_zone_id: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    city: str | None = None
    state_code: str | None = None
    state_name: str | None = None
    postal_code: str | None = None


class AccountRepository(ABC):
    """Reads, creates and deletes accounts. Every method raises StoreUnavailable."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine
        self._sql = engine.sql["accounts"]

    async def list_ids(self) -> list[str]:
        """Return the ids of all accounts."""
        return [account_id for (account_id,) in await self._engine.fetch_all(self._sql["list_ids"], {})]

    @abstractmethod
    async def ensure(self, account_id: str) -> bool:
        """Create the account if it doesn't exist. Return True if it was created."""

    async def get_details(self, account_id: str) -> AccountDetails:
        """Return the details of an account, which are empty if there are none."""
        row = await self._engine.fetch_one(
            self._sql["get_details"], {"account_id": account_id}, account_id=account_id, bounded=True
        )
        return AccountDetails() if row is None else AccountDetails(**dict(zip(_FIELDS, row, strict=True)))

    async def set_details(self, account_id: str, details: AccountDetails) -> None:
        """Replace the details of an account."""
        await self._write(account_id, [("set_details", {"account_id": account_id, **asdict(details)})])

    async def delete(self, account_id: str) -> None:
        """Delete the account with everything that remains once its contacts are erased.

        Users, applications and hooks must have been deleted before, through their own repositories.
        """
        await self._write(account_id, [(name, {"account_id": account_id}) for name in _DELETE_STATEMENTS])

    @abstractmethod
    async def _write(self, account_id: str, statements: Sequence[tuple[str, Params]]) -> None:
        """Run statements in one transaction."""


_FIELDS = AccountDetails.__struct_fields__

_DELETE_STATEMENTS = (
    "delete_engagement",
    "delete_bounced_contacts",
    "delete_clicked_links",
    "delete_stats",
    "delete_hours",
    "delete_erased_stats",
    "delete_erased_hours",
    "delete_erased_links",
    "delete_links",
    "delete_campaign_activities",
    "delete_campaigns",
    "delete_memberships",
    "delete_definitions",
    "delete_merged_contacts",
    "delete_tombstones",
    "delete_feed",
    "delete_captured_messages",
    "delete_unmatched_items",
    "delete_details",
    "bump_names_revision",
    "delete_account",
)
"""In the order in which tables refer to each other."""
