"""Record the events of captured requests, and keep those that can't be recorded with the reason."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec
import structlog

from rapport import metrics
from rapport.activity import Activity
from rapport.capture.captured import CapturedRequest, ReadItem, digest_text, read_again, read_request
from rapport.capture.event import Event
from rapport.capture.webhooks import sns
from rapport.instant import DAY, HOUR, MINUTE, SECOND, Instant
from rapport.recording.hook_registry import ActiveHook
from rapport.recording.matching import NO_CAMPAIGN_ACTIVITY, NO_CONTACT, Matched, Matcher
from rapport.store.batch import Batch, build_batch
from rapport.store.hooks import CapturedMessage, CapturedWork, HookDelivery, UnmatchedItem, UsedToken
from rapport.store.ingest import Recorded
from rapport.store.sql_hooks import KEPT_DELIVERIES
from rapport.store.store import Store

UNREADABLE: Final = "unreadable"
REUSED_TOKEN: Final = "reused token"  # noqa: S105 - a reason
NOT_CONFIRMED: Final = "not confirmed"

_PAGE: Final = 500

_MAY_MATCH_LATER: Final = frozenset({NO_CONTACT, NO_CAMPAIGN_ACTIVITY})
_RETRY_INTERVALS: Final = (10 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 8 * HOUR, DAY, 3 * DAY)
"""The intervals after which an item is retried: after its arrival, and after each attempt."""

_log = structlog.get_logger("rapport.capture")

Record = Callable[[Batch], Awaitable[Recorded]]
"""Record a batch durably."""


class Arrival(NamedTuple):
    """A request to record, with its hook."""

    request: CapturedRequest
    hook: ActiveHook


class _Item(NamedTuple):
    """An item that was read, with its request and the index of that request."""

    request_index: int
    request: CapturedRequest
    hook: ActiveHook
    read: ReadItem


class ReadArrivals(NamedTuple):
    """Requests, and the items in them."""

    arrivals: Sequence[Arrival]
    items: Sequence[_Item]


class RetryResult(NamedTuple):
    """The number of unmatched items that were retried, and of those that are matched now."""

    tried: int
    matched: int


class CapturedEvents:
    """Records captured requests. Recording one again changes nothing."""

    def __init__(self, store: Store, record: Record, fetch: sns.Fetch = sns.fetch) -> None:
        self._store = store
        self._record = record
        self._fetch = fetch
        self._matcher = Matcher(store)

    async def read(self, arrivals: Sequence[Arrival]) -> ReadArrivals:
        """Read requests, in a thread."""
        return ReadArrivals(arrivals, await asyncio.to_thread(_read_all, arrivals))

    async def record(self, read: ReadArrivals) -> None:
        """Record requests. Raises StoreUnavailable and RecorderBusy; then the same requests can be recorded again."""
        for account_id in dict.fromkeys(arrival.request.account_id for arrival in read.arrivals):
            arrivals = {
                index: arrival
                for index, arrival in enumerate(read.arrivals)
                if arrival.request.account_id == account_id
            }
            await self._record_account(
                account_id, arrivals, [item for item in read.items if item.request_index in arrivals]
            )

    async def retry(self, account_id: str, hooks: Mapping[str, ActiveHook], limit: int | None = None) -> RetryResult:
        """Read, match and record the unmatched items of an account again; with `limit`, about as many, oldest first."""
        after = tried = matched = 0
        while (limit is None or tried < limit) and (
            items := await self._store.hooks.unmatched(account_id, after, _PAGE)
        ):
            after = items[-1].number
            current = [item for item in items if item.hook_id in hooks]
            tried += len(current)
            matched += await self._retry_items(account_id, current, hooks)
        return RetryResult(tried, matched)

    async def retry_due(self, hooks: Mapping[str, ActiveHook], now: Instant) -> RetryResult:
        """Retry the items that are due, up to a page of them: what they lacked may have been recorded meanwhile.

        Each is retried a few times, at growing intervals.
        """
        due = await self._store.hooks.due_unmatched(now, _PAGE)
        by_account: dict[str, list[UnmatchedItem]] = {}
        for account_id, item in due:
            if item.hook_id in hooks:
                by_account.setdefault(account_id, []).append(item)
        matched = 0
        for account_id, items in by_account.items():
            matched += await self._retry_items(account_id, items, hooks, now)
        return RetryResult(sum(map(len, by_account.values())), matched)

    async def _retry_items(
        self,
        account_id: str,
        items: Sequence[UnmatchedItem],
        hooks: Mapping[str, ActiveHook],
        now: Instant | None = None,
    ) -> int:
        """Retry items, and return how many are matched now. With `now`, this counts as an attempt."""
        read = [item for kept in items for item in _read_kept(kept, hooks[kept.hook_id])]
        failed = {(item.hook_id, item.digest): item for item in await self._match(account_id, read, [])}
        done = []
        for kept in items:
            key = kept.hook_id, digest_text(kept.item)
            if key not in failed:
                done.append(kept.number)
            elif now is None:
                failed[key] = failed[key]._replace(attempts=kept.attempts, retry_time=kept.retry_time)
            else:
                attempts = kept.attempts + 1
                failed[key] = failed[key]._replace(attempts=attempts, retry_time=_retry_time(now, attempts))
        await self._store.hooks.save_work(account_id, CapturedWork(unmatched=list(failed.values())))
        await self._store.hooks.delete_unmatched(account_id, done)
        return len(done)

    async def _record_account(self, account_id: str, arrivals: Mapping[int, Arrival], items: Sequence[_Item]) -> None:
        messages: list[CapturedMessage] = []
        unmatched = await self._match(account_id, items, messages)
        work = await asyncio.to_thread(_summarize, arrivals, items, messages, unmatched)
        await self._store.hooks.save_work(account_id, work)
        for provider, requests in Counter(arrival.request.provider for arrival in arrivals.values()).items():
            metrics.CAPTURED.labels(provider, "recorded").inc(requests)
        if unmatched:
            metrics.UNMATCHED.inc(len(unmatched))

    async def _match(
        self, account_id: str, items: Sequence[_Item], messages: list[CapturedMessage]
    ) -> list[UnmatchedItem]:
        """Match and record items. Return those that can't be, and add the messages that were sent to `messages`."""
        reused = await self._claim_tokens(items)
        unmatched = []
        readable = []
        for item in items:
            if item.read.error is not None:
                unmatched.append(_keep(item, UNREADABLE, item.read.error))
            elif item.read.token is not None and _token(item) in reused:
                unmatched.append(_keep(item, REUSED_TOKEN, "another request came with the same one-time token before"))
            elif item.read.confirmation_url is not None and not await self._confirm(item.read.confirmation_url):
                detail = "Amazon SNS could not be reached to confirm the topic"
                unmatched.append(_keep(item, NOT_CONFIRMED, detail, may_match_later=True))
            else:
                readable.append(item)
        events = [(item, event) for item in readable for event in item.read.events]
        matched = await self._matcher.match(account_id, [(item.hook.hook, event) for item, event in events])
        activities = await asyncio.to_thread(_sort_matched, events, matched, messages, unmatched)
        size = self._store.ingest.batch_size
        for first in range(0, len(activities), size):
            part = activities[first : first + size]
            await self._record(await asyncio.to_thread(build_batch, account_id, part))
        return unmatched

    async def _claim_tokens(self, items: Iterable[_Item]) -> set[UsedToken]:
        return await self._store.hooks.claim_tokens([_token(item) for item in items if item.read.token is not None])

    async def _confirm(self, url: str) -> bool:
        try:
            await asyncio.to_thread(self._fetch, url)
        except OSError as exc:
            _log.warning("subscription not confirmed", error=str(exc))
            return False
        return True


