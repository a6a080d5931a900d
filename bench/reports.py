"""What does a report on a campaign cost? Of a million recipients against a thousand, first pages against last ones.

And what keeping the counts costs those who record, against a store that keeps none.
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
from bench.growth import page_alone, request_for
from bench.measure import Measure, at_least, at_most
from rapport.activity import EARLIEST, Activity, ActivityType, ContactProfile, DeviceType, Link
from rapport.api.responses import page_links
from rapport.api.v3.email_reports import REPORTS
from rapport.instant import Instant
from rapport.reporting.stats import get_campaign_activity_stats
from rapport.reporting.time_series import get_campaign_timeline
from rapport.reporting.tracking_reports import EMAIL_REPORTS, TrackingRequest, get_tracking_page, tracking_cursor_before
from rapport.settings import Settings
from rapport.store.batch import build_batch
from rapport.store.engines import open_store
from rapport.store.protocol import Store
from rapport.store.rollups import RollUps
from rapport.store.tracking import START_OF_REPORT

_REPORTS: Final = {report.name: report for report in REPORTS}
_BIG: Final = "big"
_SMALL: Final = "small"
_RECIPIENTS_OF_SMALL: Final = 1_000
_FURTHER: Final = tuple(f"further-{number}" for number in range(8))
_RECIPIENTS_OF_FURTHER: Final = 100
_LIMITS: Final = {"forwards": 10, "optouts": 10, "bounces": 10}
_LIMIT: Final = 100
_CHUNK: Final = 20_000
_LINKS: Final = [Link(link_url=f"https://shop.example.com/{page}") for page in range(10)]

_OPENERS: Final = """
SELECT contact, max(created_time) AS last FROM tracking_activity
WHERE campaign_activity = :key AND type = 1 GROUP BY contact ORDER BY last DESC, contact DESC LIMIT 101
"""
_SILENT: Final = """
SELECT contact, max(created_time) AS last FROM tracking_activity AS sent
WHERE campaign_activity = :key AND type = 0 AND NOT EXISTS (
    SELECT 1 FROM tracking_activity AS did
    WHERE did.contact = sent.contact AND did.type IN (1, 3) AND +did.campaign_activity = :key
)
GROUP BY contact ORDER BY last DESC, contact DESC LIMIT 101
"""

_BY_THE_HOUR: Final = """
SELECT created_time / 3600000 AS hour, type, count(*) FROM tracking_activity
WHERE campaign_activity = :key GROUP BY hour, type
"""


def measure(*, small: bool) -> list[Measure]:
    """Pages of each report, near and far; stats; the same answers without roll-ups; and recording with and without."""
    recipients, recorded = (2_000, 2_000) if small else (1_000_000, 400_000)
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/campaigns"
        count = asyncio.run(_fill(data, recipients))
        return [
            *asyncio.run(_reports(data, recipients)),
            sizes.of_one_campaign(data, count),
            *_recording(folder, recorded),
        ]


def _campaign(name: str, contacts: list[int], seed: int) -> list[Activity]:
    """Two and a half activities for each recipient, over a month: sends, opens, clicks, and the rare ones."""
    rng = random.Random(seed)
    made: list[Activity] = []

    def did(contact: int, activity_type: ActivityType, time: int) -> None:
        is_click = activity_type is ActivityType.EM_CLICKS
        made.append(
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
    return made


def _recipients(count: int) -> list[int]:
    """The contacts in no order; the first of them are sent everything."""
    every = list(range(count))
    random.Random(1).shuffle(every)
    return every


async def _fill(data: str, recipients: int) -> int:
    """The big campaign, and the small one to some of the same contacts. How many activities there are."""
    every = _recipients(recipients)
    made = _campaign(_BIG, every, 2) + _campaign(_SMALL, every[:_RECIPIENTS_OF_SMALL], 3)
    for place, name in enumerate(_FURTHER):
        made += _campaign(name, every[:_RECIPIENTS_OF_FURTHER], place)
    made.sort(key=lambda activity: activity.created_time)
    async with open_store(Settings(data=data)) as store:
        for first in range(0, len(made), _CHUNK):
            await store.record([build_batch("default", made[first : first + _CHUNK])])
    return len(made)


async def _reports(data: str, recipients: int) -> list[Measure]:
    measures: list[Measure] = []
    async with open_store(Settings(data=data)) as store:
        for report in EMAIL_REPORTS:
            limit = _LIMITS.get(report, _LIMIT)
            first = _request(limit)
            last = await _last_page(store, report, limit)
            of_small, near, far = await _medians(
                [
                    lambda report=report, first=first: _page(store, _SMALL, report, first),
                    lambda report=report, first=first: _page(store, _BIG, report, first),
                    lambda report=report, last=last: _page(store, _BIG, report, last),
                ]
            )
            measures += [
                _against(f"{report}: first page, {recipients:,} recipients", near, "1,000 recipients", of_small),
                _against(f"{report}: last page, {recipients:,} recipients", far, "its first page", near),
            ]
        measures.append(await _stats(store, contact_id(_recipients(recipients)[0])))
        measures += await _without_rollups(store, Path(data))
    return measures


def _request(limit: int) -> TrackingRequest:
    return TrackingRequest(limit=limit, not_before=EARLIEST, after=START_OF_REPORT)


async def _last_page(store: Store, report: str, limit: int) -> TrackingRequest:
    """The page that ends the list: found by halving the time."""
    earlier, later = BEGIN, Instant(BEGIN + 3_000_000_000)
    while later - earlier > 1:
        middle = Instant((earlier + later) // 2)
        request = TrackingRequest(limit=limit, not_before=EARLIEST, after=tracking_cursor_before(middle))
        page = await get_tracking_page(store, "default", _BIG, EMAIL_REPORTS[report], request)
        earlier, later = (middle, later) if page.next is None else (earlier, middle)
    return TrackingRequest(limit=limit, not_before=EARLIEST, after=tracking_cursor_before(earlier))


async def _page(store: Store, campaign_activity_id: str, report: str, request: TrackingRequest) -> None:
    """A page as the server makes it, without HTTP."""
    page = await get_tracking_page(store, "default", campaign_activity_id, EMAIL_REPORTS[report], request)
    msgspec.json.encode(_REPORTS[report].serialize(campaign_activity_id, page, page_links("…")))


async def _medians(works: list[Callable[[], Awaitable[object]]], rounds: int = 25) -> list[float]:
    """The median of each, in turns, in microseconds."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for place, work in enumerate(works):
            began = time.perf_counter()
            await work()
            taken[place].append((time.perf_counter() - began) * 1e6)
    return [statistics.median(each) for each in taken]


