"""The hooks of all accounts, with their keys: in memory, so that requests are accepted while the store is down."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog

from rapport.activity import check_text, is_id
from rapport.capture.errors import InvalidHook
from rapport.capture.sources import SOURCES, get_source
from rapport.capture.webhooks.amazon_ses import TOPIC
from rapport.capture.webhooks.generic import Generic
from rapport.capture.webhooks.provider import Credentials, Provider, SecretProvider
from rapport.capture.webhooks.signatures import hash_secret
from rapport.catalog import MAX_NAME_LENGTH
from rapport.errors import StoreUnavailable
from rapport.instant import Instant
from rapport.store.hooks import Hook
from rapport.store.store import Store

KEYS: Final = "hook-keys"
"""The secret with the keys that authenticate requests, by hook id."""

CAMPAIGN_ACTIVITY: Final = "campaign_activity"
"""The setting with the rule that selects the campaign activity of an event that doesn't name one."""
CONTACT_FIELD: Final = "contact_field"
"""The setting that names the metadata field which holds the contact's id."""
CONSTANT_RULE: Final = "constant:"
METADATA_RULE: Final = "metadata:"
_RULES: Final = f"tag, subject, {METADATA_RULE}FIELD or {CONSTANT_RULE}ID"
RULE_SETTINGS: Final = frozenset({CAMPAIGN_ACTIVITY, CONTACT_FIELD})

_ID_BYTES: Final = 12
_SECRET_BYTES: Final = 32
_REFRESH_SECONDS: Final = 5.0
_MISS_SECONDS: Final = 0.1
_ATTEMPTS: Final = 20

_log = structlog.get_logger("rapport.capture")


class ActiveHook(msgspec.Struct, frozen=True):
    """A hook, its provider, and the credentials that authenticate its requests."""

    hook: Hook
    provider: Provider
    credentials: Credentials


class HookRegistry:
    """Finds hooks by their ids. Changes in the store take effect within seconds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hooks: dict[str, ActiveHook] = {}
        self._loaded = float("-inf")
        self._loading = asyncio.Lock()
        self._is_loaded = False

    async def find(self, hook_id: str) -> ActiveHook | None:
        """Return the hook, or None if there is none. Raises StoreUnavailable if the hooks could not be read yet."""
        age = time.monotonic() - self._loaded
        hook = self._hooks.get(hook_id)
        if age > _REFRESH_SECONDS or hook is None:
            try:
                # It may have been created just now. Requests for hooks that don't exist share a few queries a second.
                await asyncio.sleep(max(0.0, _MISS_SECONDS - age) if hook is None else 0.0)
                await self.load()
            except StoreUnavailable as exc:
                _log.warning("hooks can't be read; the last known ones are used", error=str(exc))
                if hook is None:
                    raise
                self._loaded = time.monotonic()
            hook = self._hooks.get(hook_id)
        if hook is None and not self._is_loaded:
            raise StoreUnavailable("the hooks can't be read now")
        return hook

    async def all(self) -> Mapping[str, ActiveHook]:
        """Return all hooks by their ids. Raises StoreUnavailable."""
        if time.monotonic() - self._loaded > _REFRESH_SECONDS:
            await self.load()
        return self._hooks

    async def load(self) -> None:
        """Read all hooks. Raises StoreUnavailable."""
        requested_at = time.monotonic()
        async with self._loading:
            started_at = time.monotonic()
            if self._loaded >= requested_at:
                return
            self._hooks = {hook.hook.hook_id: hook for hook in await load_hooks(self._store)}
            self._loaded, self._is_loaded = started_at, True


async def load_hooks(store: Store) -> list[ActiveHook]:
    """Return all hooks whose provider is known, with their keys."""
    keys = _decode_keys(await store.secrets.read(KEYS))
    return [
        ActiveHook(hook, SOURCES[hook.provider], _credentials(hook, keys.get(hook.hook_id, ())))
        for hook in await store.hooks.hooks()
        if hook.provider in SOURCES
    ]


async def save_hook(store: Store, hook: Hook, keys: tuple[str, ...]) -> ActiveHook:
    """Create a hook, or change it, with its keys. Raises InvalidHook, also if its credentials don't suffice."""
    provider = get_source(hook.provider)
    known = {setting.name for setting in provider.settings} | RULE_SETTINGS
    unknown = sorted(set(hook.settings) - known)
    if unknown:
        raise InvalidHook(f"unknown setting {unknown[0]!r}; hooks for {provider.title} have {', '.join(sorted(known))}")
    check_rule(hook.settings.get(CAMPAIGN_ACTIVITY))
    credentials = _credentials(hook, keys)
    provider.check_credentials(credentials)
    await _change_keys(store, hook.hook_id, keys)
    await store.hooks.save(hook)
    return ActiveHook(hook, provider, credentials)


