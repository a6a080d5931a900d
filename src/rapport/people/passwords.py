"""Passwords: the rules for them, and their argon2id hashes."""

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from rapport.errors import InvalidField

MIN_PASSWORD_LENGTH: Final = 12
MAX_PASSWORD_LENGTH: Final = 256

_MAX_HASHING: Final = 2
"""How many hashes a worker computes at once: each needs 64 MiB."""
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32


def parse_new_password(text: str, address: str) -> str:
    """Return the text as a new password of the user with this email address. Raises InvalidField."""
    password = normalize_password(text)
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise InvalidField(
            "password", "", f"must have {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters; several words do"
        )
    lowered = password.lower()
    if address.lower() in lowered or lowered in address.lower() or len(set(lowered)) < MIN_PASSWORD_LENGTH // 3:
        raise InvalidField("password", "", "is easy to guess: it repeats few characters or contains the email address")
    return password


def normalize_password(text: str) -> str:
    """Return the password with each character in one form, however the keyboard entered it (NFKC)."""
    return unicodedata.normalize("NFKC", text)


class PasswordHashes:
    """Hashes and verifies passwords in threads, a few at once."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._slots = asyncio.Semaphore(_MAX_HASHING)
        self._unknown = _make_unknown_hash(self._hasher)

    async def hash(self, password: str) -> str:
        """Return the hash of a password."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Return True if the hash is that of the password. Without a hash, return False after the same work."""
        async with self._slots:
            is_valid = await asyncio.to_thread(self._verify, password_hash or self._unknown, password)
        return is_valid and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        """Return True if the hash was made with other parameters than the current ones."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, normalize_password(password)[: MAX_PASSWORD_LENGTH + 1])
        except (VerificationError, InvalidHashError):
            return False


def _make_unknown_hash(hasher: PasswordHasher) -> str:
    """Return a hash that no password is known for, with the hasher's parameters, so that it takes as long to verify."""
    salt, digest = (b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (_SALT_BYTES, _HASH_BYTES))
    params = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${params}${salt}${digest}"
