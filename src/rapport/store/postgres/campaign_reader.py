"""Reads the activities of a campaign activity: the page from all shards, then whom and what its rows name."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from rapport.errors import StoreUnavailable
from rapport.store.digests import contact_key
from rapport.store.links import NO_LINK, LinkClicks, LinkPlace, LinksQuery, digests_of, name_links, select_links
from rapport.store.postgres.pool import LATEST_TIME, Connection, Every, Pool
from rapport.store.statements import read_statements
from rapport.store.tracking import (
    Known,
    Statement,
    TrackingCursor,
    TrackingQuery,
    TrackingRow,
    contacts_missing_fields,
    resolve_profiles,
    selecting,
)

SQL: Final = read_statements(Path(__file__).parent / "sql" / "read_campaign.sql")

PAGE_WITHIN: Final = 6.0
"""Seconds for a page. Of a cluster it takes three questions to all shards, the first by new connections to them."""
SCAN_WITHIN: Final = 12.0
"""Seconds for a page that is selected from more than it has."""

_TRIES: Final = 5

_NOTHING_SAID: Final = Known(None, None, None)
_BEFORE_ALL_CONTACTS: Final = b""


@lru_cache
def page_of(selections: tuple[str, ...]) -> str:
    """The statement for a page, of all activities or of those that are selected."""
    return SQL["tracking_page"].replace(":selected", selecting(SQL, selections))


class CampaignReader:
    """Reads through a pool. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def tracking(
        self, account_id: str, campaign_activity_id: str, query: TrackingQuery
    ) -> list[TrackingRow] | None:
        """The asked for rows; None when there is no such campaign activity."""
        seconds = SCAN_WITHIN if query.is_selective else PAGE_WITHIN
        # Of a cluster, every node has some of a campaign activity.
        async with self._pool.acquire(seconds, account_id, Every.CONTACT) as connection:
            campaign_activity = await connection.fetchval(
                SQL["campaign_activity_key"], account_id, campaign_activity_id
            )
            if campaign_activity is None:
                return None
            return await _whole_page(connection, account_id, campaign_activity, query)

    async def links(self, account_id: str, campaign_activity_id: str, query: LinksQuery) -> list[LinkClicks] | None:
        """Return the links that match the query; None when there is no such campaign activity."""
        async with self._pool.acquire(SCAN_WITHIN, account_id, Every.CONTACT) as connection:
            key = await connection.fetchval(SQL["campaign_activity_key"], account_id, campaign_activity_id)
            if key is None:
                return None
            clickers: dict[int, int] = dict(await connection.fetch(SQL["link_clickers"], key))
            erased: dict[int, int] = dict(await connection.fetch(SQL["erased_clickers"], key))
            clicks = []
            for first, keys in await connection.fetch(SQL["link_groups"], key):
                contacts = clickers.get(first, 0) if len(keys) == 1 else await _clickers(connection, key, keys)
                clicks.append(LinkPlace(contacts + sum(erased.get(link, 0) for link in keys), first))
            places = select_links(clicks, query)
            rows = await connection.fetch(SQL["link_names"], [place.key for place in places])
        return name_links(places, {link: (link_url, own) for link, link_url, own in rows})


async def _clickers(connection: Connection, campaign_activity: int, links: list[int]) -> int:
    return int(await connection.fetchval(SQL["clickers_of_links"], campaign_activity, links))


async def _whole_page(
    connection: Connection, account_id: str, campaign_activity: int, query: TrackingQuery
) -> list[TrackingRow]:
    """The rows of a page, read again if somebody on it was erased meanwhile: a shorter page would be the last."""
    for _ in range(_TRIES):
        found = await _page(connection, account_id, campaign_activity, query)
        rows = await _with_names(connection, found)
        if rows is not None:
            return rows
    raise StoreUnavailable("the page changed again and again while it was read")


