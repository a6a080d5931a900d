"""/track/v1/…: what contacts did, and who and what there is, comes in; who is to be forgotten goes.

Whatever is accepted is durable when it is answered.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport import metrics
from rapport.activity import Activity, is_id
from rapport.api.answers import json_answer
from rapport.api.body import BodyReader, Lines
from rapport.api.door import admit
from rapport.api.handler import delete, post
from rapport.auth.gate import Gate
from rapport.auth.scope import Privilege, Scope
from rapport.disconnects import watch_client
from rapport.errors import InvalidField, MalformedContactId, StoreUnavailable, UnknownContact
from rapport.instant import Instant
from rapport.recording import catalogue_lines
from rapport.recording.lines import Form, Rejection, activity_of_json, rejection_of
from rapport.recording.record import Recorder
from rapport.store.batch import Batch, Gathering
from rapport.store.protocol import Store

ACTIVITIES: Final = "/track/v1/activities"
CONTACTS: Final = "/track/v1/contacts"
CAMPAIGNS: Final = "/track/v1/campaigns"
CONTACT: Final = "/track/v1/contacts/{contact_id:path}"

T = TypeVar("T")

_PATIENCE: Final = 30.0
"""Seconds that a request waits for its commit. What is committed later is a duplicate when it is sent again."""


class Receipt(msgspec.Struct):
    """What became of the lines of a request: `duplicate` ones changed nothing. `index` counts them from 0."""

    accepted: int
    duplicate: int
    rejected: int
    rejections: list[Rejection]


class Track:
    """The way in over HTTP."""

    def __init__(self, store: Store, recorder: Recorder, gate: Gate) -> None:
        self._store = store
        self._recorder = recorder
        self._gate = gate
        self._bodies = BodyReader()

    def routes(self) -> list[Route]:
        """The routes by which all of it comes in, and contacts go."""
        return [
            post(ACTIVITIES, self.record_activities),
            post(CONTACTS, self.state_contacts),
            post(CAMPAIGNS, self.state_campaigns),
            delete(CONTACT, self.erase_contact),
        ]

    async def state_contacts(self, request: Request) -> Response:
        """Take in what is stated of contacts, and answer when all that is accepted is durable."""
        principal = await admit(self._gate, request, Scope.ACTIVITY_WRITE, Privilege.CONTACTS_WRITE)
        with await self._bodies.read(request, principal.account_id) as lines:
            statements, rejections = await _read_statements(lines, catalogue_lines.CONTACTS)
        watch_client(request.receive)
        return await _taken(self._store.state_contacts(principal.account_id, statements), len(statements), rejections)

    async def state_campaigns(self, request: Request) -> Response:
        """Take in what is stated of campaigns, and answer when all that is accepted is durable."""
        principal = await admit(self._gate, request, Scope.ACTIVITY_WRITE, Privilege.CAMPAIGN_WRITE)
        with await self._bodies.read(request, principal.account_id) as lines:
            statements, rejections = await _read_statements(lines, catalogue_lines.CAMPAIGNS)
        watch_client(request.receive)
        return await _taken(self._store.state_campaigns(principal.account_id, statements), len(statements), rejections)

    async def erase_contact(self, request: Request) -> Response:
        """Erase a contact for good, and answer when that is durable."""
        principal = await admit(self._gate, request, Scope.ACTIVITY_WRITE, Privilege.CONTACTS_WRITE)
        contact_id: str = request.path_params["contact_id"]
        if not is_id(contact_id):
            raise MalformedContactId
        if not await self._store.erase(principal.account_id, contact_id):
            raise UnknownContact(contact_id)
        return Response(status_code=204)

    async def record_activities(self, request: Request) -> Response:
        """Record the lines of the body, and answer when all that is accepted is durable."""
        principal = await admit(self._gate, request, Scope.ACTIVITY_WRITE)
        with await self._bodies.read(request, principal.account_id) as lines:
            batch, rejections = await _read(principal.account_id, lines)
        watch_client(request.receive)
        try:
            async with asyncio.timeout(_PATIENCE):
                recorded = await self._recorder.record(batch)
        except TimeoutError:
            raise StoreUnavailable("the commit takes too long") from None
        metrics.REJECTED.inc(len(rejections))
        receipt = Receipt(sum(recorded.accepted.values()), recorded.duplicate, len(rejections), rejections)
        return json_answer(msgspec.json.encode(receipt))


async def _read(account_id: str, lines: Lines) -> tuple[Batch, list[Rejection]]:
    now = Instant(time.time_ns() // 1_000_000)
    gathering = Gathering()
    rejections: list[Rejection] = []
    for first, some in lines.slices():
        if first:
            await lines.let_others_run()
        gathering.extend(_activities(some, first, now, rejections))
    return gathering.batch(account_id), rejections


async def _read_statements(lines: Lines, form: Form[T]) -> tuple[list[T], list[Rejection]]:
    now = Instant(time.time_ns() // 1_000_000)
    statements: list[T] = []
    rejections: list[Rejection] = []
    for first, some in lines.slices():
        if first:
            await lines.let_others_run()
        for index, line in enumerate(some, first):
            try:
                statements.append(form.of_json(line, now))
            except InvalidField as problem:
                rejections.append(rejection_of(index, problem))
    return statements, rejections


async def _taken(change: Awaitable[int], size: int, rejections: list[Rejection]) -> Response:
    """The receipt of statements, once they are in the store."""
    try:
        async with asyncio.timeout(_PATIENCE):
            changes = await change
    except TimeoutError:
        raise StoreUnavailable("the commit takes too long") from None
    metrics.REJECTED.inc(len(rejections))
    return json_answer(msgspec.json.encode(Receipt(changes, size - changes, len(rejections), rejections)))


def _activities(
    lines: Sequence[bytes | msgspec.Raw], first: int, now: Instant, rejections: list[Rejection]
) -> Iterator[Activity]:
    for index, line in enumerate(lines, first):
        try:
            yield activity_of_json(line, now)
        except InvalidField as problem:
            rejections.append(rejection_of(index, problem))
