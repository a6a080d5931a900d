"""Part of a migration: the feed's keys of activities with an event id, whose identity has changed."""

from rapport.store.event_identities import earlier_event_identity, replace_keys
from rapport.store.feed import FeedKey, unpacked
from rapport.store.postgres.feed import KEY_FORMAT, SQL
from rapport.store.postgres.pool import Connection

_EVENTS = """
SELECT contact, type, created_time, identity, event_id FROM tracking_activity
WHERE contact = ANY($1::bytea[]) AND type = ANY($2::smallint[]) AND created_time = ANY($3::timestamptz[])
  AND event_id IS NOT NULL
"""


async def update_feed_identities(connection: Connection) -> None:
    """Have the feed name activities with an event id by their present identity."""
    for number, stored in await connection.fetch("SELECT number, keys FROM feed"):
        keys = unpacked(KEY_FORMAT, stored)
        contacts, activity_types, times = ([*{key[column] for key in keys}] for column in range(3))
        changes: dict[FeedKey, FeedKey] = {}
        for contact, activity_type, created_time, identity, event_id in await connection.fetch(
            _EVENTS, contacts, activity_types, times
        ):
            earlier = (contact, activity_type, created_time, earlier_event_identity(event_id))
            changes[earlier] = (contact, activity_type, created_time, identity)
        if changes:
            await connection.execute(SQL["replace"], number, replace_keys(KEY_FORMAT, stored, changes))
