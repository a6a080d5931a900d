"""The limits of a request body, and the errors for exceeding them."""

from typing import Final

from rapport.errors import PayloadTooLarge

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_LINES: Final = 10_000


def too_large() -> PayloadTooLarge:
    """Return the error for a body of too many bytes."""
    return PayloadTooLarge(f"the body must have at most {MAX_BYTES} bytes, also once decompressed; send it in parts")


def too_many_lines(count: str) -> PayloadTooLarge:
    """Return the error for a body of too many lines or items."""
    return PayloadTooLarge(f"a request must have at most {MAX_LINES} lines, and this one has {count}; send it in parts")
