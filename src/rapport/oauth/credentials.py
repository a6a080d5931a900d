"""Secrets that the authorization server hands out, and the digests that it stores instead of them."""

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
"""No vowels, so that no word appears, and nothing that looks like a digit (RFC 8628, section 6.1)."""
_USER_CODE_LENGTH: Final = 8


def new_client_secret() -> str:
    """Return a secret for an application."""
    return secrets.token_urlsafe(32)


def digest_client_secret(secret: str) -> bytes:
    """Return the digest of an application's secret. It has 256 random bits, so that no slow hash is needed."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def is_client_secret(secret: str, digest: bytes) -> bool:
    """Return True if the secret has this digest. Takes the same time for every secret."""
    return hmac.compare_digest(digest_client_secret(secret), digest)


def new_refresh_token() -> str:
    """Return the first refresh token of a grant: what identifies the grant, and a secret."""
    return secrets.token_urlsafe(_SELECTOR_BYTES) + secrets.token_urlsafe(_SECRET_BYTES)


def next_refresh_token(sealing: bytes, token: str) -> str:
    """Return the refresh token that replaces this one.

    It is always the same, so that a client that lost the response to a rotation gets the same token again; without the
    server's secret it can't be told from the old one.
    """
    return token[:_SELECTOR_LENGTH] + make_tag(sealing, b"oauth-next-refresh-token", token.encode())[:_SECRET_LENGTH]


def read_grant_id(token: str) -> str:
    """Return the id of the grant that a refresh token belongs to, if any."""
    return sha256(token[:_SELECTOR_LENGTH].encode("utf-8", "surrogateescape")).hexdigest()[:24]


def digest_token(sealing: bytes, token: str) -> bytes:
    """Return the digest of a code or a refresh token. It changes with the server's signing secret."""
    return make_tag(sealing, b"oauth-token", token.encode("utf-8", "surrogateescape")).encode()


def new_user_code() -> str:
    """Return a code that a person types in to connect a device: WDJB-MJHT."""
    letters = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(_USER_CODE_LENGTH))
    return f"{letters[:4]}-{letters[4:]}"


def normalize_user_code(text: str) -> str:
    """Return a code as `new_user_code` writes it, however somebody typed it."""
    letters = "".join(letter for letter in text.upper() if letter in _USER_CODE_LETTERS)[: _USER_CODE_LENGTH + 1]
    return f"{letters[:4]}-{letters[4:]}"
