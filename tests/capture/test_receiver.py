"""Requests of every provider as they may arrive: twice at once, too large, compressed, or with another content type."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from rapport.api.webhooks import WebhookReceiver
from rapport.capture.captured import decode_request
from rapport.capture.sources import SOURCES
from rapport.capture.spool import SpoolWriter
from rapport.capture.spool_reader import SpoolReader
from rapport.capture.webhooks.provider import SecretProvider, WebhookRequest
from rapport.capture.webhooks.registry import PROVIDERS
from rapport.instant import Instant
from rapport.recording.captured_events import CapturedEvents
from rapport.recording.group_commit import GroupCommitter
from rapport.recording.hook_registry import HookRegistry, save_hook
from rapport.recording.spool_recorder import SpoolRecorder
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.hooks import Hook
from tests.helpers.webhook_payloads import SAMPLES
from tests.helpers.webhook_signing import NOW, credentials, provider, signed_request

NAMES = sorted(PROVIDERS)
PUBLIC_URL = "https://rapport.example.com"
HOOK_ID = "spring"
"""Mandrill signs the URL, which the helper knows."""


class Receiver:
    """A receiver with a hook, and its spool."""

    def __init__(self, client: httpx.AsyncClient, spool: Path, name: str) -> None:
        self._client = client
        self._spool = spool
        self.name = name

    def make_request(self) -> WebhookRequest:
        payload = next(sample for sample in SAMPLES if sample.provider == self.name).payload
        return signed_request(self.name, payload, now=time.time_ns() // 1_000_000)

    async def post(self, request: WebhookRequest, **headers: str) -> int:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"/in/{self.name}/{HOOK_ID}"
        response = await self._client.post(url, content=request.body, headers={**request.headers, **names})
        assert response.content == b""
        return response.status_code

    def read_bodies(self) -> list[bytes]:
        """Return the bodies that were kept."""
        with SpoolReader(self._spool) as reader:
            assert reader.try_lock()
            return [decode_request(entry.payload).body for entry in reader.read(100, 1 << 30)]


@pytest.fixture(params=NAMES)
async def receiver(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Receiver]:
    name = request.param
    tested = provider(name)
    monkeypatch.setitem(PROVIDERS, name, tested)
    monkeypatch.setitem(SOURCES, name, tested)
    spool = tmp_path / "spool"
    async with open_store(Settings(data=str(tmp_path / "data"))) as store:
        await store.accounts.ensure("default")
        hook = Hook(
            account_id="default",
            hook_id=HOOK_ID,
            provider=name,
            name=name,
            settings=dict(credentials(name).settings),
            secret_hashes=credentials(name).secret_hashes,
            created_time=NOW,
        )
        await save_hook(store, hook, credentials(name).keys)
        registry = HookRegistry(store)
        writer = SpoolWriter(spool, 1 << 30)
        committer = GroupCommitter(store.ingest, 1_000)
        recorder = SpoolRecorder(store, CapturedEvents(store, committer.record), registry, spool)
        routes = WebhookReceiver(store, registry, writer, recorder, PUBLIC_URL).routes()
        writer.start()
        transport = httpx.ASGITransport(Starlette(routes=routes))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
            yield Receiver(client, spool, name)
        await writer.stop()


async def test_two_requests_at_once_are_both_kept(receiver: Receiver) -> None:
    request = receiver.make_request()
    assert await asyncio.gather(receiver.post(request), receiver.post(request)) == [200, 200]
    assert receiver.read_bodies() == [request.body] * 2


async def test_content_type_is_ignored(receiver: Receiver) -> None:
    request = receiver.make_request()
    for content_type in ("text/csv", "multipart/form-data", ""):
        assert await receiver.post(request, content_type=content_type) == 200
    assert receiver.read_bodies() == [request.body] * 3


async def test_bodies_that_are_truncated_compressed_or_too_large_are_not_authentic(receiver: Receiver) -> None:
    request = receiver.make_request()
    signs_nothing = isinstance(PROVIDERS[receiver.name], SecretProvider)
    for body in (gzip.compress(request.body), request.body[: len(request.body) // 2], b""):
        status = await receiver.post(msgspec.structs.replace(request, body=body), content_encoding="gzip")
        assert status == 200 if signs_nothing else 400 <= status < 500, body
    assert len(receiver.read_bodies()) == (3 if signs_nothing else 0)
    large = msgspec.structs.replace(request, body=b" " * (16 * 1024 * 1024 + 1))
    assert await receiver.post(large) == 413


async def test_request_from_long_ago_is_refused_or_harmless(receiver: Receiver) -> None:
    payload = next(sample for sample in SAMPLES if sample.provider == receiver.name).payload
    old = signed_request(receiver.name, payload, now=Instant(NOW - 400 * 24 * 3_600_000))
    status = await receiver.post(old)
    has_age = receiver.name in {"amazon-ses", "generic", "mailgun", "resend", "sendgrid"}
    # The others sign no time; the event is the same as when it was sent first, and counts once.
    assert 400 <= status < 500 if has_age else status == 200
