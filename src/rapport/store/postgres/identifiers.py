"""Resolve the public ids of a batch to keys of the small tables, and create what doesn't exist.

New rows are created in separate transactions before that of the activities: on a cluster the small tables are on every
node and activities on one, and an unused name does no harm. Keys are cached, as they never change. Which of two names
wins is decided in the database.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from rapport.activity import Link
from rapport.caching import WeighedDict
from rapport.instant import Instant
from rapport.store.batch import Batch, CampaignActivityRef, TimestampedValue
from rapport.store.last_write_wins import is_newer
from rapport.store.links import link_digest
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["ingest"]
_ACCOUNTS: Final = SQL["accounts"]

_MAX_BYTES: Final = 32_000_000

_LOCK: Final = 0x6E616D6500000000
"""The first of the advisory locks' numbers, one for each account: 'name' in ASCII."""

Guard: TypeAlias = Callable[[Connection], Awaitable[None]]
"""Awaited in the transaction that adds links, before it does. It raises to prevent that."""


class _CachedCampaignActivity:
    """The key of a campaign activity, and the latest values of its name and campaign that this process has seen."""

    __slots__ = ("campaign_id", "key", "name")

    def __init__(self, key: int, name: TimestampedValue | None, campaign_id: TimestampedValue | None) -> None:
        self.key = key
        self.name = name
        self.campaign_id = campaign_id


