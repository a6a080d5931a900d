"""Split a body into lines or items by its content: an array is recognized whatever the media type.

Items are counted before they are decoded, and other requests run in between.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import msgspec

from rapport.api.track.body_limits import MAX_BYTES, MAX_LINES, too_many_lines
from rapport.api.track.item_counter import ItemCounter
from rapport.errors import MalformedBody, PayloadTooLarge
from rapport.recording.json_values import JsonSplitter

Line: TypeAlias = bytes | msgspec.Raw
LetOthersRun: TypeAlias = Callable[[], Awaitable[None]]

_SLICE_BYTES: Final = 256 * 1024
_MAX_UNCOUNTED_COMMAS: Final = 20 * MAX_LINES
"""The maximum number of commas in an array that is decoded before its items are counted."""
_MAX_BRACKETS: Final = 1_000_000
"""The maximum number of objects and arrays in a body."""
_MAX_TOKENS: Final = 2_000_000
"""The maximum number of structural characters in a body that is split into items although it is invalid JSON."""

_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_VALUE: Final = msgspec.json.Decoder(msgspec.Raw)

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TEXT: Final = re.compile(rb"\S")


async def split_body(body: bytes, is_json: bool, let_others_run: LetOthersRun) -> list[Line]:  # noqa: FBT001 - a type
    """Return the items of a JSON array, the only object of a JSON body, or else the non-blank lines.

    Raises MalformedBody and PayloadTooLarge.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    text = _TEXT.search(body)
    first = b"" if text is None else text[0]
    if first == b"[":
        return await _decode_items(body, let_others_run)
    if is_json:
        try:
            return [_VALUE.decode(body)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            if first != b"{" or not _is_ndjson(body):
                raise MalformedBody(f"the body must be a JSON array or one JSON object: {exc}") from None
    return await _split_lines(body, let_others_run)


def _is_ndjson(body: bytes) -> bool:
    """Return True if the first line is JSON and more lines follow."""
    line, newline, _ = body.lstrip().partition(b"\n")
    try:
        _VALUE.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return bool(newline)


async def _split_lines(body: bytes, let_others_run: LetOthersRun) -> list[Line]:
    if body.count(b"\n") <= 2 * MAX_LINES:
        lines: list[Line] = [line for line in body.split(b"\n") if line.strip()]
    else:
        lines = []
        position = 0
        while position < len(body) and len(lines) <= MAX_LINES:
            # Most lines are blank, and millions of them are skipped at once.
            text = _TEXT.search(body, position, position + _SLICE_BYTES)
            if text is None:
                position += _SLICE_BYTES
                await let_others_run()
                continue
            end = body.find(b"\n", text.start())
            position = len(body) if end < 0 else end + 1
            lines.append(body[text.start() : position])
    if len(lines) > MAX_LINES:
        raise too_many_lines("more")
    return lines


async def _decode_items(body: bytes, let_others_run: LetOthersRun) -> list[Line]:
    if body.count(b",") > _MAX_UNCOUNTED_COMMAS:
        await _check_item_count(body, let_others_run)
    try:
        items: list[Line] = list(_ARRAY.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        if not _is_array(body):
            raise MalformedBody(f"the body must be a JSON array: {exc}") from None
        # Reject only the items that are invalid JSON.
        items = await _split_items(body, let_others_run)
    if len(items) > MAX_LINES:
        raise too_many_lines(str(len(items)))
    return items


def _is_array(body: bytes) -> bool:
    """Return True if the body looks like an array, even if its items aren't valid JSON."""
    structure = sum(map(body.count, (b"{", b"}", b"[", b"]", b",", b'"', b"\n")))
    return body.rstrip().endswith(b"]") and structure <= _MAX_TOKENS


async def _split_items(body: bytes, let_others_run: LetOthersRun) -> list[Line]:
    splitter = JsonSplitter(MAX_BYTES)
    items: list[Line] = []
    for start in range(0, len(body), _SLICE_BYTES):
        items += (value.content or b"" for value in splitter.feed(body[start : start + _SLICE_BYTES]))
        await let_others_run()
        if len(items) > MAX_LINES:
            break
    items += (value.content or b"" for value in splitter.close())
    return items


async def _check_item_count(body: bytes, let_others_run: LetOthersRun) -> None:
    """Raise PayloadTooLarge if an array has too many items, without decoding them."""
    if body.count(b"{") + body.count(b"[") > _MAX_BRACKETS:
        raise PayloadTooLarge(f"a body may have {_MAX_BRACKETS} objects and arrays; send it in parts")
    counter = ItemCounter(body)
    while not counter.is_done:
        counter.step()
        await let_others_run()
