"""Find the contact and the campaign activity of captured events.

The contact and the campaign activity that the sender put into the metadata win, then the recorded send with the same
message id, then the recipient's address and the rule of the hook.
"""

import asyncio
import hmac
import secrets
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from rapport.activity import (
    DEVICE_TYPES,
    TYPES_WITHOUT_DEVICE,
    Activity,
    ActivityType,
    ContactProfile,
    DeviceType,
    Link,
    is_id,
)
from rapport.capture.captured import digest_text
from rapport.capture.event import Event
from rapport.capture.webhooks.provider import CAMPAIGN_ACTIVITY_KEY, CONTACT_KEY
from rapport.errors import InvalidField, StoreUnavailable
from rapport.recording.details import device_from_user_agent
from rapport.recording.hook_registry import CAMPAIGN_ACTIVITY, CONSTANT_RULE, CONTACT_FIELD, METADATA_RULE
from rapport.store.hooks import CapturedMessage, Hook
from rapport.store.store import Store

CONTACT_ID_KEY: Final = "contact-id-key"
"""The secret of the ids of contacts that are created by address: the address can't be guessed from the id."""

NO_CONTACT: Final = "no contact"
NO_CAMPAIGN_ACTIVITY: Final = "no campaign activity"
INVALID: Final = "invalid"
REASONS: Final = {
    NO_CONTACT: "the event names no recipient, and no message with its id was captured",
    NO_CAMPAIGN_ACTIVITY: "neither its metadata nor a send with its message id nor the rule of the hook tell which",
}

_MAX_NAME: Final = 512


class Unmatched(NamedTuple):
    """Why an event can't be recorded."""

    reason: str
    detail: str


class Matched(NamedTuple):
    """The result for an event: an activity, a message that was sent or delivered, or a reason why there is none."""

    activity: Activity | None = None
    message: CapturedMessage | None = None
    unmatched: Unmatched | None = None


_NOTHING: Final = Matched()


class Matcher:
    """Matches events of one account, many at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key: bytes | None = None

    async def match(self, account_id: str, events: Sequence[tuple[Hook, Event]]) -> list[Matched]:
        """Return the result for each event. Raises StoreUnavailable."""
        if not events:
            return []
        key = await self._load_key()
        # In a thread, because a large batch of events takes a while, and requests are served meanwhile.
        batch = await asyncio.to_thread(_BatchMatcher, account_id, key, events)
        batch.messages = await self._store.hooks.find_messages(account_id, batch.digests)
        batch.contacts = await self._store.hooks.find_contacts(account_id, batch.addresses)
        batch.sends = await self._store.hooks.find_sends(account_id, await asyncio.to_thread(batch.list_sends))
        return await asyncio.to_thread(batch.match_all)

    async def _load_key(self) -> bytes:
        while self._key is None:
            stored = await self._store.secrets.read(CONTACT_ID_KEY)
            if stored is None:
                await self._store.secrets.replace(CONTACT_ID_KEY, None, secrets.token_bytes(32))
            elif len(stored) < 32:
                raise StoreUnavailable(f"the secret {CONTACT_ID_KEY} is damaged: restore it from a backup")
            else:
                self._key = stored
        return self._key


class _BatchMatcher:
    """Matches the events of a batch, with data that is loaded for them."""

    def __init__(self, account_id: str, key: bytes, events: Sequence[tuple[Hook, Event]]) -> None:
        self._account_id = account_id
        self._key = key
        self._events = events
        self._digests = {
            message_id: message_digest(message_id)
            for message_id in {event.message_id for _, event in events}
            if message_id is not None
        }
        addresses = {event.recipient for _, event in events}
        self.addresses = sorted(address for address in addresses if address is not None and is_text(address))
        self.digests = sorted(set(self._digests.values()))
        self.messages: dict[str, CapturedMessage] = {}
        self.contacts: dict[str, str] = {}
        self.sends: dict[tuple[str, str], str] = {}

    def list_sends(self) -> list[tuple[str, str]]:
        """Return the sends, by contact and message, that the events may refer to and that weren't captured."""
        sends = {
            (contact_id, event.message_id)
            for hook, event in self._events
            if event.message_id is not None and event.type is not None and not self._names_campaign_activity(event)
            for contact_id in (self._known_contact(hook, event),)
            if contact_id is not None
        }
        return [(contact_id, _bare(message_id)) for contact_id, message_id in sends if is_text(message_id)]

    def match_all(self) -> list[Matched]:
        """Return the result for each event."""
        results: list[Matched] = [_NOTHING] * len(self._events)
        later = []
        for index, (hook, event) in enumerate(self._events):
            # Sends first: an event in the same batch may refer to one that comes after it.
            if _identifies_message(event):
                results[index] = self._match(hook, event)
            else:
                later.append(index)
        for index in later:
            results[index] = self._match(*self._events[index])
        return results

    def _names_campaign_activity(self, event: Event) -> bool:
        """Return True if the event itself, or the send of its message, names the campaign activity."""
        return CAMPAIGN_ACTIVITY_KEY in event.metadata or self._message(event) is not None

    def _known_contact(self, hook: Hook, event: Event) -> str | None:
        """Return the contact that the event names, or that has its address."""
        named = event.metadata.get(CONTACT_KEY) or event.metadata.get(hook.settings.get(CONTACT_FIELD, CONTACT_KEY))
        return named or self.contacts.get(event.recipient or "")

    def _match(self, hook: Hook, event: Event) -> Matched:
        """Return the result for an event."""
        message = self._message(event)
        contact_id, is_new = self._find_contact(hook, event, message)
        if contact_id is None:
            return self._reject(event, NO_CONTACT)
        match = self._find_campaign_activity(hook, event, message, contact_id)
        if match is None:
            return self._reject(event, NO_CAMPAIGN_ACTIVITY)
        campaign_activity_id, name = match
        try:
            activity = None
            if event.type is not None:
                activity = _make_activity(event, event.type, contact_id, campaign_activity_id, name, is_new=is_new)
            else:
                ContactProfile(email_address=event.recipient if is_new else None)
        except InvalidField as exc:
            return Matched(unmatched=Unmatched(INVALID, f"{exc.field}: {exc.reason}"))
        return Matched(activity, self._remember(event, contact_id, campaign_activity_id))

    def _reject(self, event: Event, reason: str) -> Matched:
        if event.type is None:
            # Nothing would be recorded.
            return _NOTHING
        return Matched(unmatched=Unmatched(reason, REASONS[reason]))

    def _message(self, event: Event) -> CapturedMessage | None:
        return None if event.message_id is None else self.messages.get(self._digests[event.message_id])

    def _find_contact(self, hook: Hook, event: Event, message: CapturedMessage | None) -> tuple[str | None, bool]:
        """Return the contact's id, and True if it is named by its address for the first time."""
        named = event.metadata.get(hook.settings.get(CONTACT_FIELD, CONTACT_KEY)) or event.metadata.get(CONTACT_KEY)
        if named:
            return named, True
        if message is not None and (event.recipient is None or event.recipient not in self.contacts):
            return message.contact_id, False
        if event.recipient is None:
            return None, False
        contact_id = self.contacts.get(event.recipient)
        return (contact_id, False) if contact_id is not None else (self._new_contact_id(event.recipient), True)

    def _new_contact_id(self, address: str) -> str:
        text = f"{self._account_id}\x1f{address.lower()}".encode("utf-8", "surrogatepass")
        return f"e-{hmac.digest(self._key, text, 'sha256').hex()[:32]}"

    def _find_campaign_activity(
        self, hook: Hook, event: Event, message: CapturedMessage | None, contact_id: str
    ) -> tuple[str, str | None] | None:
        named = event.metadata.get(CAMPAIGN_ACTIVITY_KEY)
        if named:
            return named, None
        if message is not None and message.contact_id == contact_id:
            return message.campaign_activity_id, None
        if self.sends and event.message_id is not None:
            recorded = self.sends.get((contact_id, _bare(event.message_id)))
            if recorded is not None:
                return recorded, None
        return apply_rule(hook.settings.get(CAMPAIGN_ACTIVITY, "tag"), event)

    def _remember(self, event: Event, contact_id: str, campaign_activity_id: str) -> CapturedMessage | None:
        if event.message_id is None or not _identifies_message(event):
            return None
        message = CapturedMessage(
            self._digests[event.message_id],
            contact_id,
            campaign_activity_id,
            event.created_time,
            event.created_time if event.is_delivery else None,
        )
        self.messages.setdefault(message.message, message)
        return message


