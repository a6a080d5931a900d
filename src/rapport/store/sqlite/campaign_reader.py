"""Reads the activities of a campaign activity: in the thread for reports.

A page has up to 500 joined rows, and one of a single link is found among all clicks: neither belongs into the event
loop.
"""

from array import array
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import apsw

from rapport.store.digests import contact_order
from rapport.store.links import NO_LINK, LinkClicks, LinkPlace, LinksQuery, name_links, select_links, url_id_of
from rapport.store.sqlite.connection import Values, every, one, translate_errors
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

_FIRST_CONTACT: Final = -(2**63), 0
"""Before the order and the key of every contact."""


@lru_cache
def page_of(selections: tuple[str, ...]) -> str:
    """The statement for a page, of all activities or of those that are selected."""
    return SQL["tracking_page"].replace(":selected", selecting(SQL, selections))


class CampaignReader:
    """What contacts did with a campaign activity. Raises StoreUnavailable."""

    def __init__(self, connection: apsw.Connection) -> None:
        connection.pragma("query_only", True)
        self._connection = connection

    def tracking(self, account_id: str, campaign_activity_id: str, query: TrackingQuery) -> list[TrackingRow] | None:
        """The asked for rows; None when there is no such campaign activity."""
        with translate_errors():
            named: Values = {"account_id": account_id, "campaign_activity_id": campaign_activity_id}
            found = one(self._connection, SQL["campaign_activity_key"], named)
            return None if found is None else self._rows(account_id, found[0], query)

    def links(self, account_id: str, campaign_activity_id: str, query: LinksQuery) -> list[LinkClicks] | None:
        """Return the links that match the query; None when there is no such campaign activity."""
        with translate_errors():
            named: Values = {"account_id": account_id, "campaign_activity_id": campaign_activity_id}
            found = one(self._connection, SQL["campaign_activity_key"], named)
            if found is None:
                return None
            of_it = {"campaign_activity": found[0]}
            clickers = dict(every(self._connection, SQL["link_clickers"], of_it))
            erased = dict(every(self._connection, SQL["erased_clickers"], of_it))
            clicks = []
            for first, text in every(self._connection, SQL["link_groups"], of_it):
                contacts, keys = clickers.get(first, 0), [first]
                if "," in text:
                    keys = [int(key) for key in text.split(",")]
                    contacts = self._clickers(found[0], keys)
                clicks.append(LinkPlace(contacts + sum(erased.get(key, 0) for key in keys), first))
            places = select_links(clicks, query)
            if not places:
                return []
            values: Values = {"links": _array([place.key for place in places])}
            names = {key: (link_url, own) for key, link_url, own in every(self._connection, SQL["link_names"], values)}
            return name_links(places, names)

    def _clickers(self, campaign_activity: int, links: list[int]) -> int:
        values: Values = {"campaign_activity": campaign_activity, "links": _array(links)}
        ((contacts,),) = every(self._connection, SQL["clickers_of_links"], values)
        return int(contacts)

    def _rows(self, account_id: str, campaign_activity: int, query: TrackingQuery) -> list[TrackingRow]:
        after_order, after_contact = self._place_of_contact(account_id, query.after)
        values: dict[str, Any] = {
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
            links = self._links(campaign_activity, query.url_id)
            if not links:
                return []
            values["links"] = _array(links)
        if query.bounce_codes:
            values["bounce_bits"] = query.bounce_bits
        if query.contacts_filter is not None:
            values["contacts_filter"] = query.filter_text
        found = every(self._connection, page_of(query.selections), values)
        # As the index has them: what the joins leave to chance is put right for next to nothing.
        found.sort(key=lambda row: (row[0], row[-2], row[-1], row[1]), reverse=True)
        return self._with_contacts(found)

    def _place_of_contact(self, account_id: str, place: TrackingCursor) -> tuple[int, int]:
        """Return the order and the key of a contact, which may have been erased since the last page ended there."""
        contact_id = place.contact_id
        if not contact_id:
            return _FIRST_CONTACT
        order = contact_order(account_id, contact_id)
        if place.contact_key is not None:
            return order, place.contact_key
        # A cursor of an earlier version.
        row = one(self._connection, SQL["key_of_contact"], {"account_id": account_id, "contact_id": contact_id})
        return order, 0 if row is None else row[0]

    def _links(self, campaign_activity: int, url_id: str) -> list[int]:
        """The keys of the links that are called `url_id`; 0 for what has no link."""
        # Row by row: all of them together may be large.
        links = self._connection.execute(SQL["links"], {"campaign_activity": campaign_activity})
        called = [key for key, link_url, own in links if url_id == (url_id_of(link_url) if own is None else own)]
        return [*called, 0] if url_id == NO_LINK else called

    def _with_contacts(self, found: list[tuple[Any, ...]]) -> list[TrackingRow]:
        rows = [_tracking_row(row) for row in found]
        wanted = contacts_missing_fields(rows)
        if not wanted:
            return rows
        contacts = {row[-1]: row[2] for row in found if row[2] in wanted}
        return resolve_profiles(rows, self._statements(contacts, rows[0].created_time))

    def _statements(self, contacts: dict[int, str], until: int) -> dict[str, list[Statement]]:
        """What was said of those contacts of whom several things were said."""
        several = every(self._connection, SQL["of_many_words"], {"contacts": _array(list(contacts))})
        statements: dict[str, list[Statement]] = defaultdict(list)
        if several:
            values: Values = {"contacts": _array([contact for (contact,) in several]), "until": until}
            for contact, created_time, identity, *said in every(self._connection, SQL["statements"], values):
                statements[contacts[contact]].append((created_time, identity, Known(*said)))
        return statements


def _array(numbers: list[int]) -> "apsw.CArrayBinding":
    return apsw.carray(array("q", numbers))


def _tracking_row(row: tuple[Any, ...]) -> TrackingRow:
    created_time, identity, contact_id, *who, deleted_at = row[:10]
    device_type, bounce_code, opt_out_reason, link_url, url_id, _, contact_key = row[10:]
    return TrackingRow(
        created_time=created_time,
        identity=identity,
        contact_id=contact_id,
        then=Known(*who[:3]),
        now=Known(*who[3:]),
        deleted_at=deleted_at,
        device_type=device_type,
        bounce_code=bounce_code,
        opt_out_reason=opt_out_reason,
        link_url=link_url,
        url_id=url_id,
        contact_key=contact_key,
    )
