"""From the public ids of a batch to the keys of this file; what is named for the first time comes into being."""

from typing import TypeAlias

import apsw

from rapport.instant import Instant
from rapport.store.batch import CampaignActivityRef, LinkRef, TimestampedValue
from rapport.store.facts import overrides
from rapport.store.sqlite.connection import every, one
from rapport.store.sqlite.write import SQL

Named: TypeAlias = dict[str, str | int | None]


def account_key(connection: apsw.Connection, account_id: str, now: Instant) -> int:
    """The account's key."""
    row = one(connection, SQL["account_key"], {"account_id": account_id})
    if row is not None:
        return int(row[0])
    return _made(connection, "add_account", {"account_id": account_id, "created_time": now})


def link_keys(connection: apsw.Connection, campaign_activities: list[int], links: list[LinkRef]) -> list[int]:
    """The keys of the links that were clicked, by their places; `campaign_activities` are keys by places."""
    keys = []
    for place, link_url, url_id in links:
        clicked: Named = {"campaign_activity": campaign_activities[place], "link_url": link_url, "url_id": url_id}
        keys.append(_found_or_made(connection, "link", "add_link", clicked))
    return keys


def campaign_key(connection: apsw.Connection, account: int, campaign_id: str) -> int:
    """The key of a campaign."""
    return _found_or_made(connection, "campaign", "add_campaign", {"account": account, "campaign_id": campaign_id})


def campaign_activity_keys(connection: apsw.Connection, account: int, named: list[CampaignActivityRef]) -> list[int]:
    """The keys of campaign activities, by their places; what is stated of them is learnt."""
    keys = []
    for campaign_activity_id, name, campaign_id in named:
        called: Named = {"account": account, "campaign_activity_id": campaign_activity_id}
        row = one(connection, SQL["campaign_activity"], called)
        if row is None:
            row = (_made(connection, "add_campaign_activity", called), None, None, None, None)
        key, known_name, name_time, campaign_from_rows, campaign_time = row
        if name is not None and overrides(name, known_name, name_time):
            _learn_name(connection, key, name, known_name)
        if campaign_id is not None and overrides(campaign_id, campaign_from_rows, campaign_time):
            _learn_campaign(connection, account, key, campaign_id)
        keys.append(key)
    return keys


def _learn_name(connection: apsw.Connection, key: int, name: TimestampedValue, known: str | None) -> None:
    stated: Named = {"key": key, "campaign_activity_name": name.value, "name_time": name.created_time}
    connection.execute(SQL["name_campaign_activity"], stated)
    if name.value != known:
        connection.execute(SQL["revise_campaign_activities"])


def _learn_campaign(connection: apsw.Connection, account: int, key: int, campaign_id: TimestampedValue) -> None:
    campaign = campaign_key(connection, account, campaign_id.value)
    placed = {"key": key, "campaign": campaign, "campaign_time": campaign_id.created_time}
    connection.execute(SQL["place_campaign_activity"], placed)


def _found_or_made(connection: apsw.Connection, find: str, make: str, named: Named) -> int:
    row = one(connection, SQL[find], named)
    return _made(connection, make, named) if row is None else int(row[0])


def _made(connection: apsw.Connection, statement: str, named: Named) -> int:
    (row,) = every(connection, SQL[statement], named)
    return int(row[0])
