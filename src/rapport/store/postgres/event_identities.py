"""Part of a migration: update the keys in the feed of activities with an event id, whose identity has changed."""

from rapport.store.event_identities import earlier_event_identity, replace_keys
from rapport.store.feed import FeedKey, decode_keys
from rapport.store.postgres.feed_writer import FEED_KEY
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL

_EVENTS = """
SELECT contact, type, created_time, identity, event_id FROM tracking_activity
WHERE contact = ANY($1::bytea[]) AND type = ANY($2::smallint[]) AND created_time = ANY($3::timestamptz[])
  AND event_id IS NOT NULL
"""


async def update_feed_identities(connection: Connection) -> None:
    """Replace the earlier identities of activities with an event id in the feed."""
    for number, stored in await connection.fetch("SELECT number, keys FROM feed"):
        keys = decode_keys(FEED_KEY, stored)
        contacts, activity_types, times = ([*{key[column] for key in keys}] for column in range(3))
        changes: dict[FeedKey, FeedKey] = {}
        for contact, activity_type, created_time, identity, event_id in await connection.fetch(
            _EVENTS, contacts, activity_types, times
        ):
            earlier = (contact, activity_type, created_time, earlier_event_identity(event_id))
            changes[earlier] = (contact, activity_type, created_time, identity)
        if changes:
            await connection.execute(SQL["feed"]["update_keys"], number, replace_keys(FEED_KEY, stored, changes))
