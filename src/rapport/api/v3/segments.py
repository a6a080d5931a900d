"""Segments of contacts. Rapport records none, so these endpoints return none."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.params import Limit, PathId
from rapport.api.query import get_query
from rapport.api.responses import DateTimeSeconds, encode_response
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import UnknownResource

SEGMENTS: Final = "/v3/segments"

_READ: Final = Access(Scope.CONTACT_DATA, Privilege.LISTS_READ)
_TAG: Final = "Segments"

SEGMENT_ID: Final = PathId("segment_id", "The segment.", "57", UnknownResource)
LIMIT: Final = Limit("segments", 1_000)


class Segment(msgspec.Struct, kw_only=True):
    """A segment of contacts."""

    segment_id: int
    name: str
    created_at: DateTimeSeconds | UnsetType = UNSET
    edited_at: DateTimeSeconds | UnsetType = UNSET


class SegmentsPage(msgspec.Struct, kw_only=True):
    """A page of segments. It has no `_links`, because these would need a `next` on every page."""

    segments: list[Segment]


class Segments(Resource):
    """The segments of an account."""

    @endpoint(
        "GET",
        SEGMENTS,
        operation_id="getAccountSegments",
        tag=_TAG,
        summary="List segments",
        description="The segments of the account. Rapport records none, so the page is empty.",
        access=_READ,
        params=(LIMIT,),
        returns=Returns(description="A page of segments.", schema=SegmentsPage, example={"segments": []}),
    )
    async def list_segments(self, request: Request, _principal: Principal) -> Response:
        query = get_query(request)
        LIMIT.get(query)
        return encode_response(SegmentsPage(segments=[]))

    @endpoint(
        "GET",
        f"{SEGMENTS}/{{segment_id}}",
        operation_id="getSegmentDetail",
        tag=_TAG,
        summary="Get a segment",
        description="A segment. Rapport records none, so each is unknown.",
        access=_READ,
        params=(SEGMENT_ID,),
        returns=Returns(description="The segment.", schema=Segment, example={"segment_id": 57, "name": "Openers"}),
        errors=(UnknownResource,),
    )
    async def get_segment(self, request: Request, _principal: Principal) -> Response:
        raise UnknownResource(SEGMENT_ID.get(request))
