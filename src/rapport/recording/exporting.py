"""What is held of a contact, as lines that can be recorded again."""

from collections.abc import AsyncIterator

from rapport.activity import EARLIEST
from rapport.recording.catalog_codec import json_of_contact
from rapport.recording.lines import encode_activity
from rapport.store.catalogue import ContactAttributes, contact_updates
from rapport.store.permission import PERMISSION_TYPES, NewestActivities, derive_permission, include_permission
from rapport.store.protocol import START_OF_HISTORY, ActivityQuery, Store


async def activity_lines(store: Store, account_id: str, contact_id: str) -> AsyncIterator[bytes]:
    """All that the contact did, newest first, a line each."""
    async for activity in store.history(account_id, contact_id):
        yield encode_activity(activity) + b"\n"


async def statement_lines(store: Store, account_id: str, contact_id: str) -> AsyncIterator[bytes]:
    """Yield what was stated of the contact, a line for each time, and the permission that it has now."""
    stored = await store.get_contact_attributes(account_id, contact_id)
    facts = {} if stored is None else stored.facts
    newest = await _read_newest(store, account_id, contact_id)
    included = include_permission(facts, contact_id, derive_permission(facts, newest))
    for statement in contact_updates(ContactAttributes(contact_id, included)):
        yield json_of_contact(statement) + b"\n"


async def _read_newest(store: Store, account_id: str, contact_id: str) -> NewestActivities:
    opt_outs, sign_ups = [
        await store.activities_with_details(
            account_id,
            contact_id,
            ActivityQuery(types=(activity_type,), after=START_OF_HISTORY, not_before=EARLIEST, limit=1),
        )
        for activity_type in PERMISSION_TYPES
    ]
    opt_out = opt_outs[0].activity if opt_outs else None
    return NewestActivities(
        opt_out_time=None if opt_out is None else opt_out.created_time,
        opt_out_reason=None if opt_out is None else opt_out.opt_out_reason,
        sign_up_time=sign_ups[0].activity.created_time if sign_ups else None,
    )
