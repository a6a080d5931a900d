"""Hourly and daily counts, in any time zone, equal a recount."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
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
from tests.helpers.activities import activity_from_line
from tests.helpers.recount import Line

BERLIN = ZoneInfo("Europe/Berlin")
HONOLULU = ZoneInfo("Pacific/Honolulu")
SUMMER_TIME_ENDS = from_datetime(datetime(2025, 10, 26, tzinfo=UTC))
KINDS = ["em_sends", "em_opens", "em_opens", "em_clicks", "p_contact_open"]


def random_history(seed: int, days: int) -> list[Line]:
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


def count_slots(slots: TimeSeries) -> Counter[tuple[int, str]]:
    return Counter(
        {
            (slot.start, TYPE_NAMES[activity_type]): count
            for slot in slots.buckets
            for activity_type, count in slot.activities.items()
        }
    )


def get_day(line: Line, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(line["created_time"] / 1000, zone).date()


def get_midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def recount(lines: list[Line], zone: ZoneInfo) -> Counter[tuple[int, str]]:
    return Counter((get_midnight(get_day(line, zone), zone), line["tracking_activity_type"]) for line in lines)


async def record_lines(store: Store, lines: list[Line]) -> str:
    account = f"over-time-{uuid4().hex}"
    other = f"{account}-other"
    await store.ingest.record(
        [build_batch(account, map(activity_from_line, lines)), build_batch(other, map(activity_from_line, lines[:100]))]
    )
    return account


@pytest.mark.parametrize("zone", [BERLIN, HONOLULU], ids=str)
async def test_daily_counts_equal_recount_across_clock_changes(location: str, zone: ZoneInfo) -> None:
    lines = random_history(1, 5)

    async with open_store(Settings(data=location)) as store:
        account = await record_lines(store, lines)
        for name in ("m0", "m1", "m2"):
            campaign_lines = [line for line in lines if line["campaign_activity_id"] == name]
            assert count_slots(
                (await get_campaign_timeline(store.reports, account, name, 72, zone)).lifetime
            ) == recount(campaign_lines, zone)
        first, last = date(2025, 10, 26), date(2025, 10, 28)
        within = [line for line in lines if first <= get_day(line, zone) <= last]
        shown = await get_account_time_series(store.reports, account, first, last, zone)
        assert count_slots(shown) == recount(within, zone)
        assert [slot.start for slot in shown.buckets] == [get_midnight(first + timedelta(n), zone) for n in range(3)]
        assert shown.total(ActivityType.EM_OPENS) == sum(
            line["tracking_activity_type"] == "em_opens" for line in within
        )


async def test_long_period_is_counted_by_week(location: str) -> None:
    lines = random_history(2, MAX_DAILY_BUCKETS + 40)

    async with open_store(Settings(data=location)) as store:
        account = await record_lines(store, lines)
        first = date(2025, 10, 29)
        last = first + timedelta(days=MAX_DAILY_BUCKETS)
        shown = await get_account_time_series(store.reports, account, first, last, BERLIN)
        assert shown.bucket_days == 7
        starts = [datetime.fromtimestamp(slot.start / 1000, BERLIN) for slot in shown.buckets]
        assert starts[0].date() == first
        assert {start.weekday() for start in starts[1:]} == {0}
        weeks = Counter(
            (get_midnight(max(first, day - timedelta(day.weekday())), BERLIN), line["tracking_activity_type"])
            for line in lines
            if first <= (day := get_day(line, BERLIN)) <= last
        )
        assert count_slots(shown) == weeks


async def test_campaign_timeline_starts_with_first_send(location: str) -> None:
    lines = [
        {
            **line,
            "created_time": line["created_time"] + (0 if line["tracking_activity_type"] != "em_sends" else 5 * HOUR),
        }
        for line in random_history(3, 6)
    ]

    async with open_store(Settings(data=location)) as store:
        account = await record_lines(store, lines)
        campaign_lines = [line for line in lines if line["campaign_activity_id"] == "m1"]
        start = min(line["created_time"] for line in campaign_lines if line["tracking_activity_type"] == "em_sends")
        start -= start % HOUR
        shown = (await get_campaign_timeline(store.reports, account, "m1", 72, BERLIN)).first_hours
        assert [slot.start for slot in shown.buckets] == [start + hour * HOUR for hour in range(72)]
        assert count_slots(shown) == Counter(
            (line["created_time"] // HOUR * HOUR, line["tracking_activity_type"])
            for line in campaign_lines
            if start <= line["created_time"] < start + 72 * HOUR
        )
        for of, name in ((account, "m9"), ("nobody", "m1")):
            strange = await get_campaign_timeline(store.reports, of, name, 72, BERLIN)
            assert (strange.first_hours.buckets, strange.lifetime.buckets) == ([], [])


async def test_recent_sends_are_newest_first(location: str) -> None:
    lines = random_history(4, 5)

    async with open_store(Settings(data=location)) as store:
        account = await record_lines(store, lines)
        sent = {
            name: max(
                line["created_time"]
                for line in lines
                if line["campaign_activity_id"] == name and line["tracking_activity_type"] == "em_sends"
            )
            for name in ("m0", "m1", "m2")
        }
        newest = [
            (recent_send.campaign_activity.campaign_activity_id, recent_send.last_sent)
            for recent_send in await store.reports.list_recent_sends(account, 2)
        ]
        assert newest == sorted(sent.items(), key=lambda each: -each[1])[:2]


LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
KOLKATA = ZoneInfo("Asia/Kolkata")
UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("zone", "first", "shown"),
    [
        # Half an hour of summer time: the offset is whole hours in summer only.
        (LORD_HOWE, date(2025, 1, 10), LORD_HOWE),
        (LORD_HOWE, date(2025, 7, 10), UTC_ZONE),
        (LORD_HOWE, date(2025, 4, 4), UTC_ZONE),
        (LORD_HOWE, date(2025, 10, 4), UTC_ZONE),
        (KOLKATA, date(2025, 7, 10), UTC_ZONE),
        (BERLIN, date(2025, 3, 29), BERLIN),
    ],
)
async def test_half_hour_zone_falls_back_to_utc(location: str, zone: ZoneInfo, first: date, shown: ZoneInfo) -> None:
    last = first + timedelta(days=3)
    start = get_midnight(first, UTC_ZONE)
    lines = [{**line, "created_time": start + line["created_time"] % (4 * 24 * HOUR)} for line in random_history(5, 5)]

    async with open_store(Settings(data=location)) as store:
        account = await record_lines(store, lines)
        slots = await get_account_time_series(store.reports, account, first, last, zone)
        assert slots.zone is shown
        assert count_slots(slots) == recount([line for line in lines if first <= get_day(line, shown) <= last], shown)
        for name in ("m0", "m1", "m2"):
            campaign_lines = [line for line in lines if line["campaign_activity_id"] == name]
            life = (await get_campaign_timeline(store.reports, account, name, 72, zone)).lifetime
            assert count_slots(life) == recount(campaign_lines, life.zone)
            assert life.zone is shown


def find_clock_changes(zone: ZoneInfo) -> set[date]:
    """Return the days from 1990 to 2030 on which the zone's clocks change, and one other day."""
    change = {date(2026, 2, 10)}
    week = timedelta(days=7)
    start, end = datetime(1990, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    while start < end:
        if start.astimezone(zone).utcoffset() != (start + week).astimezone(zone).utcoffset():
            days = [(start + timedelta(days=n)).astimezone(zone) for n in range(8)]
            for before, after in pairwise(days):
                if before.utcoffset() != after.utcoffset():
                    change |= {before.date(), after.date()}
        start += week
    return change


@pytest.mark.slow
def test_every_quarter_hour_is_counted_in_displayed_day() -> None:
    kept = 0
    data = files("tzdata.zoneinfo")
    # Many names have the same rules.
    names = {data.joinpath(name).read_bytes(): name for name in sorted(available_timezones() - {"localtime"})}
    for name in names.values():
        zone = ZoneInfo(name)
        for day in find_clock_changes(zone):
            first, last = day - timedelta(days=1), day + timedelta(days=1)
            shown = choose_day_zone(zone, first, last)
            if shown is not zone:
                assert shown.key == "UTC"
                continue
            kept += 1
            starts = [get_midnight(first + timedelta(days=n), zone) for n in range(4)]
            for slot, (start, end) in enumerate(pairwise(starts)):
                # Hours of UTC are counted: each quarter hour is in the day in which it begins.
                assert start % HOUR == 0, (name, day)
                quarters = range(start, end, HOUR // 4)
                days = {datetime.fromtimestamp(quarter / 1000, zone).date() for quarter in quarters}
                assert days == {first + timedelta(days=slot)}, (name, day)
    assert kept > 6_000


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/New_York", "America/Santiago", "Africa/Cairo", "Asia/Tokyo"]
)
def test_whole_hour_zone_is_kept_all_year(name: str) -> None:
    zone = ZoneInfo(name)
    assert choose_day_zone(zone, date(2024, 1, 1), date(2026, 12, 31)) is zone
