"""Takes in what sources state of contacts and campaigns, within transactions of the connection that writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from rapport.catalogue import CampaignUpdate, ContactUpdate
from rapport.instant import Instant
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
from rapport.store.sqlite.connection import Values, every, one
from rapport.store.sqlite.erasing import erased_times
from rapport.store.sqlite.keys import account_key, campaign_activity_keys, campaign_key, link_keys
from rapport.store.sqlite.permission import update_permissions
from rapport.store.sqlite.write import SQL as WRITE
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "catalogue.sql")


class _Contact:
    """A contact as its row is: its key, what is known of the person, and the facts."""

    __slots__ = ("facts", "is_changed", "key", "person")

    def __init__(self, key: int, person: Sequence[str | None], facts: Attributes) -> None:
        self.key = key
        self.person = dict(zip(OF_PERSON, person, strict=True))
        self.facts = facts
        self.is_changed = False


def upsert_contacts(
    connection: apsw.Connection, account_id: str, statements: Sequence[ContactUpdate], now: Instant
) -> int:
    """Take in what is stated of contacts. How many statements changed something."""
    account = account_key(connection, account_id, now)
    erased = erased_times(connection, [contact_key(account_id, each.contact_id) for each in statements], now)
    known = _known(connection, account, {each.contact_id for each in statements})
    changes = 0
    for each in statements:
        until = erased.get(contact_key(account_id, each.contact_id))
        if until is not None and not (each.is_dated and each.updated_at > until):
            # A list that still names who was erased brings nobody back; a statement about a later time does.
            continue
        contact = known.get(each.contact_id)
        is_new = contact is None
        if contact is None:
            made = (account, each.contact_id, None, None, None)
            ((key,),) = every(connection, WRITE["add_contact"], made)
            contact = known[each.contact_id] = _Contact(int(key), (None, None, None), {})
        is_changed = take_contact(contact.facts, each)
        contact.is_changed |= is_changed
        changes += is_new or is_changed
    for contact in known.values():
        if contact.is_changed:
            _state_contact(connection, contact)
    stated = {each.contact_id for each in statements if each.permission_to_send is not None}
    keys = [known[contact_id].key for contact_id in stated if contact_id in known and known[contact_id].is_changed]
    update_permissions(connection, keys)
    return changes


def _known(connection: apsw.Connection, account: int, contact_ids: set[str]) -> dict[str, _Contact]:
    params: Values = {"account": account, "contact_ids": apsw.carray(tuple(contact_ids))}
    return {
        contact_id: _Contact(key, person, load_attributes(facts))
        for contact_id, key, *person, facts in every(connection, SQL["contacts"], params)
    }


def _state_contact(connection: apsw.Connection, contact: _Contact) -> None:
    facts = contact.facts
    connection.execute(
        SQL["state_contact"],
        (
            get_number(facts, "created_at"),
            updated_at(facts),
            get_number(facts, "deleted_at"),
            dump_attributes(facts),
            contact.key,
        ),
    )
    differing = [field for field in OF_PERSON if field in facts and facts[field][0] != contact.person[field]]
    if differing:
        connection.execute(WRITE["keep_person"], {"contact": contact.key})
        for field in differing:
            # Unless a later activity stated another one.
            value, time = facts[field]
            stated: Values = {"contact": contact.key, "stated": value, "created_time": time}
            connection.execute(WRITE[f"learn_{field}"], stated)


def upsert_campaigns(
    connection: apsw.Connection, account_id: str, statements: Sequence[CampaignUpdate], now: Instant
) -> int:
    """Take in what is stated of campaigns, campaign activities and links. How many statements changed something."""
    account = account_key(connection, account_id, now)
    changes = 0
    for campaign in statements:
        before = connection.total_changes()
        _state_campaign(connection, account, campaign)
        named = named_in(account_id, [campaign])
        keys = campaign_activity_keys(connection, account, named.campaign_activities)
        link_keys(connection, keys, named.links)
        for key, activity in zip(keys, campaign.campaign_activities, strict=True):
            ((stored,),) = every(connection, SQL["campaign_activity"], {"key": key})
            facts = load_attributes(stored)
            if take(facts, campaign_activity_attributes(activity), campaign.updated_at):
                connection.execute(SQL["state_campaign_activity"], (dump_attributes(facts), key))
        changes += connection.total_changes() != before
    return changes


def add_links(connection: apsw.Connection, account_id: str, campaign: CampaignUpdate, now: Instant) -> bool:
    """Add the links of a campaign, ahead of the rest of what is stated of it. Return True if any is new."""
    account = account_key(connection, account_id, now)
    before = connection.total_changes()
    named = named_in(account_id, [campaign])
    activities = [activity._replace(campaign_id=None) for activity in named.campaign_activities]
    link_keys(connection, campaign_activity_keys(connection, account, activities), named.links)
    return connection.total_changes() != before


def _state_campaign(connection: apsw.Connection, account: int, campaign: CampaignUpdate) -> None:
    key = campaign_key(connection, account, campaign.campaign_id)
    named: Values = {"account": account, "campaign_id": campaign.campaign_id}
    row = one(connection, SQL["campaign"], named)
    facts = load_attributes(None if row is None else row[1])
    if take(facts, campaign_attributes(campaign), campaign.updated_at):
        values = get_text(facts, "campaign_name"), updated_at(facts), dump_attributes(facts), key
        connection.execute(SQL["state_campaign"], values)
