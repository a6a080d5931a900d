"""Copy one store to another, contact by contact. Each is read back and compared; equal ones are skipped."""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec.structs import replace

from rapport.activity import Activity
from rapport.errors import StoreUnavailable
from rapport.instant import MIN_INSTANT
from rapport.store.attributes import contact_updates
from rapport.store.batch import BatchBuilder, build_batch
from rapport.store.definitions import definition_updates, get_recorded_at
from rapport.store.erasure import Tombstones
from rapport.store.erasure_keys import ERASURE_KEYS, digest_contacts, merge_keys, read_keys
from rapport.store.hashing import contact_key
from rapport.store.hooks import CapturedWork
from rapport.store.sql_hooks import KEPT_DELIVERIES
from rapport.store.store import Store
from rapport.store.subresources import Membership

_MAX_CONTACTS: Final = 500
_MAX_CONCURRENT_READS: Final = 8
_MAX_ACTIVITIES: Final = 20_000


class CopyProgress(msgspec.Struct, kw_only=True):
    """The totals copied and compared so far. Equal activities have equal digests on any engine."""

    accounts: int = 0
    contacts: int = 0
    activities: int = 0
    unchanged: int = 0
    digest: bytes = b""


async def copy(source: Store, target: Store, progress: Callable[[CopyProgress], None]) -> CopyProgress:
    """Copy everything in `source` to `target`, which may contain a part of it. Call `progress` every few contacts.

    Every contact is read back from the target and compared. Raises StoreUnavailable if one differs in the end, which
    means that the target contains something that the source doesn't. An interrupted copy can be started again.
    """
    copied = CopyProgress()
    has_erased = False
    for name in await source.secrets.list_names():
        await _copy_secret(source, target, name)
    for account_id in await source.accounts.list_ids():
        await target.accounts.ensure(account_id)
        tombstones = await _copy_tombstones(source, target, account_id)
        await _copy_merges(source, target, account_id)
        await _copy_applications(source, target, account_id)
        await _copy_hooks(source, target, account_id)
        await target.accounts.set_details(account_id, await source.accounts.get_details(account_id))
        await _copy_users(source, target, account_id)
        await _copy_activity_refs(source, target, account_id)
        await _copy_definitions(source, target, account_id)
        await _copy_attributes(source, target, account_id)
        after = ""
        while contact_ids := await source.contacts.list_ids(account_id, after, _MAX_CONTACTS):
            await _copy_contacts(source, target, account_id, contact_ids, copied)
            after = contact_ids[-1]
            progress(copied)
        copied.accounts += 1
        # Again, for contacts that were erased in the source during the copy.
        tombstones = await _copy_tombstones(source, target, account_id, tombstones)
        has_erased |= bool(tombstones.contacts)
    if has_erased:
        # The stats include the counts of erased contacts; an interrupted copy may have left them out.
        async for _ in target.verification.verify(repair=True):
            progress(copied)
    return copied


async def _copy_tombstones(
    source: Store, target: Store, account_id: str, copied: Tombstones | None = None
) -> Tombstones:
    """Erase contacts in the target that were erased in the source, copy the tombstones, and return them.

    Does nothing if they are the same as `copied`.
    """
    tombstones = await source.erasure.export_tombstones(account_id)
    if tombstones.contacts and tombstones != copied:
        await _erase_contacts(source, target, account_id, tombstones)
        await target.erasure.import_tombstones(account_id, tombstones)
    return tombstones


async def _erase_contacts(source: Store, target: Store, account_id: str, tombstones: Tombstones) -> None:
    """Erase the contacts in the target that were erased in the source since the last copy."""
    target_tombstones = await target.erasure.export_tombstones(account_id)
    erased_times = {contact.digest: contact.erased_time for contact in target_tombstones.contacts}
    due = {
        contact.digest: contact
        for contact in tombstones.contacts
        if contact.digest not in erased_times or erased_times[contact.digest] < contact.erased_time
    }
    keys = read_keys(await source.secrets.read(ERASURE_KEYS))
    after = ""
    while due and (contact_ids := await target.contacts.list_ids(account_id, after, _MAX_CONTACTS)):
        by_key = {contact_key(account_id, contact_id): contact_id for contact_id in contact_ids}
        by_digest = digest_contacts(keys, by_key)
        for digest in by_digest.keys() & due.keys():
            await target.erasure.erase(account_id, by_key[by_digest[digest]], due[digest])
        after = contact_ids[-1]


async def _copy_merges(source: Store, target: Store, account_id: str) -> None:
    """Merge contacts in the target that were merged in the source, before their histories are compared."""
    after = ""
    while merges := await source.merges.list(account_id, after, _MAX_CONTACTS):
        for merge in merges:
            if await target.merges.resolve(account_id, merge.contact_id) != merge.merged_into:
                await target.merges.merge(account_id, merge.contact_id, merge.merged_into)
        after = merges[-1].contact_id


async def _copy_secret(source: Store, target: Store, name: str) -> None:
    old = await target.secrets.read(name)
    new = await source.secrets.read(name)
    if new is not None and name == ERASURE_KEYS:
        # The target needs its own keys as well, for contacts that were erased there.
        new = merge_keys(old, new)
    if new is None or old == new:
        return
    if not await target.secrets.replace(name, old, new):
        raise StoreUnavailable(f"{name} of the target was changed during the copy: start the copy again")


async def _copy_applications(source: Store, target: Store, account_id: str) -> None:
    """Copy applications and grants. Codes are left out, as they are valid for minutes only."""
    for application in await source.applications.list_applications(account_id):
        await target.applications.add_application(application)
    for grant in await source.applications.list_grants(account_id):
        await target.applications.add_grant(grant, MIN_INSTANT)


