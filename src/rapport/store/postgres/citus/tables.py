"""Distribute the tables over a cluster: everything of a contact on one shard, small tables on every node.

See docs/scaling.md for what a cluster guarantees.
"""

from typing import Final

from rapport.store.postgres.pool import Connection

REFERENCE_TABLES: Final = ("account", "campaign", "campaign_activity", "link", "revision")
"""On every node, because every page and every write of a contact needs them."""

DISTRIBUTED_TABLES: Final = (
    *("contact", "person", "tracking_activity", "membership"),
    *("engagement", "bounced_contact", "clicked_link", "campaign_activity_stats", "campaign_activity_hour"),
    *("erased_stats", "erased_link", "erased_hour"),
)
"""Distributed by contact; stats by buckets on the same shards."""

_HOOK_TABLES: Final = ("hook", "hook_delivery", "hook_hour", "captured_message", "unmatched_item", "used_token")
_OAUTH_TABLES: Final = ("application", "application_grant", "authorization_code", "device_authorization")
_USER_TABLES: Final = ("account_details", "account_user", "user_session", "sign_in_attempt")
_LOCAL_TABLES: Final = (
    "definition",
    *("request_count", "secret", "erasure", "erased_contact", "merged_contact", "feed", "feed_pruned", "readiness"),
    *_HOOK_TABLES,
    *_OAUTH_TABLES,
    *_USER_TABLES,
)
"""On the coordinator only."""

ALL_TABLES: Final = (*REFERENCE_TABLES, *DISTRIBUTED_TABLES, *_LOCAL_TABLES)

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
    """Return True if the database has the Citus extension."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"))


async def distributed(connection: Connection) -> set[str]:
    """Return our tables that are distributed already."""
    rows = await connection.fetch("SELECT logicalrelid::text FROM pg_dist_partition WHERE partmethod IN ('h', 'n')")
    return {name for (name,) in rows}


async def force_sequential_mode(connection: Connection) -> None:
    """Process one shard after another until the transaction ends: a migration may change what another has read."""
    await connection.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")


async def distribute(connection: Connection) -> list[str]:
    """Distribute every table with its rows. Return a description of each change."""
    done = []
    existing = await distributed(connection)
    for table in REFERENCE_TABLES:
        if table not in existing:
            await connection.execute("SELECT create_reference_table($1::text::regclass)", table)
            done.append(f"{table} is on every node")
    for table in DISTRIBUTED_TABLES:
        if table not in existing:
            placement = (
                f"shard_count => {_SHARDS}"
                if table == DISTRIBUTED_TABLES[0]
                else f"colocate_with => '{DISTRIBUTED_TABLES[0]}'"
            )
            await connection.execute(
                f"SELECT create_distributed_table($1::text::regclass, $2, {placement})",
                table,
                _COLUMN.get(table, "contact"),
            )
            done.append(f"{table} is spread by its contacts")
    return done
