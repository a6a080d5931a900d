"""Write to a cluster: batches are divided by node, and each node's part is committed independently."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from msgspec.structs import asdict, replace

from rapport.activity import ActivityType
from rapport.catalog import ContactUpdate
from rapport.instant import Instant
from rapport.store.batch import Batch, Part, ProfileRow, Row
from rapport.store.erasure import ErasedContact
from rapport.store.hashing import contact_key
from rapport.store.ingest import Recorded
from rapport.store.merges import MergeResult, redirect_contacts
from rapport.store.postgres.citus.circuit_breaker import NodeCircuitBreaker
from rapport.store.postgres.citus.layout import ClusterLayout, ConcurrentWriters
from rapport.store.postgres.citus.placement import Placement
from rapport.store.postgres.citus.queries import CLUSTER
from rapport.store.postgres.identifiers import IdCache
from rapport.store.postgres.pool import Pool, Reach
from rapport.store.postgres.redirects import ContactsMoved, contact_exists, find_targets
from rapport.store.postgres.tombstones import ErasureConflict, filter_erased_batches
from rapport.store.postgres.writer import WRITE_TIMEOUT, Writer

T = TypeVar("T")


class NodeBatch(Batch, frozen=True, kw_only=True):
    """The part of a batch for one node, with the shards of its contacts. `prepared` is the same after preparation."""

    shards: Mapping[bytes, int]
    prepared: Batch | None = None

    @property
    def undivided(self) -> Batch:
        """Return the same as a batch that has yet to be divided."""
        return Batch(**{field: getattr(self, field) for field in Batch.__struct_fields__})


class DividedBatch(Batch, frozen=True, kw_only=True):
    """A batch that has been divided."""

    parts: Sequence[tuple[int, NodeBatch]]


class ClusterWriter(Writer):
    """Writes through a pool, with a transaction for each node."""

    # On a cluster, other ways take longer even for fewer rows.
    _copy_threshold = 1_000

    def __init__(self, pool: Pool, placement: Placement, circuit_breaker: NodeCircuitBreaker) -> None:
        super().__init__(pool)
        self._ids = IdCache(before_change=circuit_breaker.require_all_nodes)
        self._placement = placement

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record the batches, in a transaction for each node. Raises StoreUnavailable; some may be recorded."""
        outcomes = await self._record_divided(batches)
        await self._feed.prune()
        return outcomes

    async def _record_divided(self, batches: Sequence[Batch]) -> list[Recorded]:
        divided = [await self._divide(batch) for batch in batches]
        by_node: dict[int, list[tuple[int, NodeBatch]]] = {}
        for index, parts in enumerate(divided):
            for node, part in parts:
                by_node.setdefault(node, []).append((index, part))
        recorded = await _gather(*(self._record_parts([part for _, part in parts]) for parts in by_node.values()))
        outcomes: list[list[Recorded]] = [[] for _ in batches]
        for parts, part_outcomes in zip(by_node.values(), recorded, strict=True):
            for (index, _), outcome in zip(parts, part_outcomes, strict=True):
                outcomes[index].append(outcome)
        return [_sum(batch, parts) for batch, parts in zip(batches, outcomes, strict=True)]

    async def _record_parts(self, parts: Sequence[NodeBatch]) -> list[Recorded]:
        shards = {contact: shard for part in parts for contact, shard in part.shards.items()}
        batches = [part.prepared or part for part in parts]
        try:
            return await self._record_with_retries(batches, ClusterLayout(self._placement, shards), list(shards))
        except ContactsMoved:
            # Each repetition follows another merge.
            return await self._record_divided([part.undivided for part in parts])

    async def partition(self, batch: Batch) -> Sequence[Part]:
        """Return the part of the batch for each node, with the node's number. Raises StoreUnavailable.

        If nothing is left to record, as all of its contacts were erased, return the whole batch.
        """
        return list(await self._divide(batch)) or [(None, batch)]

    async def _divide(self, batch: Batch) -> Sequence[tuple[int, NodeBatch]]:
        if isinstance(batch, DividedBatch):
            return batch.parts
        if isinstance(batch, NodeBatch):
            return [(self._placement.node_of(next(iter(batch.shards.values()))), batch)]
        batch = await self._redirect(batch)
        if not self._ids.has_all(batch):
            await self._create_names(batch)
        if not batch.contacts:
            return []
        keys = [contact_key(batch.account_id, contact_id) for contact_id in batch.contacts]
        shards = await self._placement.shards_of(keys)
        nodes = [self._placement.node_of(shards[key]) for key in keys]
        parts = []
        # Repeated deliveries of an event have no row; they are counted with the first part.
        without_row = batch.size - sum(map(len, batch.rows.values()))
        for node in sorted(set(nodes)):
            part = _select_contacts(batch, [index for index, number in enumerate(nodes) if number == node])
            part_shards = {key: shards[key] for key, number in zip(keys, nodes, strict=True) if number == node}
            fields = {**asdict(part), "size": part.size + without_row}
            parts.append((node, NodeBatch(**fields, shards=part_shards)))
            without_row = 0
        return parts

    async def _redirect(self, batch: Batch) -> Batch:
        """Return the batch with merged contacts redirected, without what is refused as they were erased before."""
        async with self._pool.acquire(WRITE_TIMEOUT, batch.account_id) as connection:
            targets = await find_targets(connection, batch.account_id, batch.contacts)
            if not targets:
                return batch
            (batch,) = await filter_erased_batches(connection, [batch])
        return redirect_contacts(batch, targets)

    async def _find_targets(self, account_id: str, contact_ids: Sequence[str]) -> dict[str, str]:
        """Return the targets of merged contacts, which may be on other shards."""
        async with self._pool.acquire(WRITE_TIMEOUT, account_id) as connection:
            return await find_targets(connection, account_id, contact_ids)

    async def _create_names(self, batch: Batch) -> None:
        """Create everything that the batch names before other batches wait for it, as that may involve all nodes."""
        async with self._pool.acquire(WRITE_TIMEOUT, batch.account_id, Reach.MAYBE_ALL) as connection:
            while True:
                try:
                    await self._resolve(connection, [batch], self._erasure_version)
                except ErasureConflict as exc:
                    self._clear_caches(exc.version)
                else:
                    return

    async def prepare(self, batch: Batch) -> Batch:
        """Divide the batch, and compute what doesn't need a transaction."""
        parts = []
        for node, part in await self._divide(batch):
            layout = ClusterLayout(self._placement, part.shards)
            prepared = await self._prepare(part.undivided, layout, list(part.shards))
            parts.append((node, replace(part, prepared=prepared)))
        return DividedBatch(**asdict(batch), parts=parts)

    async def erase(
        self, account_id: str, contact_id: str, now: Instant, tombstone: ErasedContact | None = None
    ) -> bool:
        """Erase a contact while writers on its shard wait. Return True if it existed.

        If it clicked links, all writers wait, as other nodes may have contacts that clicked them.
        """
        try:
            return await self._erase_on_shard(account_id, contact_id, now, tombstone)
        except ContactsMoved:
            return await self.erase(account_id, contact_id, now, tombstone)

    async def _erase_on_shard(
        self, account_id: str, contact_id: str, now: Instant, tombstone: ErasedContact | None
    ) -> bool:
        contact_id = (await self._find_targets(account_id, [contact_id])).get(contact_id, contact_id)
        contact = contact_key(account_id, contact_id)
        shards = await self._placement.shards_of([contact])
        async with self._pool.acquire(WRITE_TIMEOUT, account_id, [contact]) as connection:
            if not await contact_exists(connection, account_id, contact_id):
                return False
            has_clicked = await connection.fetchval(CLUSTER["has_clicked"], contact, ActivityType.EM_CLICKS)
        if not has_clicked:
            layout = ClusterLayout(self._placement, shards)
            # Raised if it has clicked a link meanwhile.
            with suppress(ConcurrentWriters):
                return await self._erase(account_id, contact_id, now, tombstone, layout=layout, contacts=[contact])
        async with self._pool.acquire(WRITE_TIMEOUT, account_id, Reach.ALL) as connection:
            # Check that all nodes respond before all writers have to wait for them.
            await connection.fetchval(CLUSTER["query_all_nodes"])
        whole = ClusterLayout(self._placement, shards, locks_shards=False)
        return await self._erase(account_id, contact_id, now, tombstone, layout=whole, contacts=Reach.ALL)

    async def merge(self, account_id: str, old_id: str, new_id: str, now: Instant) -> MergeResult:
        """Merge a contact into another one, while all writers wait."""
        targets = await self._find_targets(account_id, [old_id, new_id])
        keys = [contact_key(account_id, targets.get(contact_id, contact_id)) for contact_id in (old_id, new_id)]
        shards = await self._placement.shards_of(keys)
        async with self._pool.acquire(WRITE_TIMEOUT, account_id, Reach.ALL) as connection:
            # Check that all nodes respond before all writers have to wait for them.
            await connection.fetchval(CLUSTER["query_all_nodes"])
        layout = ClusterLayout(self._placement, shards, locks_shards=False)
        try:
            return await self._merge(account_id, old_id, new_id, now, layout=layout, contacts=Reach.ALL)
        except ContactsMoved:
            return await self.merge(account_id, old_id, new_id, now)

    async def upsert_contacts(self, account_id: str, updates: Sequence[ContactUpdate]) -> int:
        """Merge updates into the contacts, in a transaction for each node. Return how many changed something."""
        targets = await self._find_targets(account_id, [update.contact_id for update in updates])
        keys = [contact_key(account_id, targets.get(update.contact_id, update.contact_id)) for update in updates]
        shards = await self._placement.shards_of(keys)
        by_node: dict[int, list[int]] = {}
        for index, key in enumerate(keys):
            by_node.setdefault(self._placement.node_of(shards[key]), []).append(index)
        changes = await _gather(
            *(
                self._upsert_part(
                    account_id,
                    [updates[index] for index in indexes],
                    {keys[index]: shards[keys[index]] for index in indexes},
                )
                for indexes in by_node.values()
            )
        )
        return sum(changes)

    async def _upsert_part(self, account_id: str, updates: Sequence[ContactUpdate], shards: Mapping[bytes, int]) -> int:
        try:
            return await self._upsert_contacts(
                account_id, updates, ClusterLayout(self._placement, shards), list(shards)
            )
        except ContactsMoved:
            return await self.upsert_contacts(account_id, updates)


