"""From the public ids of a batch to the keys of the small tables; what is named for the first time comes into being.

That happens in transactions of its own, before the activities': on a cluster the small tables are on every node and
the activities on one, and nothing is lost with a name that no activity uses in the end. What was looked up is
remembered; keys never change, and the database itself decides which of two statements holds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from rapport.activity import Link
from rapport.caching import WeighedDict
from rapport.instant import Instant
from rapport.store.batch import Batch, CampaignActivityRef, TimestampedValue
from rapport.store.facts import overrides
from rapport.store.links import link_digest
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.write import SQL

_MAX_BYTES = 32_000_000

_LOCK: Final = 0x6E616D6500000000
"""First of the advisory locks' numbers, one for each account: 'name' in ASCII."""

Guard: TypeAlias = Callable[[Connection], Awaitable[None]]
"""Awaited in the transaction that adds links, before it does; it raises to keep them from being added."""


class _Known:
    """A campaign activity: its key, and what is stated of it as far as this process knows."""

    __slots__ = ("campaign_id", "key", "name")

    def __init__(self, key: int, name: TimestampedValue | None, campaign_id: TimestampedValue | None) -> None:
        self.key = key
        self.name = name
        self.campaign_id = campaign_id


class Learnt:
    """How often something new was learnt of campaign activities and links."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times = 0


class Names:
    """Finds and makes what batches name, and learns what they state of it."""

    def __init__(self, before_change: Callable[[], None] = lambda: None) -> None:
        # Raises StoreUnavailable if nothing new can be named now: on a cluster that goes to every node.
        self._before_change = before_change
        self._accounts: dict[str, int] = {}
        self._campaign_activities = WeighedDict[tuple[int, str], _Known](_MAX_BYTES)
        self._links = WeighedDict[tuple[int, Link], int](_MAX_BYTES)
        # One at a time asks for what isn't remembered: most of it is what the others want, too.
        self._asking = asyncio.Lock()

    def forget_links(self) -> None:
        """Look links up again: another process may have removed some."""
        # Not cleared: a lookup that is still running must not add to the new one what it found before.
        self._links = WeighedDict[tuple[int, Link], int](_MAX_BYTES)

    async def resolve(
        self, connection: Connection, batch: Batch, learnt: Learnt | None = None, guard: Guard | None = None
    ) -> tuple[int, list[int], list[int]]:
        """The key of the batch's account, and by their places those of its campaign activities and links."""
        learnt = learnt or Learnt()
        account = await self.account(connection, batch.account_id)
        known = await self._known(
            connection, account, [named.campaign_activity_id for named in batch.campaign_activities]
        )
        for campaign_activity, named in zip(known, batch.campaign_activities, strict=True):
            learnt.times += await self._learn(connection, account, campaign_activity, named)
        keys = [campaign_activity.key for campaign_activity in known]
        links = [(keys[place], Link(link_url=link_url, url_id=url_id)) for place, link_url, url_id in batch.links]
        return account, keys, await self._link_keys(connection, account, links, learnt, guard)

    def remembers(self, batch: Batch) -> bool:
        """Whether everything that the batch names is remembered, and nothing new is stated of it."""
        account = self._accounts.get(batch.account_id)
        if account is None:
            return False
        keys = []
        for named in batch.campaign_activities:
            known = self._campaign_activities.get((account, named.campaign_activity_id))
            if known is None or _news(known, named) != (None, None):
                return False
            keys.append(known.key)
        return all(
            (keys[place], Link(link_url=link_url, url_id=url_id)) in self._links
            for place, link_url, url_id in batch.links
        )

    async def account(self, connection: Connection, account_id: str) -> int:
        """The key of an account."""
        key = self._accounts.get(account_id)
        if key is None:
            key = await connection.fetchval(SQL["account_key"], account_id)
            if key is None:
                self._before_change()
                now = Instant(time.time_ns() // 1_000_000)
                key = await connection.fetchval(SQL["add_account"], account_id, now)
            if key is None:
                # Somebody else was faster.
                key = await connection.fetchval(SQL["account_key"], account_id)
            self._accounts[account_id] = key
        return key

    async def _known(self, connection: Connection, account: int, campaign_activity_ids: list[str]) -> list[_Known]:
        remembered = self._campaign_activities
        if remembered.weight.is_full:
            remembered.clear()
        keys = [(account, each) for each in campaign_activity_ids]
        known = {key[1]: remembered[key] for key in keys if key in remembered}
        if any(each not in known for each in campaign_activity_ids):
            async with self._asking:
                # What the others have found meanwhile.
                known |= {key[1]: remembered[key] for key in keys if key in remembered}
                await self._find_campaign_activities(connection, account, campaign_activity_ids, known)
        return [known[each] for each in campaign_activity_ids]

    async def _find_campaign_activities(
        self, connection: Connection, account: int, campaign_activity_ids: list[str], known: dict[str, _Known]
    ) -> None:
        remembered = self._campaign_activities
        for make in (False, True, False):
            missing = [each for each in campaign_activity_ids if each not in known]
            if not missing:
                break
            if make:
                self._before_change()
                async with connection.transaction():
                    await connection.execute(SQL["one_namer"], _LOCK + account)
                    await connection.execute(SQL["add_campaign_activities"], account, list(dict.fromkeys(missing)))
                continue
            found = await connection.fetch(SQL["known_campaign_activities"], account, missing)
            for key, campaign_activity_id, name, name_time, campaign_id, campaign_time in found:
                known[campaign_activity_id] = _Known(
                    key,
                    None if name is None else TimestampedValue(name, name_time),
                    None if campaign_id is None else TimestampedValue(campaign_id, campaign_time),
                )
                remembered.remember((account, campaign_activity_id), known[campaign_activity_id], (name, campaign_id))

    async def _learn(self, connection: Connection, account: int, known: _Known, named: CampaignActivityRef) -> bool:
        name, campaign_id = _news(known, named)
        if name is None and campaign_id is None:
            return False
        self._before_change()
        campaign = None if campaign_id is None else await self.campaign(connection, account, campaign_id.value)
        async with connection.transaction():
            # What holds now, which another process may have learnt meanwhile.
            now = await connection.fetchrow(SQL["lock_campaign_activity"], known.key)
            now_name, name_time, now_campaign, campaign_time = now
            if name is not None and overrides(name, now_name, name_time):
                if name.value != now_name:
                    await connection.execute(SQL["revise_campaign_activities"])
                now_name, name_time = name
            if campaign_id is not None and _is_later(campaign_id, campaign, now_campaign, campaign_time):
                now_campaign, campaign_time = campaign, campaign_id.created_time
            await connection.execute(
                SQL["state_campaign_activity"], known.key, now_name, name_time, now_campaign, campaign_time
            )
        # Where a later statement held already, this one is as good to compare with: the database has the last word.
        known.name, known.campaign_id = name or known.name, campaign_id or known.campaign_id
        return True

    async def campaign(self, connection: Connection, account: int, campaign_id: str) -> int:
        """The key of a campaign."""
        for statement in ("campaign", "add_campaign", "campaign"):
            key: int | None = await connection.fetchval(SQL[statement], account, campaign_id)
            if key is not None:
                return key
        raise LookupError(f"campaign {campaign_id} is neither there nor can it be made")

    async def _link_keys(
        self, connection: Connection, account: int, links: list[tuple[int, Link]], learnt: Learnt, guard: Guard | None
    ) -> list[int]:
        remembered = self._links
        if remembered.weight.is_full:
            remembered.clear()
        known = {link: remembered[link] for link in links if link in remembered}
        if any(link not in known for link in links):
            async with self._asking:
                known |= {link: remembered[link] for link in links if link in remembered}
                await self._find_links(connection, account, links, known, learnt, remembered=remembered, guard=guard)
        return [known[link] for link in links]

    async def _find_links(
        self,
        connection: Connection,
        account: int,
        links: list[tuple[int, Link]],
        known: dict[tuple[int, Link], int],
        learnt: Learnt,
        *,
        remembered: WeighedDict[tuple[int, Link], int],
        guard: Guard | None,
    ) -> None:
        for make in (False, True, False):
            missing = {
                (campaign_activity, link_digest(link.link_url, link.url_id)): link
                for campaign_activity, link in links
                if (campaign_activity, link) not in known
            }
            if not missing:
                break
            campaign_activities = [campaign_activity for campaign_activity, _ in missing]
            digests = [digest for _, digest in missing]
            if make:
                self._before_change()
                urls = [link.link_url for link in missing.values()]
                url_ids = [link.url_id for link in missing.values()]
                async with connection.transaction():
                    if guard is not None:
                        await guard(connection)
                    await connection.execute(SQL["one_namer"], _LOCK + account)
                    done: str = await connection.execute(SQL["add_links"], campaign_activities, digests, urls, url_ids)
                learnt.times += int(done.rpartition(" ")[2])
                continue
            for campaign_activity, digest, key in await connection.fetch(
                SQL["known_links"], campaign_activities, digests
            ):
                link = missing.get((campaign_activity, digest))
                if link is not None:
                    known[campaign_activity, link] = key
                    remembered.remember((campaign_activity, link), key, (link.link_url, link.url_id))


def _news(known: _Known, named: CampaignActivityRef) -> tuple[TimestampedValue | None, TimestampedValue | None]:
    """The name and the campaign's id, where a statement overrides what is known."""
    name, campaign_id = named.campaign_activity_name, named.campaign_id
    return (
        name if name is not None and _overrides(name, known.name) else None,
        campaign_id if campaign_id is not None and _overrides(campaign_id, known.campaign_id) else None,
    )


def _overrides(stated: TimestampedValue, known: TimestampedValue | None) -> bool:
    return known is None or overrides(stated, known.value, known.created_time)


def _is_later(stated: TimestampedValue, campaign: int | None, known: int | None, known_time: int | None) -> bool:
    """`overrides`, with the keys of the campaigns in the place of their ids."""
    known_id = None if known is None else stated.value if known == campaign else ""
    return overrides(stated, known_id, known_time)
