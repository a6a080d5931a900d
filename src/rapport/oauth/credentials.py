"""Secrets that the authorization server issues, and their digests, which it stores instead."""

import hmac
import secrets
from hashlib import sha256
from typing import Final

from rapport.auth.signing import make_tag

MAX_REFRESH_TOKEN_LENGTH: Final = 50
"""Clients reserve this many characters for a refresh token."""

_SELECTOR_BYTES: Final = 12
_SELECTOR_LENGTH: Final = 16
_SECRET_BYTES: Final = 24
_SECRET_LENGTH: Final = 32

_USER_CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""Without vowels, so that no words appear, and without letters that look like digits (RFC 8628, section 6.1)."""
_USER_CODE_LENGTH: Final = 8


def new_client_secret() -> str:
    """Return a secret for an application."""
    return secrets.token_urlsafe(32)


def digest_client_secret(secret: str) -> bytes:
    """Return the digest of an application's secret. It has 256 random bits, so it needs no slow hash."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def is_client_secret(secret: str, digest: bytes) -> bool:
    """Return True if the secret has this digest. Takes the same time for every secret."""
    return hmac.compare_digest(digest_client_secret(secret), digest)


def new_refresh_token() -> str:
    """Return the first refresh token of a grant: a selector that identifies the grant, and a secret."""
    return secrets.token_urlsafe(_SELECTOR_BYTES) + secrets.token_urlsafe(_SECRET_BYTES)


def next_refresh_token(signing_secret: bytes, token: str) -> str:
    """Return the refresh token that replaces this one.

    It is always the same, so that a client that lost the response to a rotation gets the same token again; it can't be
    computed from the old one without the server's secret.
    """
    return (
        token[:_SELECTOR_LENGTH]
        + make_tag(signing_secret, b"oauth-next-refresh-token", token.encode())[:_SECRET_LENGTH]
    )


def get_grant_id(token: str) -> str:
    """Return the id of the grant that a refresh token belongs to, if any."""
    return sha256(token[:_SELECTOR_LENGTH].encode("utf-8", "surrogateescape")).hexdigest()[:24]


def digest_token(signing_secret: bytes, token: str) -> bytes:
    """Return the digest of a code or a refresh token. It changes with the server's signing secret."""
    return make_tag(signing_secret, b"oauth-token", token.encode("utf-8", "surrogateescape")).encode()


def new_user_code() -> str:
    """Return a code such as WDJB-MJHT, which a user types to connect a device."""
    letters = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(_USER_CODE_LENGTH))
    return f"{letters[:4]}-{letters[4:]}"


def normalize_user_code(text: str) -> str:
    """Return the code in the form of `new_user_code`, however the user typed it."""
    letters = "".join(letter for letter in text.upper() if letter in _USER_CODE_LETTERS)[: _USER_CODE_LENGTH + 1]
    return f"{letters[:4]}-{letters[4:]}"
