"""JSON responses, and the types that several of them share."""

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.responses import Response

from rapport.activity import ID_PATTERN, MAX_ID_LENGTH
from rapport.instant import iso
from rapport.pacing import LARGE, PacedResponse

Id: TypeAlias = Annotated[
    str,
    Meta(
        pattern=ID_PATTERN,
        min_length=1,
        max_length=MAX_ID_LENGTH,
        examples=["aa9ff7b0-478d-11e6-8059-00163e3c8e19"],
    ),
]
Time: TypeAlias = Annotated[
    str,
    Meta(
        description="UTC, with milliseconds and `Z`.",
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        examples=["2017-04-02T04:08:00.000Z"],
    ),
]

DateTimeSeconds: TypeAlias = Annotated[
    str,
    Meta(
        description="UTC, with seconds and `Z`.",
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
        examples=["2026-09-29T14:33:39Z"],
    ),
]

_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class NextLink(msgspec.Struct):
    """The link to the next page, relative to the server."""

    href: str


class Links(msgspec.Struct):
    """The links of a page: `{}` on the last one."""

    next: NextLink | UnsetType = UNSET


def format_second(instant: int | None) -> str | UnsetType:
    """Return a time with seconds, or UNSET if there is none."""
    return UNSET if instant is None else f"{iso(instant)[:-5]}Z"


def page_links(next_href: str | None) -> Links:
    """Return the links of a page; `next_href` is None on the last one."""
    return Links() if next_href is None else Links(NextLink(next_href))


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a JSON body that caches must not store."""
    response_type = PacedResponse if len(body) >= LARGE else Response
    all_headers = _HEADERS if headers is None else {**_HEADERS, **headers}
    return response_type(body, status, all_headers, "application/json")


def encode_response(value: object, status: int = 200) -> Response:
    """Return a response with the JSON of a value."""
    return json_response(msgspec.json.encode(value), status)
