"""Export the data of a contact as lines that can be imported again."""

from collections.abc import AsyncIterator

from rapport.activity import EARLIEST
from rapport.recording.activity_codec import encode_activity
from rapport.recording.catalog_codec import encode_contact
from rapport.store.activities import START_OF_HISTORY, ActivityQuery, ActivityRepository
from rapport.store.attributes import ContactAttributes, contact_updates
from rapport.store.contacts import ContactRepository
from rapport.store.permission import PERMISSION_TYPES, NewestActivities, derive_permission, include_permission


async def export_activities(activities: ActivityRepository, account_id: str, contact_id: str) -> AsyncIterator[bytes]:
    """Yield the contact's activities as lines, newest first."""
    async for activity in activities.iterate(account_id, contact_id):
        yield encode_activity(activity) + b"\n"


async def export_contact(
    contacts: ContactRepository, activities: ActivityRepository, account_id: str, contact_id: str
) -> AsyncIterator[bytes]:
    """Yield the contact's attributes as updates, one line per `updated_at`, with the current permission."""
    stored = await contacts.get_attributes(account_id, contact_id)
    attributes = {} if stored is None else stored.attributes
    newest = await _read_newest(activities, account_id, contact_id)
    included = include_permission(attributes, contact_id, derive_permission(attributes, newest))
    for update in contact_updates(ContactAttributes(contact_id, included)):
        yield encode_contact(update) + b"\n"


async def _read_newest(activities: ActivityRepository, account_id: str, contact_id: str) -> NewestActivities:
    opt_outs, sign_ups = [
        await activities.list_with_details(
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
