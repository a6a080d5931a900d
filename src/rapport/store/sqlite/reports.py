"""Reports in SQLite, read in a thread.

A page has up to 500 joined rows, and the clicks of a single link are found among all clicks: neither belongs in the
event loop.
"""

from array import array
from collections import defaultdict
from functools import lru_cache
from typing import Any, Final

import apsw

from rapport.store.hashing import contact_order
from rapport.store.links import (
    NO_LINK,
    LinkClicks,
    LinkCursor,
    LinksQuery,
    make_url_id,
    name_links,
    select_links,
)
from rapport.store.reports import ReportRepository, tracking_conditions, tracking_page
from rapport.store.sqlite.connection import Values, fetch_all, fetch_one
from rapport.store.sqlite.engine import Engine
from rapport.store.sqlite.queries import SQL
from rapport.store.tracking import (
    Profile,
    ReportedProfile,
    TrackingCursor,
    TrackingQuery,
    TrackingRow,
    contacts_missing_fields,
    resolve_profiles,
)

_SQL: Final = SQL["reports"]

_BEFORE_ALL_CONTACTS: Final = -(2**63), 0
"""Precedes the order and the key of every contact."""


@lru_cache
def page_statement(conditions: tuple[str, ...]) -> str:
    """Return the statement for a page that is selected by these conditions."""
    return tracking_page(_SQL, conditions)


