"""Read a request body that is one JSON object."""

import re
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request

from rapport.api.endpoint import JSON
from rapport.errors import InvalidField, MalformedBody, PayloadTooLarge, UnsupportedMediaType

T = TypeVar("T", bound=msgspec.Struct)

MAX_BYTES: Final = 256 * 1024

_PATH: Final = re.compile(r" - at `\$\.?([^`]*)`")


async def read_json(request: Request, schema: type[T]) -> T:
    """Return the object in the body.

    Raises UnsupportedMediaType, PayloadTooLarge, MalformedBody, InvalidField and ClientDisconnect.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise UnsupportedMediaType(f"the Content-Type must be {JSON}")
    body = await _receive(request)
    try:
        return msgspec.json.decode(body, type=schema)
    except msgspec.ValidationError as exc:
        path = _PATH.search(str(exc))
        reason = _PATH.sub("", str(exc))
        field = path[1] if path is not None and path[1] else "body"
        raise InvalidField(field, None, f"is invalid: {reason[:1].lower()}{reason[1:]}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise MalformedBody(f"the body must be a JSON object in UTF-8: {exc}") from None


async def _receive(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            raise PayloadTooLarge(f"a body may have at most {MAX_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)
