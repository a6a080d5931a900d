"""All sources of captured events: webhooks of providers, and bounce mail."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from rapport.activity import ActivityType
from rapport.capture.bounces import reader
from rapport.capture.errors import InvalidHook, InvalidPayload, RefusedRequest
from rapport.capture.event import Event
from rapport.capture.json_record import JsonRecord, read_time
from rapport.capture.webhooks.provider import MIB, Credentials, Provider, WebhookRequest
from rapport.capture.webhooks.registry import PROVIDERS


class BounceMail(Provider):
    """Messages that mail servers send to the return path. They don't arrive over HTTP."""

    name: ClassVar[str] = reader.SOURCE
    title: ClassVar[str] = "Bounce mail"
    events: ClassVar[Mapping[str, ActivityType | None]] = {
        reader.BOUNCE: ActivityType.EM_BOUNCES,
        reader.AUTO_REPLY: ActivityType.EM_BOUNCES,
        reader.FEEDBACK: ActivityType.EM_OPTOUTS,
        reader.DELAY: None,
    }
    steps: ClassVar[tuple[str, ...]] = (
        "Have the mail server pass what arrives at the return path to `rapport bounce`.",
        'In /etc/aliases: bounces: "|rapport bounce --data DIR"',
    )
    max_body_bytes: ClassVar[int] = 32 * MIB

    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:  # noqa: ARG002 - see below
        """Refuse the request, because anybody could send a message over HTTP."""
        raise RefusedRequest("bounce mail doesn't arrive over HTTP")

    def split(self, request: WebhookRequest) -> Sequence[object]:
        """Return the message, as text with one character per byte, and the time at which it arrived."""
        return [{"message": request.body.decode("latin-1"), "received_time": request.received_time}]

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:  # noqa: ARG002 - the same for all hooks
        """Return the events of the message."""
        record = JsonRecord(item)
        text = record.text("message") or ""
        try:
            return reader.read_bounce(text.encode("latin-1"), read_time("received_time", record.value("received_time")))
        except UnicodeEncodeError as exc:
            raise InvalidPayload("the message was altered") from exc


SOURCES: Final[dict[str, Provider]] = {**PROVIDERS, BounceMail.name: BounceMail()}


def get_source(name: str) -> Provider:
    """Return the source with this name. Raises InvalidHook for an unknown one."""
    if name not in SOURCES:
        raise InvalidHook(f"unknown provider {name!r}; expected one of {', '.join(SOURCES)}")
    return SOURCES[name]
