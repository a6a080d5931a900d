"""What happened when, hour by hour and day by day in any zone, equals a recount by hand."""

import asyncio
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo, available_timezones

import pytest

from rapport.activity import TYPE_NAMES, ActivityType
from rapport.instant import HOUR, from_datetime
from rapport.reporting.time_series import (
    MAX_DAILY_BUCKETS,
    TimeSeries,
    choose_day_zone,
    get_account_time_series,
    get_campaign_timeline,
)
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.store import Store
from tests.histories.recount import Line
from tests.histories.test_rollups import activity

BERLIN = ZoneInfo("Europe/Berlin")
HONOLULU = ZoneInfo("Pacific/Honolulu")
SUMMER_TIME_ENDS = from_datetime(datetime(2025, 10, 26, tzinfo=UTC))
KINDS = ["em_sends", "em_opens", "em_opens", "em_clicks", "p_contact_open"]


def history(seed: int, days: int) -> list[Line]:
    rng = random.Random(seed)
    return [
        {
            "contact_id": f"c{rng.randrange(9)}",
            "campaign_activity_id": f"m{rng.randrange(3)}",
            "tracking_activity_type": rng.choice(KINDS),
            "created_time": SUMMER_TIME_ENDS + rng.randrange(days * 24 * HOUR),
        }
        for _ in range(400)
    ]


def told(slots: TimeSeries) -> Counter[tuple[int, str]]:
    return Counter(
        {
            (slot.start, TYPE_NAMES[activity_type]): count
            for slot in slots.buckets
            for activity_type, count in slot.activities.items()
        }
    )


