"""Spreads the tables over a cluster: all of one contact on one shard, the small tables on every node.

What a cluster promises and what it doesn't is told in docs/scaling.md.
"""

from typing import Final

from rapport.store.postgres.pool import Connection

SMALL: Final = ("account", "campaign", "campaign_activity", "link", "revision")
"""What every node has, because every page or every recording of a contact needs it beside the contact."""

LARGE: Final = (
    *("contact", "person", "tracking_activity"),
    *("engagement", "bounced_contact", "clicked_link", "campaign_activity_stats", "campaign_activity_hour"),
    *("erased_stats", "erased_link", "erased_hour"),
)
"""What is spread by the contact; the stats by buckets that lie beside it.

What is in `LOCAL` stays where it is: only the servers ask for it.
"""

HOOKS: Final = ("hook", "hook_delivery", "hook_hour", "captured_message", "unmatched_item", "used_token")
OAUTH: Final = ("application", "application_grant", "authorization_code", "device_authorization")
LOCAL: Final = (
    *("request_count", "secret", "erasure", "erased_contact", "feed", "feed_pruned", "readiness"),
    *HOOKS,
    *OAUTH,
)

_SHARDS: Final = 32

_COLUMN: Final = {
    "contact": "key",
    "campaign_activity_stats": "bucket",
    "campaign_activity_hour": "bucket",
    "erased_stats": "bucket",
    "erased_link": "bucket",
    "erased_hour": "bucket",
}


async def is_cluster(connection: Connection) -> bool:
    """Whether the database has the Citus extension."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"))


async def distributed(connection: Connection) -> set[str]:
    """Our tables that are on several nodes already."""
    found = await connection.fetch("SELECT logicalrelid::text FROM pg_dist_partition WHERE partmethod IN ('h', 'n')")
    return {name for (name,) in found}


async def in_sequence(connection: Connection) -> None:
    """Have the rest of the transaction take one shard after the other: a step may change what another has just read."""
    await connection.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")


async def distribute(connection: Connection) -> list[str]:
    """Put every table where it belongs, with what is in it; what was done, a sentence each."""
    done = []
    there = await distributed(connection)
    for table in SMALL:
        if table not in there:
            await connection.execute("SELECT create_reference_table($1::text::regclass)", table)
            done.append(f"{table} is on every node")
    for table in LARGE:
        if table not in there:
            together = f"shard_count => {_SHARDS}" if table == LARGE[0] else f"colocate_with => '{LARGE[0]}'"
            await connection.execute(
                f"SELECT create_distributed_table($1::text::regclass, $2, {together})",
                table,
                _COLUMN.get(table, "contact"),
            )
            done.append(f"{table} is spread by its contacts")
    return done
