"""From one store to another, contact by contact, each read back and compared: what is equal already is passed over."""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec.structs import replace

from rapport.activity import Activity
from rapport.errors import StoreUnavailable
from rapport.instant import FIRST
from rapport.store.batch import BatchBuilder, build_batch
from rapport.store.catalogue import campaign_updates, contact_updates
from rapport.store.digests import contact_key
from rapport.store.erasure import Tombstones
from rapport.store.erasure_keys import ERASURE_KEYS, digest_contacts, merge_keys, read_keys
from rapport.store.protocol import Store

_CONTACTS: Final = 500
_AT_ONCE: Final = 8
_ACTIVITIES: Final = 20_000


class Copied(msgspec.Struct, kw_only=True):
    """What has been copied and compared so far. The digest is the same for the same activities, from any engine."""

    accounts: int = 0
    contacts: int = 0
    activities: int = 0
    already_there: int = 0
    digest: bytes = b""


async def copy(source: Store, target: Store, progress: Callable[[Copied], None]) -> Copied:
    """Have all of `source` in `target`, which may hold it in part already. `progress` is called every few contacts.

    Every contact is read back from the target after it was written, and compared. Raises StoreUnavailable where they
    differ in the end: then the target holds something that the source doesn't. Stopped and begun again, it goes on.
    """
    copied = Copied()
    are_erased = False
    for name in await source.secret_names():
        await _copy_secret(source, target, name)
    for account_id in await source.accounts():
        await target.ensure_account(account_id)
        erased = await _copy_erased(source, target, account_id)
        await _copy_applications(source, target, account_id)
        await _copy_facts(source, target, account_id)
        await _copy_catalogue(source, target, account_id)
        after = ""
        while contact_ids := await source.contact_ids(account_id, after, _CONTACTS):
            await _copy_contacts(source, target, account_id, contact_ids, copied)
            after = contact_ids[-1]
            progress(copied)
        copied.accounts += 1
        # Again, for those who were erased in the source while it was copied.
        erased = await _copy_erased(source, target, account_id, erased)
        are_erased |= bool(erased.contacts)
    if are_erased:
        # The counts of erased contacts are part of the stats; a copy that was interrupted may have left them out.
        async for _ in target.recount(repair=True):
            progress(copied)
    return copied


async def _copy_erased(source: Store, target: Store, account_id: str, copied: Tombstones | None = None) -> Tombstones:
    """Erase in the target who was erased in the source, take over what is left of them, and return that.

    Nothing is done if it is what was `copied` before.
    """
    erased = await source.erased(account_id)
    if erased.contacts and erased != copied:
        await _erase_contacts(source, target, account_id, erased)
        await target.import_tombstones(account_id, erased)
    return erased


async def _erase_contacts(source: Store, target: Store, account_id: str, erased: Tombstones) -> None:
    """Erase the contacts in the target that were erased in the source since the last copy."""
    done = {contact.digest: contact.erased_time for contact in (await target.erased(account_id)).contacts}
    due = {
        contact.digest: contact
        for contact in erased.contacts
        if contact.digest not in done or done[contact.digest] < contact.erased_time
    }
    keys = read_keys(await source.read_secret(ERASURE_KEYS))
    after = ""
    while due and (contact_ids := await target.contact_ids(account_id, after, _CONTACTS)):
        by_key = {contact_key(account_id, contact_id): contact_id for contact_id in contact_ids}
        by_digest = digest_contacts(keys, by_key)
        for digest in by_digest.keys() & due.keys():
            await target.erase(account_id, by_key[by_digest[digest]], due[digest])
        after = contact_ids[-1]


async def _copy_secret(source: Store, target: Store, name: str) -> None:
    there = await target.read_secret(name)
    wanted = await source.read_secret(name)
    if wanted is not None and name == ERASURE_KEYS:
        # The target needs its own keys as well, for those who were erased there.
        wanted = merge_keys(there, wanted)
    if wanted is None or there == wanted:
        return
    if not await target.replace_secret(name, there, wanted):
        raise StoreUnavailable(f"{name} of the target was changed meanwhile: start the copy again")


async def _copy_applications(source: Store, target: Store, account_id: str) -> None:
    """Copy applications and grants. Codes are left out: they live for minutes."""
    for application in await source.applications.list_applications(account_id):
        await target.applications.add_application(application)
    for grant in await source.applications.list_grants(account_id):
        await target.applications.add_grant(grant, FIRST)


async def _copy_facts(source: Store, target: Store, account_id: str) -> None:
    """What is stated of campaign activities, with the times of the statements."""
    nothing = build_batch(account_id, [])
    stated = await source.campaign_activities(account_id)
    for first in range(0, len(stated), _CONTACTS):
        await target.record([replace(nothing, campaign_activities=stated[first : first + _CONTACTS])])


async def _copy_catalogue(source: Store, target: Store, account_id: str) -> None:
    """What is stated of campaigns and contacts. Who never did anything is copied by this alone."""
    campaigns = await source.list_campaign_attributes(account_id)
    await target.upsert_campaigns(account_id, [each for stored in campaigns for each in campaign_updates(stored)])
    after = ""
    while contacts := await source.list_contact_attributes(account_id, after, _CONTACTS):
        statements = [each for stored in contacts for each in contact_updates(stored)]
        await target.upsert_contacts(account_id, statements)
        after = contacts[-1].contact_id


async def _copy_contacts(
    source: Store, target: Store, account_id: str, contact_ids: Sequence[str], copied: Copied
) -> None:
    wanted = await _histories(source, account_id, contact_ids)
    there = await _histories(target, account_id, contact_ids)
    differing = [place for place in range(len(contact_ids)) if wanted[place] != there[place]]
    gathering, size = BatchBuilder(), 0
    for place in differing:
        # Oldest first: of two statements at the same time the last holds, as it did in the source.
        gathering.extend(reversed(wanted[place]))
        size += len(wanted[place])
        if size >= _ACTIVITIES or place == differing[-1]:
            await target.record([gathering.batch(account_id)])
            gathering, size = BatchBuilder(), 0
    again = await _histories(target, account_id, [contact_ids[place] for place in differing])
    for place, history in zip(differing, again, strict=True):
        if history != wanted[place]:
            raise StoreUnavailable(
                f"contact {contact_ids[place]} of account {account_id} differs: {len(wanted[place])} activities in the "
                f"source, {len(history)} in the target. Copy to an empty target, or to an earlier copy of this source"
            )
    copied.contacts += len(contact_ids)
    copied.activities += sum(map(len, wanted))
    copied.already_there += len(contact_ids) - len(differing)
    for contact_id, history in zip(contact_ids, wanted, strict=True):
        said = msgspec.msgpack.encode([account_id, contact_id, history])
        copied.digest = blake2b(copied.digest + said, digest_size=16).digest()


async def _histories(store: Store, account_id: str, contact_ids: Sequence[str]) -> list[list[Activity]]:
    histories: list[list[Activity]] = []
    for first in range(0, len(contact_ids), _AT_ONCE):
        some = contact_ids[first : first + _AT_ONCE]
        histories += await asyncio.gather(*(_history(store, account_id, contact_id) for contact_id in some))
    return histories


async def _history(store: Store, account_id: str, contact_id: str) -> list[Activity]:
    """What is recorded of the contact, without what is stated of campaign activities: that is copied by itself."""
    return [
        replace(activity, campaign_activity_name=None, campaign_id=None)
        async for activity in store.history(account_id, contact_id)
    ]