class SQLiteReports(ReportRepository):
    """Reads reports about campaign activities."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._report = engine.report

    async def list_tracking(
        self, account_id: str, campaign_activity_id: str, query: TrackingQuery
    ) -> list[TrackingRow] | None:
        """Return the activities that match the query, or None if there is no such campaign activity."""

        def read(connection: apsw.Connection) -> list[TrackingRow] | None:
            key = _find_campaign_activity(connection, account_id, campaign_activity_id)
            return None if key is None else _read_page(connection, account_id, key, query)

        return await self._report(account_id, read)

    async def list_links(
        self, account_id: str, campaign_activity_id: str, query: LinksQuery
    ) -> list[LinkClicks] | None:
        """Return the links that match the query, or None if there is no such campaign activity."""

        def read(connection: apsw.Connection) -> list[LinkClicks] | None:
            key = _find_campaign_activity(connection, account_id, campaign_activity_id)
            return None if key is None else _read_links(connection, key, query)

        return await self._report(account_id, read)


def _find_campaign_activity(connection: apsw.Connection, account_id: str, campaign_activity_id: str) -> int | None:
    params: Values = {"account_id": account_id, "campaign_activity_id": campaign_activity_id}
    row = fetch_one(connection, _SQL["campaign_activity_key"], params)
    return None if row is None else row[0]


def _read_links(connection: apsw.Connection, campaign_activity: int, query: LinksQuery) -> list[LinkClicks]:
    params = {"campaign_activity": campaign_activity}
    clickers = dict(fetch_all(connection, _SQL["count_clickers"], params))
    erased = dict(fetch_all(connection, _SQL["count_erased_clickers"], params))
    clicks = []
    for first, text in fetch_all(connection, _SQL["group_links"], params):
        contacts, keys = clickers.get(first, 0), [first]
        if "," in text:
            keys = [int(key) for key in text.split(",")]
            contacts = _count_clickers(connection, campaign_activity, keys)
        clicks.append(LinkCursor(contacts + sum(erased.get(key, 0) for key in keys), first))
    positions = select_links(clicks, query)
    if not positions:
        return []
    values: Values = {"links": _array([position.key for position in positions])}
    names = {key: (link_url, url_id) for key, link_url, url_id in fetch_all(connection, _SQL["name_links"], values)}
    return name_links(positions, names)


def _count_clickers(connection: apsw.Connection, campaign_activity: int, links: list[int]) -> int:
    params: Values = {"campaign_activity": campaign_activity, "links": _array(links)}
    ((contacts,),) = fetch_all(connection, _SQL["count_clickers_of_links"], params)
    return int(contacts)


def _read_page(
    connection: apsw.Connection, account_id: str, campaign_activity: int, query: TrackingQuery
) -> list[TrackingRow]:
    after_order, after_contact = _contact_position(connection, account_id, query.after)
    params: dict[str, Any] = {
        "campaign_activity": campaign_activity,
        "type": int(query.type),
        "not_before": query.not_before,
        "after_time": query.after.created_time,
        "after_order": after_order,
        "after_contact": after_contact,
        "after_identity": query.after.identity,
        "limit": query.limit,
    }
    if query.url_id is not None:
        links = _find_links(connection, campaign_activity, query.url_id)
        if not links:
            return []
        params["links"] = _array(links)
    if query.bounce_codes:
        params["bounce_bits"] = query.bounce_bits
    if query.contacts_filter is not None:
        params["contacts_filter"] = query.filter_text
    rows = fetch_all(connection, page_statement(tracking_conditions(query)), params)
    # In the order of the index, which the joins don't guarantee.
    rows.sort(key=lambda row: (row[0], row[-2], row[-1], row[1]), reverse=True)
    return _with_profiles(connection, rows)


def _contact_position(connection: apsw.Connection, account_id: str, cursor: TrackingCursor) -> tuple[int, int]:
    """Return the order and the key of a contact, which may have been erased since the last page."""
    if not cursor.contact_id:
        return _BEFORE_ALL_CONTACTS
    order = contact_order(account_id, cursor.contact_id)
    if cursor.contact_key is not None:
        return order, cursor.contact_key
    # A cursor of an earlier version.
    row = fetch_one(connection, _SQL["contact_key"], {"account_id": account_id, "contact_id": cursor.contact_id})
    return order, 0 if row is None else row[0]


def _find_links(connection: apsw.Connection, campaign_activity: int, url_id: str) -> list[int]:
    """Return the keys of the links with this url_id; 0 stands for clicks without a link."""
    # Row by row, as all links together may be large.
    links = connection.execute(_SQL["list_links"], {"campaign_activity": campaign_activity})
    keys = [key for key, link_url, own in links if url_id == (make_url_id(link_url) if own is None else own)]
    return [*keys, 0] if url_id == NO_LINK else keys


def _with_profiles(connection: apsw.Connection, records: list[tuple[Any, ...]]) -> list[TrackingRow]:
    rows = [_tracking_row(*row) for row in records]
    missing = contacts_missing_fields(rows)
    if not missing:
        return rows
    contacts = {row[-1]: row[2] for row in records if row[2] in missing}
    return resolve_profiles(rows, _read_profiles(connection, contacts, rows[0].created_time))


def _read_profiles(
    connection: apsw.Connection, contacts: dict[int, str], until: int
) -> dict[str, list[ReportedProfile]]:
    """Return the reported profiles of the contacts that have several."""
    keys = fetch_all(connection, _SQL["find_with_several_profiles"], {"contacts": _array(list(contacts))})
    profiles: dict[str, list[ReportedProfile]] = defaultdict(list)
    if keys:
        params: Values = {"contacts": _array([contact for (contact,) in keys]), "until": until}
        for contact, created_time, identity, *profile in fetch_all(connection, _SQL["list_profiles"], params):
            profiles[contacts[contact]].append((created_time, identity, Profile(*profile)))
    return profiles


def _array(numbers: list[int]) -> "apsw.CArrayBinding":
    return apsw.carray(array("q", numbers))


def _tracking_row(created_time: int, identity: int, contact_id: str, *columns: Any) -> TrackingRow:  # noqa: ANN401 - columns of a row
    deleted_at, device_type, bounce_code, opt_out_reason, link_url, url_id, event_id, _order, contact_key = columns[6:]
    return TrackingRow(
        created_time=created_time,
        identity=identity,
        contact_id=contact_id,
        profile_at_activity=Profile(*columns[:3]),
        current_profile=Profile(*columns[3:6]),
        deleted_at=deleted_at,
        device_type=device_type,
        bounce_code=bounce_code,
        opt_out_reason=opt_out_reason,
        link_url=link_url,
        url_id=url_id,
        event_id=event_id,
        contact_key=contact_key,
    )
