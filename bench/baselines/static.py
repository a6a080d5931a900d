"""A static body of BENCH_BODY bytes from the same HTTP server: the upper limit for a page."""

import os
from typing import Final

from starlette.types import Receive, Scope, Send

_BODY: Final = b"x" * int(os.environ["BENCH_BODY"])
_HEADERS: Final = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]


async def application(scope: Scope, _receive: Receive, send: Send) -> None:
    """Return the body for every request."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY})
