"""Sign and verify what the server hands out and takes back: cursors, sessions and form tokens.

Every purpose has a key of its own, derived from the server's signing secret, so that nothing that was signed for one
purpose is accepted for another.
"""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import Final

from rapport.errors import RapportError

MAC_SIZE: Final = 32
"""The size of a full HMAC-SHA-256 in bytes (RFC 2104)."""


class InvalidSignature(RapportError):
    """A text was not signed with this secret, for this purpose and context."""


def sign(secret: bytes, purpose: bytes, content: bytes, *, context: bytes = b"", mac_size: int = MAC_SIZE) -> str:
    """Return the content with its signature, as URL-safe text.

    The context is signed too, but isn't part of the text: it must be given again to `verify`. A `mac_size` below 32
    truncates the signature, to 16 bytes at least (RFC 2104, section 5).
    """
    return _encode(_mac(secret, purpose, context, content)[:mac_size] + content)


def verify(secret: bytes, purpose: bytes, text: str, *, context: bytes = b"", mac_size: int = MAC_SIZE) -> bytes:
    """Return the content of a signed text. Raises InvalidSignature."""
    try:
        signed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidSignature("it is not base64") from None
    # base64 is decoded leniently: several texts decode to the same bytes. Accept only the one that was issued.
    if _encode(signed) != text:
        raise InvalidSignature("it was changed")
    mac, content = signed[:mac_size], signed[mac_size:]
    if not hmac.compare_digest(mac, _mac(secret, purpose, context, content)[:mac_size]):
        raise InvalidSignature("it was not signed by this server")
    return content


def make_tag(secret: bytes, purpose: bytes, content: bytes) -> str:
    """Return a signature alone, as URL-safe text."""
    return _encode(_mac(secret, purpose, b"", content))


def is_tag(secret: bytes, purpose: bytes, content: bytes, text: str) -> bool:
    """Return True if `text` is the signature of the content. Takes the same time for every text."""
    return hmac.compare_digest(make_tag(secret, purpose, content).encode(), text.encode("utf-8", "surrogateescape"))


def _encode(signed: bytes) -> str:
    return urlsafe_b64encode(signed).rstrip(b"=").decode()


def _mac(secret: bytes, purpose: bytes, context: bytes, content: bytes) -> bytes:
    return hmac.digest(_derived_key(secret, purpose), context + content, "sha256")


@lru_cache(maxsize=16)
def _derived_key(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, purpose, "sha256")
