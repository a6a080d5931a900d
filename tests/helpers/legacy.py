"""Turn a store into one that an earlier version would have written."""

from tests.helpers.sql import execute_sql

PERMISSION_MIGRATION = (
    *("DROP INDEX contact_by_opt_out", "DROP VIEW opt_out_source"),
    *(f"ALTER TABLE contact DROP COLUMN {column}" for column in ("opt_out_date", "opt_out_source", "opt_out_reason")),
)
"""Reverses migration 18."""

APPLICATIONS = tuple(
    f"DROP TABLE {table}"
    for table in ("application", "application_grant", "authorization_code", "device_authorization")
)
"""Reverses migration 40."""

USERS = tuple(f"DROP TABLE {table}" for table in ("account_user", "sign_in_attempt", "user_session", "account_details"))
"""Reverses migrations 41 to 43."""

HOOKS = tuple(
    f"DROP TABLE {table}"
    for table in ("hook", "hook_delivery", "hook_hour", "captured_message", "unmatched_item", "used_token")
)
"""Reverses migration 30."""

MERGES = ("DROP TABLE merged_contact",)
"""Reverses migration 24."""

POSTGRESQL_SEARCH = ("DROP INDEX contact_by_part",)
SQLITE_SEARCH = (
    *(f"DROP TRIGGER contact_search_{event}" for event in ("insert", "delete", "update")),
    "DROP TABLE contact_search",
)
"""Reverse migration 25."""

DEFINITIONS = ("DROP TABLE membership", "DROP TABLE definition", "DROP VIEW definition_type")
"""Reverses migration 50."""

_REMOVE_MIGRATIONS_FROM_4 = (
    *DEFINITIONS,
    *MERGES,
    *USERS,
    *APPLICATIONS,
    *HOOKS,
    *PERMISSION_MIGRATION,
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
"""Reverses migration 4 and all later ones, newest first; a new migration adds its own statements."""

_RESTORE_FIRST_PROFILES = """
INSERT INTO person (contact, number, email_address, first_name, last_name)
SELECT key, 1, email_address, first_name, last_name FROM contact
WHERE EXISTS (SELECT 1 FROM tracking_activity WHERE contact = contact.key AND person = 1)
ON CONFLICT DO NOTHING
"""
"""Restores the profiles that migration 16 of SQLite removes."""


def remove_rollups(data: str) -> None:
    """Reverse migration 4 and all later ones."""
    if data.startswith("postgresql:"):
        execute_sql(data, *POSTGRESQL_SEARCH)
    else:
        remove_contact_order(data)
        execute_sql(data, *SQLITE_SEARCH, _RESTORE_FIRST_PROFILES)
    execute_sql(data, *_REMOVE_MIGRATIONS_FROM_4, "DELETE FROM schema_migration WHERE number >= 4")


def remove_derived_permissions(data: str) -> None:
    """Reverse migration 18, before which only contact updates set a permission."""
    restore = "UPDATE contact SET permission_to_send = facts ->> '$.permission_to_send[0]'"
    if data.startswith("postgresql:"):
        restore = "UPDATE contact SET permission_to_send = (facts #>> '{permission_to_send,0}')::smallint"
    execute_sql(
        data,
        *PERMISSION_MIGRATION,
        restore,
        "DELETE FROM schema_migration WHERE number = 18",
    )


def remove_contact_order(data: str) -> None:
    """Reverse migration 21 of SQLite."""
    execute_sql(
        data,
        "DROP INDEX tracking_activity_by_campaign_activity",
        "ALTER TABLE tracking_activity DROP COLUMN contact_order",
        "CREATE INDEX tracking_activity_by_campaign_activity ON tracking_activity"
        " (campaign_activity, type, created_time, contact, identity, link, bounce_code)",
        "DELETE FROM schema_migration WHERE number = 21",
    )
