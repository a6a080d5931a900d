"""Merge updates of contacts and campaigns. Those of an account are merged one after another."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from rapport.catalog import CampaignUpdate, ContactUpdate, DefinitionUpdate
from rapport.store.attributes import (
    PROFILE_FIELDS,
    dump_attributes,
    get_number,
    get_text,
    load_attributes,
    merge_campaign,
    merge_campaign_activity,
    merge_contact,
    refs_batch,
    updated_at,
)
from rapport.store.definitions import definition_row, keep_recorded_at, merge_definition
from rapport.store.hashing import contact_key
from rapport.store.last_write_wins import Attributes
from rapport.store.postgres.identifiers import ChangeCounter, IdCache
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.memberships import update_derived
from rapport.store.postgres.permission import update_permissions
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL
from rapport.store.postgres.redirects import find_targets, require_known_shards
from rapport.store.postgres.tombstones import erased_times
from rapport.store.subresources import Membership, derive_created_at, merge_recorded_at

_CONTACTS: Final = SQL["contacts"]
_CAMPAIGNS: Final = SQL["campaigns"]
_DEFINITIONS: Final = SQL["definitions"]
_INGEST: Final = SQL["ingest"]
_LOCK_ACCOUNT: Final = _CONTACTS["lock_account"]

_LOCK: Final = 0x6361740000000000
"""The first of the advisory locks' numbers, one for each account: 'cat' in ASCII."""
_DEFINITION_LOCK: Final = 0x6465660000000000
"""The same for definitions: 'def' in ASCII."""


async def upsert_contacts(
    connection: Connection, ids: IdCache, account_id: str, updates: Sequence[ContactUpdate], layout: Layout
) -> int:
    """Merge updates into the contacts. Return how many changed something."""
    account = await ids.account(connection, account_id)
    async with connection.transaction():
        # No contact is erased from here on until the transaction ends.
        await layout.lock_against_erasure(connection)
        await connection.fetchval(SQL["erasure"]["get_version"])
        await connection.execute(_LOCK_ACCOUNT, _LOCK + account)
        updates = await _filter_erased(connection, account_id, updates)
        targets = await find_targets(connection, account_id, {update.contact_id for update in updates})
        if targets:
            redirected = [
                replace(update, contact_id=targets.get(update.contact_id, update.contact_id)) for update in updates
            ]
            updates = await _filter_erased(connection, account_id, redirected)
        require_known_shards(layout, account_id, {update.contact_id for update in updates})
        keys = [contact_key(account_id, update.contact_id) for update in updates]
        rows = await connection.fetch(_CONTACTS["get_all_attributes"], list(set(keys)))
        attributes = {key: load_attributes(stored) for key, stored in rows}
        changed: dict[bytes, str] = {}
        changes = 0
        for key, update in zip(keys, updates, strict=True):
            contact = attributes.setdefault(key, {})
            is_changed = merge_contact(contact, update)
            if merge_recorded_at(contact, update) or is_changed:
                changed[key] = update.contact_id
            changes += is_changed
        if changed:
            await _write_contacts(connection, account, changed, attributes, layout)
            await update_derived(connection, changed)
            with_permission = {
                key for key, update in zip(keys, updates, strict=True) if update.permission_to_send is not None
            }
            await update_permissions(connection, with_permission & changed.keys(), layout)
    return changes


async def _filter_erased(
    connection: Connection, account_id: str, updates: Sequence[ContactUpdate]
) -> Sequence[ContactUpdate]:
    """Return the updates without those of erased contacts: only a later dated update recreates one."""
    keys = [contact_key(account_id, update.contact_id) for update in updates]
    erased = await erased_times(connection, keys)
    return [
        update
        for key, update in zip(keys, updates, strict=True)
        if key not in erased or (update.is_dated and update.updated_at > erased[key])
    ]


