"""Reports on the activities of one contact."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo

import msgspec
from msgspec.structs import replace

from rapport.activity import Activity, ActivityType
from rapport.errors import UnknownContact
from rapport.reporting.page import Page, PageRequest, count_fitting_rows
from rapport.reporting.period import Period
from rapport.store.activities import ActivityCursor, ActivityQuery, ActivityRepository


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """A page of activities with all recorded details, and the request for the next page, if any."""

    activities: Sequence[Activity]
    next: PageRequest | None


async def get_activity_page(
    repository: ActivityRepository, account_id: str, contact_id: str, request: PageRequest
) -> Page:
    """Return a page of the contact's activities, newest first. Raises UnknownContact."""
    activities = await repository.list_newest(account_id, contact_id, _query_with_lookahead(request))
    if activities is None:
        raise UnknownContact(contact_id)
    rows = activities.rows[: request.limit]
    next_request = None
    if len(activities.rows) > request.limit:
        created_time, identity, *_ = rows[-1]
        next_request = replace(request, after=ActivityCursor(created_time, identity))
    return Page(rows=rows, campaign_activities=activities.campaign_activities, next=next_request)


async def get_timeline(
    repository: ActivityRepository, account_id: str, contact_id: str, request: PageRequest
) -> Timeline:
    """Return the same page as `get_activity_page`, with all details of each activity. Raises UnknownContact."""
    activities = await repository.list_with_details(account_id, contact_id, _query_with_lookahead(request))
    if activities is None:
        raise UnknownContact(contact_id)
    rows = activities[: count_fitting_rows(request.limit, (_text_length(row.activity) for row in activities))]
    next_request = None
    if len(activities) > len(rows):
        next_request = replace(request, after=rows[-1].position)
    return Timeline(activities=[row.activity for row in rows], next=next_request)


def _text_length(activity: Activity) -> int:
    link_url = None if activity.link is None else activity.link.link_url
    return len(link_url or "") + len(activity.opt_out_reason or "")


async def count_activities(
    repository: ActivityRepository, account_id: str, contact_id: str, period: Period
) -> Mapping[ActivityType, int]:
    """Count the contact's activities in a period by type. Raises UnknownContact."""
    counts = await repository.count_by_type(account_id, contact_id, period.start, period.end)
    if counts is None:
        raise UnknownContact(contact_id)
    return counts


async def count_activities_by_day(
    repository: ActivityRepository, account_id: str, contact_id: str, period: Period, zone: tzinfo
) -> Mapping[date, int]:
    """Count the contact's activities in a period by day in a time zone. Raises UnknownContact."""
    quarter_hours = await repository.count_by_quarter_hour(account_id, contact_id, period.start, period.end)
    if quarter_hours is None:
        raise UnknownContact(contact_id)
    days = Counter[date]()
    for quarter_hour, activities in quarter_hours:
        days[datetime.fromtimestamp(quarter_hour * 900, zone).date()] += activities
    return days


def _query_with_lookahead(request: PageRequest) -> ActivityQuery:
    """Return the query for one activity more than the page has, which tells whether there is a next page."""
    return ActivityQuery(
        types=request.types, after=request.after, not_before=request.not_before, limit=request.limit + 1
    )
