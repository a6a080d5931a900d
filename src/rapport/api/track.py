"""POST /track/v1/activities: what contacts did comes in, and is durable when it is answered."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport import metrics
from rapport.activity import Activity
from rapport.api.answers import json_answer
from rapport.api.body import read_lines
from rapport.api.door import admit
from rapport.api.handler import post
from rapport.auth.gate import Gate
from rapport.auth.scope import Scope
from rapport.errors import InvalidField, StoreUnavailable
from rapport.instant import Instant
from rapport.recording.lines import Rejection, activity_of_json, rejection_of
from rapport.recording.record import Recorder
from rapport.store.batch import Batch, Gathering

ACTIVITIES: Final = "/track/v1/activities"

_SLICE: Final = 200
"""Lines read at a stretch; then other requests have their turn."""
_PATIENCE: Final = 30.0
"""Seconds that a request waits for its commit. What is committed later is a duplicate when it is sent again."""


class Receipt(msgspec.Struct):
    """What became of the lines of a request. `index` counts them from 0."""

    accepted: int
    duplicate: int
    rejected: int
    rejections: list[Rejection]


class Track:
    """The way in over HTTP."""

    def __init__(self, recorder: Recorder, gate: Gate) -> None:
        self._recorder = recorder
        self._gate = gate

    def routes(self) -> list[Route]:
        """The routes by which activities come in."""
        return [post(ACTIVITIES, self.record_activities)]

    async def record_activities(self, request: Request) -> Response:
        """Record the lines of the body, and answer when all that is accepted is durable."""
        principal = await admit(self._gate, request, Scope.ACTIVITY_WRITE)
        batch, rejections = await _read(principal.account_id, await read_lines(request))
        try:
            async with asyncio.timeout(_PATIENCE):
                recorded = await self._recorder.record(batch)
        except TimeoutError:
            raise StoreUnavailable("the commit takes too long") from None
        metrics.REJECTED.inc(len(rejections))
        receipt = Receipt(sum(recorded.accepted.values()), recorded.duplicate, len(rejections), rejections)
        return json_answer(msgspec.json.encode(receipt))


async def _read(account_id: str, lines: Sequence[bytes | msgspec.Raw]) -> tuple[Batch, list[Rejection]]:
    now = Instant(time.time_ns() // 1_000_000)
    gathering = Gathering()
    rejections: list[Rejection] = []
    for first in range(0, len(lines), _SLICE):
        if first:
            await asyncio.sleep(0)
        gathering.extend(_activities(lines[first : first + _SLICE], first, now, rejections))
    return gathering.batch(account_id), rejections


def _activities(
    lines: Sequence[bytes | msgspec.Raw], first: int, now: Instant, rejections: list[Rejection]
) -> Iterator[Activity]:
    for index, line in enumerate(lines, first):
        try:
            yield activity_of_json(line, now)
        except InvalidField as problem:
            rejections.append(rejection_of(index, problem))
