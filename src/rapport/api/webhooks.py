"""Receive webhooks of email providers: `POST /in/{provider}/{hook}`.

A request is authenticated and appended to the spool before it gets its response; it is recorded afterwards.
"""

import asyncio
import time
from hashlib import blake2b
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport import metrics
from rapport.capture.captured import CapturedRequest, encode_request
from rapport.capture.errors import InvalidHook, KeyUnavailable, RefusedRequest, SpoolFull, SpoolUnavailable
from rapport.capture.spool import SpoolWriter
from rapport.capture.webhooks.provider import Provider, WebhookRequest
from rapport.capture.webhooks.registry import PROVIDERS
from rapport.errors import StoreUnavailable
from rapport.instant import Instant
from rapport.recording.hook_registry import ActiveHook, HookRegistry
from rapport.recording.spool_recorder import SpoolRecorder
from rapport.store.hooks import CapturedWork, HookDelivery
from rapport.store.store import Store

PATH: Final = "/in/{provider}/{hook}"

_OK: Final = 200
_NOT_FOUND: Final = 404
_TOO_LARGE: Final = 413
_REFUSAL_SECONDS: Final = 1.0
_NO_STORE: Final = {"cache-control": "no-store"}

_log = structlog.get_logger("rapport.capture")


class WebhookReceiver:
    """Receives the requests of all hooks."""

    def __init__(
        self, store: Store, hooks: HookRegistry, spool: SpoolWriter, recorder: SpoolRecorder, public_url: str
    ) -> None:
        self._store = store
        self._hooks = hooks
        self._spool = spool
        self._recorder = recorder
        self._public_url = public_url
        self._refusals: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route(PATH, self.receive, methods=["POST", "HEAD"])]

    async def receive(self, request: Request) -> Response:
        """Return an empty response with the status that the provider expects."""
        provider = PROVIDERS.get(request.path_params["provider"])
        if provider is None:
            return _empty_response(_NOT_FOUND)
        if request.method == "HEAD":
            # Mandrill checks with a HEAD request that the URL exists.
            return _empty_response(_OK)
        hook_id, _, path_secret = request.path_params["hook"].partition(".")
        try:
            hook = await self._hooks.find(hook_id)
        except StoreUnavailable:
            return self._count(provider, "failed", provider.retry_status)
        if hook is None or hook.provider is not provider:
            return _empty_response(_NOT_FOUND)
        body = await _read_body(request, provider.max_body_bytes)
        if body is None:
            return self._refuse(
                hook, RefusedRequest("too large", f"more than {provider.max_body_bytes} bytes"), _TOO_LARGE
            )
        return await self._accept(hook, self._webhook_request(request, hook, body, path_secret))

    def _webhook_request(self, request: Request, hook: ActiveHook, body: bytes, path_secret: str) -> WebhookRequest:
        base = self._public_url or f"{request.scope['scheme']}://{request.headers.get('host', '')}"
        return WebhookRequest(
            body=body,
            received_time=Instant(time.time_ns() // 1_000_000),
            headers=dict(request.headers),
            url=f"{base}/in/{hook.provider.name}/{hook.hook.hook_id}",
            path_secret=path_secret or None,
        )

    async def _accept(self, hook: ActiveHook, request: WebhookRequest) -> Response:
        provider = hook.provider
        try:
            if provider.may_block:
                await asyncio.to_thread(provider.authenticate, request, hook.credentials)
            else:
                provider.authenticate(request, hook.credentials)
        except (RefusedRequest, InvalidHook) as exc:
            refused = exc if isinstance(exc, RefusedRequest) else RefusedRequest(str(exc))
            return self._refuse(hook, refused, provider.refused_status, request.body)
        except KeyUnavailable as exc:
            _log.warning("webhook can't be checked", provider=provider.name, error=str(exc))
            return self._count(provider, "failed", provider.retry_status)
        captured = CapturedRequest(
            account_id=hook.hook.account_id,
            hook_id=hook.hook.hook_id,
            provider=provider.name,
            received_time=request.received_time,
            headers={name: request.headers[name] for name in provider.kept_headers if name in request.headers},
            body=request.body,
        )
        try:
            await self._spool.append(encode_request(captured), request.received_time)
        except SpoolFull:
            return self._count(provider, "full", provider.retry_status)
        except SpoolUnavailable:
            return self._count(provider, "failed", provider.retry_status)
        self._recorder.notify()
        return self._count(provider, "kept", _OK)

    def _count(self, provider: Provider, outcome: str, status: int) -> Response:
        metrics.CAPTURED.labels(provider.name, outcome).inc()
        return _empty_response(status)

    def _refuse(self, hook: ActiveHook, reason: RefusedRequest, status: int, body: bytes = b"") -> Response:
        """Refuse a request. The reason is stored and logged, at most once per second and hook."""
        now = time.monotonic()
        hook_id = hook.hook.hook_id
        if now - self._refusals.get(hook_id, float("-inf")) >= _REFUSAL_SECONDS:
            self._refusals[hook_id] = now
            _log.warning("webhook refused", provider=hook.provider.name, hook=hook_id, reason=str(reason))
            delivery = HookDelivery(
                hook_id,
                Instant(time.time_ns() // 1_000_000),
                blake2b(body, digest_size=16).hexdigest(),
                "refused",
                detail=str(reason),
            )
            task = asyncio.create_task(self._save_refusal(hook.hook.account_id, delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._count(hook.provider, "refused", status)

    async def _save_refusal(self, account_id: str, delivery: HookDelivery) -> None:
        try:
            await self._store.hooks.save_work(account_id, CapturedWork(deliveries=[delivery]))
        except StoreUnavailable as exc:
            _log.warning("refusal not stored", hook=delivery.hook_id, error=str(exc))


async def _read_body(request: Request, max_bytes: int) -> bytes | None:
    """Return the body, or None if it is too large. Raises ClientDisconnect."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        return None
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            return None
        parts.append(part)
    return b"".join(parts)


def _empty_response(status: int) -> Response:
    return Response(status_code=status, headers=_NO_STORE)
