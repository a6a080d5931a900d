"""The `next` of a page: opaque, signed, and good for one account and one path only.

See docs/compatibility.md#cursors.
"""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from rapport.errors import InvalidCursor

T = TypeVar("T", bound=msgspec.Struct)

_SEAL: Final = 16
"""Bytes of the seal: an HMAC-SHA-256, cut to 128 bits (RFC 2104, section 5)."""

_ENCODER: Final = msgspec.msgpack.Encoder()


@lru_cache
def _decoder(form: type[T]) -> msgspec.msgpack.Decoder[T]:
    return msgspec.msgpack.Decoder(form)


def seal_cursor(key: bytes, account_id: str, path: str, page: msgspec.Struct) -> str:
    """The cursor of a page of `path`, for the account. The page is whatever its report asks the store for."""
    content = _ENCODER.encode(page)
    return _text(_seal(key, account_id, path, content) + content)


def open_cursor(key: bytes, account_id: str, path: str, cursor: str, form: type[T]) -> T:
    """The page of a cursor, which is a `form`.

    Raises InvalidCursor when it was not sealed with this key for this account and path.
    """
    try:
        sealed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidCursor(_MESSAGE) from None
    if _text(sealed) != cursor:
        # base64 is read leniently: many texts for the same bytes. Only the one that was given out is good.
        raise InvalidCursor(_MESSAGE)
    seal, content = sealed[:_SEAL], sealed[_SEAL:]
    if not hmac.compare_digest(seal, _seal(key, account_id, path, content)):
        raise InvalidCursor(_MESSAGE)
    try:
        page: T = _decoder(form).decode(content)
    except msgspec.MsgspecError:
        # Sealed by another version of this program, whose pages had another form.
        raise InvalidCursor(_MESSAGE) from None
    return page


_MESSAGE: Final = "next: must be what the last page's _links.next.href holds, unchanged; begin again without it"


def _text(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _seal(key: bytes, account_id: str, path: str, content: bytes) -> bytes:
    bound_to = f"{account_id}\n{path}\n".encode()
    return hmac.digest(key, bound_to + content, "sha256")[:_SEAL]
