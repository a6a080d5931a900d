"""Count the items of a JSON array without decoding them."""

import re
from typing import Final

from rapport.api.track.body_limits import MAX_LINES, too_many_lines
from rapport.errors import PayloadTooLarge

_SCAN_BYTES: Final = 128 * 1024
_SCAN_TOKENS: Final = 4_000
"""The number of bytes read in one step."""

_BRACKETS: Final = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_FLAT: Final = rb'(?:[^"\[\]{}]++|' + _STRING + rb")"
_IN_ARRAY: Final = re.compile(_STRING + rb'|[\[\]{},"]', re.DOTALL)
_IN_ITEM: Final = re.compile(rb"(?:" + _FLAT + rb"|\{" + _FLAT + rb"*+\}|\[" + _FLAT + rb'*+\])++|[\[\]{}"]', re.DOTALL)
"""The next string or structural character of an array; in its items, values without nested ones are skipped.

A quotation mark alone is the start of a string that continues after the slice.
"""


class ItemCounter:
    """Counts the items of a JSON array in steps. Invalid JSON may be miscounted."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0
        self._depth = 0
        self._items = 1
        self._tokens = 0

    @property
    def is_done(self) -> bool:
        """True once the whole body was read."""
        return self._position >= len(self._body)

    def step(self) -> None:
        """Read the next slice. Raises PayloadTooLarge."""
        stop = self._position + _SCAN_BYTES
        self._tokens = 0
        while not self.is_done and self._position < stop and self._tokens < _SCAN_TOKENS:
            self._position = self._read_array() if self._depth <= 1 else self._read_item()

    def _read_array(self) -> int:
        """Read up to the start of the next item that is an array or an object; return the position."""
        end = self._position + _SCAN_BYTES
        for token in _IN_ARRAY.finditer(self._body, self._position, end):
            self._tokens += 1
            character = token[0]
            if character == b",":
                self._items += self._depth
                if self._items > MAX_LINES:
                    raise too_many_lines("more")
            elif character in _BRACKETS:
                self._depth += _BRACKETS[character]
                return token.end()
            elif character == b'"':
                return self._get_string_start(token)
        return end

    def _read_item(self) -> int:
        """Read up to the end of the item; return the position."""
        end = self._position + _SCAN_BYTES
        for token in _IN_ITEM.finditer(self._body, self._position, end):
            self._tokens += 1
            if token.end() > token.start() + 1:
                continue
            character = token[0]
            if character in _BRACKETS:
                self._depth += _BRACKETS[character]
                if self._depth <= 1 or self._tokens >= _SCAN_TOKENS:
                    return token.end()
            elif character == b'"':
                return self._get_string_start(token)
        return end

    def _get_string_start(self, token: re.Match[bytes]) -> int:
        """Return the start of a string that continues after the slice, where the next slice begins.

        Raises PayloadTooLarge.
        """
        if token.start() == self._position:
            raise PayloadTooLarge(f"a text may have {_SCAN_BYTES} bytes")
        return token.start()
