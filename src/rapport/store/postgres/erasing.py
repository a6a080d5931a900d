"""Erases a contact, and keeps what it did from being recorded again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rapport.instant import Instant
from rapport.store.batch import Batch
from rapport.store.digests import contact_key
from rapport.store.erasure import (
    Erased,
    ErasedCount,
    ErasedHour,
    ErasedLink,
    Erasing,
    named_in_erased,
    without_erased,
)
from rapport.store.links import merged_links
from rapport.store.postgres.buckets import bucket_of
from rapport.store.postgres.feed import forget
from rapport.store.postgres.names import Names
from rapport.store.postgres.pool import Lent
from rapport.store.postgres.rollups import columns
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "erase.sql")

_NO_LONGER: Final = "SET LOCAL lock_timeout = '3s'"
"""Who records waits behind who wants to erase: not so long that it is told to try again. A hung node of a cluster keeps
the locks of those who record there until it is back."""


class ErasedMeanwhile(Exception):
    """There have been more erasures than the process has heard of."""

    def __init__(self, erasures: int) -> None:
        super().__init__(erasures)
        self.erasures = erasures


async def keep_erasers_out(connection: Lent, erasures: int) -> None:
    """Have nobody erased until the transaction ends. Raises ErasedMeanwhile if there have been more than these many."""
    now: int = await connection.fetchval(SQL["erasures"])
    if now != erasures:
        raise ErasedMeanwhile(now)


async def _keep_writers_out(connection: Lent) -> None:
    """Have nobody record until the transaction ends. Raises StoreUnavailable if some take long, as all others wait."""
    await connection.execute(_NO_LONGER)
    await connection.execute(SQL["keep_writers_out"])


async def erase(connection: Lent, account_id: str, contact_id: str, now: Instant) -> bool:
    """Erase the contact in a transaction, with nobody recording meanwhile. Whether there was one."""
    contact = contact_key(account_id, contact_id)
    async with connection.transaction():
        await _keep_writers_out(connection)
        account = await connection.fetchval(SQL["contact"], contact)
        if account is None:
            return False
        erasing = Erasing[bytes](tuple(row) for row in await connection.fetch(SQL["activities"], contact))
        await _keep_counts(connection, erasing, bucket_of(contact))
        for table, keys in (
            ("engagement", erasing.engagement),
            ("bounced_contact", erasing.bounced),
            ("clicked_link", erasing.clicked),
        ):
            await connection.execute(SQL[f"erase_{table}"], *columns(keys, 2), contact)
        for statement in ("erase_activities", "erase_persons", "erase_contact"):
            await connection.execute(SQL[statement], contact)
        await forget(connection, contact)
        await connection.execute(SQL["refuse"], contact, account, erasing.erased_from(now))
        await connection.execute(SQL["tell_writers"], now)
    return True


async def _keep_counts(connection: Lent, erasing: Erasing[bytes], bucket: bytes) -> None:
    await connection.execute(SQL["keep_stats"], *columns(erasing.stats, 6), bucket)
    await connection.execute(SQL["keep_hours"], *columns(erasing.hours, 4), bucket)
    for campaign_activity in erasing.campaign_activities:
        links = merged_links(tuple(row) for row in await connection.fetch(SQL["links"], campaign_activity))
        clicks = erasing.clicks_of(campaign_activity, links)
        await connection.execute(SQL["keep_links"], *columns(clicks, 3), bucket)


async def without_the_erased(connection: Lent, batch: Batch) -> Batch:
    """The batch without what erased contacts did before."""
    places = {contact_key(batch.account_id, contact_id): place for place, contact_id in enumerate(batch.contacts)}
    erased = await erased_times(connection, list(places))
    return without_erased(batch, {places[key]: erased_time for key, erased_time in erased.items()})


async def erased_times(connection: Lent, keys: Sequence[bytes]) -> dict[bytes, Instant]:
    """Who of these was erased, and until when what they did is refused."""
    return {key: Instant(erased_time) for key, erased_time in await connection.fetch(SQL["erased"], keys)}


async def with_erased_left_out(connection: Lent, batches: Sequence[Batch], erasures: int) -> Sequence[Batch]:
    """The batches as they may be recorded, after so many erasures."""
    return [await without_the_erased(connection, batch) for batch in batches] if erasures else batches


async def read_erased(connection: Lent, account_id: str) -> Erased:
    """What is left of the erased contacts of the account."""
    return Erased(
        contacts=[(key, Instant(time)) for key, time in await connection.fetch(SQL["erased_contacts"], account_id)],
        counts=[ErasedCount(*row) for row in await connection.fetch(SQL["erased_counts"], account_id)],
        hours=[ErasedHour(*row) for row in await connection.fetch(SQL["erased_hours"], account_id)],
        links=[ErasedLink(*row) for row in await connection.fetch(SQL["erased_links"], account_id)],
    )


async def put_erased(connection: Lent, names: Names, account_id: str, erased: Erased, now: Instant) -> None:
    """Take over what is left of erased contacts; a recount makes the stats whole."""
    account, keys, links = await names.resolve(connection, named_in_erased(account_id, erased))
    key_of = dict(zip(erased.campaign_activity_ids, keys, strict=True))
    counts = [(key_of[each[0]], *each[1:]) for each in erased.counts]
    hours = [(key_of[each[0]], *each[1:]) for each in erased.hours]
    clicks = [(key_of[each[0]], link, each.contacts) for link, each in zip(links, erased.links, strict=True)]
    bucket = bucket_of(contact_key(account_id, ""))
    async with connection.transaction():
        await _keep_writers_out(connection)
        for key, erased_time in erased.contacts:
            await connection.execute(SQL["refuse"], key, account, erased_time)
        for statement in ("forget_stats", "forget_hours", "forget_links"):
            await connection.execute(SQL[statement], keys)
        await connection.execute(SQL["keep_stats"], *columns(counts, 6), bucket)
        await connection.execute(SQL["keep_hours"], *columns(hours, 4), bucket)
        await connection.execute(SQL["keep_links"], *columns(clicks, 3), bucket)
        await connection.execute(SQL["tell_writers"], now)
