"""Split JSON text into its values without decoding it, so that an invalid value doesn't affect the others."""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{},"\n]', re.DOTALL)
_OPENING: Final = frozenset(b"[{")
_CLOSING: Final = frozenset(b"]}")
_BLANK: Final = b" \t\r\n"
_QUOTE: Final = ord('"')
_COMMA: Final = ord(",")
_LINE_FEED: Final = ord("\n")


class JsonValue(NamedTuple):
    """A value: the number of the line on which it starts, counted from 1, and its bytes; None if it is too long."""

    line: int
    content: bytes | None


class JsonSplitter:
    """Splits a text that arrives in pieces into values: consecutive ones, or the items of arrays.

    Only strings and brackets are read, so a value that isn't JSON is returned unchanged. A value longer than
    `max_bytes` isn't kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = b""
        self._scanned = 0
        self._start = 0
        self._depth = 0
        self._in_array = False
        self._line = 1
        self._start_line = 1
        self._too_long = False

    def feed(self, piece: bytes) -> Iterator[JsonValue]:
        """Yield the values that are complete with this piece."""
        self._buffer = self._buffer[self._start :] + piece
        self._scanned -= self._start
        self._start = 0
        yield from self._scan(is_last=False)
        if len(self._buffer) - self._start > self._max_bytes:
            self._too_long = True
            if len(self._buffer) - self._scanned > self._max_bytes:
                # An unclosed quotation mark.
                self._scanned += 1
            self._start = self._scanned

    def close(self) -> Iterator[JsonValue]:
        """Yield what is left."""
        yield from self._scan(is_last=True)
        yield from self._emit(len(self._buffer))

    def _scan(self, *, is_last: bool) -> Iterator[JsonValue]:
        buffer = self._buffer
        for token in _TOKEN.finditer(buffer, self._scanned):
            if token[0] == b'"':
                # A string that continues in the next piece, or never ends.
                if not is_last:
                    self._scanned = token.start()
                    return
                break
            first = buffer[token.start()]
            if first == _QUOTE:
                self._line += buffer.count(b"\n", token.start(), token.end())
            elif first in _OPENING:
                yield from self._open(token)
            elif first in _CLOSING:
                yield from self._close(token)
            elif self._depth == 0 and (first == _COMMA or not self._in_array):
                yield from self._emit(token.start(), token.end())
            self._line += first == _LINE_FEED
            self._scanned = token.end()
        self._scanned = len(buffer)

    def _open(self, token: re.Match[bytes]) -> Iterator[JsonValue]:
        if self._depth or self._in_array:
            self._depth += 1
        elif token[0] == b"[" and self._is_blank(token.start()):
            self._in_array = True
            self._begin(token.end())
        else:
            # One object right after the other, as some services write them.
            yield from self._emit(token.start())
            self._depth = 1

    def _close(self, token: re.Match[bytes]) -> Iterator[JsonValue]:
        if self._depth:
            self._depth -= 1
            if self._depth == 0 and not self._in_array:
                yield from self._emit(token.end())
        elif self._in_array and token[0] == b"]":
            yield from self._emit(token.start(), token.end())
            self._in_array = False

    def _is_blank(self, end: int) -> bool:
        return not self._buffer[self._start : end].strip(_BLANK)

    def _begin(self, position: int) -> None:
        self._start = position
        self._start_line = self._line
        self._too_long = False

    def _emit(self, end: int, next_start: int | None = None) -> Iterator[JsonValue]:
        content = self._buffer[self._start : end]
        is_blank = not content.strip(_BLANK)
        if not is_blank or self._too_long:
            line = self._start_line + (0 if self._too_long else _count_leading_lines(content))
            is_long = self._too_long or len(content) > self._max_bytes
            yield JsonValue(line, None if is_long else content.strip(_BLANK))
        self._begin(end if next_start is None else next_start)


def split_values(read: Callable[[], bytes], max_bytes: int) -> Iterator[JsonValue]:
    """Yield the values of a text that `read` returns piece by piece, and an empty piece at its end."""
    splitter = JsonSplitter(max_bytes)
    while piece := read():
        yield from splitter.feed(piece)
    yield from splitter.close()


def _count_leading_lines(content: bytes) -> int:
    return content.count(b"\n", 0, len(content) - len(content.lstrip(_BLANK)))
