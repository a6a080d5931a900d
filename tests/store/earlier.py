"""A store as an earlier Rapport left it."""

import asyncio
from pathlib import Path

import apsw
import asyncpg

from rapport.store.sqlite.connection import DATABASE

PERMISSION = (
    *("DROP INDEX contact_by_opt_out", "DROP VIEW opt_out_source"),
    *(f"ALTER TABLE contact DROP COLUMN {column}" for column in ("opt_out_date", "opt_out_source", "opt_out_reason")),
)
"""What version 18 of the schema added."""

APPLICATIONS = tuple(
    f"DROP TABLE {table}"
    for table in ("application", "application_grant", "authorization_code", "device_authorization")
)
"""What version 40 of the schema added."""

_BROUGHT = (
    *APPLICATIONS,
    *PERMISSION,
    "UPDATE tracking_activity SET identity = identity * 65536 + 7 WHERE event_id IS NULL",
    "DROP TABLE readiness",
    *("DROP INDEX contact_by_last_name", "DROP INDEX contact_by_name"),
    *("DROP TABLE erased_hour", "DROP TABLE campaign_activity_hour"),
    *("DROP TABLE IF EXISTS feed_pruned", "DROP TABLE feed"),
    "DROP VIEW permission_to_send",
    *("DROP INDEX contact_by_creation", "DROP INDEX contact_by_update"),
    *(
        f"ALTER TABLE contact DROP COLUMN {column}"
        for column in ("permission_to_send", "created_at", "updated_at", "deleted_at", "facts")
    ),
    *(f"ALTER TABLE campaign DROP COLUMN {column}" for column in ("campaign_name", "updated_at", "facts")),
    "ALTER TABLE campaign_activity DROP COLUMN facts",
    "DROP TABLE IF EXISTS erasure",
    *("DROP TABLE erased_link", "DROP TABLE erased_stats", "DROP TABLE erased_contact"),
    "DROP TABLE clicked_link",
    "DROP INDEX campaign_activity_by_campaign",
    "DROP INDEX contact_by_email_address",
    *("DROP TABLE campaign_activity_stats", "DROP TABLE bounced_contact", "DROP TABLE engagement"),
)
"""By version 4 of the schema and those since, the last first: a new migration adds its own."""

_ALL_THAT_WAS_SAID = """
INSERT INTO person (contact, number, email_address, first_name, last_name)
SELECT key, 1, email_address, first_name, last_name FROM contact
WHERE EXISTS (SELECT 1 FROM tracking_activity WHERE contact = contact.key AND person = 1)
ON CONFLICT DO NOTHING
"""
"""As version 16 of SQLite's schema leaves it out."""


def without_roll_ups(data: str) -> None:
    """Take from the store what version 4 of the schema brought, and those since."""
    if not data.startswith("postgresql:"):
        without_contact_order(data)
        execute(data, _ALL_THAT_WAS_SAID)
    execute(data, *_BROUGHT, "DELETE FROM schema_migration WHERE number >= 4")


def remove_derived_permissions(data: str) -> None:
    """Take from the store what version 18 of the schema added: only statements set a permission then."""
    restore = "UPDATE contact SET permission_to_send = facts ->> '$.permission_to_send[0]'"
    if data.startswith("postgresql:"):
        restore = "UPDATE contact SET permission_to_send = (facts #>> '{permission_to_send,0}')::smallint"
    execute(
        data,
        *PERMISSION,
        restore,
        "DELETE FROM schema_migration WHERE number = 18",
    )


def without_contact_order(data: str) -> None:
    """Take from an SQLite store what version 21 of its schema brought."""
    execute(
        data,
        "DROP INDEX tracking_activity_by_campaign_activity",
        "ALTER TABLE tracking_activity DROP COLUMN contact_order",
        "CREATE INDEX tracking_activity_by_campaign_activity ON tracking_activity"
        " (campaign_activity, type, created_time, contact, identity, link, bounce_code)",
        "DELETE FROM schema_migration WHERE number = 21",
    )


def execute(data: str, *statements: str) -> None:
    """Do by hand what nobody should."""
    if data.startswith("postgresql:"):
        asyncio.run(_execute(data, statements))
        return
    connection = apsw.Connection(str(Path(data) / DATABASE))
    for statement in statements:
        connection.execute(statement)
    connection.close()


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()
