"""Events: a provider's reports about one message and one recipient."""

from hashlib import blake2b
from typing import Final

import msgspec

from rapport.activity import ActivityType, BounceCode
from rapport.instant import Instant

COMPLAINT: Final = "complaint"
"""The opt-out reason of contacts who reported a message as spam."""

MAX_PROVIDER_ID_LENGTH: Final = 200


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event, in Rapport's terms. `type` is None if it isn't an activity, such as a deferred delivery.

    `event_id` is the same for every delivery of the event, however often and in whichever order it is redelivered.
    """

    name: str
    type: ActivityType | None
    created_time: Instant
    event_id: str
    recipient: str | None = None
    message_id: str | None = None
    link_url: str | None = None
    bounce_code: BounceCode | None = None
    opt_out_reason: str | None = None
    user_agent: str | None = None
    ip_address: str | None = None
    machine: str | None = None
    """The software that opened or clicked, according to the provider, such as 'apple'; None if unknown."""
    is_delivery: bool = False
    """True if the event says that the message was delivered: `created_time` is then the delivery time."""
    subject: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}


def event_identity(provider: str, event_id: str) -> str:
    """Return the `event_id` of an event for which the provider has an id."""
    if len(event_id) > MAX_PROVIDER_ID_LENGTH or not event_id.isprintable():
        return derived_identity(provider, event_id)
    return f"{provider}:{event_id}"


def derived_identity(provider: str, *parts: object) -> str:
    """Return the `event_id` of an event that is identified by its content. None and '' are different parts."""
    text = "\x1f".join("\x00" if part is None else str(part) for part in parts)
    return f"{provider}:{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
