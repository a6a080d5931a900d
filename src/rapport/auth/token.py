"""Tokens: JWT signed by this server, or by the one other issuer that the operator names (RFC 7519)."""

import math
import time
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from hashlib import sha256
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
from rapport.instant import LAST, SECOND, Instant

_ALGORITHMS: Final = (ALGORITHM, "ES256", "EdDSA", "Ed25519")
"""What is accepted: asymmetric ones only, so that no public key can pass for a shared secret."""
_SEGMENTS: Final = 3
"""Header, claims and signature (RFC 7515, section 7.1)."""

_SKEW: Final = 60
"""Seconds that the clock of the server that made a token may be ahead of this one's."""

_MOST_REMEMBERED: Final = 10_000
_REFUSED_SECONDS: Final = 1.0
"""How long a token stays refused without being verified again: its start may come, or its key."""
_REASON_LENGTH: Final = 200


class Principal(msgspec.Struct, frozen=True):
    """On whose behalf a request is made, with what."""

    account_id: str
    client_id: str
    user: str
    role: Role
    scopes: frozenset[Scope]


class Verified(msgspec.Struct, frozen=True):
    """What a good token says: on whose behalf, until when, its id and those of the tokens that it was made with."""

    principal: Principal
    expires: Instant
    token_ids: tuple[str, ...]


class Issuer(msgspec.Struct, frozen=True):
    """Whose tokens are accepted: what they say under `iss`, and the keys that verify them."""

    name: str
    keys: KeySet


class _Claims(msgspec.Struct):
    """The claims of a token that are read; `account`, `role` and `made_with` are ours."""

    exp: float
    account: str
    cid: str
    sub: str
    role: Role = Role.OWNER
    scp: list[str] = []
    scope: str = ""
    jti: str | None = None
    # Another issuer may mean anything by it.
    made_with: Any = None


class _Times(JWTClaimsRegistry):
    """Expiry to the second; a start in the future only as far as clocks differ."""

    def validate_nbf(self, value: object) -> None:
        self._check_start(value)

    def validate_iat(self, value: object) -> None:
        self._check_start(value)

    def _check_start(self, value: object) -> None:
        if not isinstance(value, int | float) or value > self.now + _SKEW:
            raise InvalidToken("it is not good yet")


def make_token(
    keys: Keys,
    principal: Principal,
    *,
    issuer: str,
    audience: str | list[str],
    now: Instant,
    expires: Instant,
    token_id: str,
    made_with: Sequence[str] = (),
) -> str:
    """A token for the principal that is good until `expires`, rounded down to the second."""
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
        **({"made_with": list(made_with)} if made_with else {}),
    }
    return jwt.encode({"alg": ALGORITHM, "kid": keys.signing.kid}, claims, keys.signing)


def names_a_key(token: str) -> bool:
    """Return True if the token has the form of one that another key might verify."""
    header, *rest = token.split(".")
    if len(rest) != _SEGMENTS - 1:
        return False
    try:
        decoded = msgspec.json.decode(urlsafe_b64decode(header.encode("ascii") + b"=" * (-len(header) % 4)))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return False
    return isinstance(decoded, dict) and decoded.get("alg") in _ALGORITHMS


class RefusedAgain(InvalidToken):
    """A token that was refused less than a second ago."""


class Verifier:
    """Tells whose token it is. Remembers tokens by their digest: valid ones for as long as its issuers stay the same.

    Refused ones are remembered for a second, with the reason.
    """

    def __init__(self, issuers: Sequence[Issuer], audience: str) -> None:
        self._issuers = tuple(issuers)
        self._audience = audience
        self._remembered: dict[bytes, tuple[float, Verified]] = {}
        self._refused: dict[bytes, tuple[float, str]] = {}

    def verify(self, token: str) -> Verified:
        """What a good token says. Raises InvalidToken for any other, and says why for the log only."""
        digest = sha256(token.encode("utf-8", "surrogateescape")).digest()
        remembered = self._remembered.get(digest)
        if remembered is not None and remembered[0] > time.time():
            return remembered[1]
        claims = self._claims(digest, token)
        verified = Verified(_principal(claims), _expires(claims), _token_ids(claims))
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = claims.exp, verified
        return verified

    def _claims(self, digest: bytes, token: str) -> _Claims:
        refused = self._refused.get(digest)
        if refused is not None and refused[0] > time.monotonic():
            raise RefusedAgain(refused[1])
        try:
            return self._checked(token)
        except InvalidToken as exc:
            if len(self._refused) >= _MOST_REMEMBERED:
                self._refused.clear()
            self._refused[digest] = time.monotonic() + _REFUSED_SECONDS, str(exc)[:_REASON_LENGTH]
            raise

    def _checked(self, token: str) -> _Claims:
        reason = "no issuer is accepted"
        for issuer in self._issuers:
            try:
                decoded = jwt.decode(token, issuer.keys, algorithms=_ALGORITHMS)
                expected = _Times(
                    iss={"essential": True, "value": issuer.name},
                    aud={"essential": True, "value": self._audience},
                    exp={"essential": True},
                )
                expected.validate(decoded.claims)
                return msgspec.convert(decoded.claims, _Claims)
            except (JoseError, InvalidToken, ValueError, TypeError) as problem:
                # ValueError: what is no JWT at all, a key id that nobody has, and claims of the wrong type.
                reason = f"{type(problem).__name__}: {problem}"
        raise InvalidToken(reason)


def _principal(claims: _Claims) -> Principal:
    if not is_account_id(claims.account):
        raise InvalidToken("its account is no id")
    if not (is_storable(claims.cid) and is_storable(claims.sub)):
        raise InvalidToken("its cid or sub has control characters")
    said = {*claims.scp, *claims.scope.split()}
    return Principal(
        account_id=claims.account,
        client_id=claims.cid,
        user=claims.sub,
        role=claims.role,
        # A scope of a later Rapport, or of the other issuer's, opens nothing here.
        scopes=frozenset(scope for scope in Scope if scope.value in said),
    )


def _expires(claims: _Claims) -> Instant:
    if not math.isfinite(claims.exp):
        raise InvalidToken("its end is no time")
    return Instant(int(min(claims.exp, LAST // SECOND) * SECOND))


def _token_ids(claims: _Claims) -> tuple[str, ...]:
    made_with = claims.made_with if isinstance(claims.made_with, list) else []
    return tuple(each for each in (claims.jti, *made_with) if isinstance(each, str))
