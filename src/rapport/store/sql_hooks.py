"""The hooks of either engine, written once: the engines differ in their SQL and in how they run it."""

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from rapport.instant import Instant
from rapport.store.hooks import (
    CapturedMessage,
    CapturedWork,
    Hook,
    HookDelivery,
    UnmatchedCount,
    UnmatchedItem,
    UsedToken,
)

Statement: TypeAlias = tuple[str, Sequence[tuple[Any, ...]]]
"""A statement, and the parameters of each of its executions."""

KEPT_DELIVERIES: Final = 100
_MAX_TEXT: Final = 2_000


class Executor(Protocol):
    """Runs statements of `sql/hooks.sql`. A parameter that is a list is a set of values."""

    async def fetch(self, statement: str, *params: Any) -> list[Any]:  # noqa: ANN401 - a column may have any type
        """Return the rows of a statement."""
        ...

    async def write(self, statements: Sequence[Statement]) -> None:
        """Run statements in one transaction."""


_SEPARATOR: Final = "\x1f"
"""Between a contact id and a message id, which have no control characters."""


class SqlHooks:
    """See `rapport.store.hooks.HookRepository`."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._account_keys: dict[str, int] = {}

    async def _account(self, account_id: str) -> int | None:
        """Return the key of an account, which never changes, or None.

        It isn't looked up within other statements: on a cluster, those may then involve other nodes.
        """
        key = self._account_keys.get(account_id)
        if key is None:
            for (account_key,) in await self._executor.fetch("get_account", account_id):
                key = self._account_keys[account_id] = account_key
        return key

    async def hooks(self) -> list[Hook]:
        """Return the hooks of all accounts."""
        return [
            Hook(
                account_id=account_id,
                hook_id=hook_id,
                provider=provider,
                name=name,
                settings=msgspec.json.decode(settings, type=dict[str, str]),
                secret_hashes=msgspec.json.decode(hashes, type=tuple[str, ...]),
                created_time=Instant(created_time),
            )
            for account_id, hook_id, provider, name, settings, hashes, created_time in await self._executor.fetch(
                "hooks"
            )
        ]

    async def save(self, hook: Hook) -> None:
        """Create a hook, or change it."""
        params = (
            await self._account(hook.account_id),
            hook.hook_id,
            hook.provider,
            hook.name,
            msgspec.json.encode(hook.settings).decode(),
            msgspec.json.encode(hook.secret_hashes).decode(),
            hook.created_time,
        )
        await self._executor.write([("create", [params])])

    async def delete(self, account_id: str, hook_id: str) -> bool:
        """Delete a hook and everything stored for it."""
        if not await self._executor.fetch("delete", await self._account(account_id), hook_id):
            return False
        tables = ("deliveries", "hours", "tokens", "unmatched_of_hook")
        await self._executor.write([(f"delete_{table}", [(hook_id,)]) for table in tables])
        return True

    async def find_contacts(self, account_id: str, addresses: Sequence[str]) -> dict[str, str]:
        """Return contacts by their email addresses."""
        if not addresses:
            return {}
        return dict(await self._executor.fetch("find_contacts", await self._account(account_id), list(addresses)))

    async def find_sends(self, account_id: str, sends: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the campaign activities of sends."""
        if not sends:
            return {}
        keys = [f"{contact}{_SEPARATOR}{message}" for contact, message in sends]
        rows = await self._executor.fetch("find_sends", await self._account(account_id), keys)
        return {
            (send.partition(_SEPARATOR)[0], send.partition(_SEPARATOR)[2]): activity_id for send, activity_id in rows
        }

    async def find_messages(self, account_id: str, messages: Sequence[str]) -> dict[str, CapturedMessage]:
        """Return stored messages by their digests."""
        if not messages:
            return {}
        rows = await self._executor.fetch("find_messages", await self._account(account_id), list(messages))
        return {
            message: CapturedMessage(message, contact_id, campaign_activity_id, Instant(0), delivered_time)
            for message, contact_id, campaign_activity_id, delivered_time in rows
        }

    async def list_messages(self, account_id: str, after: str, limit: int) -> list[CapturedMessage]:
        """Return messages in the order of their digests."""
        rows = await self._executor.fetch("list_messages", await self._account(account_id), after, limit)
        return [CapturedMessage(*row) for row in rows]

    async def list_tokens(self, hook_id: str, after: str, limit: int) -> list[UsedToken]:
        """Return tokens in the order of their digests."""
        return [UsedToken(*row) for row in await self._executor.fetch("list_tokens", hook_id, after, limit)]

    async def claim_tokens(self, tokens: Sequence[UsedToken]) -> set[UsedToken]:
        """Store tokens as used, and return those that were used before by another request."""
        if not tokens:
            return set()
        await self._executor.write([("save_token", [tuple(token) for token in tokens])])
        first: dict[tuple[str, str], str] = {}
        for hook_id in {token.hook_id for token in tokens}:
            own = [token.token for token in tokens if token.hook_id == hook_id]
            rows = await self._executor.fetch("find_tokens", hook_id, own)
            first |= {(hook_id, token): request for token, request in rows}
        return {token for token in tokens if first.get((token.hook_id, token.token)) != token.request}

    async def save_work(self, account_id: str, work: CapturedWork) -> None:
        """Save the changes that captured events have caused."""
        account = await self._account(account_id)
        hooks = {delivery.hook_id for delivery in work.deliveries}
        statements: list[Statement] = [
            ("save_message", [(account, *message) for message in work.messages]),
            (
                "save_unmatched",
                [
                    (
                        *(account, item.hook_id, item.digest, item.received_time, item.reason),
                        *(_storable(item.detail), _storable(item.recipient), item.item),
                        *(item.attempts, item.retry_time),
                    )
                    for item in work.unmatched
                ],
            ),
            ("save_delivery", [(*delivery[:-1], _storable(delivery.detail)) for delivery in work.deliveries]),
            ("prune_deliveries", [(hook_id, KEPT_DELIVERIES) for hook_id in sorted(hooks)]),
            ("count_events", [(*hook_hour, events) for hook_hour, events in sorted(work.hours.items())]),
        ]
        if any(params for _, params in statements):
            await self._executor.write([statement for statement in statements if statement[1]])

    async def deliveries(self, hook_id: str, limit: int) -> list[HookDelivery]:
        """Return the latest requests of a hook."""
        return [HookDelivery(*row) for row in await self._executor.fetch("deliveries", hook_id, limit)]

    async def hours(self, hook_id: str, first_hour: int) -> dict[int, int]:
        """Return how many events a hook had in each hour."""
        return dict(await self._executor.fetch("hours", hook_id, first_hour))

    async def unmatched(self, account_id: str, after: int, limit: int) -> list[UnmatchedItem]:
        """Return unmatched items in order."""
        rows = await self._executor.fetch("unmatched", await self._account(account_id), after, limit)
        return [_unmatched_item(*row) for row in rows]

    async def due_unmatched(self, until: Instant, limit: int) -> list[tuple[str, UnmatchedItem]]:
        """Return the unmatched items that are to be tried again."""
        rows = await self._executor.fetch("due_unmatched", until, limit)
        return [(account_id, _unmatched_item(*row)) for account_id, *row in rows]

    async def count_unmatched(self, account_id: str) -> list[UnmatchedCount]:
        """Count unmatched items."""
        rows = await self._executor.fetch("count_unmatched", await self._account(account_id))
        return [UnmatchedCount(*row) for row in rows]

    async def delete_unmatched(self, account_id: str, numbers: Sequence[int]) -> None:
        """Delete unmatched items."""
        if numbers:
            account = await self._account(account_id)
            await self._executor.write([("delete_unmatched", [(account, number) for number in numbers])])

    async def forget_contact(self, account_id: str, contact_id: str, email_address: str | None) -> None:
        """Delete the messages and unmatched items of a contact."""
        account = await self._account(account_id)
        statements: list[Statement] = [("forget_messages", [(account, contact_id)])]
        if email_address is not None:
            statements.append(("forget_unmatched", [(account, email_address)]))
        await self._executor.write(statements)

    async def prune(self, messages_before: Instant, tokens_before: Instant) -> None:
        """Delete what is older."""
        await self._executor.write([("prune_messages", [(messages_before,)]), ("prune_tokens", [(tokens_before,)])])


def _unmatched_item(number: int, hook_id: str, digest: str, received_time: int, *columns: Any) -> UnmatchedItem:  # noqa: ANN401 - columns of several types
    reason, detail, recipient, item, attempts, retry_time = columns
    return UnmatchedItem(
        *(hook_id, digest, Instant(received_time), reason, detail, recipient, item, number, attempts),
        None if retry_time is None else Instant(retry_time),
    )


def _storable(text: str) -> str:
    """Return a text that both engines can store: without NUL and lone surrogates, and not too long."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")[:_MAX_TEXT]
