"""Writes to a cluster: what is recorded is divided by nodes, and each node's part is committed by itself."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from msgspec.structs import asdict, replace

from rapport.activity import ActivityType
from rapport.catalogue import ContactUpdate
from rapport.instant import Instant
from rapport.store.batch import Batch, Part, ProfileRow, Row
from rapport.store.digests import contact_key
from rapport.store.erasure import ErasedContact
from rapport.store.postgres.citus.layout import ClusterLayout, OthersRecord
from rapport.store.postgres.citus.nodes import Nodes
from rapport.store.postgres.citus.placement import Placement
from rapport.store.postgres.citus.statements import SQL
from rapport.store.postgres.erasing import SQL as ERASE
from rapport.store.postgres.erasing import ErasedMeanwhile
from rapport.store.postgres.names import Names
from rapport.store.postgres.pool import Every, Pool
from rapport.store.postgres.writer import WRITE_WITHIN, Writer
from rapport.store.protocol import Recorded

T = TypeVar("T")


class PartOfBatch(Batch, frozen=True, kw_only=True):
    """What a batch has for one node, on these shards; `ready` is the same as it was made ready, if it was."""

    shards: Mapping[bytes, int]
    ready: Batch | None = None


class DividedBatch(Batch, frozen=True, kw_only=True):
    """A batch that is divided already."""

    parts: Sequence[tuple[int, PartOfBatch]]


class ClusterWriter(Writer):
    """Writes through a pool, node by node."""

    # Of a cluster, fewer rows take longer by other ways.
    _many = 1_000

    def __init__(self, pool: Pool, placement: Placement, nodes: Nodes) -> None:
        super().__init__(pool)
        self._names = Names(before_change=nodes.require_all)
        self._placement = placement

    async def record(self, batches: Sequence[Batch]) -> list[Recorded]:
        """Record the batches, a transaction for each node. Raises StoreUnavailable: some may be recorded even so."""
        divided = [await self._divide(batch) for batch in batches]
        of_nodes: dict[int, list[tuple[int, PartOfBatch]]] = {}
        for place, parts in enumerate(divided):
            for node, part in parts:
                of_nodes.setdefault(node, []).append((place, part))
        recorded = await _all(*(self._record_parts([part for _, part in parts]) for parts in of_nodes.values()))
        outcomes: list[list[Recorded]] = [[] for _ in batches]
        for parts, of_parts in zip(of_nodes.values(), recorded, strict=True):
            for (place, _), outcome in zip(parts, of_parts, strict=True):
                outcomes[place].append(outcome)
        await self._feed.prune()
        return [_sum(each) for each in outcomes]

    async def _record_parts(self, parts: Sequence[PartOfBatch]) -> list[Recorded]:
        shards = {contact: shard for part in parts for contact, shard in part.shards.items()}
        batches = [part.ready or part for part in parts]
        return await self._record_again(batches, ClusterLayout(self._placement, shards), list(shards))

    async def partition(self, batch: Batch) -> Sequence[Part]:
        """What the batch has for each node, with the node's number. Raises StoreUnavailable."""
        return list(await self._divide(batch))

    async def _divide(self, batch: Batch) -> Sequence[tuple[int, PartOfBatch]]:
        if isinstance(batch, DividedBatch):
            return batch.parts
        if isinstance(batch, PartOfBatch):
            return [(self._placement.node_of(next(iter(batch.shards.values()))), batch)]
        if not self._names.remembers(batch):
            await self._make_names(batch)
        if not batch.contacts:
            return []
        keys = [contact_key(batch.account_id, contact_id) for contact_id in batch.contacts]
        shards = await self._placement.shards_of(keys)
        nodes = [self._placement.node_of(shards[key]) for key in keys]
        parts = []
        # Repeated deliveries of an event have no row; they are counted with the first part.
        without_row = batch.size - sum(map(len, batch.rows.values()))
        for node in sorted(set(nodes)):
            part = _part(batch, [place for place, each in enumerate(nodes) if each == node])
            of_part = {key: shards[key] for key, each in zip(keys, nodes, strict=True) if each == node}
            counted = {**asdict(part), "size": part.size + without_row}
            parts.append((node, PartOfBatch(**counted, shards=of_part)))
            without_row = 0
        return parts

    async def _make_names(self, batch: Batch) -> None:
        """Have everything there that the batch names: before others wait for it, as it may take every node."""
        async with self._pool.acquire(WRITE_WITHIN, batch.account_id, Every.PERHAPS) as connection:
            while True:
                try:
                    await self._resolve(connection, [batch], self._erasures)
                except ErasedMeanwhile as problem:
                    self._forget_erased(problem.erasures)
                else:
                    return

    async def prepare(self, batch: Batch) -> Batch:
        """The batch, divided, with all worked out that takes no transaction with others."""
        parts = []
        for node, part in await self._divide(batch):
            layout = ClusterLayout(self._placement, part.shards)
            alone = Batch(**{field: getattr(part, field) for field in Batch.__struct_fields__})
            parts.append((node, replace(part, ready=await self._make_ready(alone, layout, list(part.shards)))))
        return DividedBatch(**asdict(batch), parts=parts)

    async def erase(self, account_id: str, contact_id: str, now: Instant, known: ErasedContact | None = None) -> bool:
        """Erase a contact, while nobody records on its shard. Return True if it existed.

        If it clicked links, nobody records at all: who else clicked them is known by all nodes.
        """
        contact = contact_key(account_id, contact_id)
        shards = await self._placement.shards_of([contact])
        async with self._pool.acquire(WRITE_WITHIN, account_id, [contact]) as connection:
            if await connection.fetchval(ERASE["contact"], contact) is None:
                return False
            has_clicked = await connection.fetchval(SQL["has_clicked"], contact, ActivityType.EM_CLICKS)
        if not has_clicked:
            layout = ClusterLayout(self._placement, shards)
            # Raised if it has clicked meanwhile.
            with suppress(OthersRecord):
                return await self._erase(account_id, contact_id, now, known, layout=layout, contacts=[contact])
        async with self._pool.acquire(WRITE_WITHIN, account_id, Every.CONTACT) as connection:
            # To know that all nodes answer, before all who record have to wait for them.
            await connection.fetchval(SQL["ask_all"])
        whole = ClusterLayout(self._placement, shards, locks_shards=False)
        return await self._erase(account_id, contact_id, now, known, layout=whole, contacts=Every.CONTACT)

    async def upsert_contacts(self, account_id: str, statements: Sequence[ContactUpdate]) -> int:
        """Take in what is stated of contacts, a transaction for each node. How many statements changed something."""
        keys = [contact_key(account_id, each.contact_id) for each in statements]
        shards = await self._placement.shards_of(keys)
        of_nodes: dict[int, list[int]] = {}
        for place, key in enumerate(keys):
            of_nodes.setdefault(self._placement.node_of(shards[key]), []).append(place)
        changes = await _all(
            *(
                self._state_contacts(
                    account_id,
                    [statements[place] for place in places],
                    ClusterLayout(self._placement, {keys[place]: shards[keys[place]] for place in places}),
                    [keys[place] for place in places],
                )
                for places in of_nodes.values()
            )
        )
        return sum(changes)