def _read_all(arrivals: Sequence[Arrival]) -> list[_Item]:
    return [
        _Item(index, arrival.request, arrival.hook, read)
        for index, arrival in enumerate(arrivals)
        for read in read_request(arrival.hook.provider, arrival.request, arrival.hook.hook.settings)
    ]


def _sort_matched(
    events: Sequence[tuple[_Item, Event]],
    matched: Sequence[Matched],
    messages: list[CapturedMessage],
    unmatched: list[UnmatchedItem],
) -> list[Activity]:
    """Return the activities, and add the messages that were sent and the items that can't be matched to the lists."""
    activities: list[Activity] = []
    for (item, event), (activity, message, failure) in zip(events, matched, strict=True):
        if activity is not None:
            activities.append(activity)
        if message is not None:
            messages.append(message)
        if failure is not None:
            may_match_later = event.message_id is not None and failure.reason in _MAY_MATCH_LATER
            unmatched.append(_keep(item, *failure, recipient=event.recipient, may_match_later=may_match_later))
    return activities


def _summarize(
    arrivals: Mapping[int, Arrival],
    items: Sequence[_Item],
    messages: Sequence[CapturedMessage],
    unmatched: Sequence[UnmatchedItem],
) -> CapturedWork:
    """Return what is saved in addition to the activities."""
    events: Counter[int] = Counter()
    hours: Counter[tuple[str, int]] = Counter()
    for item in items:
        events[item.request_index] += len(item.read.events)
        hook_id = item.hook.hook.hook_id
        hours.update((hook_id, event.created_time // HOUR) for event in item.read.events)
    failed: Counter[int] = Counter()
    if unmatched:
        keys = {(item.hook_id, item.digest) for item in unmatched}
        failed.update(item.request_index for item in items if (item.hook.hook.hook_id, item.read.digest) in keys)
    deliveries = [
        HookDelivery(
            hook.hook.hook_id,
            request.received_time,
            blake2b(request.body, digest_size=16).hexdigest(),
            "recorded",
            events[index],
            failed[index],
        )
        for index, (request, hook) in _latest(arrivals)
    ]
    return CapturedWork(messages=messages, unmatched=unmatched, deliveries=deliveries, hours=hours)


def _read_kept(kept: UnmatchedItem, hook: ActiveHook) -> list[_Item]:
    request = CapturedRequest(
        account_id=hook.hook.account_id,
        hook_id=kept.hook_id,
        provider=hook.provider.name,
        received_time=kept.received_time,
        headers={},
        body=b"",
    )
    return [
        _Item(0, request, hook, read)
        for read in read_again(hook.provider, kept.item, kept.received_time, hook.hook.settings)
    ]


def _retry_time(now: Instant, attempts: int) -> Instant | None:
    """Return the time of the next retry after a number of attempts, or None if there is none."""
    return Instant(now + _RETRY_INTERVALS[attempts]) if attempts < len(_RETRY_INTERVALS) else None


def _keep(
    item: _Item, reason: str, detail: str, *, recipient: str | None = None, may_match_later: bool = False
) -> UnmatchedItem:
    """Return the item as it is stored. An item that may match later is retried automatically."""
    return UnmatchedItem(
        item.hook.hook.hook_id,
        item.read.digest,
        item.request.received_time,
        reason,
        detail,
        recipient or "",
        item.read.text,
        retry_time=_retry_time(item.request.received_time, 0) if may_match_later else None,
    )


def _token(item: _Item) -> UsedToken:
    # A request that is sent again may be signed again, but has the same events.
    return UsedToken(
        item.hook.hook.hook_id,
        digest_text(item.read.token or ""),
        digest_text(msgspec.json.encode(item.read.events).decode()),
        item.request.received_time,
    )


def _latest(arrivals: Mapping[int, Arrival]) -> list[tuple[int, Arrival]]:
    """Return the latest requests of each hook, with their indexes: the store would delete the others at once."""
    kept: Counter[str] = Counter()
    latest = []
    for index, arrival in reversed(list(arrivals.items())):
        hook_id = arrival.hook.hook.hook_id
        kept[hook_id] += 1
        if kept[hook_id] <= KEPT_DELIVERIES:
            latest.append((index, arrival))
    return latest