def check_rule(rule: str | None) -> None:
    """Check the rule that selects campaign activities. Raises InvalidHook."""
    if rule is None or rule in {"tag", "subject"} or rule.startswith(METADATA_RULE):
        return
    if not (rule.startswith(CONSTANT_RULE) and is_id(rule.removeprefix(CONSTANT_RULE))):
        raise InvalidHook(f"{CAMPAIGN_ACTIVITY}: {rule!r} is not a rule; expected {_RULES}")


async def delete_hook(store: Store, account_id: str, hook_id: str) -> bool:
    """Delete a hook and its keys. Return True if it existed."""
    if not await store.hooks.delete(account_id, hook_id):
        return False
    await _change_keys(store, hook_id, ())
    return True


async def _change_keys(store: Store, hook_id: str, keys: tuple[str, ...]) -> None:
    for _ in range(_ATTEMPTS):
        stored = await store.secrets.read(KEYS)
        changed = {name: value for name, value in _decode_keys(stored).items() if name != hook_id}
        if keys:
            changed[hook_id] = keys
        if await store.secrets.replace(KEYS, stored, msgspec.json.encode(changed)):
            return
    raise StoreUnavailable("the keys of hooks are being changed by others; try again")


def _decode_keys(stored: bytes | None) -> dict[str, tuple[str, ...]]:
    if stored is None:
        return {}
    try:
        return msgspec.json.decode(stored, type=dict[str, tuple[str, ...]])
    except msgspec.DecodeError as exc:
        raise StoreUnavailable(f"the secret {KEYS} is damaged: restore it from a backup") from exc


def _credentials(hook: Hook, keys: tuple[str, ...]) -> Credentials:
    return Credentials(keys=keys, secret_hashes=hook.secret_hashes, settings=hook.settings)


async def create_hook(
    store: Store,
    account_id: str,
    provider_name: str,
    *,
    name: str,
    settings: dict[str, str],
    keys: tuple[str, ...],
    now: Instant,
) -> tuple[ActiveHook, str | None]:
    """Create a hook. Return it with its secret, which isn't kept, or None if it has a key. Raises InvalidHook."""
    provider = get_source(provider_name)
    check_text("name", name, MAX_NAME_LENGTH)
    needs_secret = isinstance(provider, SecretProvider) or (isinstance(provider, Generic) and not keys)
    secret = secrets.token_urlsafe(_SECRET_BYTES) if needs_secret else None
    hook = Hook(
        account_id=account_id,
        hook_id=secrets.token_hex(_ID_BYTES),
        provider=provider_name,
        name=name,
        settings=settings,
        secret_hashes=() if secret is None else (hash_secret(secret),),
        created_time=now,
    )
    return await save_hook(store, hook, keys), secret


def hook_url(public_url: str, hook: Hook, secret: str | None = None) -> str:
    """Return the URL to enter at the provider; with the secret, if the hook has one."""
    return f"{public_url}/in/{hook.provider}/{hook.hook_id}" + ("" if secret is None else f".{secret}")


def setup_steps(active: ActiveHook, url: str) -> list[str]:
    """Return the instructions for setting up the hook at its provider."""
    topic = active.hook.settings.get(TOPIC, "")
    values = {"{url}": url, "{topic_arn}": topic, "{hook}": active.hook.hook_id}
    steps = list(active.provider.steps)
    for placeholder, value in values.items():
        steps = [step.replace(placeholder, value) for step in steps]
    return steps
