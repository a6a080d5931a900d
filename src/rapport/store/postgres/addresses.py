"""Part of a migration: normalize email addresses."""

from rapport.email_address import normalize_query_address
from rapport.store.postgres.pool import Connection


async def normalize_addresses(connection: Connection) -> None:
    """Normalize the email addresses of contacts."""
    rows = await connection.fetch(
        "SELECT key, email_address FROM contact WHERE email_address ~ '[^ -~]' OR email_address ILIKE '%@%xn--%'"
    )
    for key, email_address in rows:
        normal = normalize_query_address(email_address)
        if normal != email_address:
            await connection.execute("UPDATE contact SET email_address = $2 WHERE key = $1", key, normal)
