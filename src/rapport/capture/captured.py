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
    """An item of a request, as a JSON value, and its events; or the reason why it can't be read."""

    value: object
    events: tuple[Event, ...] = ()
    error: str | None = None
    token: str | None = None
    confirmation_url: str | None = None

    @property
    def text(self) -> str:
        """Return the item as JSON."""
        return msgspec.json.encode(self.value).decode()

    @property
    def digest(self) -> str:
        """Return a digest, which is the same if the item is sent again."""
        return digest_text(self.text)


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
        values = provider.split(webhook)
    except (InvalidPayload, UnicodeError) as exc:
        whole = {"headers": request.headers, "body": base64.b64encode(request.body).decode()}
        return [ReadItem(value={_REQUEST: whole}, error=str(exc))]
    return [read_item(provider, value, settings) for value in values]


def read_again(provider: Provider, item: str, received_time: Instant, settings: Mapping[str, str]) -> list[ReadItem]:
    """Read an unmatched item again, with the hook's current settings."""
    value = msgspec.json.decode(item)
    whole = JsonRecord(value).record(_REQUEST)
    body = whole.text("body")
    if body is None and not whole.record("headers").flat():
        return [read_item(provider, value, settings)]
    request = CapturedRequest(
        account_id="",
        hook_id="",
        provider=provider.name,
        received_time=received_time,
        headers=whole.record("headers").flat(),
        body=base64.b64decode(body or ""),
    )
    return read_request(provider, request, settings)


def read_item(provider: Provider, value: object, settings: Mapping[str, str]) -> ReadItem:
    """Return the events of an item."""
    try:
        events = tuple(provider.read(value, settings))
    except (InvalidPayload, UnicodeError) as exc:
        return ReadItem(value=value, error=str(exc), token=provider.token(value))
    return ReadItem(
        value=value,
        events=events,
        token=provider.token(value),
        confirmation_url=provider.confirmation_url(value),
    )


def digest_text(text: str) -> str:
    """Return a digest that identifies the text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
