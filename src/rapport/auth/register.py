"""The register of the tokens that have a name: whose each is, what it may and until when; never the token itself.

Each account has its own, beside the keys in the store. What is revoked stands in one list for all accounts, which
every server keeps an eye on: a revocation is one write, and a token on the list is void whatever the register says.
What has expired, or was signed with a key that was dropped, is void anyway and goes with the next change.
"""

import asyncio
import secrets
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from rapport.auth.keys import Keys, load_keys
from rapport.auth.scope import Role, Scope
from rapport.errors import InvalidField, RepeatedRequest, StoreUnavailable, TooManyTokens, UnknownToken
from rapport.instant import HOUR, Instant
from rapport.store.secrets import SecretRepository

MOST: Final = 200
"""Tokens of an account that have not expired. Those that are revoked count: every server has to remember them."""

MAX_NAME_LENGTH: Final = 64

_REVOKED: Final = "revoked-tokens"
_CLOCKS_DIFFER: Final = HOUR
"""How long a revoked token stays on the list behind its end, for servers whose clock is behind this one's."""


class NamedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that has a name, and the tokens that it was made with: it is void with any of them."""

    token_id: str
    account_id: str
    name: str
    role: Role
    scopes: frozenset[Scope]
    key_id: str
    made_time: Instant
    made_by: str
    made_with: tuple[str, ...] = ()
    expires: Instant
    request_key: str = ""
    """Identifies the form that it was created by, which creates no second one; empty for other ways."""


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """That a token is void, since when, and by whose doing."""

    token_id: str
    expires: Instant
    revoked_time: Instant
    revoked_by: str


class ListedToken(NamedTuple):
    """A token of the register, and the revocation that voids it, if there is one."""

    token: NamedToken
    revocation: Revocation | None


def new_token_id() -> str:
    """The id of a token that is made now."""
    return secrets.token_hex(12)


def read_name(text: str) -> str:
    """The name that somebody gave a token. Raises InvalidField for one that it can't have."""
    name = text.strip()
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise InvalidField("name", text, f"must have 1 to {MAX_NAME_LENGTH} characters that can be printed")
    return name


async def register(repository: SecretRepository, keys: Keys, token: NamedToken, now: Instant) -> None:
    """Have the token in the register of its account. Raises TooManyTokens and RepeatedRequest."""
    place = _place(token.account_id)
    while True:
        stored = await repository.read(place)
        held = await _held(repository, keys, stored, now)
        if token.request_key and any(other.request_key == token.request_key for other in held):
            raise RepeatedRequest(f"the token {token.name} was already created")
        if len(held) >= MOST:
            raise TooManyTokens(
                f"the account {token.account_id} has {len(held)} tokens with a name, and {MOST} is the most: wait "
                "until some expire (revoked ones count until then), or make one without a name by `rapport token`"
            )
        if await repository.replace(place, stored, msgspec.json.encode([*held, token])):
            return


async def listed_tokens(repository: SecretRepository, keys: Keys, account_id: str, now: Instant) -> list[ListedToken]:
    """The tokens of the account that have neither expired nor lost their key, the newest first."""
    held = await _held(repository, keys, await repository.read(_place(account_id)), now)
    revoked = {each.token_id: each for each in _decode_revoked(await repository.read(_REVOKED))}

    def listed(token: NamedToken) -> ListedToken:
        ids = (token.token_id, *reversed(token.made_with))
        return ListedToken(token, next((revoked[each] for each in ids if each in revoked), None))

    return [listed(token) for token in reversed(held)]


async def listed_token(
    repository: SecretRepository, keys: Keys, account_id: str, token_id: str, now: Instant
) -> ListedToken:
    """The token of the account with this id. Raises UnknownToken, also for those of other accounts."""
    for listed in await listed_tokens(repository, keys, account_id, now):
        if listed.token.token_id == token_id:
            return listed
    raise UnknownToken(token_id)


async def revoke(repository: SecretRepository, token: NamedToken, *, by: str, now: Instant) -> None:
    """Void the token, and all that were made with it, on every server within the time in which they look."""
    await revoke_id(repository, token.token_id, token.expires, by=by, now=now)


async def revoke_id(repository: SecretRepository, token_id: str, expires: Instant, *, by: str, now: Instant) -> None:
    """Void the token with this id, and all that were made with it; the last of them expires at `expires`."""
    made = Revocation(token_id=token_id, expires=expires, revoked_time=now, revoked_by=by)
    while True:
        stored = await repository.read(_REVOKED)
        kept = [each for each in _decode_revoked(stored) if each.expires > now - _CLOCKS_DIFFER]
        if any(each.token_id == token_id for each in kept):
            return
        if await repository.replace(_REVOKED, stored, msgspec.json.encode([*kept, made])):
            return


class RevocationList:
    """The ids of the tokens that are void, as the store last had them."""

    def __init__(self, repository: SecretRepository) -> None:
        self._repository = repository
        self._stored: bytes | None = None
        # Of two looks at once the one that asked earlier must not have the last word.
        self._one_at_a_time = asyncio.Lock()
        self.ids: frozenset[str] = frozenset()

    async def look(self) -> None:
        """Take over what the store has now."""
        async with self._one_at_a_time:
            stored = await self._repository.read(_REVOKED)
            if stored != self._stored:
                self.ids = frozenset(each.token_id for each in _decode_revoked(stored))
                self._stored = stored


def _place(account_id: str) -> str:
    # A digest, as there are file systems on which the names of two accounts that differ in their case are one.
    return f"tokens-{blake2b(account_id.encode(), digest_size=16).hexdigest()}"


async def _held(repository: SecretRepository, keys: Keys, stored: bytes | None, now: Instant) -> list[NamedToken]:
    tokens = _decode(stored)
    # Read behind the register, which may name a key that was made a moment ago.
    known = (await load_keys(repository, keys)).ids
    return [each for each in tokens if each.expires > now and each.key_id in known]


def _decode(stored: bytes | None) -> list[NamedToken]:
    try:
        return [] if stored is None else msgspec.json.decode(stored, type=list[NamedToken])
    except msgspec.DecodeError as problem:
        raise StoreUnavailable(
            f"the register of tokens is damaged ({problem}): put it back from a backup, or remove it: its tokens stay "
            "good, but can be revoked no more, unless all are (`rapport keys rotate --drop-old`)"
        ) from None


def _decode_revoked(stored: bytes | None) -> list[Revocation]:
    try:
        return [] if stored is None else msgspec.json.decode(stored, type=list[Revocation])
    except msgspec.DecodeError as problem:
        raise StoreUnavailable(
            f"the list of revoked tokens is damaged ({problem}): put it back from a backup, or remove it and void all "
            "tokens with `rapport keys rotate --drop-old`"
        ) from None
