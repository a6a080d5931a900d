"""Hooks: sources of captured events, with their settings, deliveries, messages and unmatched items."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from rapport.instant import Instant


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A source of events of one account. `secret_hashes` are those of secrets that its requests may carry."""

    account_id: str
    hook_id: str
    provider: str
    name: str
    settings: dict[str, str] = {}
    secret_hashes: tuple[str, ...] = ()
    created_time: Instant


class HookDelivery(NamedTuple):
    """A request, and its outcome: `recorded`, `refused` or `failed`."""

    hook_id: str
    received_time: Instant
    digest: str
    outcome: str
    events: int = 0
    unmatched: int = 0
    detail: str = ""


class CapturedMessage(NamedTuple):
    """A message that was sent, by a digest of its id."""

    message: str
    contact_id: str
    campaign_activity_id: str
    seen_time: Instant
    delivered_time: Instant | None


class UnmatchedItem(NamedTuple):
    """An item that couldn't be read or matched, as JSON."""

    hook_id: str
    digest: str
    received_time: Instant
    reason: str
    detail: str
    recipient: str
    item: str
    number: int = 0
    attempts: int = 0
    """The number of automatic retries."""
    retry_time: Instant | None = None
    """The time of the next automatic retry; None if there is none."""


class UsedToken(NamedTuple):
    """A one-time token, and the request that came with it, by their digests."""

    hook_id: str
    token: str
    request: str
    used_time: Instant


class UnmatchedCount(NamedTuple):
    """The number of items of a hook that are unmatched for a reason."""

    hook_id: str
    reason: str
    items: int


class CapturedWork(msgspec.Struct, frozen=True, kw_only=True):
    """Changes that are saved in one transaction after events of an account were recorded."""

    messages: Sequence[CapturedMessage] = ()
    unmatched: Sequence[UnmatchedItem] = ()
    deliveries: Sequence[HookDelivery] = ()
    hours: Mapping[tuple[str, int], int] = {}
    """The number of events by hook and hour, counted from 1970."""


class HookRepository(Protocol):
    """Persistent hooks. Every call may raise StoreUnavailable, and has then changed nothing."""

    async def hooks(self) -> list[Hook]:
        """Return the hooks of all accounts, by account and time of creation."""
        ...

    async def save(self, hook: Hook) -> None:
        """Create a hook, or change its name, settings and secrets."""

    async def delete(self, account_id: str, hook_id: str) -> bool:
        """Delete a hook and its unmatched items. Return True if it existed."""
        ...

    async def find_contacts(self, account_id: str, addresses: Sequence[str]) -> dict[str, str]:
        """Return the ids of the contacts that have these email addresses, whatever the case of ASCII letters."""
        ...

    async def find_sends(self, account_id: str, sends: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the campaign activities of sends, given by contact id and message id without angle brackets.

        The event id of such a send is the message id, with or without them.
        """
        ...

    async def find_messages(self, account_id: str, messages: Sequence[str]) -> dict[str, CapturedMessage]:
        """Return the stored messages with these digests, by digest."""
        ...

    async def list_messages(self, account_id: str, after: str, limit: int) -> list[CapturedMessage]:
        """Return up to `limit` messages of an account, in the order of their digests, after one of them."""
        ...

    async def list_tokens(self, hook_id: str, after: str, limit: int) -> list[UsedToken]:
        """Return up to `limit` tokens of a hook, in the order of their digests, after one of them."""
        ...

    async def claim_tokens(self, tokens: Sequence[UsedToken]) -> set[UsedToken]:
        """Store tokens as used, and return those that were used before by another request."""
        ...

    async def save_work(self, account_id: str, work: CapturedWork) -> None:
        """Save the changes that captured events have caused."""

    async def deliveries(self, hook_id: str, limit: int) -> list[HookDelivery]:
        """Return the latest requests of a hook, newest first."""
        ...

    async def hours(self, hook_id: str, first_hour: int) -> dict[int, int]:
        """Return how many events a hook had in each hour, starting with `first_hour`."""
        ...

    async def unmatched(self, account_id: str, after: int, limit: int) -> list[UnmatchedItem]:
        """Return unmatched items with numbers above `after`, in order."""
        ...

    async def due_unmatched(self, until: Instant, limit: int) -> list[tuple[str, UnmatchedItem]]:
        """Return the unmatched items of all accounts whose `retry_time` has come, each with its account."""
        ...

    async def count_unmatched(self, account_id: str) -> list[UnmatchedCount]:
        """Count unmatched items by hook and reason."""
        ...

    async def delete_unmatched(self, account_id: str, numbers: Sequence[int]) -> None:
        """Delete unmatched items."""

    async def forget_contact(self, account_id: str, contact_id: str, email_address: str | None) -> None:
        """Delete the messages and unmatched items of a contact that is about to be erased."""

    async def prune(self, messages_before: Instant, tokens_before: Instant) -> None:
        """Delete messages and tokens that are older."""
