"""How every answer goes out: JSON that no cache keeps."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from rapport.pacing import LARGE, PacedResponse

_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def json_answer(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer whose body is JSON already."""
    make = PacedResponse if len(body) >= LARGE else Response
    return make(body, status, _HEADERS if headers is None else {**_HEADERS, **headers}, "application/json")
