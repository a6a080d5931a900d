"""From the public ids of a batch to the keys of this file.

What is named for the first time comes into being; what is stated of the known is learnt. Each function runs
within the writer's transaction.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

import apsw

from rapport.activity import Activity, Link, Person
from rapport.instant import Instant
from rapport.store.facts import Facts, facts_of_campaign_activities, facts_of_contacts, overrides
from rapport.store.sqlite.connection import every, one
from rapport.store.statements import read_statements

SQL: Final = read_statements(Path(__file__).parent / "sql" / "write.sql")

Named: TypeAlias = dict[str, str | int | None]

_LEARN: Final = {
    "email_address": SQL["learn_email_address"],
    "first_name": SQL["learn_first_name"],
    "last_name": SQL["learn_last_name"],
}


def account_key(connection: apsw.Connection, account_id: str, now: Instant) -> int:
    """The account's key."""
    row = one(connection, SQL["account_key"], {"account_id": account_id})
    if row is not None:
        return int(row[0])
    return _made(connection, "add_account", {"account_id": account_id, "created_time": now})


def contact_keys(connection: apsw.Connection, account: int, activities: Iterable[Activity]) -> dict[str, int]:
    """The keys of the activities' contacts, by contact id."""
    facts_by_contact = facts_of_contacts(activities)
    keys = {}
    for contact_id in {activity.contact_id: None for activity in activities}:
        facts = facts_by_contact.get(contact_id, {})
        named: Named = {"account": account, "contact_id": contact_id}
        row = one(connection, SQL["contact"], named)
        if row is None:
            stated: Named = {field: facts[field].value if field in facts else None for field in _LEARN}
            keys[contact_id] = _made(connection, "add_contact", {**named, **stated})
            continue
        keys[contact_id], *known = row
        for field, value in zip(_LEARN, known, strict=True):
            if field in facts and facts[field].value != value:
                stated_now = {
                    "contact": row[0],
                    "stated": facts[field].value,
                    "created_time": facts[field].created_time,
                }
                connection.execute(_LEARN[field], stated_now)
    return keys


def person_numbers(
    connection: apsw.Connection, contacts: dict[str, int], activities: Iterable[Activity]
) -> dict[tuple[int, Person], int]:
    """The number of each thing said of a contact, by the contact's key and what was said."""
    numbers: dict[tuple[int, Person], int] = {}
    for activity in activities:
        person = activity.person
        if person is None or (contacts[activity.contact_id], person) in numbers:
            continue
        contact = contacts[activity.contact_id]
        said: Named = {
            "contact": contact,
            "email_address": person.email_address,
            "first_name": person.first_name,
            "last_name": person.last_name,
        }
        numbers[contact, person] = _found_or_made(connection, "person", "add_person", said)
    return numbers


def link_keys(
    connection: apsw.Connection, campaign_activities: dict[str, int], activities: Iterable[Activity]
) -> dict[tuple[int, Link], int]:
    """The keys of the links that were clicked, by campaign activity and link."""
    keys: dict[tuple[int, Link], int] = {}
    for activity in activities:
        link = activity.link
        if link is None or (campaign_activities[activity.campaign_activity_id], link) in keys:
            continue
        campaign_activity = campaign_activities[activity.campaign_activity_id]
        clicked: Named = {"campaign_activity": campaign_activity, "link_url": link.link_url, "url_id": link.url_id}
        keys[campaign_activity, link] = _found_or_made(connection, "link", "add_link", clicked)
    return keys


def campaign_activity_keys(connection: apsw.Connection, account: int, activities: Iterable[Activity]) -> dict[str, int]:
    """The keys of the activities' campaign activities, by campaign activity id."""
    keys = {}
    for campaign_activity_id, facts in facts_of_campaign_activities(activities).items():
        named: Named = {"account": account, "campaign_activity_id": campaign_activity_id}
        row = one(connection, SQL["campaign_activity"], named)
        if row is None:
            row = (_made(connection, "add_campaign_activity", named), None, None, None, None)
        keys[campaign_activity_id] = row[0]
        _learn_name(connection, row[0], facts, known=row[1], known_time=row[2])
        _learn_campaign(connection, account, row[0], facts, known=row[3], known_time=row[4])
    return keys


def _learn_name(
    connection: apsw.Connection, key: int, facts: Facts, *, known: str | None, known_time: int | None
) -> None:
    name = facts.get("campaign_activity_name")
    if name is None or not overrides(name, known, known_time):
        return
    stated = {"key": key, "campaign_activity_name": name.value, "name_time": name.created_time}
    connection.execute(SQL["name_campaign_activity"], stated)
    if name.value != known:
        connection.execute(SQL["revise_campaign_activities"])


def _learn_campaign(
    connection: apsw.Connection, account: int, key: int, facts: Facts, *, known: str | None, known_time: int | None
) -> None:
    campaign_id = facts.get("campaign_id")
    if campaign_id is None or not overrides(campaign_id, known, known_time):
        return
    named: Named = {"account": account, "campaign_id": campaign_id.value}
    campaign = _found_or_made(connection, "campaign", "add_campaign", named)
    placed = {"key": key, "campaign": campaign, "campaign_time": campaign_id.created_time}
    connection.execute(SQL["place_campaign_activity"], placed)


def _found_or_made(connection: apsw.Connection, find: str, make: str, named: Named) -> int:
    row = one(connection, SQL[find], named)
    return _made(connection, make, named) if row is None else int(row[0])


def _made(connection: apsw.Connection, statement: str, named: Named) -> int:
    (row,) = every(connection, SQL[statement], named)
    return int(row[0])
