"""Resolve the public ids of a batch to keys, and create what doesn't exist."""

from typing import Final, TypeAlias

import apsw

from rapport.instant import Instant
from rapport.store.batch import CampaignActivityRef, LinkRef, TimestampedValue
from rapport.store.last_write_wins import is_newer
from rapport.store.sqlite.connection import fetch_all, fetch_one
from rapport.store.sqlite.queries import SQL

_SQL: Final = SQL["ingest"]
_ACCOUNTS: Final = SQL["accounts"]

_Params: TypeAlias = dict[str, str | int | None]


def account_key(connection: apsw.Connection, account_id: str, now: Instant) -> int:
    """Return the account's key."""
    row = fetch_one(connection, _ACCOUNTS["get_key"], {"account_id": account_id})
    if row is not None:
        return int(row[0])
    return _create(connection, _ACCOUNTS["add"], {"account_id": account_id, "created_time": now})


def link_keys(connection: apsw.Connection, campaign_activities: list[int], links: list[LinkRef]) -> list[int]:
    """Return the keys of links by index; `campaign_activities` are the batch's keys by index."""
    keys = []
    for index, link_url, url_id in links:
        params: _Params = {"campaign_activity": campaign_activities[index], "link_url": link_url, "url_id": url_id}
        keys.append(_find_or_create(connection, "get_link", "add_link", params))
    return keys


def campaign_key(connection: apsw.Connection, account: int, campaign_id: str) -> int:
    """Return the key of a campaign."""
    params: _Params = {"account": account, "campaign_id": campaign_id}
    return _find_or_create(connection, "get_campaign", "add_campaign", params)


def campaign_activity_keys(connection: apsw.Connection, account: int, refs: list[CampaignActivityRef]) -> list[int]:
    """Return the keys of campaign activities by index, and update their names and campaigns."""
    keys = []
    for campaign_activity_id, name, campaign_id in refs:
        params: _Params = {"account": account, "campaign_activity_id": campaign_activity_id}
        row = fetch_one(connection, _SQL["get_campaign_activity"], params)
        if row is None:
            row = (_create(connection, _SQL["add_campaign_activity"], params), None, None, None, None)
        key, stored_name, name_time, stored_campaign_id, campaign_time = row
        if name is not None and is_newer(*name, stored_name, name_time):
            _set_name(connection, key, name, stored_name)
        if campaign_id is not None and is_newer(*campaign_id, stored_campaign_id, campaign_time):
            _set_campaign(connection, account, key, campaign_id)
        keys.append(key)
    return keys


def _set_name(connection: apsw.Connection, key: int, name: TimestampedValue, stored: str | None) -> None:
    params: _Params = {"key": key, "campaign_activity_name": name.value, "name_time": name.created_time}
    connection.execute(_SQL["set_campaign_activity_name"], params)
    if name.value != stored:
        connection.execute(_SQL["bump_names_revision"])


def _set_campaign(connection: apsw.Connection, account: int, key: int, campaign_id: TimestampedValue) -> None:
    campaign = campaign_key(connection, account, campaign_id.value)
    params = {"key": key, "campaign": campaign, "campaign_time": campaign_id.created_time}
    connection.execute(_SQL["set_campaign_activity_campaign"], params)


def _find_or_create(connection: apsw.Connection, find: str, create: str, params: _Params) -> int:
    row = fetch_one(connection, _SQL[find], params)
    return _create(connection, _SQL[create], params) if row is None else int(row[0])


def _create(connection: apsw.Connection, query: str, params: _Params) -> int:
    (row,) = fetch_all(connection, query, params)
    return int(row[0])
