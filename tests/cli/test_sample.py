"""The sample of `rapport demo`: it ends with the current day, and is created once."""

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from msgspec.structs import replace

from rapport.activity import Activity, ActivityType
from rapport.instant import DAY, HOUR, Instant, from_datetime
from rapport.sample import EXAMPLE_DAY, LANDING_PAGES, MAILINGS, find_day, first_contact_id, generate_sample
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from tests.helpers.command import run_rapport
from tests.helpers.loop import run_async
from tests.helpers.network import find_free_port
from tests.helpers.server import ENVIRONMENT, RAPPORT

pytestmark = pytest.mark.slow

CONTACTS = 60
EVERY_DAY_OF_A_LEAP_YEAR = [date(2024, 1, 1) + timedelta(days=number) for number in range(366)]


def start_of(day: date) -> Instant:
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=UTC))


def record(location: str, activities: Iterable[Activity]) -> None:
    async def work() -> None:
        async with open_store(Settings(data=location)) as store:
            await store.ingest.record([build_batch("default", list(activities))])

    run_async(work())


def count_contacts(location: str) -> Counter[str]:
    """Count the activities of each contact."""

    async def work() -> Counter[str]:
        async with open_store(Settings(data=location), create=False) as store:
            return Counter(
                {
                    contact_id: len([activity async for activity in store.activities.iterate("default", contact_id)])
                    for contact_id in await store.contacts.list_ids("default", "", 1_000)
                }
            )

    return run_async(work())


def run_demo(location: str, *arguments: str) -> str:
    """Run the demo until it serves, and return its output."""
    command = [
        RAPPORT,
        "demo",
        "--data",
        location,
        "--contacts",
        str(CONTACTS),
        "--port",
        str(find_free_port()),
        *arguments,
    ]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        assert demo.stdout is not None
        printed = ""
        for printed_line in demo.stdout:
            printed += printed_line
            if printed_line.startswith("Ctrl-C"):
                break
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0, printed
    return printed


def test_sample_is_deterministic_for_day_and_seed() -> None:
    assert list(generate_sample(20, 5, EXAMPLE_DAY)) == list(generate_sample(20, 5, EXAMPLE_DAY))
    other_day, other_seed = generate_sample(20, 5, EXAMPLE_DAY - timedelta(days=1)), generate_sample(20, 6, EXAMPLE_DAY)
    assert list(generate_sample(20, 5, EXAMPLE_DAY)) != list(other_day)
    assert list(generate_sample(20, 5, EXAMPLE_DAY)) != list(other_seed)


def test_sample_ends_with_given_day() -> None:
    for day in EVERY_DAY_OF_A_LEAP_YEAR:
        end = start_of(day) + DAY
        activities = list(generate_sample(15, 1, day))
        assert all(activity.created_time < end for activity in activities), day
        sent = [activity.created_time for activity in activities if activity.type is ActivityType.EM_SENDS]
        # The last email was sent at least 72 hours and about a week ago.
        assert 3 * DAY < end - max(sent) < 9 * DAY, day
        assert max(activity.created_time for activity in activities) > end - 8 * DAY, day
        names = {activity.campaign_id: activity.campaign_activity_name for activity in activities}
        assert len(names) == len(set(names.values())), day
        assert f"{(day - timedelta(days=4)):%B %Y} Newsletter" in names.values(), day


def test_demo_campaigns_are_active_in_first_three_days() -> None:
    activities = list(generate_sample(3_000, 1, EXAMPLE_DAY))
    assert {activity.type for activity in activities} == set(ActivityType)
    assert max(activity.created_time for activity in activities) > start_of(EXAMPLE_DAY)
    first: dict[str | None, Instant] = {}
    for activity in sorted(activities, key=lambda activity: activity.created_time):
        first.setdefault(activity.campaign_id, activity.created_time)
    assert len(first) == MAILINGS + LANDING_PAGES
    early = Counter(
        activity.campaign_id
        for activity in activities
        if activity.created_time < first[activity.campaign_id] + 72 * HOUR
    )
    assert min(early.values()) > 100


@pytest.mark.parametrize("seed", range(6))
def test_day_of_sample_is_read_from_recorded_activities(seed: int) -> None:
    for day in EVERY_DAY_OF_A_LEAP_YEAR[::7]:
        history = [
            activity for activity in generate_sample(3, seed, day) if activity.contact_id == first_contact_id(seed)
        ]
        assert find_day(history, 3, seed) == day
        until_noon = [activity for activity in history if activity.created_time < start_of(day) + 12 * HOUR]
        assert find_day(until_noon, 3, seed) == day
    moved = [replace(activity, created_time=Instant(activity.created_time + 1)) for activity in history]
    assert find_day(moved, 3, seed) is None
    assert find_day([], 3, seed) is None


async def test_demo_sample_ends_today_and_is_created_once(location: str) -> None:
    run_demo(location)
    first = count_contacts(location)
    assert len(first) > CONTACTS // 2
    now = Instant(time.time_ns() // 1_000_000)

    async with open_store(Settings(data=location)) as store:
        assert (
            now - 8 * DAY
            < (
                max(
                    [
                        activity.created_time
                        for contact_id in await store.contacts.list_ids("default", "", 1_000)
                        async for activity in store.activities.iterate("default", contact_id)
                    ]
                )
            )
            <= now
        )
    # A second run, also with another day, finds the sample and adds nothing.
    assert "using the data in" in run_demo(location, "--day", "2025-05-05")
    assert count_contacts(location) == first


def test_interrupted_demo_resumes_with_its_day(location: str) -> None:
    activities = list(generate_sample(CONTACTS, 1, EXAMPLE_DAY))
    record(location, islice(activities, len(activities) // 2))
    assert "it is not changed" not in run_demo(location)
    assert count_contacts(location) == Counter(activity.contact_id for activity in activities)


@pytest.mark.parametrize("part", [1, 2])
def test_demo_of_earlier_version_is_unchanged(location: str, part: int) -> None:
    # It had the same contacts, at other times.
    activities = [
        replace(activity, created_time=Instant(activity.created_time - 3 * DAY - HOUR))
        for activity in generate_sample(CONTACTS, 1, EXAMPLE_DAY)
    ]
    record(location, activities[: len(activities) // part])
    before = count_contacts(location)
    printed = run_demo(location)
    assert ("it is not changed" in printed) == (part == 2)
    assert first_contact_id(1) in printed
    assert count_contacts(location) == before


@pytest.mark.parametrize("day", ["1999-12-31", "9999-01-01", "2026-02-30", "today"])
def test_impossible_sample_day_is_rejected(tmp_path: Path, day: str) -> None:
    refused = run_rapport("demo", "--day", day, folder=tmp_path, code=2)
    assert "--day" in refused.stderr
    assert list(tmp_path.iterdir()) == []
