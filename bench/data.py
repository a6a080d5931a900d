"""Generate activities of a given number of contacts, the same in every run."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rapport.activity import Activity, ActivityType, ContactProfile, DeviceType, Link
from rapport.instant import Instant
from rapport.recording.activity_codec import encode_activity
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store

BEGIN: Final = Instant(1_700_000_000_000)
CAMPAIGN_ACTIVITIES: Final = 300
_TYPES: Final = [ActivityType.EM_SENDS] * 8 + [ActivityType.EM_OPENS] * 7 + [ActivityType.EM_CLICKS] * 3
_RARE: Final = [ActivityType.EM_BOUNCES, ActivityType.EM_OPTOUTS]


def contact_id(number: int) -> str:
    """Return the id of a generated contact."""
    return f"{number:08x}-8b52-4b4a-97b7-50923ceb3ffd"


def activities(count: int, contacts: int, seed: int = 5) -> Iterator[Activity]:
    """Generate activities in the order of their times, of contacts in random order."""
    rng = random.Random(seed)
    types = _TYPES + _RARE
    links = [Link(link_url=f"https://shop.example.com/{page}") for page in range(10)]
    for number in range(count):
        contact = rng.randrange(contacts)
        activity_type = rng.choice(types)
        clicked = activity_type is ActivityType.EM_CLICKS
        yield Activity(
            contact_id=contact_id(contact),
            campaign_activity_id=f"fe8c43d5-9718-4b5f-b463-{rng.randrange(CAMPAIGN_ACTIVITIES):012}",
            type=activity_type,
            created_time=Instant(BEGIN + number * 37),
            person=ContactProfile(email_address=f"ada.{contact}@example.com"),
            link=rng.choice(links) if clicked else None,
            device_type=DeviceType.MOBILE if clicked else None,
        )


def histories(count: int, contacts: int, seed: int = 5) -> Iterator[Activity]:
    """Generate the same kinds of activities contact by contact, which are recorded much faster."""
    rng = random.Random(seed)
    types = _TYPES + _RARE
    links = [Link(link_url=f"https://shop.example.com/{page}") for page in range(10)]
    for contact in range(contacts):
        person = ContactProfile(email_address=f"ada.{contact}@example.com")
        for _ in range(count // contacts):
            activity_type = rng.choice(types)
            clicked = activity_type is ActivityType.EM_CLICKS
            yield Activity(
                contact_id=contact_id(contact),
                campaign_activity_id=f"fe8c43d5-9718-4b5f-b463-{rng.randrange(CAMPAIGN_ACTIVITIES):012}",
                type=activity_type,
                created_time=Instant(BEGIN + rng.randrange(count) * 37),
                person=person,
                link=rng.choice(links) if clicked else None,
                device_type=DeviceType.MOBILE if clicked else None,
            )


def write_file(file: Path, count: int, contacts: int) -> None:
    """Write generated activities to a file of NDJSON."""
    with file.open("wb") as lines:
        for activity in activities(count, contacts):
            lines.write(encode_activity(activity) + b"\n")


async def fill_store(data: str, generated: Iterator[Activity]) -> int:
    """Record the activities in the store at `data`, and return their number."""
    filled = 0
    async with open_store(Settings(data=data)) as store:
        while batch := [activity for _, activity in zip(range(20_000), generated, strict=False)]:
            await store.ingest.record([build_batch("default", batch)])
            filled += len(batch)
    return filled