async def _page(
    connection: Connection, account_id: str, campaign_activity: int, query: TrackingQuery
) -> Sequence[Sequence[Any]]:
    selection: list[object] = []
    if query.url_id is not None:
        links = await connection.fetch(SQL["links"], campaign_activity, query.url_id, *digests_of(query.url_id))
        called = [key for (key,) in links] + ([0] if query.url_id == NO_LINK else [])
        if not called:
            return []
        selection = [called]
    elif query.bounce_codes:
        selection = [query.bounce_bits]
    elif query.contacts_filter is not None:
        selection = [query.filter_text]
    found: Sequence[Sequence[Any]] = await connection.fetch(
        page_of(query.selections),
        *(campaign_activity, int(query.type), min(query.not_before, LATEST_TIME)),
        *_position(account_id, query.after),
        query.limit,
        *selection,
    )
    return found


def _position(account_id: str, after: TrackingCursor) -> tuple[int, bytes, int]:
    contact = contact_key(account_id, after.contact_id) if after.contact_id else _BEFORE_ALL_CONTACTS
    return min(after.created_time, LATEST_TIME), contact, after.identity


async def _with_names(connection: Connection, found: Sequence[Sequence[Any]]) -> list[TrackingRow] | None:
    """The rows with all that belongs to them; None if that of somebody is gone, or no more what it was."""
    if not found:
        return []
    contacts: dict[bytes, Sequence[Any]] = {}
    persons: dict[bytes, dict[int | None, Known]] = defaultdict(dict)
    for contact, *who, person, email_address, first_name, last_name in await connection.fetch(
        SQL["contacts"], list({row[2] for row in found})
    ):
        contacts[contact] = who
        persons[contact][person] = Known(email_address, first_name, last_name)
    if any(row[2] not in contacts or (row[3] is not None and row[3] not in persons[row[2]]) for row in found):
        return None
    links = await _links(connection, found)
    if any(row[4] is not None and row[4] not in links for row in found):
        return None
    rows = _rows(found, contacts, persons, links)
    wanted = contacts_missing_fields(rows)
    several = {
        key: contact_id
        for key, (contact_id, _, *now) in contacts.items()
        if contact_id in wanted
        and any(person is not None and said != Known(*now) for person, said in persons[key].items())
    }
    return resolve_profiles(rows, await _statements(connection, several, rows[0].created_time)) if wanted else rows


async def _links(connection: Connection, found: Sequence[Sequence[Any]]) -> dict[int, Sequence[str | None]]:
    clicked = {row[4] for row in found if row[4] is not None}
    if not clicked:
        return {}
    return {key: called for key, *called in await connection.fetch(SQL["link_names"], list(clicked))}


async def _statements(
    connection: Connection, contacts: Mapping[bytes, str], until: int
) -> Mapping[str, Sequence[Statement]]:
    """What was said of contacts of whom several things were said."""
    statements: dict[str, list[Statement]] = defaultdict(list)
    if contacts:
        for contact, created_time, identity, *said in await connection.fetch(SQL["statements"], list(contacts), until):
            statements[contacts[contact]].append((created_time, identity, Known(*said)))
    return statements


def _rows(
    found: Sequence[Sequence[Any]],
    contacts: Mapping[bytes, Sequence[Any]],
    persons: Mapping[bytes, Mapping[int | None, Known]],
    links: Mapping[int, Sequence[str | None]],
) -> list[TrackingRow]:
    rows = []
    for created_time, identity, contact, person, link, device_type, bounce_code, opt_out_reason in found:
        contact_id, deleted_at, *now = contacts[contact]
        link_url, url_id = (None, None) if link is None else links[link]
        rows.append(
            TrackingRow(
                created_time=created_time,
                identity=identity,
                contact_id=contact_id,
                then=_NOTHING_SAID if person is None else persons[contact][person],
                now=Known(*now),
                deleted_at=deleted_at,
                device_type=device_type,
                bounce_code=bounce_code,
                opt_out_reason=opt_out_reason,
                link_url=link_url,
                url_id=url_id,
            )
        )
    return rows
