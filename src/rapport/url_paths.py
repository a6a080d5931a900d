"""Ids in the paths of URLs: percent-encoded, so that a slash or comma of an id differs from one between ids. No I/O."""

import re
from typing import Final
from urllib.parse import quote, unquote

_ENCODED: Final = re.compile("%2f|%2c", re.IGNORECASE)
_MARKS: Final = {"%2F": "\0", "%2C": "\1"}
"""What stands for an encoded slash or comma in a decoded path. No id can hold these characters."""
_NOT_MARKS: Final = str.maketrans(dict.fromkeys(_MARKS.values(), "\2"))
_DOTS: Final = {".": "%2E", "..": "%2E%2E"}


def quote_id(text: str) -> str:
    """Return an id as a segment of a path."""
    # A segment of dots alone is taken for the parent directory.
    return _DOTS.get(text) or quote(text, safe="")


def decode_path(raw_path: str, path: str) -> str:
    """Return the decoded path, with marks for encoded slashes and commas. `path` is the one decoded as usual."""
    if any(mark in path for mark in _MARKS.values()):
        # These characters must not be read as marks. No id can hold what replaces them either.
        return path.translate(_NOT_MARKS)
    if _ENCODED.search(raw_path) is None:
        return path
    return unquote(_ENCODED.sub(lambda match: _MARKS[match[0].upper()], raw_path), errors="replace")


def restore_marks(text: str) -> str:
    """Return a part of a decoded path without marks."""
    return text.replace("\0", "/").replace("\1", ",")


def split_ids(text: str) -> list[str]:
    """Return the ids of a part of a decoded path that holds several, joined by commas: each once, without blanks."""
    ids = (restore_marks(part).strip() for part in text.split(","))
    return list(dict.fromkeys(filter(None, ids)))