def day_of(line: Line, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(line["created_time"] / 1000, zone).date()


def midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def recounted(lines: list[Line], zone: ZoneInfo) -> Counter[tuple[int, str]]:
    return Counter((midnight(day_of(line, zone), zone), line["tracking_activity_type"]) for line in lines)


async def filled(store: Store, lines: list[Line]) -> str:
    account = f"over-time-{uuid4().hex}"
    other = f"{account}-other"
    await store.ingest.record(
        [build_batch(account, map(activity, lines)), build_batch(other, map(activity, lines[:100]))]
    )
    return account


@pytest.mark.parametrize("zone", [BERLIN, HONOLULU], ids=str)
def test_daily_counts_equal_recount_across_clock_changes(data: str, zone: ZoneInfo) -> None:
    lines = history(1, 5)

    async def work() -> None:
        async with open_store(Settings(data=data)) as store:
            account = await filled(store, lines)
            for name in ("m0", "m1", "m2"):
                of_it = [line for line in lines if line["campaign_activity_id"] == name]
                assert told(
                    (await get_campaign_timeline(store.reports, account, name, 72, zone)).lifetime
                ) == recounted(of_it, zone)
            first, last = date(2025, 10, 26), date(2025, 10, 28)
            within = [line for line in lines if first <= day_of(line, zone) <= last]
            shown = await get_account_time_series(store.reports, account, first, last, zone)
            assert told(shown) == recounted(within, zone)
            assert [slot.start for slot in shown.buckets] == [midnight(first + timedelta(n), zone) for n in range(3)]
            assert shown.total(ActivityType.EM_OPENS) == sum(
                line["tracking_activity_type"] == "em_opens" for line in within
            )

    asyncio.run(work())


def test_long_period_is_counted_by_week(data: str) -> None:
    lines = history(2, MAX_DAILY_BUCKETS + 40)

    async def work() -> None:
        async with open_store(Settings(data=data)) as store:
            account = await filled(store, lines)
            first = date(2025, 10, 29)
            last = first + timedelta(days=MAX_DAILY_BUCKETS)
            shown = await get_account_time_series(store.reports, account, first, last, BERLIN)
            assert shown.bucket_days == 7
            begins = [datetime.fromtimestamp(slot.start / 1000, BERLIN) for slot in shown.buckets]
            assert begins[0].date() == first
            assert {begin.weekday() for begin in begins[1:]} == {0}
            weeks = Counter(
                (midnight(max(first, day - timedelta(day.weekday())), BERLIN), line["tracking_activity_type"])
                for line in lines
                if first <= (day := day_of(line, BERLIN)) <= last
            )
            assert told(shown) == weeks

    asyncio.run(work())


def test_campaign_timeline_starts_with_first_send(data: str) -> None:
    lines = [
        {
            **line,
            "created_time": line["created_time"] + (0 if line["tracking_activity_type"] != "em_sends" else 5 * HOUR),
        }
        for line in history(3, 6)
    ]

    async def work() -> None:
        async with open_store(Settings(data=data)) as store:
            account = await filled(store, lines)
            of_it = [line for line in lines if line["campaign_activity_id"] == "m1"]
            begin = min(line["created_time"] for line in of_it if line["tracking_activity_type"] == "em_sends")
            begin -= begin % HOUR
            shown = (await get_campaign_timeline(store.reports, account, "m1", 72, BERLIN)).first_hours
            assert [slot.start for slot in shown.buckets] == [begin + hour * HOUR for hour in range(72)]
            assert told(shown) == Counter(
                (line["created_time"] // HOUR * HOUR, line["tracking_activity_type"])
                for line in of_it
                if begin <= line["created_time"] < begin + 72 * HOUR
            )
            for of, name in ((account, "m9"), ("nobody", "m1")):
                strange = await get_campaign_timeline(store.reports, of, name, 72, BERLIN)
                assert (strange.first_hours.buckets, strange.lifetime.buckets) == ([], [])

    asyncio.run(work())


def test_recent_sends_are_newest_first(data: str) -> None:
    lines = history(4, 5)

    async def work() -> None:
        async with open_store(Settings(data=data)) as store:
            account = await filled(store, lines)
            sent = {
                name: max(
                    line["created_time"]
                    for line in lines
                    if line["campaign_activity_id"] == name and line["tracking_activity_type"] == "em_sends"
                )
                for name in ("m0", "m1", "m2")
            }
            newest = [
                (each.campaign_activity.campaign_activity_id, each.last_sent)
                for each in await store.reports.list_recent_sends(account, 2)
            ]
            assert newest == sorted(sent.items(), key=lambda each: -each[1])[:2]

    asyncio.run(work())


LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
KOLKATA = ZoneInfo("Asia/Kolkata")
UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("zone", "first", "shown"),
    [
        # Half an hour of summer time: whole hours in summer only, whatever the day on which it is asked.
        (LORD_HOWE, date(2025, 1, 10), LORD_HOWE),
        (LORD_HOWE, date(2025, 7, 10), UTC_ZONE),
        (LORD_HOWE, date(2025, 4, 4), UTC_ZONE),
        (LORD_HOWE, date(2025, 10, 4), UTC_ZONE),
        (KOLKATA, date(2025, 7, 10), UTC_ZONE),
        (BERLIN, date(2025, 3, 29), BERLIN),
    ],
)
def test_half_hour_zone_falls_back_to_utc(data: str, zone: ZoneInfo, first: date, shown: ZoneInfo) -> None:
    last = first + timedelta(days=3)
    begin = midnight(first, UTC_ZONE)
    lines = [{**each, "created_time": begin + each["created_time"] % (4 * 24 * HOUR)} for each in history(5, 5)]

    async def work() -> None:
        async with open_store(Settings(data=data)) as store:
            account = await filled(store, lines)
            slots = await get_account_time_series(store.reports, account, first, last, zone)
            assert slots.zone is shown
            assert told(slots) == recounted([each for each in lines if first <= day_of(each, shown) <= last], shown)
            for name in ("m0", "m1", "m2"):
                of_it = [each for each in lines if each["campaign_activity_id"] == name]
                life = (await get_campaign_timeline(store.reports, account, name, 72, zone)).lifetime
                assert told(life) == recounted(of_it, life.zone)
                assert life.zone is shown

    asyncio.run(work())


def days_of_change(zone: ZoneInfo) -> set[date]:
    """The days from 1990 to 2030 on which a zone's clocks change, and one on which they don't."""
    change = {date(2026, 2, 10)}
    week = timedelta(days=7)
    start, end = datetime(1990, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    while start < end:
        days = [(start + timedelta(days=n)).astimezone(zone) for n in range(8)]
        if days[0].utcoffset() != days[-1].utcoffset():
            for before, after in pairwise(days):
                if before.utcoffset() != after.utcoffset():
                    change |= {before.date(), after.date()}
        start += week
    return change


def test_every_quarter_hour_is_counted_in_displayed_day() -> None:
    kept = 0
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for day in days_of_change(zone):
            first, last = day - timedelta(days=1), day + timedelta(days=1)
            shown = choose_day_zone(zone, first, last)
            if shown is not zone:
                assert shown.key == "UTC"
                continue
            kept += 1
            begins = [midnight(first + timedelta(days=n), zone) for n in range(4)]
            for slot, (begin, end) in enumerate(pairwise(begins)):
                # What is counted is an hour of UTC: each quarter of it is on the day of its begin, and on no other.
                assert begin % HOUR == 0, (name, day)
                quarters = range(begin, end, HOUR // 4)
                days = {datetime.fromtimestamp(quarter / 1000, zone).date() for quarter in quarters}
                assert days == {first + timedelta(days=slot)}, (name, day)
    assert kept > 10_000


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/New_York", "America/Santiago", "Africa/Cairo", "Asia/Tokyo"]
)
def test_whole_hour_zone_is_kept_all_year(name: str) -> None:
    zone = ZoneInfo(name)
    assert choose_day_zone(zone, date(2024, 1, 1), date(2026, 12, 31)) is zone
