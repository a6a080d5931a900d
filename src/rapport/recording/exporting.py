"""What is held of a contact, as lines that can be recorded again."""

from collections.abc import AsyncIterator

from rapport.recording.catalogue_lines import json_of_contact
from rapport.recording.lines import json_of
from rapport.store.catalogue import statements_of_contact
from rapport.store.protocol import Store


async def activity_lines(store: Store, account_id: str, contact_id: str) -> AsyncIterator[bytes]:
    """All that the contact did, newest first, a line each."""
    async for activity in store.history(account_id, contact_id):
        yield json_of(activity) + b"\n"


async def statement_lines(store: Store, account_id: str, contact_id: str) -> AsyncIterator[bytes]:
    """What was stated of the contact besides, a line for each time that it was."""
    stored = await store.stated_contact(account_id, contact_id)
    for statement in () if stored is None else statements_of_contact(stored):
        yield json_of_contact(statement) + b"\n"
