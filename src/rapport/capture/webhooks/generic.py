"""Webhooks of any other source, with a mapping in the hook's settings."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, Final

import msgspec

from rapport.activity import BOUNCE_CODES, TYPES, ActivityType
from rapport.capture.bounce_codes import bounce_code
from rapport.capture.errors import InvalidHook, InvalidPayload
from rapport.capture.event import Event, derived_identity, event_identity
from rapport.capture.json_record import JsonRecord, as_text, decode_json, read_time
from rapport.capture.webhooks import standard
from rapport.capture.webhooks.provider import (
    CAMPAIGN_ACTIVITY_KEY,
    CONTACT_KEY,
    MIB,
    Credentials,
    HookSetting,
    Provider,
    WebhookRequest,
    check_secret,
)

MAPPING: Final = "mapping"
_NONE: Final = "none"
_EXAMPLE: Final = (
    '{"type": "event", "created_time": "at", "email_address": "user.email", "event_id": "id", '
    '"types": {"opened": "em_opens", "ping": "none"}}'
)


class EventMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The paths of an event's fields: names joined by '.', relative to the item."""

    types: dict[str, str]
    """The activity type of each event, by the source's name: `em_opens`, …, or `none`."""
    type: str = "type"
    created_time: str = "created_time"
    items: str | None = None
    """The path of the array of events; without it, the body is an event or an array of them."""
    event_id: str | None = None
    contact_id: str | None = None
    email_address: str | None = None
    message_id: str | None = None
    campaign_activity_id: str | None = None
    link_url: str | None = None
    bounce_code: str | None = None
    bounce_text: str | None = None
    opt_out_reason: str | None = None
    user_agent: str | None = None
    ip_address: str | None = None
    subject: str | None = None
    tag: str | None = None


class Generic(Provider):
    """A source that signs by the Standard Webhooks specification, or that sends a secret."""

    name: ClassVar[str] = "generic"
    title: ClassVar[str] = "Generic webhook"
    events: ClassVar[Mapping[str, ActivityType | None]] = {}
    key_name: ClassVar[str | None] = "signing key (Standard Webhooks), unless a secret is used"
    settings: ClassVar[tuple[HookSetting, ...]] = (
        HookSetting(
            MAPPING,
            f"JSON that names the paths of the parts of an event, and its types: {_EXAMPLE}",
            is_required=True,
        ),
    )
    steps: ClassVar[tuple[str, ...]] = (
        "Have the source send its events to {url} as JSON.",
        "It must sign them by the Standard Webhooks specification, or send the secret.",
        "The secret may be in the URL, a bearer token, the password of Basic authentication, or in X-Rapport-Secret.",
    )
    max_body_bytes: ClassVar[int] = 16 * MIB
    kept_headers: ClassVar[tuple[str, ...]] = ("webhook-id", "svix-id")

    def check_credentials(self, credentials: Credentials) -> None:
        """Check the mapping, and that there is a key or a secret."""
        super().check_credentials(credentials)
        load_mapping(credentials.settings[MAPPING])
        for key in credentials.keys:
            standard.decode_key(key)
        if not (credentials.keys or credentials.secret_hashes):
            raise InvalidHook("a generic hook needs a signing key or a secret")

    def authenticate(self, request: WebhookRequest, credentials: Credentials) -> None:
        """Check the signature if the hook has a key, else the secret."""
        if credentials.keys:
            standard.check_signature(request, credentials.keys)
        else:
            check_secret(request, credentials)

    def split(self, request: WebhookRequest) -> Sequence[object]:
        """Return the body, together with its id if it has one. `read` finds the events in it."""
        return [{"id": standard.message_id(request), "body": decode_json(request.body)}]

    def read(self, item: object, settings: Mapping[str, str]) -> list[Event]:
        """Return the events by the hook's mapping."""
        mapping = load_mapping(settings.get(MAPPING, ""))
        envelope = JsonRecord(item)
        body = envelope.value("body")
        events = body if mapping.items is None else _find(body, mapping.items)
        return [
            self._read_event(mapping, event, envelope.text("id"), index)
            for index, event in enumerate(events if isinstance(events, list) else [events])
        ]

    def _read_event(self, mapping: EventMapping, event: object, message: str | None, index: int) -> Event:
        name = _text(event, mapping.type) or ""
        if name not in mapping.types:
            raise InvalidPayload(f"unknown event {name!r}: the mapping has {', '.join(mapping.types)}")
        activity_type = TYPES.get(mapping.types[name])
        created_time = read_time(mapping.created_time, _find(event, mapping.created_time))
        recipient, link = _text(event, mapping.email_address), _text(event, mapping.link_url)
        identifier, message_id = _text(event, mapping.event_id), _text(event, mapping.message_id)
        contact = _text(event, mapping.contact_id)
        if identifier is not None:
            event_id = event_identity(self.name, identifier)
        elif message is not None:
            event_id = derived_identity(self.name, message, index)
        else:
            event_id = derived_identity(self.name, name, created_time, recipient, contact, message_id, link)
        own_metadata = {CONTACT_KEY: contact, CAMPAIGN_ACTIVITY_KEY: _text(event, mapping.campaign_activity_id)}
        tag = _text(event, mapping.tag)
        text = _text(event, mapping.bounce_text)
        is_bounce = activity_type is ActivityType.EM_BOUNCES
        return Event(
            name=name,
            type=activity_type,
            created_time=created_time,
            event_id=event_id,
            recipient=recipient,
            message_id=message_id,
            link_url=link if activity_type in {ActivityType.EM_CLICKS, ActivityType.P_CONTACT_CLICK} else None,
            bounce_code=BOUNCE_CODES.get(_text(event, mapping.bounce_code) or "", bounce_code(None, text))
            if is_bounce
            else None,
            opt_out_reason=_text(event, mapping.opt_out_reason) if activity_type is ActivityType.EM_OPTOUTS else None,
            user_agent=_text(event, mapping.user_agent),
            ip_address=_text(event, mapping.ip_address),
            subject=_text(event, mapping.subject),
            tags=() if tag is None else (tag,),
            metadata=JsonRecord(event).flat()
            | {key: value for key, value in own_metadata.items() if value is not None},
        )


@lru_cache(maxsize=1_000)
def load_mapping(text: str) -> EventMapping:
    """Return the mapping of a hook. Raises InvalidHook."""
    try:
        mapping = msgspec.json.decode(text, type=EventMapping)
    except msgspec.DecodeError as exc:
        raise InvalidHook(f"mapping: {exc}") from exc
    unknown = sorted(set(mapping.types.values()) - {*TYPES, _NONE})
    if unknown or not mapping.types:
        raise InvalidHook(f"mapping: types must map names to one of {', '.join(TYPES)} or none, not {unknown}")
    return mapping


def _find(value: object, path: str) -> object:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(event: object, path: str | None) -> str | None:
    return None if path is None else as_text(_find(event, path))
