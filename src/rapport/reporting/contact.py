"""What did this contact do? The reports on one contact."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo

import msgspec
from msgspec.structs import replace

from rapport.activity import Activity, ActivityType
from rapport.errors import UnknownContact
from rapport.reporting.page import Page, PageRequest, fitting
from rapport.reporting.period import Period
from rapport.store.protocol import ActivityCursor, ActivityQuery, Store


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The activities of a page, each with all that was recorded of it, and the next page if there is one."""

    activities: Sequence[Activity]
    next: PageRequest | None


async def activity_details(store: Store, account_id: str, contact_id: str, request: PageRequest) -> Page:
    """A page of the contact's activities, one row an activity, newest first.

    Raises UnknownContact for a contact that the account doesn't have.
    """
    found = await store.activities(account_id, contact_id, _one_more_than(request))
    if found is None:
        raise UnknownContact(contact_id)
    rows = found.rows[: request.limit]
    following = None
    if len(found.rows) > request.limit:
        created_time, identity, *_ = rows[-1]
        following = replace(request, after=ActivityCursor(created_time, identity))
    return Page(rows=rows, campaign_activities=found.campaign_activities, next=following)


async def timeline(store: Store, account_id: str, contact_id: str, request: PageRequest) -> Timeline:
    """The same page of `activity_details`, row by row, with all that was recorded of each activity.

    Raises UnknownContact for a contact that the account doesn't have.
    """
    found = await store.activities_with_details(account_id, contact_id, _one_more_than(request))
    if found is None:
        raise UnknownContact(contact_id)
    shown = found[: fitting(request.limit, (_text_length(each.activity) for each in found))]
    following = None
    if len(found) > len(shown):
        following = replace(request, after=shown[-1].position)
    return Timeline(activities=[each.activity for each in shown], next=following)


def _text_length(activity: Activity) -> int:
    link_url = None if activity.link is None else activity.link.link_url
    return len(link_url or "") + len(activity.opt_out_reason or "")


async def activity_counts(store: Store, account_id: str, contact_id: str, period: Period) -> Mapping[ActivityType, int]:
    """How much of each type the contact did within a period.

    Raises UnknownContact for a contact that the account doesn't have.
    """
    found = await store.activity_counts(account_id, contact_id, period.start, period.end)
    if found is None:
        raise UnknownContact(contact_id)
    return found


async def activity_days(
    store: Store, account_id: str, contact_id: str, period: Period, zone: tzinfo
) -> Mapping[date, int]:
    """How much the contact did within a period, on each day of a zone.

    Raises UnknownContact for a contact that the account doesn't have.
    """
    found = await store.count_by_quarter_hour(account_id, contact_id, period.start, period.end)
    if found is None:
        raise UnknownContact(contact_id)
    days = Counter[date]()
    for quarter, activities in found:
        days[datetime.fromtimestamp(quarter * 900, zone).date()] += activities
    return days


def _one_more_than(request: PageRequest) -> ActivityQuery:
    """One activity more than a page has: whether there is a next one."""
    return ActivityQuery(
        types=request.types, after=request.after, not_before=request.not_before, limit=request.limit + 1
    )
