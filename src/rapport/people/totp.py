"""Codes of authenticator apps (TOTP, RFC 6238), and the encryption of their secrets in the store."""

import hmac
import secrets
from typing import Final

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rapport.errors import StoreUnavailable
from rapport.instant import SECOND, Instant
from rapport.store.secrets import SecretRepository

STEP: Final = 30 * SECOND
"""How long a code is valid. The one before and the one after it are accepted, too, as clocks differ."""

_ISSUER: Final = "Rapport"
_KEY_NAME: Final = "authenticator-key"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_CODE_LENGTH: Final = 6


def new_totp_secret() -> str:
    """Return a new secret for an authenticator app."""
    return pyotp.random_base32()


def totp_uri(secret: str, address: str) -> str:
    """Return the URI that an authenticator app reads the secret from, usually as a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=address, issuer_name=_ISSUER)


def find_totp_step(secret: str, code: str, now: Instant) -> int | None:
    """Return the time step of a code, or None if the code is wrong. Takes the same time for every code."""
    totp, current = pyotp.TOTP(secret), now // STEP
    digits = "".join(code.split()).encode("utf-8", "replace")
    matching = None
    for step in (current - 1, current, current + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), digits):
            matching = step
    return matching if len(digits) == _CODE_LENGTH else None


class TotpSecrets:
    """Encrypts the secrets of authenticator apps with a key that is kept with the server's other keys."""

    def __init__(self, repository: SecretRepository) -> None:
        self._repository = repository

    async def encrypt(self, user_id: str, secret: str) -> bytes:
        """Return the encrypted secret of a user."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + (await self._cipher()).encrypt(nonce, secret.encode(), user_id.encode())

    async def decrypt(self, user_id: str, encrypted: bytes) -> str:
        """Return the secret of a user. Raises StoreUnavailable if the key is another one."""
        nonce, content = encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:]
        try:
            return (await self._cipher()).decrypt(nonce, content, user_id.encode()).decode()
        except (InvalidTag, ValueError):
            raise StoreUnavailable(
                f"the secrets of authenticator apps can't be decrypted: restore {_KEY_NAME} from a backup, or reset "
                "them with `rapport user reset-totp`"
            ) from None

    async def _cipher(self) -> AESGCM:
        while True:
            key = await self._repository.read(_KEY_NAME)
            if key is not None:
                return AESGCM(bytes.fromhex(key.decode()))
            # The first process to get here creates it; the others read it in their next iteration.
            await self._repository.replace(_KEY_NAME, None, secrets.token_bytes(_KEY_BYTES).hex().encode())
