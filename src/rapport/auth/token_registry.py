"""The registry of named tokens: their owner, permissions and expiry, but never the tokens themselves.

Each account has a registry in the store. Entries that have expired, or whose key was dropped, are removed with the
next change. Revoked tokens stay in it until they expire: see `revocations`.
"""

import secrets
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from rapport.auth.keys import Keys, load_keys
from rapport.auth.revocations import Revocation, add_revocation, read_revocations
from rapport.auth.scope import Role, Scope
from rapport.errors import InvalidField, RepeatedRequest, StoreUnavailable, TooManyTokens, UnknownToken
from rapport.instant import Instant
from rapport.store.secrets import SecretRepository

MAX_TOKENS: Final = 200
"""The maximum number of an account's tokens. Revoked ones count until they expire: servers have to remember them."""

MAX_NAME_LENGTH: Final = 64


class NamedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token with a name. Revoking it, or one of its parents, invalidates it.

    Some fields keep their original names in the store, such as `made_time`.
    """

    token_id: str
    account_id: str
    name: str
    role: Role
    scopes: frozenset[Scope]
    key_id: str
    created_time: Instant = msgspec.field(name="made_time")
    created_by: str = msgspec.field(name="made_by")
    parent_tokens: tuple[str, ...] = msgspec.field(default=(), name="made_with")
    expires: Instant
    request_key: str = ""
    """Identifies the form that created it, so that sending the form again creates no second token."""


class TokenStatus(NamedTuple):
    """A named token, and the revocation of it or of one of its parents, if any."""

    token: NamedToken
    revocation: Revocation | None


def create_token_id() -> str:
    """Return an id for a new token."""
    return secrets.token_hex(12)


def parse_token_name(text: str) -> str:
    """Return the text as the name of a token. Raises InvalidField."""
    name = text.strip()
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise InvalidField("name", text, f"must have 1 to {MAX_NAME_LENGTH} printable characters")
    return name


async def register_token(repository: SecretRepository, keys: Keys, token: NamedToken, now: Instant) -> None:
    """Add the token to its account's registry. Raises TooManyTokens and RepeatedRequest."""
    secret_name = _secret_name(token.account_id)
    while True:
        stored = await repository.read(secret_name)
        tokens = await _active_tokens(repository, keys, stored, now)
        if token.request_key and any(other.request_key == token.request_key for other in tokens):
            raise RepeatedRequest(f"the token {token.name} was already created")
        if len(tokens) >= MAX_TOKENS:
            raise TooManyTokens(
                f"the account {token.account_id} has {len(tokens)} named tokens; the maximum is {MAX_TOKENS}. Wait "
                "until some expire (revoked ones count until then), or create one without a name with "
                "`rapport token create`"
            )
        if await repository.replace(secret_name, stored, msgspec.json.encode([*tokens, token])):
            return


async def list_tokens(repository: SecretRepository, keys: Keys, account_id: str, now: Instant) -> list[TokenStatus]:
    """Return the account's tokens that haven't expired and whose key still exists, newest first."""
    tokens = await _active_tokens(repository, keys, await repository.read(_secret_name(account_id)), now)
    revocations = {revocation.token_id: revocation for revocation in await read_revocations(repository)}

    def with_status(token: NamedToken) -> TokenStatus:
        ids = (token.token_id, *reversed(token.parent_tokens))
        return TokenStatus(token, next((revocations[token_id] for token_id in ids if token_id in revocations), None))

    return [with_status(token) for token in reversed(tokens)]


async def get_token(
    repository: SecretRepository, keys: Keys, account_id: str, token_id: str, now: Instant
) -> TokenStatus:
    """Return the account's token with this id. Raises UnknownToken, also for tokens of other accounts."""
    for status in await list_tokens(repository, keys, account_id, now):
        if status.token.token_id == token_id:
            return status
    raise UnknownToken(token_id)


async def revoke_token(repository: SecretRepository, token: NamedToken, *, by: str, now: Instant) -> None:
    """Revoke the token and all tokens created with it. Running servers notice when they next poll the list."""
    await add_revocation(repository, token.token_id, token.expires, by=by, now=now)


async def remove_tokens(repository: SecretRepository, account_id: str) -> None:
    """Remove all tokens of an account from its registry. They must have been revoked."""
    secret_name = _secret_name(account_id)
    while True:
        stored = await repository.read(secret_name)
        if stored is None or await repository.replace(secret_name, stored, msgspec.json.encode([])):
            return


def _secret_name(account_id: str) -> str:
    # A digest, because on some file systems the names of two accounts that differ only in case would be the same.
    return f"tokens-{blake2b(account_id.encode(), digest_size=16).hexdigest()}"


async def _active_tokens(
    repository: SecretRepository, keys: Keys, stored: bytes | None, now: Instant
) -> list[NamedToken]:
    tokens = _decode(stored)
    # Read the keys after the registry, which may name a key that was created a moment ago.
    key_ids = (await load_keys(repository, keys)).ids
    return [token for token in tokens if token.expires > now and token.key_id in key_ids]


def _decode(stored: bytes | None) -> list[NamedToken]:
    try:
        return [] if stored is None else msgspec.json.decode(stored, type=list[NamedToken])
    except msgspec.DecodeError as exc:
        raise StoreUnavailable(
            f"the token registry is damaged ({exc}): restore it from a backup, or remove it. Its tokens then stay "
            "valid, and can only be revoked all at once, with `rapport keys rotate --drop-old`"
        ) from None
