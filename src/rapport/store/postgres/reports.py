"""Reports in PostgreSQL: a page from all shards, then the contacts, profiles and links of its rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rapport.errors import StoreUnavailable
from rapport.store.hashing import contact_key
from rapport.store.links import (
    NO_LINK,
    LinkClicks,
    LinkCursor,
    LinksQuery,
    digest_range,
    name_links,
    select_links,
)
from rapport.store.postgres.engine import READ_TIMEOUT, Engine
from rapport.store.postgres.pool import Connection, Reach
from rapport.store.postgres.queries import SQL
from rapport.store.reports import ReportRepository, tracking_conditions, tracking_page
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

_PAGE_TIMEOUT: Final = 6.0
"""Seconds for a page. On a cluster it takes three queries to all shards, the first on new connections."""

_MAX_ATTEMPTS: Final = 5

_EMPTY_PROFILE: Final = Profile(None, None, None)
_BEFORE_ALL_CONTACTS: Final = b""


class _Row(NamedTuple):
    """A row of `tracking_page`."""

    created_time: int
    identity: int
    contact: bytes
    profile: int | None
    link: int | None
    device_type: int | None
    bounce_code: int | None
    opt_out_reason: str | None
    event_id: str | None


class _Contact(NamedTuple):
    """A contact, its current profile, and the profiles that activities reported, by key."""

    contact_id: str
    deleted_at: int | None
    current: Profile
    reported: dict[int | None, Profile]

    @property
    def has_several_profiles(self) -> bool:
        """Return True if an activity reported another profile than the current one."""
        return any(key is not None and profile != self.current for key, profile in self.reported.items())


@lru_cache
def page_statement(conditions: tuple[str, ...]) -> str:
    """Return the statement for a page that is selected by these conditions."""
    return tracking_page(_SQL, conditions)


class PostgresReports(ReportRepository):
    """Reads reports about campaign activities, of which every node of a cluster has a part."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._pool = engine.reading

    async def list_tracking(
        self, account_id: str, campaign_activity_id: str, query: TrackingQuery
    ) -> list[TrackingRow] | None:
        """Return the activities that match the query, or None if there is no such campaign activity."""
        seconds = READ_TIMEOUT if query.is_selective else _PAGE_TIMEOUT
        async with self._pool.acquire(seconds, account_id, Reach.ALL) as connection:
            key = await connection.fetchval(_SQL["campaign_activity_key"], account_id, campaign_activity_id)
            return None if key is None else await _read_rows(connection, account_id, key, query)

    async def list_links(
        self, account_id: str, campaign_activity_id: str, query: LinksQuery
    ) -> list[LinkClicks] | None:
        """Return the links that match the query, or None if there is no such campaign activity."""
        async with self._pool.acquire(READ_TIMEOUT, account_id, Reach.ALL) as connection:
            key = await connection.fetchval(_SQL["campaign_activity_key"], account_id, campaign_activity_id)
            if key is None:
                return None
            clickers: dict[int, int] = dict(await connection.fetch(_SQL["count_clickers"], key))
            erased: dict[int, int] = dict(await connection.fetch(_SQL["count_erased_clickers"], key))
            clicks = []
            for first, keys in await connection.fetch(_SQL["group_links"], key):
                contacts = clickers.get(first, 0) if len(keys) == 1 else await _count_clickers(connection, key, keys)
                clicks.append(LinkCursor(contacts + sum(erased.get(link, 0) for link in keys), first))
            positions = select_links(clicks, query)
            rows = await connection.fetch(_SQL["name_links"], [position.key for position in positions])
        return name_links(positions, {link: (link_url, url_id) for link, link_url, url_id in rows})


async def _count_clickers(connection: Connection, campaign_activity: int, links: list[int]) -> int:
    return int(await connection.fetchval(_SQL["count_clickers_of_links"], campaign_activity, links))


async def _read_rows(
    connection: Connection, account_id: str, campaign_activity: int, query: TrackingQuery
) -> list[TrackingRow]:
    """Return a page. It is read again if one of its contacts is erased meanwhile: a shorter page would be the last."""
    for _ in range(_MAX_ATTEMPTS):
        records = await _read_page(connection, account_id, campaign_activity, query)
        rows = await _with_details(connection, records)
        if rows is not None:
            return rows
    raise StoreUnavailable("the page changed again and again while it was read")