def _part(batch: Batch, places: Sequence[int]) -> Batch:
    """What the batch has of the contacts at these places."""
    contacts = {place: number for number, place in enumerate(places)}
    said: dict[int | None, int | None] = {None: None}
    said_rows: list[ProfileRow] = []
    for place, (contact, *words, said_time) in enumerate(batch.said):
        if contact in contacts:
            said[place] = len(said_rows)
            said_rows.append((contacts[contact], words[0], words[1], words[2], said_time))
    rows: dict[ActivityType, list[Row]] = {}
    for activity_type, of_kind in batch.rows.items():
        of_part = [(contacts[row[0]], *row[1:4], said[row[4]], *row[5:]) for row in of_kind if row[0] in contacts]
        if of_part:
            rows[activity_type] = of_part
    return replace(
        batch,
        size=sum(map(len, rows.values())),
        contacts=[batch.contacts[place] for place in places],
        said=said_rows,
        rows=rows,
    )


def _sum(parts: Sequence[Recorded]) -> Recorded:
    """What became of a batch."""
    accepted: Counter[ActivityType] = Counter()
    for part in parts:
        accepted.update(part.accepted)
    return Recorded(accepted=accepted, duplicate=sum(part.duplicate for part in parts))


async def _all(*works: Coroutine[Any, Any, T]) -> list[T]:
    """The results of all; what went wrong with one is raised when the others are over."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
