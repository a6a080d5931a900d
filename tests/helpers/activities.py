"""Activities, and short ways to record and read them."""

from rapport.activity import BOUNCE_CODES, DEVICE_TYPES, TYPES, Activity, ActivityType, ContactProfile, Link
from rapport.instant import Instant
from rapport.store.batch import build_batch
from rapport.store.ingest import Recorded
from rapport.store.links import LinksQuery
from rapport.store.store import Store
from tests.helpers.recount import Line

NOON = Instant(1_767_268_800_000)


def make_activity(
    contact_id: str = "ada",
    activity_type: ActivityType = ActivityType.EM_OPENS,
    after: int = 0,
    *,
    campaign_activity_id: str = "m1",
    event_id: str | None = None,
    name: str | None = None,
    campaign_id: str | None = None,
    person: ContactProfile | None = None,
) -> Activity:
    """Return an activity `after` milliseconds after noon."""
    return Activity(
        contact_id=contact_id,
        campaign_activity_id=campaign_activity_id,
        type=activity_type,
        created_time=Instant(NOON + after),
        event_id=event_id,
        campaign_activity_name=name,
        campaign_id=campaign_id,
        person=person,
    )


def activity_from_line(line: Line) -> Activity:
    """Return the activity of a line."""
    device_type, bounce_code = line.get("device_type"), line.get("bounce_code")
    return Activity(
        contact_id=line["contact_id"],
        campaign_activity_id=line["campaign_activity_id"],
        type=TYPES[line["tracking_activity_type"]],
        created_time=Instant(line["created_time"]),
        event_id=line.get("event_id"),
        link=Link(link_url=line["link_url"]) if "link_url" in line else None,
        device_type=None if device_type is None else DEVICE_TYPES[device_type],
        bounce_code=None if bounce_code is None else BOUNCE_CODES[bounce_code],
    )


async def record(store: Store, *activities: Activity, account: str = "a") -> Recorded:
    """Record the activities in one batch."""
    (recorded,) = await store.ingest.record([build_batch(account, activities)])
    return recorded


async def list_activities(store: Store, contact_id: str = "ada", account: str = "a") -> list[Activity]:
    """Return all of the contact's activities."""
    return [activity async for activity in store.activities.iterate(account, contact_id)]


async def list_links(store: Store, account_id: str, campaign_activity_id: str) -> list[tuple[str | None, str, int]]:
    """Return all links of the campaign activity, most clicked first, without the keys that differ between stores."""
    query = LinksQuery(limit=100_000, with_unclicked=True)
    return [link[:3] for link in await store.reports.list_links(account_id, campaign_activity_id, query) or ()]