async def _read_page(
    connection: Connection, account_id: str, campaign_activity: int, query: TrackingQuery
) -> list[_Row]:
    selection: list[object] = []
    if query.url_id is not None:
        links = await connection.fetch(_SQL["list_links"], campaign_activity, query.url_id, *digest_range(query.url_id))
        keys = [key for (key,) in links] + ([0] if query.url_id == NO_LINK else [])
        if not keys:
            return []
        selection = [keys]
    elif query.bounce_codes:
        selection = [query.bounce_bits]
    elif query.contacts_filter is not None:
        selection = [query.filter_text]
    rows = await connection.fetch(
        page_statement(tracking_conditions(query)),
        *(campaign_activity, int(query.type), query.not_before),
        *_position(account_id, query.after),
        query.limit,
        *selection,
    )
    return [_Row(*row) for row in rows]


def _position(account_id: str, cursor: TrackingCursor) -> tuple[int, bytes, int]:
    contact = contact_key(account_id, cursor.contact_id) if cursor.contact_id else _BEFORE_ALL_CONTACTS
    return cursor.created_time, contact, cursor.identity


async def _with_details(connection: Connection, records: Sequence[_Row]) -> list[TrackingRow] | None:
    """Return the rows with all details, or None if those of a contact no longer exist."""
    if not records:
        return []
    contacts = await _read_contacts(connection, {row.contact for row in records})
    links = await _read_links(connection, {row.link for row in records if row.link is not None})
    for row in records:
        if row.contact not in contacts or (row.link is not None and row.link not in links):
            return None
        if row.profile is not None and row.profile not in contacts[row.contact].reported:
            return None
    rows = [_tracking_row(row, contacts[row.contact], links) for row in records]
    missing = contacts_missing_fields(rows)
    if not missing:
        return rows
    several = {
        key: contact.contact_id
        for key, contact in contacts.items()
        if contact.contact_id in missing and contact.has_several_profiles
    }
    return resolve_profiles(rows, await _read_profiles(connection, several, rows[0].created_time))


async def _read_contacts(connection: Connection, keys: set[bytes]) -> dict[bytes, _Contact]:
    contacts: dict[bytes, _Contact] = {}
    for row in await connection.fetch(_SQL["get_profiles"], list(keys)):
        key, contact_id, deleted_at, *columns = row
        if key not in contacts:
            contacts[key] = _Contact(contact_id, deleted_at, Profile(*columns[:3]), {})
        contacts[key].reported[columns[3]] = Profile(*columns[4:])
    return contacts


async def _read_links(connection: Connection, keys: set[int]) -> dict[int, tuple[str | None, str | None]]:
    if not keys:
        return {}
    rows = await connection.fetch(_SQL["name_links"], list(keys))
    return {key: (link_url, url_id) for key, link_url, url_id in rows}


async def _read_profiles(
    connection: Connection, contacts: Mapping[bytes, str], until: int
) -> Mapping[str, Sequence[ReportedProfile]]:
    """Return all profiles that activities of the contacts reported until a time."""
    profiles: dict[str, list[ReportedProfile]] = defaultdict(list)
    if contacts:
        rows = await connection.fetch(_SQL["list_profiles"], list(contacts), until)
        for contact, created_time, identity, *profile in rows:
            profiles[contacts[contact]].append((created_time, identity, Profile(*profile)))
    return profiles


def _tracking_row(row: _Row, contact: _Contact, links: Mapping[int, tuple[str | None, str | None]]) -> TrackingRow:
    link_url, url_id = (None, None) if row.link is None else links[row.link]
    return TrackingRow(
        created_time=row.created_time,
        identity=row.identity,
        contact_id=contact.contact_id,
        profile_at_activity=_EMPTY_PROFILE if row.profile is None else contact.reported[row.profile],
        current_profile=contact.current,
        deleted_at=contact.deleted_at,
        device_type=row.device_type,
        bounce_code=row.bounce_code,
        opt_out_reason=row.opt_out_reason,
        link_url=link_url,
        url_id=url_id,
        event_id=row.event_id,
    )