class ChangeCounter:
    """Counts the changes to campaign activities and links."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class _LinkKey(NamedTuple):
    """A link of a campaign activity, given by its key."""

    campaign_activity: int
    link: Link


class IdCache:
    """Looks up, creates and updates the accounts, campaign activities and links of batches, and caches their keys."""

    def __init__(self, before_change: Callable[[], None] = lambda: None) -> None:
        # Raises StoreUnavailable if nothing can be created now: on a cluster, that changes every node.
        self._before_change = before_change
        self._accounts: dict[str, int] = {}
        self._campaign_activities = WeighedDict[tuple[int, str], _CachedCampaignActivity](_MAX_BYTES)
        self._links = WeighedDict[_LinkKey, int](_MAX_BYTES)
        # Only one task at a time looks up what isn't cached, as others mostly need the same.
        self._lock = asyncio.Lock()

    def clear_links(self) -> None:
        """Look links up again: another process may have deleted some."""
        # Not cleared: a running look-up must not add what it read before to the new one.
        self._links = WeighedDict[_LinkKey, int](_MAX_BYTES)

    async def resolve(
        self, connection: Connection, batch: Batch, changes: ChangeCounter | None = None, guard: Guard | None = None
    ) -> tuple[int, list[int], list[int]]:
        """Return the key of the batch's account, and those of its campaign activities and links by index."""
        changes = changes or ChangeCounter()
        account = await self.account(connection, batch.account_id)
        ids = [ref.campaign_activity_id for ref in batch.campaign_activities]
        cached = await self._get_campaign_activities(connection, account, ids)
        for campaign_activity, ref in zip(cached, batch.campaign_activities, strict=True):
            changes.count += await self._update(connection, account, campaign_activity, ref)
        keys = [campaign_activity.key for campaign_activity in cached]
        return account, keys, await self._get_links(connection, account, _link_keys(batch, keys), changes, guard)

    def has_all(self, batch: Batch) -> bool:
        """Return True if everything that the batch names is cached, and nothing has to be updated."""
        account = self._accounts.get(batch.account_id)
        if account is None:
            return False
        keys = []
        for ref in batch.campaign_activities:
            cached = self._campaign_activities.get((account, ref.campaign_activity_id))
            if cached is None or _newer_values(cached, ref) != (None, None):
                return False
            keys.append(cached.key)
        return all(link in self._links for link in _link_keys(batch, keys))

    async def account(self, connection: Connection, account_id: str) -> int:
        """Return the key of an account."""
        key = self._accounts.get(account_id)
        if key is None:
            key = await connection.fetchval(_ACCOUNTS["get_key"], account_id)
            if key is None:
                self._before_change()
                now = Instant(time.time_ns() // 1_000_000)
                key = await connection.fetchval(_ACCOUNTS["add"], account_id, now)
            if key is None:
                # Another transaction has added it meanwhile.
                key = await connection.fetchval(_ACCOUNTS["get_key"], account_id)
            self._accounts[account_id] = key
        return key

    async def _get_campaign_activities(
        self, connection: Connection, account: int, ids: Sequence[str]
    ) -> list[_CachedCampaignActivity]:
        cache = self._campaign_activities
        if cache.weight.is_full:
            cache.clear()
        keys = [(account, campaign_activity_id) for campaign_activity_id in ids]
        resolved = {key[1]: cache[key] for key in keys if key in cache}
        if any(campaign_activity_id not in resolved for campaign_activity_id in ids):
            async with self._lock:
                # Other tasks may have added some meanwhile.
                resolved |= {key[1]: cache[key] for key in keys if key in cache}
                await self._look_up_campaign_activities(connection, account, ids, resolved)
        return [resolved[campaign_activity_id] for campaign_activity_id in ids]

    async def _look_up_campaign_activities(
        self,
        connection: Connection,
        account: int,
        ids: Sequence[str],
        resolved: dict[str, _CachedCampaignActivity],
    ) -> None:
        for create in (False, True, False):
            missing = [campaign_activity_id for campaign_activity_id in ids if campaign_activity_id not in resolved]
            if not missing:
                break
            if create:
                self._before_change()
                async with connection.transaction():
                    await connection.execute(_SQL["lock_names"], _LOCK + account)
                    await connection.execute(_SQL["add_campaign_activities"], account, list(dict.fromkeys(missing)))
                continue
            for row in await connection.fetch(_SQL["get_campaign_activities"], account, missing):
                key, campaign_activity_id, name, name_time, campaign_id, campaign_time = row
                resolved[campaign_activity_id] = cached = _CachedCampaignActivity(
                    key,
                    None if name is None else TimestampedValue(name, name_time),
                    None if campaign_id is None else TimestampedValue(campaign_id, campaign_time),
                )
                self._campaign_activities.remember((account, campaign_activity_id), cached, (name, campaign_id))

    async def _update(
        self, connection: Connection, account: int, cached: _CachedCampaignActivity, ref: CampaignActivityRef
    ) -> bool:
        """Update the name and the campaign if those of the batch are newer. Return True if they seemed to be."""
        name, campaign_id = _newer_values(cached, ref)
        if name is None and campaign_id is None:
            return False
        self._before_change()
        campaign = None if campaign_id is None else await self.campaign(connection, account, campaign_id.value)
        async with connection.transaction():
            # The current values, which another process may have set meanwhile.
            row = await connection.fetchrow(_SQL["lock_campaign_activity"], cached.key)
            stored_name, name_time, stored_campaign, campaign_time = row
            if name is not None and is_newer(*name, stored_name, name_time):
                if name.value != stored_name:
                    await connection.execute(_SQL["bump_names_revision"])
                stored_name, name_time = name
            if campaign_id is not None and is_newer(campaign, campaign_id.created_time, stored_campaign, campaign_time):
                stored_campaign, campaign_time = campaign, campaign_id.created_time
            values = stored_name, name_time, stored_campaign, campaign_time
            await connection.execute(_SQL["update_campaign_activity"], cached.key, *values)
        # If a later value was stored already, this one is good enough to compare with: the database decides.
        cached.name, cached.campaign_id = name or cached.name, campaign_id or cached.campaign_id
        return True

    async def campaign(self, connection: Connection, account: int, campaign_id: str) -> int:
        """Return the key of a campaign."""
        for name in ("get_campaign", "add_campaign", "get_campaign"):
            key: int | None = await connection.fetchval(_SQL[name], account, campaign_id)
            if key is not None:
                return key
        raise LookupError(f"campaign {campaign_id} neither exists nor can be created")

    async def _get_links(
        self,
        connection: Connection,
        account: int,
        links: Sequence[_LinkKey],
        changes: ChangeCounter,
        guard: Guard | None,
    ) -> list[int]:
        cache = self._links
        if cache.weight.is_full:
            cache.clear()
        resolved = {link: cache[link] for link in links if link in cache}
        if any(link not in resolved for link in links):
            async with self._lock:
                keys = {link: cache[link] for link in links if link in cache}
                if any(link not in keys for link in links):
                    keys |= await _look_up_links(connection, links, keys)
                missing = [link for link in links if link not in keys]
                if missing:
                    self._before_change()
                    changes.count += await _add_links(connection, account, missing, guard)
                    keys |= await _look_up_links(connection, links, keys)
                for link in keys.keys() - resolved.keys():
                    cache.remember(link, keys[link], (link.link.link_url, link.link.url_id))
                resolved = keys
        return [resolved[link] for link in links]


def _link_keys(batch: Batch, campaign_activities: Sequence[int]) -> list[_LinkKey]:
    return [
        _LinkKey(campaign_activities[index], Link(link_url=link_url, url_id=url_id))
        for index, link_url, url_id in batch.links
    ]


async def _look_up_links(
    connection: Connection, links: Sequence[_LinkKey], known: dict[_LinkKey, int]
) -> dict[_LinkKey, int]:
    """Return the keys of the links that aren't known, as far as they exist."""
    by_digest = {(link.campaign_activity, _digest(link)): link for link in links if link not in known}
    campaign_activities = [campaign_activity for campaign_activity, _ in by_digest]
    digests = [digest for _, digest in by_digest]
    keys: dict[_LinkKey, int] = {}
    for campaign_activity, digest, key in await connection.fetch(_SQL["get_links"], campaign_activities, digests):
        link = by_digest.get((campaign_activity, digest))
        if link is not None:
            keys[link] = key
    return keys


async def _add_links(connection: Connection, account: int, links: Sequence[_LinkKey], guard: Guard | None) -> int:
    """Add links in a transaction. Return how many are new."""
    links = list(dict.fromkeys(links))
    values = (
        [link.campaign_activity for link in links],
        [_digest(link) for link in links],
        [link.link.link_url for link in links],
        [link.link.url_id for link in links],
    )
    async with connection.transaction():
        if guard is not None:
            await guard(connection)
        await connection.execute(_SQL["lock_names"], _LOCK + account)
        status: str = await connection.execute(_SQL["add_links"], *values)
    return int(status.rpartition(" ")[2])


def _digest(link: _LinkKey) -> bytes:
    return link_digest(link.link.link_url, link.link.url_id)


def _newer_values(
    cached: _CachedCampaignActivity, ref: CampaignActivityRef
) -> tuple[TimestampedValue | None, TimestampedValue | None]:
    """Return the name and the campaign's id of a batch, as far as they are newer than the cached ones."""
    name, campaign_id = ref.campaign_activity_name, ref.campaign_id
    return (
        name if name is not None and _is_newer(name, cached.name) else None,
        campaign_id if campaign_id is not None and _is_newer(campaign_id, cached.campaign_id) else None,
    )


def _is_newer(value: TimestampedValue, cached: TimestampedValue | None) -> bool:
    return cached is None or is_newer(*value, *cached)
