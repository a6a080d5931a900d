"""Revocations: one list for all accounts, which every server polls, so that revoking is one write.

A token or session is rejected if any id that it depends on is in the list: its own, those of the tokens that it was
created with, and the revocation ids of its user, application and account. Entries are removed once nothing that
depends on them can still be valid.
"""

import asyncio
from typing import Final

import msgspec

from rapport.errors import StoreUnavailable
from rapport.instant import HOUR, Instant
from rapport.store.secrets import SecretRepository

_NAME: Final = "revoked-tokens"
_CLOCK_SKEW: Final = HOUR
"""How long an entry stays on the list after it has expired, for servers whose clocks are late."""


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """The revocation of a token, or of another id that tokens depend on."""

    token_id: str
    expires: Instant
    revoked_time: Instant
    revoked_by: str


def account_revocation_id(account_id: str) -> str:
    """Return the id that all tokens and sessions of an account depend on, no matter who created them."""
    return f"account:{account_id}"


async def add_revocation(
    repository: SecretRepository, token_id: str, expires: Instant, *, by: str, now: Instant
) -> None:
    """Revoke an id and everything that depends on it, the last of which expires at `expires`."""
    revocation = Revocation(token_id=token_id, expires=expires, revoked_time=now, revoked_by=by)
    while True:
        stored = await repository.read(_NAME)
        kept = [other for other in _decode(stored) if other.expires > now - _CLOCK_SKEW]
        if any(other.token_id == token_id for other in kept):
            return
        if await repository.replace(_NAME, stored, msgspec.json.encode([*kept, revocation])):
            return


async def read_revocations(repository: SecretRepository) -> list[Revocation]:
    """Return all revocations."""
    return _decode(await repository.read(_NAME))


class RevocationList:
    """The revoked ids, as last read from the store."""

    def __init__(self, repository: SecretRepository) -> None:
        self._repository = repository
        self._stored: bytes | None = None
        # Two reads at once may finish in the wrong order: the earlier one must not overwrite the later one.
        self._lock = asyncio.Lock()
        self.ids: frozenset[str] = frozenset()

    async def refresh(self) -> None:
        """Read the list again."""
        async with self._lock:
            stored = await self._repository.read(_NAME)
            if stored != self._stored:
                self.ids = frozenset(revocation.token_id for revocation in _decode(stored))
                self._stored = stored


def _decode(stored: bytes | None) -> list[Revocation]:
    try:
        return [] if stored is None else msgspec.json.decode(stored, type=list[Revocation])
    except msgspec.DecodeError as exc:
        raise StoreUnavailable(
            f"the list of revoked tokens is damaged ({exc}): restore it from a backup, or remove it and revoke all "
            "tokens with `rapport keys rotate --drop-old`"
        ) from None
