"""The base classes of providers, and the requests and credentials that they get."""

import abc
import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import msgspec

from rapport.activity import ActivityType
from rapport.capture.errors import InvalidHook, InvalidPayload, MissingSetting, RefusedRequest
from rapport.capture.event import COMPLAINT, Event
from rapport.capture.json_record import decode_json
from rapport.capture.webhooks.signatures import matches_secret
from rapport.instant import Instant

KIB: Final = 1024
MIB: Final = 1024 * KIB

CONTACT_KEY: Final = "rapport_contact_id"
CAMPAIGN_ACTIVITY_KEY: Final = "rapport_campaign_activity_id"
"""The metadata by which a sender names the contact and the campaign activity of a message."""


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it arrived. The names of its headers are in lower case."""

    body: bytes
    received_time: Instant
    headers: Mapping[str, str] = {}
    url: str = ""
    """The URL that the provider was given, without a query."""
    path_secret: str | None = None


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The keys and secrets that authenticate a hook's requests. Several are valid while they are being replaced."""

    keys: tuple[str, ...] = ()
    secret_hashes: tuple[str, ...] = ()
    settings: Mapping[str, str] = {}


class HookSetting(msgspec.Struct, frozen=True):
    """A setting of a provider's hooks."""

    name: str
    description: str
    is_required: bool = False


class Provider(abc.ABC):
    """One email provider. Instances hold no state about requests."""

    name: ClassVar[str]
    title: ClassVar[str]
    events: ClassVar[Mapping[str, ActivityType | None]]
    """The activity type of each event, by the provider's name; None if it isn't an activity."""
    complaints: ClassVar[frozenset[str]] = frozenset()
    key_name: ClassVar[str | None] = None
    """The provider's name for the key that it signs with; None if hooks need no key."""
    settings: ClassVar[tuple[HookSetting, ...]] = ()
    steps: ClassVar[tuple[str, ...]] = ()
    """Instructions for the provider's side. `{url}`, `{hook}` and `{topic_arn}` are replaced by the hook's URL, id and
    setting."""
    max_body_bytes: ClassVar[int] = MIB
    retry_status: ClassVar[int] = 503
    """The response status that makes the provider send the request again later."""
    refused_status: ClassVar[int] = 403
    kept_headers: ClassVar[tuple[str, ...]] = ()
    """The headers that `split` reads."""
    may_block: ClassVar[bool] = False
    """True if `authenticate` may wait for the network."""

    @abc.abstractmethod
    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:
        """Check that the provider sent the request. Raises RefusedRequest, KeyUnavailable or InvalidHook."""

    def check_credentials(self, credentials: Credentials) -> None:
        """Check that requests can be authenticated with these credentials. Raises InvalidHook."""
        missing = [item.name for item in self.settings if item.is_required and not credentials.settings.get(item.name)]
        if missing:
            described = "; ".join(
                f"{item.name}: {item.description.rstrip('.')}" for item in self.settings if item.name in missing
            )
            raise MissingSetting(f"hooks for {self.title} need the setting {described}")

    def split(self, request: WebhookRequest) -> Sequence[object]:
        """Return the items of a request, as JSON values. Raises InvalidPayload."""
        decoded = decode_json(request.body)
        return decoded if isinstance(decoded, list) else [decoded]

    @abc.abstractmethod
    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:
        """Return the events of an item; usually one, and none for a test. Raises InvalidPayload."""

    def token(self, item: object) -> str | None:  # noqa: ARG002 - only some providers have one
        """Return the one-time token of an item; its signature is valid for this item only. None if it has none."""
        return None

    def confirmation_url(self, item: object) -> str | None:  # noqa: ARG002 - only some providers ask for one
        """Return the URL that confirms a subscription when it is fetched; None if the item doesn't request that."""
        return None

    def find_type(self, name: str) -> ActivityType | None:
        """Return the activity type of an event. Raises InvalidPayload for an unknown one."""
        if name not in self.events:
            raise InvalidPayload(f"unknown event {name!r}; expected one of {', '.join(self.events)}")
        return self.events[name]

    def opt_out_reason(self, name: str) -> str | None:
        """Return the opt-out reason of an event that is a complaint."""
        return COMPLAINT if name in self.complaints else None


class SecretProvider(Provider):
    """A provider that doesn't sign its requests, so that each must carry a secret."""

    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:
        """Check the secret in the path, in `Authorization` or in `X-Rapport-Secret`."""
        check_secret(request, credentials)

    def check_credentials(self, credentials: Credentials) -> None:
        """Check that there is a secret."""
        super().check_credentials(credentials)
        if not credentials.secret_hashes:
            raise InvalidHook(f"{self.title} doesn't sign its requests, so its hooks need a secret")


def check_secret(request: WebhookRequest, credentials: Credentials) -> None:
    """Check that the request carries the hook's secret. Raises RefusedRequest."""
    presented = _presented_secrets(request)
    if not presented:
        raise RefusedRequest("no secret", "neither the path nor the headers Authorization and X-Rapport-Secret have it")
    if not matches_secret(credentials.secret_hashes, presented):
        raise RefusedRequest("wrong secret")


def _presented_secrets(request: WebhookRequest) -> list[str]:
    presented = [secret for secret in (request.path_secret, request.headers.get("x-rapport-secret")) if secret]
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        presented.append(value.strip())
    elif scheme.lower() == "basic":
        try:
            presented.append(base64.b64decode(value.strip(), validate=True).decode().partition(":")[2])
        except (binascii.Error, ValueError):
            return presented
    return presented