async def _write_contacts(
    connection: Connection,
    account: int,
    contact_ids: dict[bytes, str],
    attributes: dict[bytes, Attributes],
    layout: Layout,
) -> None:
    changed = [attributes[key] for key in contact_ids]
    values: list[list[Any]] = [
        list(contact_ids),
        [account] * len(contact_ids),
        list(contact_ids.values()),
        *([get_text(contact, field) for contact in changed] for field in PROFILE_FIELDS),
        [derive_created_at(contact, None) for contact in changed],
        [updated_at(contact) for contact in changed],
        [get_number(contact, "deleted_at") for contact in changed],
        [dump_attributes(contact) for contact in changed],
    ]
    rows = await layout.insert(connection, _CONTACTS, "upsert", values, by=0)
    for key, *profile in sorted(tuple(row) for row in rows):
        for field, stored in zip(PROFILE_FIELDS, profile, strict=True):
            if field in attributes[key] and attributes[key][field][0] != stored:
                # Unless a later activity reported another value.
                value, time = attributes[key][field]
                await connection.execute(_INGEST[f"set_{field}"], key, value, time, time)


async def upsert_campaigns(
    connection: Connection, ids: IdCache, account_id: str, updates: Sequence[CampaignUpdate]
) -> int:
    """Merge updates into campaigns, a transaction for each. Return how many changed something."""
    changes = 0
    for campaign in updates:
        counter = ChangeCounter()
        account, activity_keys, _ = await ids.resolve(connection, refs_batch(account_id, [campaign]), counter)
        key = await ids.campaign(connection, account, campaign.campaign_id)
        async with connection.transaction():
            await connection.execute(_LOCK_ACCOUNT, _LOCK + account)
            is_changed = await _update_campaign(connection, key, campaign)
            for activity_key, activity in zip(activity_keys, campaign.campaign_activities, strict=True):
                stored = await connection.fetchval(_CAMPAIGNS["get_activity_attributes"], activity_key)
                attributes = load_attributes(stored)
                if merge_campaign_activity(attributes, activity, campaign.updated_at):
                    encoded = dump_attributes(attributes)
                    await connection.execute(_CAMPAIGNS["update_activity_attributes"], activity_key, encoded)
                    is_changed = True
        changes += is_changed or counter.count > 0
    return changes


async def _update_campaign(connection: Connection, key: int, campaign: CampaignUpdate) -> bool:
    attributes = load_attributes(await connection.fetchval(_CAMPAIGNS["get_attributes"], key))
    if not merge_campaign(attributes, campaign):
        return False
    values = get_text(attributes, "campaign_name"), updated_at(attributes), dump_attributes(attributes)
    await connection.execute(_CAMPAIGNS["update_attributes"], key, *values)
    return True


async def upsert_definitions(connection: Connection, account: int, updates: Sequence[DefinitionUpdate]) -> int:
    """Merge updates into the definitions of an account. Return how many changed something."""
    changes = 0
    async with connection.transaction():
        await connection.execute(_LOCK_ACCOUNT, _DEFINITION_LOCK + account)
        for update in updates:
            reference = Membership(update.type, update.definition_id)
            attributes = await _get_definition(connection, account, reference)
            is_changed = merge_definition(attributes, update)
            if keep_recorded_at(attributes, update.updated_at) or is_changed:
                await connection.execute(_DEFINITIONS["put"], account, *definition_row(reference, attributes))
            changes += is_changed
    return changes


async def ensure_definitions(connection: Connection, account: int, references: Mapping[Membership, int]) -> None:
    """Create the definitions that contacts refer to, at the time of the reference."""
    async with connection.transaction():
        await connection.execute(_LOCK_ACCOUNT, _DEFINITION_LOCK + account)
        for reference, time in references.items():
            attributes = await _get_definition(connection, account, reference)
            if keep_recorded_at(attributes, time):
                await connection.execute(_DEFINITIONS["put"], account, *definition_row(reference, attributes))


async def _get_definition(connection: Connection, account: int, reference: Membership) -> Attributes:
    stored = await connection.fetchval(
        _DEFINITIONS["get_stored"], account, int(reference.type), reference.definition_id
    )
    return load_attributes(stored)
