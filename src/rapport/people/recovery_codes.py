"""Recovery codes: with one of them a user signs in without the authenticator app, once.

The store has digests of the unused ones, one after another.
"""

import hmac
import secrets
from hashlib import sha256
from typing import Final

_CODE_COUNT: Final = 10

_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GROUPS: Final = 4
_GROUP_LENGTH: Final = 4
_CODE_LENGTH: Final = _GROUPS * _GROUP_LENGTH
"""80 random bits, so that a code can't be found from its digest by trying."""
_DIGEST_BYTES: Final = 32


def new_recovery_codes() -> tuple[str, ...]:
    """Return new codes, in groups of letters and digits that can't be mistaken for each other."""
    return tuple(
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
        for _ in range(_CODE_COUNT)
    )


def is_recovery_code(text: str) -> bool:
    """Return True if the text can be a recovery code, by its length."""
    return len(_normalize(text)) == _CODE_LENGTH


def digest_recovery_codes(user_id: str, codes: tuple[str, ...]) -> bytes:
    """Return the digests of a user's codes."""
    return b"".join(_digest(user_id, code) for code in codes)


def count_recovery_codes(digests: bytes | None) -> int:
    """Return the number of codes that are left."""
    return len(digests or b"") // _DIGEST_BYTES


def remove_recovery_code(user_id: str, code: str, digests: bytes | None) -> bytes | None:
    """Return the digests without that of this code; None if it isn't one. Takes the same time for every code."""
    stored = digests or b""
    used = _digest(user_id, code)
    kept = [digest for digest in _split(stored) if not hmac.compare_digest(digest, used)]
    remaining = b"".join(kept)
    return None if len(remaining) == len(stored) else remaining


def _split(digests: bytes) -> list[bytes]:
    return [digests[start : start + _DIGEST_BYTES] for start in range(0, len(digests), _DIGEST_BYTES)]


def _digest(user_id: str, code: str) -> bytes:
    return sha256(f"{user_id}:{_normalize(code)}".encode("utf-8", "surrogateescape")).digest()


def _normalize(code: str) -> str:
    return "".join(character for character in code.upper() if character not in " -\u2010\u2011\u2013")
