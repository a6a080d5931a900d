"""A contact to erase, and the counters that its erasure must not change."""

import random

from rapport.activity import Activity, ActivityType, ContactProfile, Link
from rapport.instant import Instant
from rapport.store.reports import StatRow
from rapport.store.store import Store
from tests.helpers.activities import activity_from_line, list_links
from tests.helpers.rollup_oracle import random_line
from tests.helpers.sql import fetch_all

CAMPAIGN_ACTIVITIES = ["m0", "m1", "m2"]
ADA = ContactProfile(email_address="augusta@example.com", first_name="Augusta", last_name="King-Noel")


def ada_activities(number: int = 0) -> list[Activity]:
    """Return an activity of each type, with all the personal data there can be."""
    link = Link(link_url=f"https://example.com/{number % 2}")
    return [
        Activity(
            contact_id="c-augusta-king",
            campaign_activity_id="m1",
            type=activity_type,
            created_time=Instant(1_767_268_800_000 + number),
            event_id=f"<augusta-{number}-{activity_type}@example.com>",
            person=ADA,
            link=link if activity_type is ActivityType.EM_CLICKS else None,
            opt_out_reason="Too many, says Augusta" if activity_type is ActivityType.EM_OPTOUTS else None,
        )
        for activity_type in ActivityType
    ]


def random_activities(seed: int = 5, count: int = 1_200) -> list[Activity]:
    """Return random activities of many contacts."""
    rng = random.Random(seed)
    return [activity_from_line(random_line(rng, number)) for number in range(count)]


async def read_counters(store: Store) -> tuple[list[StatRow], dict[str, list[tuple[str | None, str, int]]]]:
    """Return the counters and links of all campaign activities."""
    counters = await store.reports.get_activity_stats("a", CAMPAIGN_ACTIVITIES)
    links = {key: sorted(await list_links(store, "a", key)) for key in CAMPAIGN_ACTIVITIES}
    return sorted(counters, key=repr), links


async def counters_match(store: Store) -> bool:
    """Return True if a recount finds all counters correct."""
    return [difference async for difference in store.verification.verify(repair=False)] == []


def list_tables(location: str) -> list[str]:
    """Return the names of the tables of a store."""
    if location.startswith("postgresql:"):
        query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        return [name for (name,) in fetch_all(location, query)]
    return [name for (name,) in fetch_all(location, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
