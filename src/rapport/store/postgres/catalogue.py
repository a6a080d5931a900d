"""Takes in what sources state of contacts and campaigns, each account's statements one after the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rapport.catalogue import CampaignUpdate, ContactUpdate
from rapport.store.catalogue import (
    OF_PERSON,
    campaign_activity_attributes,
    campaign_attributes,
    dump_attributes,
    get_number,
    get_text,
    load_attributes,
    named_in,
    take,
    take_contact,
    updated_at,
)
from rapport.store.digests import contact_key
from rapport.store.facts import Attributes
from rapport.store.postgres.erasing import SQL as ERASE
from rapport.store.postgres.erasing import erased_times
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.names import Learnt, Names
from rapport.store.postgres.permission import update_permissions
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.write import SQL as WRITE
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "catalogue.sql")

_LOCK: Final = 0x6361740000000000
"""Beginning of the advisory locks' numbers, one for each account: 'cat' in ASCII."""


async def upsert_contacts(
    connection: Connection, names: Names, account_id: str, statements: Sequence[ContactUpdate], layout: Layout
) -> int:
    """Take in what is stated of contacts. How many statements changed something."""
    account = await names.account(connection, account_id)
    keys = [contact_key(account_id, each.contact_id) for each in statements]
    async with connection.transaction():
        # Nobody is erased from here on, until this ends.
        await layout.lock_against_erasure(connection)
        await connection.fetchval(ERASE["erasures"])
        await connection.execute(SQL["one_at_a_time"], _LOCK + account)
        erased = await erased_times(connection, keys)
        known = {key: load_attributes(facts) for key, facts in await connection.fetch(SQL["contacts"], list(set(keys)))}
        changed: dict[bytes, str] = {}
        changes = 0
        for key, each in zip(keys, statements, strict=True):
            if key in erased and not (each.is_dated and each.updated_at > erased[key]):
                # A list that still names who was erased brings nobody back; a statement about a later time does.
                continue
            if take_contact(known.setdefault(key, {}), each):
                changed[key] = each.contact_id
                changes += 1
        if changed:
            await _state_contacts(connection, account, changed, known, layout)
            stated = {key for key, each in zip(keys, statements, strict=True) if each.permission_to_send is not None}
            await update_permissions(connection, stated & changed.keys(), layout)
    return changes


async def _state_contacts(
    connection: Connection, account: int, contact_ids: dict[bytes, str], known: dict[bytes, Attributes], layout: Layout
) -> None:
    facts = [known[key] for key in contact_ids]
    values: list[list[Any]] = [
        list(contact_ids),
        [account] * len(contact_ids),
        list(contact_ids.values()),
        *([get_text(each, field) for each in facts] for field in OF_PERSON),
        [get_number(each, "created_at") for each in facts],
        [updated_at(each) for each in facts],
        [get_number(each, "deleted_at") for each in facts],
        [dump_attributes(each) for each in facts],
    ]
    rows = await layout.insert(connection, SQL, "state_contacts", values, by=0)
    for key, *person in sorted(tuple(row) for row in rows):
        for field, value in zip(OF_PERSON, person, strict=True):
            stated = known[key].get(field)
            if stated is not None and stated[0] != value:
                # Unless a later activity stated another one.
                await connection.execute(WRITE[f"learn_{field}"], key, *stated, stated[1])


async def upsert_campaigns(
    connection: Connection, names: Names, account_id: str, statements: Sequence[CampaignUpdate]
) -> int:
    """Take in what is stated of campaigns, campaign activities and links, each in a transaction of its own.

    How many statements changed something.
    """
    changes = 0
    for campaign in statements:
        learnt = Learnt()
        account, activities, _ = await names.resolve(connection, named_in(account_id, [campaign]), learnt)
        key = await names.campaign(connection, account, campaign.campaign_id)
        async with connection.transaction():
            await connection.execute(SQL["one_at_a_time"], _LOCK + account)
            is_changed = await _state_campaign(connection, key, campaign)
            for of_it, activity in zip(activities, campaign.campaign_activities, strict=True):
                facts = load_attributes(await connection.fetchval(SQL["campaign_activity"], of_it))
                if take(facts, campaign_activity_attributes(activity), campaign.updated_at):
                    await connection.execute(SQL["state_campaign_activity"], of_it, dump_attributes(facts))
                    is_changed = True
        changes += is_changed or learnt.times > 0
    return changes


async def _state_campaign(connection: Connection, key: int, campaign: CampaignUpdate) -> bool:
    facts = load_attributes(await connection.fetchval(SQL["campaign"], key))
    if not take(facts, campaign_attributes(campaign), campaign.updated_at):
        return False
    values = get_text(facts, "campaign_name"), updated_at(facts), dump_attributes(facts)
    await connection.execute(SQL["state_campaign"], key, *values)
    return True
