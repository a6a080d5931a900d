"""What did this contact do? The reports on one contact."""

from msgspec.structs import replace

from rapport.errors import UnknownContact
from rapport.reporting.page import Page, PageRequest
from rapport.store.protocol import ActivityQuery, Position, Store


async def activity_details(store: Store, account_id: str, contact_id: str, request: PageRequest) -> Page:
    """A page of the contact's activities, one row an activity, newest first (contract 1).

    Raises UnknownContact for a contact that the account doesn't have.
    """
    found = await store.activities(
        account_id,
        contact_id,
        # One more than a page: whether there is a next one.
        ActivityQuery(
            types=request.types, behind=request.behind, not_before=request.not_before, limit=request.limit + 1
        ),
    )
    if found is None:
        raise UnknownContact(contact_id)
    rows = found.rows[: request.limit]
    following = None
    if len(found.rows) > request.limit:
        created_time, identity, *_ = rows[-1]
        following = replace(request, behind=Position(created_time, identity))
    return Page(rows=rows, campaign_activities=found.campaign_activities, next=following)
