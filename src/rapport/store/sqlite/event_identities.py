"""Part of a migration: the feed's keys of activities with an event id, whose identity has changed."""

import apsw

from rapport.instant import Instant
from rapport.store.event_identities import earlier_event_identity, replace_keys
from rapport.store.feed import FeedKey, unpacked
from rapport.store.sqlite.connection import every
from rapport.store.sqlite.feed import KEY_FORMAT, SQL

_EVENTS = """
SELECT contact, type, created_time, identity, event_id FROM tracking_activity
WHERE contact = ? AND type = ? AND created_time = ? AND event_id IS NOT NULL
"""


def update_feed_identities(connection: apsw.Connection, _now: Instant) -> None:
    """Have the feed name activities with an event id by their present identity."""
    for number, stored in every(connection, "SELECT number, keys FROM feed"):
        changes: dict[FeedKey, FeedKey] = {}
        for key in unpacked(KEY_FORMAT, stored):
            for *found, identity, event_id in every(connection, _EVENTS, (int(key[0]), *key[1:3])):
                contact, activity_type, created_time = found
                earlier = (contact, activity_type, created_time, earlier_event_identity(event_id))
                changes[earlier] = (contact, activity_type, created_time, identity)
        if changes:
            connection.execute(SQL["replace"], (replace_keys(KEY_FORMAT, stored, changes), number))
