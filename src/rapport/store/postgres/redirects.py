"""Redirect what arrives for merged contacts to the contacts that they were merged into."""

from collections.abc import Collection, Sequence
from typing import Final

from rapport.errors import StoreUnavailable
from rapport.store.batch import Batch
from rapport.store.hashing import contact_key
from rapport.store.merges import redirect_contacts
from rapport.store.postgres.layout import Layout
from rapport.store.postgres.pool import Connection
from rapport.store.postgres.queries import SQL

_SQL: Final = SQL["merges"]


class ContactsMoved(StoreUnavailable):
    """A contact was merged into one on another shard since the layout was made. Nothing was recorded."""

    def __init__(self) -> None:
        super().__init__("contacts were merged meanwhile, nothing was recorded: try again")


async def find_targets(connection: Connection, account_id: str, contact_ids: Collection[str]) -> dict[str, str]:
    """Return the ids that were merged, with those of the contacts that they were merged into."""
    if not contact_ids:
        return {}
    keys = [contact_key(account_id, contact_id) for contact_id in contact_ids]
    return dict(await connection.fetch(_SQL["find_targets"], keys))


async def contact_exists(connection: Connection, account_id: str, contact_id: str) -> bool:
    """Return True if a contact exists, or ids were merged into it before anything was recorded."""
    contact = contact_key(account_id, contact_id)
    if await connection.fetchval(SQL["activities"]["contact_exists"], contact) is not None:
        return True
    return await connection.fetchval(_SQL["list_old_ids"], account_id, contact_id) is not None


async def redirect_batches(connection: Connection, batches: Sequence[Batch]) -> Sequence[Batch]:
    """Return the batches with merged contacts redirected."""
    return [
        redirect_contacts(batch, await find_targets(connection, batch.account_id, batch.contacts)) for batch in batches
    ]


def require_known_shards(layout: Layout, account_id: str, contact_ids: Collection[str]) -> None:
    """Raise ContactsMoved if a contact was merged into one whose shard isn't in the layout."""
    if not layout.knows_all(contact_key(account_id, contact_id) for contact_id in contact_ids):
        raise ContactsMoved