def apply_rule(rule: str, event: Event) -> tuple[str, str | None] | None:
    """Return the campaign activity's id and name by the rule of a hook; None if the event lacks what the rule needs."""
    if rule.startswith(CONSTANT_RULE):
        return rule.removeprefix(CONSTANT_RULE), None
    if rule == "subject":
        text = event.subject
    elif rule.startswith(METADATA_RULE):
        text = event.metadata.get(rule.removeprefix(METADATA_RULE))
    else:
        text = event.tags[0] if event.tags else None
    if not text:
        return None
    if is_id(text):
        return text, text
    name = "".join(character for character in text if character.isprintable())[:_MAX_NAME].strip()
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"t-{digest}", name or None


def message_digest(message_id: str) -> str:
    """Return the digest of a message id, with or without angle brackets."""
    return digest_text(_bare(message_id))


def _bare(message_id: str) -> str:
    """Return the message id without angle brackets."""
    return message_id.strip().strip("<>")


def is_text(text: str) -> bool:
    """Return True if every store can compare the text."""
    return "\x00" not in text and text.isprintable()


def _identifies_message(event: Event) -> bool:
    return event.is_delivery or event.type is ActivityType.EM_SENDS


def _make_activity(
    event: Event,
    activity_type: ActivityType,
    contact_id: str,
    campaign_activity_id: str,
    name: str | None,
    *,
    is_new: bool,
) -> Activity:
    return Activity(
        contact_id=contact_id,
        campaign_activity_id=campaign_activity_id,
        campaign_activity_name=name,
        type=activity_type,
        created_time=event.created_time,
        event_id=event.event_id,
        person=ContactProfile(email_address=event.recipient) if is_new and event.recipient is not None else None,
        link=None if event.link_url is None else Link(link_url=event.link_url),
        device_type=_find_device_type(event, activity_type),
        bounce_code=event.bounce_code,
        opt_out_reason=event.opt_out_reason,
    )


def _find_device_type(event: Event, activity_type: ActivityType) -> DeviceType | None:
    """Return the type of the device that the provider reports, or None if it is unknown."""
    if activity_type in TYPES_WITHOUT_DEVICE:
        return None
    if event.machine is not None:
        return DeviceType.OTHER
    name = device_from_user_agent(event.user_agent)
    return None if name is None else DEVICE_TYPES[name]
