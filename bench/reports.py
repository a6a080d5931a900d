"""Measure reports on campaigns: a million recipients against a thousand, and first pages against last ones.

Also measure what maintaining roll-ups costs during recording.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Final
from unittest.mock import patch

import apsw
import msgspec

from bench import sizes
from bench.data import BEGIN, activities, contact_id
from bench.growth import make_page, request_for
from bench.measure import Measurement, expect_max, expect_min
from rapport.activity import EARLIEST, Activity, ActivityType, ContactProfile, DeviceType, Link
from rapport.api.responses import page_links
from rapport.api.v3.email_reports import REPORTS
from rapport.instant import Instant
from rapport.reporting.stats import get_campaign_activity_stats
from rapport.reporting.time_series import get_campaign_timeline
from rapport.reporting.tracking_reports import TrackingRequest, get_tracking_page, tracking_cursor_before
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.rollups import RollUps
from rapport.store.store import Store
from rapport.store.tracking import EMAIL_REPORTS, START_OF_REPORT

_REPORTS: Final = {report.name: report for report in REPORTS}
_BIG: Final = "big"
_SMALL: Final = "small"
_SMALL_RECIPIENTS: Final = 1_000
_OTHERS: Final = tuple(f"further-{number}" for number in range(8))
_OTHER_RECIPIENTS: Final = 100
_LIMITS: Final = {"forwards": 10, "optouts": 10, "bounces": 10}
_LIMIT: Final = 100
_CHUNK: Final = 20_000
_LINKS: Final = [Link(link_url=f"https://shop.example.com/{page}") for page in range(10)]

_OPENERS_SQL: Final = """
SELECT contact, max(created_time) AS last FROM tracking_activity
WHERE campaign_activity = :key AND type = 1 GROUP BY contact ORDER BY last DESC, contact DESC LIMIT 101
"""
_NOT_OPENED_SQL: Final = """
SELECT contact, max(created_time) AS last FROM tracking_activity AS sent
WHERE campaign_activity = :key AND type = 0 AND NOT EXISTS (
    SELECT 1 FROM tracking_activity AS did
    WHERE did.contact = sent.contact AND did.type IN (1, 3) AND +did.campaign_activity = :key
)
GROUP BY contact ORDER BY last DESC, contact DESC LIMIT 101
"""

_HOURLY_SQL: Final = """
SELECT created_time / 3600000 AS hour, type, count(*) FROM tracking_activity
WHERE campaign_activity = :key GROUP BY hour, type
"""


def measure(*, small: bool) -> list[Measurement]:
    """Measure pages of each report, stats, the same reports without roll-ups, and recording with and without them."""
    recipients, recorded = (2_000, 2_000) if small else (1_000_000, 400_000)
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/campaigns"
        count = asyncio.run(_fill(data, recipients))
        return [
            *asyncio.run(_measure_reports(data, recipients)),
            sizes.measure_one_campaign(data, count),
            *_measure_recording(folder, recorded),
        ]


def _generate_campaign(name: str, contacts: list[int], seed: int) -> list[Activity]:
    """Generate about 2.5 activities per recipient over a month: sends, opens, clicks and rarer ones."""
    rng = random.Random(seed)
    generated: list[Activity] = []

    def did(contact: int, activity_type: ActivityType, time: int) -> None:
        is_click = activity_type is ActivityType.EM_CLICKS
        generated.append(
            Activity(
                contact_id=contact_id(contact),
                campaign_activity_id=name,
                type=activity_type,
                created_time=Instant(BEGIN + time),
                person=ContactProfile(email_address=f"ada.{contact}@example.com"),
                link=rng.choice(_LINKS) if is_click else None,
                device_type=DeviceType.MOBILE if is_click else None,
            )
        )

    for contact in contacts:
        sent = rng.randrange(86_400_000)
        did(contact, ActivityType.EM_SENDS, sent)
        if rng.random() < 0.03:
            did(contact, ActivityType.EM_BOUNCES, sent + 1_000)
            continue
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            did(contact, ActivityType.EM_OPENS, sent + rng.randrange(2_592_000_000))
        if rng.random() < 0.3:
            did(contact, ActivityType.EM_CLICKS, sent + rng.randrange(2_592_000_000))
        for activity_type in (ActivityType.EM_FORWARDS, ActivityType.EM_OPTOUTS):
            if rng.random() < 0.02:
                did(contact, activity_type, sent + rng.randrange(2_592_000_000))
    return generated


def _shuffled_contacts(count: int) -> list[int]:
    """Return the contacts in random order; the first of them receive all campaigns."""
    every = list(range(count))
    random.Random(1).shuffle(every)
    return every


async def _fill(data: str, recipients: int) -> int:
    """Record the big campaign and smaller ones to some of its contacts. Return the number of activities."""
    every = _shuffled_contacts(recipients)
    generated = _generate_campaign(_BIG, every, 2) + _generate_campaign(_SMALL, every[:_SMALL_RECIPIENTS], 3)
    for index, name in enumerate(_OTHERS):
        generated += _generate_campaign(name, every[:_OTHER_RECIPIENTS], index)
    generated.sort(key=lambda activity: activity.created_time)
    async with open_store(Settings(data=data)) as store:
        for first in range(0, len(generated), _CHUNK):
            await store.ingest.record([build_batch("default", generated[first : first + _CHUNK])])
    return len(generated)


async def _measure_reports(data: str, recipients: int) -> list[Measurement]:
    measures: list[Measurement] = []
    async with open_store(Settings(data=data)) as store:
        for report in EMAIL_REPORTS:
            limit = _LIMITS.get(report, _LIMIT)
            first = _request(limit)
            last = await _find_last_page(store, report, limit)
            small_page, near, far = await _medians(
                [
                    lambda report=report, first=first: _make_page(store, _SMALL, report, first),
                    lambda report=report, first=first: _make_page(store, _BIG, report, first),
                    lambda report=report, last=last: _make_page(store, _BIG, report, last),
                ]
            )
            measures += [
                _compare(f"{report}: first page, {recipients:,} recipients", near, "1,000 recipients", small_page),
                _compare(f"{report}: last page, {recipients:,} recipients", far, "its first page", near),
            ]
        measures.append(await _measure_stats(store, contact_id(_shuffled_contacts(recipients)[0])))
        measures += await _measure_without_rollups(store, Path(data))
    return measures


def _request(limit: int) -> TrackingRequest:
    return TrackingRequest(limit=limit, not_before=EARLIEST, after=START_OF_REPORT)


async def _find_last_page(store: Store, report: str, limit: int) -> TrackingRequest:
    """Find the last page of a report by bisecting the time."""
    earlier, later = BEGIN, Instant(BEGIN + 3_000_000_000)
    while later - earlier > 1:
        middle = Instant((earlier + later) // 2)
        request = TrackingRequest(limit=limit, not_before=EARLIEST, after=tracking_cursor_before(middle))
        page = await get_tracking_page(store.reports, "default", _BIG, EMAIL_REPORTS[report], request)
        earlier, later = (middle, later) if page.next is None else (earlier, middle)
    return TrackingRequest(limit=limit, not_before=EARLIEST, after=tracking_cursor_before(earlier))


async def _make_page(store: Store, campaign_activity_id: str, report: str, request: TrackingRequest) -> None:
    """Make a page as the server does, without HTTP."""
    page = await get_tracking_page(store.reports, "default", campaign_activity_id, EMAIL_REPORTS[report], request)
    msgspec.json.encode(_REPORTS[report].serialize(campaign_activity_id, page, page_links("…")))


async def _medians(works: list[Callable[[], Awaitable[object]]], rounds: int = 25) -> list[float]:
    """Return the median of each function, run in turns, in microseconds."""
    elapsed: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for index, work in enumerate(works):
            started = time.perf_counter()
            await work()
            elapsed[index].append((time.perf_counter() - started) * 1e6)
    return [statistics.median(times) for times in elapsed]


async def _measure_stats(store: Store, contact: str) -> Measurement:
    ids = [_BIG, _SMALL, *_OTHERS]
    ten = request_for((ActivityType.EM_SENDS,), limit=10)
    stats, page = await _medians(
        [lambda: get_campaign_activity_stats(store.reports, "default", ids), lambda: make_page(store, contact, ten)],
        rounds=200,
    )
    return expect_max(
        5,
        name="stats of ten campaign activities",
        value=stats,
        unit="µs",
        baseline=f"a contact's page of ten, {page:,.0f} µs",
        ratio=stats / page,
    )


async def _measure_without_rollups(store: Store, folder: Path) -> list[Measurement]:
    """Compare with plain SQL that uses the same index but no roll-ups."""
    connection = apsw.Connection(str(folder / "rapport.db"), flags=apsw.SQLITE_OPEN_READONLY)
    (key,) = next(iter(connection.execute("SELECT key FROM campaign_activity WHERE campaign_activity_id = ?", (_BIG,))))

    async def plain(sql: str) -> None:
        connection.execute(sql, {"key": key}).fetchall()

    measures = []
    responses: list[tuple[str, Callable[[], Awaitable[object]], str, str]] = [
        ("unique_opens", lambda: _make_page(store, _BIG, "unique_opens", _request(_LIMIT)), "GROUP BY", _OPENERS_SQL),
        (
            "didnotopens",
            lambda: _make_page(store, _BIG, "didnotopens", _request(_LIMIT)),
            "an anti-join",
            _NOT_OPENED_SQL,
        ),
        (
            "by the hour",
            lambda: get_campaign_timeline(store.reports, "default", _BIG, 72, UTC),
            "GROUP BY",
            _HOURLY_SQL,
        ),
    ]
    for report, ask, how, sql in responses:
        ours, theirs = await _medians([ask, lambda sql=sql: plain(sql)], rounds=3)
        measures.append(
            expect_min(
                10,
                name=f"{report}: speedup over {how}",
                value=ours,
                unit="µs",
                baseline=f"{how}, {theirs:,.0f} µs",
                ratio=theirs / ours,
            )
        )
    connection.close()
    return measures


def _measure_recording(folder: str, count: int) -> list[Measurement]:
    """Compare recording with and without roll-ups, chunk by chunk in turns, and measure the size on disk."""
    chunks = list(_chunks(activities(count, max(1, count // 25))))
    with_rollups, bare = asyncio.run(_record(chunks, f"{folder}/with", f"{folder}/without"))
    rate = expect_min(
        0.35,
        name="recording with roll-ups",
        value=count / with_rollups,
        unit="activities/s",
        baseline=f"without roll-ups, {count / bare:,.0f}/s",
        ratio=bare / with_rollups,
    )
    return [rate, sizes.measure_contacts_with_history(f"{folder}/with", count)]


def _chunks(generated: Iterator[Activity]) -> Iterator[list[Activity]]:
    while chunk := [activity for _, activity in zip(range(_CHUNK), generated, strict=False)]:
        yield chunk


async def _record(chunks: list[list[Activity]], with_rollups: str, without: str) -> tuple[float, float]:
    """Return the seconds for all chunks, with and without roll-ups."""
    full = bare = 0.0
    async with open_store(Settings(data=with_rollups)) as store, open_store(Settings(data=without)) as other:
        for chunk in chunks:
            batch = build_batch("default", chunk)
            started = time.perf_counter()
            await store.ingest.record([batch])
            between = time.perf_counter()
            with (
                patch.object(RollUps, "count", lambda *_: None),
                patch("rapport.store.sqlite.ingest.increment_rollups"),
            ):
                await other.ingest.record([batch])
            full += between - started
            bare += time.perf_counter() - between
    return full, bare


def _compare(name: str, value: float, base_name: str, base: float) -> Measurement:
    return expect_max(
        1.5, name=name, value=value, unit="µs", baseline=f"{base_name}, {base:,.0f} µs", ratio=value / base
    )