async def _copy_hooks(source: Store, target: Store, account_id: str) -> None:
    """Copy hooks, and what is needed to match later events and to recognize repeated ones."""
    after = ""
    while messages := await source.hooks.list_messages(account_id, after, _MAX_CONTACTS):
        await target.hooks.save_work(account_id, CapturedWork(messages=messages))
        after = messages[-1].message
    hooks = [hook for hook in await source.hooks.hooks() if hook.account_id == account_id]
    for hook in hooks:
        await target.hooks.save(hook)
        deliveries = await source.hooks.deliveries(hook.hook_id, KEPT_DELIVERIES)
        counted = await source.hooks.hours(hook.hook_id, 0)
        existing = await target.hooks.hours(hook.hook_id, 0)
        hours = {(hook.hook_id, hour): events - existing.get(hour, 0) for hour, events in counted.items()}
        missing = {key: events for key, events in hours.items() if events > 0}
        await target.hooks.save_work(account_id, CapturedWork(deliveries=deliveries, hours=missing))
        token = ""
        while tokens := await source.hooks.list_tokens(hook.hook_id, token, _MAX_CONTACTS):
            await target.hooks.claim_tokens(tokens)
            token = tokens[-1].token
    number = 0
    while items := await source.hooks.unmatched(account_id, number, _MAX_CONTACTS):
        await target.hooks.save_work(account_id, CapturedWork(unmatched=items))
        number = items[-1].number


async def _copy_users(source: Store, target: Store, account_id: str) -> None:
    """Copy users and sessions. Users are compared first, as those of an earlier copy may have been removed since."""
    users = await source.users.list_users(account_id)
    if await target.users.list_users(account_id) != users:
        await target.users.delete_account(account_id)
        for user in users:
            await target.users.replace_user(user)
    for session in await source.users.list_sessions(account_id, MIN_INSTANT):
        await target.users.add_session(session, MIN_INSTANT)


async def _copy_activity_refs(source: Store, target: Store, account_id: str) -> None:
    """Copy the names and campaigns of campaign activities, with their times."""
    empty = build_batch(account_id, [])
    refs = await source.campaigns.list_activity_refs(account_id)
    for first in range(0, len(refs), _MAX_CONTACTS):
        await target.ingest.record([replace(empty, campaign_activities=refs[first : first + _MAX_CONTACTS])])


async def _copy_definitions(source: Store, target: Store, account_id: str) -> None:
    """Copy contact lists, tags and custom fields."""
    definitions = await source.definitions.list_attributes(account_id)
    references = {
        Membership(definition.type, definition.definition_id): get_recorded_at(definition) for definition in definitions
    }
    await target.definitions.ensure(account_id, references)
    updates = [update for definition in definitions for update in definition_updates(definition)]
    await target.definitions.upsert(account_id, updates)


async def _copy_attributes(source: Store, target: Store, account_id: str) -> None:
    """Copy the attributes of campaigns and contacts, and links. This alone copies contacts without activities."""
    async for updates in source.campaigns.list_updates(account_id):
        await target.campaigns.upsert(account_id, updates)
    after = ""
    while contacts := await source.contacts.list_attributes(account_id, after, _MAX_CONTACTS):
        await target.contacts.upsert(
            account_id, [update for contact in contacts for update in contact_updates(contact)]
        )
        after = contacts[-1].contact_id


async def _copy_contacts(
    source: Store, target: Store, account_id: str, contact_ids: Sequence[str], copied: CopyProgress
) -> None:
    histories = await _read_histories(source, account_id, contact_ids)
    existing = await _read_histories(target, account_id, contact_ids)
    differing = [index for index in range(len(contact_ids)) if histories[index] != existing[index]]
    builder, size = BatchBuilder(), 0
    for index in differing:
        # Oldest first: of two names set at the same time the last one wins, as it did in the source.
        builder.extend(reversed(histories[index]))
        size += len(histories[index])
        if size >= _MAX_ACTIVITIES or index == differing[-1]:
            await target.ingest.record([builder.batch(account_id)])
            builder, size = BatchBuilder(), 0
    recorded = await _read_histories(target, account_id, [contact_ids[index] for index in differing])
    for index, history in zip(differing, recorded, strict=True):
        if history != histories[index]:
            raise StoreUnavailable(
                f"contact {contact_ids[index]} of account {account_id} differs: {len(histories[index])} activities in "
                f"the source, {len(history)} in the target. Copy to an empty target, or to an earlier copy of this "
                "source"
            )
    copied.contacts += len(contact_ids)
    copied.activities += sum(map(len, histories))
    copied.unchanged += len(contact_ids) - len(differing)
    for contact_id, history in zip(contact_ids, histories, strict=True):
        encoded = msgspec.msgpack.encode([account_id, contact_id, history])
        copied.digest = blake2b(copied.digest + encoded, digest_size=16).digest()


async def _read_histories(store: Store, account_id: str, contact_ids: Sequence[str]) -> list[list[Activity]]:
    histories: list[list[Activity]] = []
    for first in range(0, len(contact_ids), _MAX_CONCURRENT_READS):
        group = contact_ids[first : first + _MAX_CONCURRENT_READS]
        histories += await asyncio.gather(*(_read_history(store, account_id, contact_id) for contact_id in group))
    return histories


async def _read_history(store: Store, account_id: str, contact_id: str) -> list[Activity]:
    """Return the contact's activities without names and campaigns, which are copied separately."""
    return [
        replace(activity, campaign_activity_name=None, campaign_id=None)
        async for activity in store.activities.iterate(account_id, contact_id)
    ]