def _select_contacts(batch: Batch, indexes: Sequence[int]) -> Batch:
    """Return the part of the batch about the contacts at these indexes."""
    contacts = {old: new for new, old in enumerate(indexes)}
    profiles: dict[int | None, int | None] = {None: None}
    profile_rows: list[ProfileRow] = []
    for index, (contact, email_address, first_name, last_name, time) in enumerate(batch.profiles):
        if contact in contacts:
            profiles[index] = len(profile_rows)
            profile_rows.append((contacts[contact], email_address, first_name, last_name, time))
    rows: dict[ActivityType, list[Row]] = {}
    for activity_type, group in batch.rows.items():
        selected = [(contacts[row[0]], *row[1:4], profiles[row[4]], *row[5:]) for row in group if row[0] in contacts]
        if selected:
            rows[activity_type] = selected
    return replace(
        batch,
        size=sum(map(len, rows.values())),
        contacts=[batch.contacts[index] for index in indexes],
        profiles=profile_rows,
        rows=rows,
    )


def _sum(batch: Batch, parts: Sequence[Recorded]) -> Recorded:
    """Return the outcome of a batch from those of its parts."""
    if not parts:
        # All of its contacts were erased.
        return Recorded(accepted={}, duplicate=batch.size)
    accepted: Counter[ActivityType] = Counter()
    for part in parts:
        accepted.update(part.accepted)
    return Recorded(accepted=accepted, duplicate=sum(part.duplicate for part in parts))


async def _gather(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """Return all results. If one failed, raise its exception when the others have finished."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
