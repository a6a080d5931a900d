"""Unmatched items are tried again by themselves: what they lacked may have been recorded later."""

import json
from typing import Any

import pytest

from rapport.activity import Activity, ActivityType, ContactProfile
from rapport.capture.captured import CapturedRequest
from rapport.instant import DAY, HOUR, MINUTE, SECOND, Instant
from rapport.recording.captured_events import Arrival, CapturedEvents
from rapport.recording.hook_registry import ActiveHook, create_hook
from rapport.store.batch import Batch, build_batch
from rapport.store.ingest import Recorded
from rapport.store.store import Store
from tests.helpers.webhook_payloads import GRACE

NOW = Instant(1_772_000_000_000)
MESSAGE_ID = "<letter-1@shop.example.com>"


async def make_hook(store: Store) -> ActiveHook:
    await store.accounts.ensure("default")
    hook, _ = await create_hook(store, "default", "brevo", name="Brevo", settings={}, keys=(), now=NOW)
    return hook


def capture(store: Store) -> CapturedEvents:
    async def record(batch: Batch) -> Recorded:
        [recorded] = await store.ingest.record([batch])
        return recorded

    return CapturedEvents(store, record)


def arrival(hook: ActiveHook, **fields: Any) -> Arrival:  # noqa: ANN401 - JSON
    event = {"event": "click", "email": GRACE, "ts_epoch": NOW, "link": "https://shop.example.com/", **fields}
    request = CapturedRequest(
        account_id="default",
        hook_id=hook.hook.hook_id,
        provider="brevo",
        received_time=NOW,
        headers={},
        body=json.dumps(event).encode(),
    )
    return Arrival(request, hook)


def sent() -> Activity:
    return Activity(
        contact_id="c1",
        campaign_activity_id="spring",
        type=ActivityType.EM_SENDS,
        created_time=NOW,
        event_id=MESSAGE_ID,
        person=ContactProfile(email_address=GRACE),
    )


async def record(store: Store, *arrivals: Arrival) -> None:
    events = capture(store)
    await events.record(await events.read(arrivals))


async def retry_due(store: Store, hook: ActiveHook, now: int) -> tuple[int, int]:
    result = await capture(store).retry_due({hook.hook.hook_id: hook}, Instant(now))
    return result.tried, result.matched


async def test_event_is_matched_when_its_send_is_recorded_later(store: Store) -> None:
    hook = await make_hook(store)
    await record(store, arrival(hook, **{"message-id": MESSAGE_ID}))
    assert await retry_due(store, hook, NOW + 9 * SECOND) == (0, 0)
    assert await retry_due(store, hook, NOW + 11 * SECOND) == (1, 0)
    await store.ingest.record([build_batch("default", [sent()])])
    assert await retry_due(store, hook, NOW + 30 * SECOND) == (0, 0)
    assert await retry_due(store, hook, NOW + 2 * MINUTE) == (1, 1)
    assert await store.hooks.unmatched("default", 0, 10) == []
    activities = [activity async for activity in store.activities.iterate("default", "c1")]
    clicks = [activity for activity in activities if activity.type is ActivityType.EM_CLICKS]
    assert [activity.campaign_activity_id for activity in clicks] == ["spring"]


async def test_event_is_matched_when_its_send_is_captured_later(store: Store) -> None:
    hook = await make_hook(store)
    message = {"message-id": MESSAGE_ID}
    await record(store, arrival(hook, **message))
    await record(store, arrival(hook, event="request", tags=["spring"], **message))
    assert await retry_due(store, hook, NOW + MINUTE) == (1, 1)


async def test_attempts_end_after_a_few_days(store: Store) -> None:
    hook = await make_hook(store)
    await record(store, arrival(hook, **{"message-id": MESSAGE_ID}))
    attempts = 0
    for hour in range(14 * 24):
        tried, matched = await retry_due(store, hook, NOW + hour * HOUR)
        assert matched == 0
        attempts += tried
    assert attempts == 8
    [item] = await store.hooks.unmatched("default", 0, 10)
    assert (item.attempts, item.retry_time) == (8, None)


@pytest.mark.parametrize("fields", [{}, {"message-id": MESSAGE_ID, "email": "not an address"}])
async def test_event_that_cannot_match_later_is_not_tried_again(store: Store, fields: dict[str, str]) -> None:
    hook = await make_hook(store)
    await record(store, arrival(hook, **fields, **({"tag": "spring"} if fields else {})))
    assert len(await store.hooks.unmatched("default", 0, 10)) == 1
    assert await retry_due(store, hook, NOW + 30 * DAY) == (0, 0)


async def test_redelivered_event_starts_its_attempts_again(store: Store) -> None:
    hook = await make_hook(store)
    event = arrival(hook, **{"message-id": MESSAGE_ID})
    await record(store, event)
    assert await retry_due(store, hook, NOW + MINUTE) == (1, 0)
    await record(store, event)
    [item] = await store.hooks.unmatched("default", 0, 10)
    assert item.attempts == 0


async def test_manual_retry_keeps_the_schedule(store: Store) -> None:
    hook = await make_hook(store)
    await record(store, arrival(hook, **{"message-id": MESSAGE_ID}))
    [before] = await store.hooks.unmatched("default", 0, 10)
    await capture(store).retry("default", {hook.hook.hook_id: hook})
    assert await store.hooks.unmatched("default", 0, 10) == [before]