async def _stats(store: Store, contact: str) -> Measure:
    ids = [_BIG, _SMALL, *_FURTHER]
    ten = request_for((ActivityType.EM_SENDS,), limit=10)
    stats, page = await _medians(
        [lambda: get_campaign_activity_stats(store, "default", ids), lambda: page_alone(store, contact, ten)],
        rounds=200,
    )
    return at_most(
        5,
        question="stats of ten campaign activities",
        value=stats,
        unit="µs",
        yardstick=f"a contact's page of ten, {page:,.0f} µs",
        ratio=stats / page,
    )


async def _without_rollups(store: Store, folder: Path) -> list[Measure]:
    """The same contacts by the plain SQL that needs no roll-ups, over the same index."""
    connection = apsw.Connection(str(folder / "rapport.db"), flags=apsw.SQLITE_OPEN_READONLY)
    (key,) = next(iter(connection.execute("SELECT key FROM campaign_activity WHERE campaign_activity_id = ?", (_BIG,))))

    async def plain(sql: str) -> None:
        connection.execute(sql, {"key": key}).fetchall()

    measures = []
    responses: list[tuple[str, Callable[[], Awaitable[object]], str, str]] = [
        ("unique_opens", lambda: _page(store, _BIG, "unique_opens", _request(_LIMIT)), "GROUP BY", _OPENERS),
        ("didnotopens", lambda: _page(store, _BIG, "didnotopens", _request(_LIMIT)), "an anti-join", _SILENT),
        ("by the hour", lambda: get_campaign_timeline(store, "default", _BIG, 72, UTC), "GROUP BY", _BY_THE_HOUR),
    ]
    for report, ask, how, sql in responses:
        ours, theirs = await _medians([ask, lambda sql=sql: plain(sql)], rounds=3)
        measures.append(
            at_least(
                10,
                question=f"{report}: how much faster than {how}",
                value=ours,
                unit="µs",
                yardstick=f"{how}, {theirs:,.0f} µs",
                ratio=theirs / ours,
            )
        )
    connection.close()
    return measures


def _recording(folder: str, count: int) -> list[Measure]:
    """Recording with roll-ups against recording without, chunk by chunk in turns; and what it takes on disk."""
    chunks = list(_chunks(activities(count, max(1, count // 25))))
    kept, bare = asyncio.run(_record(chunks, f"{folder}/with", f"{folder}/without"))
    rate = at_least(
        0.35,
        question="activities recorded a second, with roll-ups",
        value=count / kept,
        unit="/s",
        yardstick=f"without, {count / bare:,.0f} /s",
        ratio=bare / kept,
    )
    return [rate, sizes.of_contacts_with_a_history(f"{folder}/with", count)]


def _chunks(made: Iterator[Activity]) -> Iterator[list[Activity]]:
    while chunk := [activity for _, activity in zip(range(_CHUNK), made, strict=False)]:
        yield chunk


async def _record(chunks: list[list[Activity]], with_rollups: str, without: str) -> tuple[float, float]:
    """Seconds for all chunks, with and without."""
    kept = bare = 0.0
    async with open_store(Settings(data=with_rollups)) as store, open_store(Settings(data=without)) as other:
        for chunk in chunks:
            batch = build_batch("default", chunk)
            began = time.perf_counter()
            await store.record([batch])
            between = time.perf_counter()
            with patch.object(RollUps, "count", lambda *_: None), patch("rapport.store.sqlite.writer.apply"):
                await other.record([batch])
            kept += between - began
            bare += time.perf_counter() - between
    return kept, bare


def _against(question: str, value: float, base_name: str, base: float) -> Measure:
    return at_most(
        1.5, question=question, value=value, unit="µs", yardstick=f"{base_name}, {base:,.0f} µs", ratio=value / base
    )
