"""Encode and decode ids in URL paths, so that a slash or comma in an id differs from one between ids."""

import re
from typing import Final
from urllib.parse import quote, unquote

_ENCODED: Final = re.compile("%2f|%2c", re.IGNORECASE)
_MARKS: Final = {"%2F": "\0", "%2C": "\1"}
"""Stand-ins for an encoded slash or comma in a decoded path. Ids can't contain these characters."""
_NOT_MARKS: Final = str.maketrans(dict.fromkeys(_MARKS.values(), "\2"))
_DOTS: Final = {".": "%2E", "..": "%2E%2E"}


def quote_id(text: str) -> str:
    """Return an id as a segment of a path."""
    # A segment that is only dots means the current or parent directory.
    return _DOTS.get(text) or quote(text, safe="")


def decode_path(raw_path: str, path: str) -> str:
    """Return the decoded path, with marks for encoded slashes and commas. `path` is the path as ASGI decoded it."""
    if any(mark in path for mark in _MARKS.values()):
        # The client sent a mark's character; replace it with another one that ids can't contain.
        return path.translate(_NOT_MARKS)
    if _ENCODED.search(raw_path) is None:
        return path
    return unquote(_ENCODED.sub(lambda match: _MARKS[match[0].upper()], raw_path), errors="replace")


def restore_marks(text: str) -> str:
    """Replace the marks in a part of a decoded path by the characters that they stand for."""
    return text.replace("\0", "/").replace("\1", ",")


def split_ids(text: str) -> list[str]:
    """Return the ids in a part of a decoded path, which are joined by commas, without duplicates and empty ones."""
    ids = (restore_marks(part).strip() for part in text.split(","))
    return list(dict.fromkeys(filter(None, ids)))
