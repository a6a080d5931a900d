"""Part of a migration: update the keys in the feed of activities with an event id, whose identity has changed."""

import apsw

from rapport.instant import Instant
from rapport.store.event_identities import earlier_event_identity, replace_keys
from rapport.store.feed import FeedKey, decode_keys
from rapport.store.sqlite.connection import fetch_all
from rapport.store.sqlite.feed_writer import FEED_KEY
from rapport.store.sqlite.queries import SQL

_EVENTS = """
SELECT contact, type, created_time, identity, event_id FROM tracking_activity
WHERE contact = ? AND type = ? AND created_time = ? AND event_id IS NOT NULL
"""


def update_feed_identities(connection: apsw.Connection, _now: Instant) -> None:
    """Replace the earlier identities of activities with an event id in the feed."""
    for number, stored in fetch_all(connection, "SELECT number, keys FROM feed"):
        changes: dict[FeedKey, FeedKey] = {}
        for key in decode_keys(FEED_KEY, stored):
            for *key_columns, identity, event_id in fetch_all(connection, _EVENTS, (int(key[0]), *key[1:3])):
                contact, activity_type, created_time = key_columns
                earlier = (contact, activity_type, created_time, earlier_event_identity(event_id))
                changes[earlier] = (contact, activity_type, created_time, identity)
        if changes:
            connection.execute(SQL["feed"]["update_keys"], (replace_keys(FEED_KEY, stored, changes), number))
