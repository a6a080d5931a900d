"""Cursors: the `next` of a page is opaque, signed, and valid for one account and one path only."""

from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from rapport.auth.authenticator import Authenticator
from rapport.auth.signing import InvalidSignature, sign, verify
from rapport.auth.token import Principal
from rapport.errors import InvalidCursor

T = TypeVar("T", bound=msgspec.Struct)

_PURPOSE: Final = b"cursor"
_MAC_SIZE: Final = 16
_ENCODER: Final = msgspec.msgpack.Encoder()
_MESSAGE: Final = (
    "next: must be the cursor from the previous page's _links.next.href, unchanged; start again without it"
)


class Cursors:
    """Encodes and decodes the cursors of a server, or of several that share a store."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def decode(self, cursor: str, principal: Principal, path: str, request_type: type[T]) -> T:
        """Return the page request of a cursor of this path. Raises InvalidCursor."""
        return decode_cursor(self._authenticator.keys.signing_secret, principal.account_id, path, cursor, request_type)

    def decode_optional(self, cursor: str | None, principal: Principal, path: str, request_type: type[T]) -> T | None:
        """Return the page request of a cursor, or None if there is no cursor. Raises InvalidCursor."""
        return None if cursor is None else self.decode(cursor, principal, path, request_type)

    def next_href(
        self, principal: Principal, path: str, page_request: msgspec.Struct | None, parameter: str = "next"
    ) -> str | None:
        """Return the link to a page, or None if `page_request` is None."""
        if page_request is None:
            return None
        cursor = encode_cursor(self._authenticator.keys.signing_secret, principal.account_id, path, page_request)
        return f"{path}?{parameter}={cursor}"


def encode_cursor(secret: bytes, account_id: str, path: str, page_request: msgspec.Struct) -> str:
    """Return the cursor of a page of `path` for the account."""
    content = _ENCODER.encode(page_request)
    return sign(secret, _PURPOSE, content, context=_context(account_id, path), mac_size=_MAC_SIZE)


def decode_cursor(secret: bytes, account_id: str, path: str, cursor: str, request_type: type[T]) -> T:
    """Return the page request of a cursor. Raises InvalidCursor if it isn't for this account and path."""
    try:
        content = verify(secret, _PURPOSE, cursor, context=_context(account_id, path), mac_size=_MAC_SIZE)
        page_request: T = _decoder(request_type).decode(content)
    except (InvalidSignature, msgspec.MsgspecError):
        # MsgspecError: a cursor of another version of Rapport, whose page requests had other fields.
        raise InvalidCursor(_MESSAGE) from None
    return page_request


def _context(account_id: str, path: str) -> bytes:
    return f"{account_id}\n{path}\n".encode()


@lru_cache
def _decoder(request_type: type[T]) -> msgspec.msgpack.Decoder[T]:
    return msgspec.msgpack.Decoder(request_type)
