"""Captured requests, as the spool stores them, and the items and events in them."""

import base64
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import msgspec

from rapport.capture.errors import InvalidPayload
from rapport.capture.event import Event
from rapport.capture.json_record import JsonRecord
from rapport.capture.webhooks.provider import Provider, WebhookRequest
from rapport.instant import Instant

_REQUEST: Final = "rapport_request"


class CapturedRequest(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A request that was authenticated."""

    account_id: str
    hook_id: str
    provider: str
    received_time: Instant
    headers: dict[str, str]
    body: bytes


class ReadItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a request, as JSON, and its events; or the reason why it can't be read."""

    item: str
    events: tuple[Event, ...] = ()
    error: str | None = None
    token: str | None = None
    confirmation_url: str | None = None

    @property
    def digest(self) -> str:
        """Identifies the item if it is sent again."""
        return digest_text(self.item)


def encode_request(request: CapturedRequest) -> bytes:
    """Encode a request for the spool."""
    return msgspec.msgpack.encode(request)


def decode_request(payload: bytes) -> CapturedRequest:
    """Decode a request from the spool. Raises InvalidPayload."""
    try:
        return msgspec.msgpack.decode(payload, type=CapturedRequest)
    except msgspec.DecodeError as exc:
        raise InvalidPayload(f"the spool has a record of another version: {exc}") from exc


def read_request(provider: Provider, request: CapturedRequest, settings: Mapping[str, str]) -> list[ReadItem]:
    """Return the items of a request. A request that can't be read becomes a single item with an error."""
    webhook = WebhookRequest(body=request.body, received_time=request.received_time, headers=request.headers)
    try:
        items = [msgspec.json.encode(item).decode() for item in provider.split(webhook)]
    except (InvalidPayload, UnicodeError) as exc:
        whole = {"headers": request.headers, "body": base64.b64encode(request.body).decode()}
        return [ReadItem(item=msgspec.json.encode({_REQUEST: whole}).decode(), error=str(exc))]
    return [read_item(provider, item, settings) for item in items]


def read_again(provider: Provider, item: str, received_time: Instant, settings: Mapping[str, str]) -> list[ReadItem]:
    """Read an unmatched item again, with the hook's current settings."""
    whole = JsonRecord(msgspec.json.decode(item)).record(_REQUEST)
    body = whole.text("body")
    if body is None and not whole.record("headers").flat():
        return [read_item(provider, item, settings)]
    request = CapturedRequest(
        account_id="",
        hook_id="",
        provider=provider.name,
        received_time=received_time,
        headers=whole.record("headers").flat(),
        body=base64.b64decode(body or ""),
    )
    return read_request(provider, request, settings)


def read_item(provider: Provider, item: str, settings: Mapping[str, str]) -> ReadItem:
    """Return the events of an item, given as JSON."""
    decoded = msgspec.json.decode(item)
    try:
        events = tuple(provider.read(decoded, settings))
    except (InvalidPayload, UnicodeError) as exc:
        return ReadItem(item=item, error=str(exc), token=provider.token(decoded))
    return ReadItem(
        item=item,
        events=events,
        token=provider.token(decoded),
        confirmation_url=provider.confirmation_url(decoded),
    )


def digest_text(text: str) -> str:
    """Return a digest that identifies the text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
