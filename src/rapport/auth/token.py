"""Access tokens: JWTs (RFC 7519) signed by this server, or by the issuer that the operator trusts."""

import math
import time
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from hashlib import sha256
from itertools import chain
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from rapport.activity import is_account_id, is_storable
from rapport.auth.keys import ALGORITHM, Keys
from rapport.auth.scope import Role, Scope
from rapport.errors import InvalidToken
from rapport.instant import MAX_INSTANT, SECOND, Instant

_ALGORITHMS: Final = (ALGORITHM, "ES256", "EdDSA", "Ed25519")
"""The accepted algorithms, all asymmetric, so that a public key can't be used as a shared secret."""
_SEGMENTS: Final = 3
"""Header, claims and signature (RFC 7515, section 7.1)."""

_SKEW: Final = 60
"""Seconds by which the issuer's clock may be ahead of this server's."""

_MAX_CACHED: Final = 10_000
_REJECTION_SECONDS: Final = 1.0
"""Seconds for which a token is rejected without verifying it again. It may become valid later, or its key be added."""
_REASON_LENGTH: Final = 200


class Principal(msgspec.Struct, frozen=True):
    """The user and client that a request is made for, with their permissions."""

    account_id: str
    client_id: str
    user: str
    role: Role
    scopes: frozenset[Scope]


class VerifiedToken(msgspec.Struct, frozen=True):
    """A valid token's content."""

    principal: Principal
    expires: Instant
    token_ids: tuple[str, ...]
    """The token's id and those of its parents; revoking any of them revokes the token."""


class Issuer(msgspec.Struct, frozen=True):
    """An accepted issuer: its `iss` claim, and the keys that verify its tokens."""

    name: str
    keys: KeySet


class _Claims(msgspec.Struct):
    """The claims that Rapport reads. `account`, `role` and `parent_tokens` are its own."""

    exp: float
    account: str
    cid: str
    sub: str
    role: Role = Role.OWNER
    scp: list[str] = []
    scope: str = ""
    jti: str | None = None
    # Not validated: another issuer may use these names for something else.
    parent_tokens: Any = None
    made_with: Any = None
    """The name of `parent_tokens` in tokens that were issued before version 0.2."""


class _TimeClaims(JWTClaimsRegistry):
    """Checks a token's times; `nbf` and `iat` may be in the future by as much as clocks differ."""

    def validate_nbf(self, value: object) -> None:
        self._check_start(value)

    def validate_iat(self, value: object) -> None:
        self._check_start(value)

    def _check_start(self, value: object) -> None:
        if not isinstance(value, int | float) or value > self.now + _SKEW:
            raise InvalidToken("the token is not valid yet")


def sign_token(
    keys: Keys,
    principal: Principal,
    *,
    issuer: str,
    audience: str | list[str],
    now: Instant,
    expires: Instant,
    token_id: str,
    parent_tokens: Sequence[str] = (),
) -> str:
    """Return a token for the principal, valid until `expires` rounded down to the second."""
    claims = {
        "ver": 1,
        "jti": token_id,
        "iss": issuer,
        "aud": audience,
        "iat": now // SECOND,
        "exp": expires // SECOND,
        "sub": principal.user,
        "cid": principal.client_id,
        "account": principal.account_id,
        "role": principal.role.value,
        "scp": sorted(scope.value for scope in principal.scopes),
        **({"parent_tokens": list(parent_tokens)} if parent_tokens else {}),
    }
    return jwt.encode({"alg": ALGORITHM, "kid": keys.signing_key.kid}, claims, keys.signing_key)


def is_well_formed(token: str) -> bool:
    """Return True if the text is a JWT with an accepted algorithm, so that some key might verify it."""
    header, *rest = token.split(".")
    if len(rest) != _SEGMENTS - 1:
        return False
    try:
        decoded = msgspec.json.decode(urlsafe_b64decode(header.encode("ascii") + b"=" * (-len(header) % 4)))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return False
    return isinstance(decoded, dict) and decoded.get("alg") in _ALGORITHMS


class RecentlyRejected(InvalidToken):
    """The token was rejected less than a second ago."""


class Verifier:
    """Verifies tokens of the accepted issuers.

    Results are cached by the token's digest: valid tokens until they expire, rejected ones for a second.
    """

    def __init__(self, issuers: Sequence[Issuer], audience: str) -> None:
        self._issuers = tuple(issuers)
        self._audience = audience
        self._cached: dict[bytes, tuple[float, VerifiedToken]] = {}
        self._rejected: dict[bytes, tuple[float, str]] = {}

    def verify(self, token: str) -> VerifiedToken:
        """Return the content of a valid token. Raises InvalidToken, whose message is for the log only."""
        digest = sha256(token.encode("utf-8", "surrogateescape")).digest()
        cached = self._cached.get(digest)
        if cached is not None and cached[0] > time.time():
            return cached[1]
        claims = self._get_claims(digest, token)
        verified = VerifiedToken(_get_principal(claims), _get_expires(claims), _get_token_ids(claims))
        if len(self._cached) >= _MAX_CACHED:
            self._cached.clear()
        self._cached[digest] = claims.exp, verified
        return verified

    def _get_claims(self, digest: bytes, token: str) -> _Claims:
        rejected = self._rejected.get(digest)
        if rejected is not None and rejected[0] > time.monotonic():
            raise RecentlyRejected(rejected[1])
        try:
            return self._validate(token)
        except InvalidToken as exc:
            if len(self._rejected) >= _MAX_CACHED:
                self._rejected.clear()
            self._rejected[digest] = time.monotonic() + _REJECTION_SECONDS, str(exc)[:_REASON_LENGTH]
            raise

    def _validate(self, token: str) -> _Claims:
        reason = "there are no accepted issuers"
        for issuer in self._issuers:
            try:
                decoded = jwt.decode(token, issuer.keys, algorithms=_ALGORITHMS)
                expected = _TimeClaims(
                    iss={"essential": True, "value": issuer.name},
                    aud={"essential": True, "value": self._audience},
                    exp={"essential": True},
                )
                expected.validate(decoded.claims)
                return msgspec.convert(decoded.claims, _Claims)
            except (JoseError, InvalidToken, ValueError, TypeError) as exc:
                # ValueError: not a JWT at all, an unknown key id, or claims of the wrong type.
                reason = f"{type(exc).__name__}: {exc}"
        raise InvalidToken(reason)


def _get_principal(claims: _Claims) -> Principal:
    if not is_account_id(claims.account):
        raise InvalidToken("the claim account is not a valid id")
    if not (is_storable(claims.cid) and is_storable(claims.sub)):
        raise InvalidToken("the claim cid or sub has control characters")
    claimed_scopes = {*claims.scp, *claims.scope.split()}
    return Principal(
        account_id=claims.account,
        client_id=claims.cid,
        user=claims.sub,
        role=claims.role,
        # Ignore scopes of a later version and of other issuers.
        scopes=frozenset(scope for scope in Scope if scope.value in claimed_scopes),
    )


def _get_expires(claims: _Claims) -> Instant:
    if not math.isfinite(claims.exp):
        raise InvalidToken("the claim exp is not a time")
    return Instant(int(min(claims.exp, MAX_INSTANT // SECOND) * SECOND))


def _get_token_ids(claims: _Claims) -> tuple[str, ...]:
    lists = [value for value in (claims.parent_tokens, claims.made_with) if isinstance(value, list)]
    return tuple(token_id for token_id in (claims.jti, *chain(*lists)) if isinstance(token_id, str))
