"""Tags of contacts. Rapport records none, so these endpoints return none."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.api import examples
from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.params import Limit, PathId
from rapport.api.query import get_query
from rapport.api.responses import DateTimeSeconds, Id, Links, encode_response
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import UnknownResource

TAGS: Final = "/v3/contact_tags"

_READ: Final = Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ)
_TAG: Final = "Contact Tags"

TAG_ID: Final = PathId("tag_id", "The tag.", examples.TAG_ID, UnknownResource)
LIMIT: Final = Limit("tags", 500, 50, as_text=False)


class Tag(msgspec.Struct, kw_only=True):
    """A tag of contacts."""

    tag_id: Id
    name: str
    created_at: DateTimeSeconds | UnsetType = UNSET
    updated_at: DateTimeSeconds | UnsetType = UNSET
    contacts_count: int | UnsetType = UNSET
    tag_source: str | UnsetType = UNSET


class TagsPage(msgspec.Struct, kw_only=True):
    """A page of tags."""

    tags: list[Tag]
    links: Links = msgspec.field(name="_links")


class ContactTags(Resource):
    """The tags of an account."""

    @endpoint(
        "GET",
        TAGS,
        operation_id="getTags",
        tag=_TAG,
        summary="List tags",
        description="The tags of the account. Rapport records none, so the page is empty.",
        access=_READ,
        params=(LIMIT,),
        returns=Returns(description="A page of tags.", schema=TagsPage, example={"tags": [], "_links": {}}),
    )
    async def list_tags(self, request: Request, _principal: Principal) -> Response:
        query = get_query(request)
        LIMIT.get(query)
        return encode_response(TagsPage(tags=[], links=Links()))

    @endpoint(
        "GET",
        f"{TAGS}/{{tag_id}}",
        operation_id="getTag",
        tag=_TAG,
        summary="Get a tag",
        description="A tag. Rapport records none, so each is unknown.",
        access=_READ,
        params=(TAG_ID,),
        returns=Returns(description="The tag.", schema=Tag, example={"tag_id": examples.TAG_ID, "name": "vip"}),
        errors=(UnknownResource,),
    )
    async def get_tag(self, request: Request, _principal: Principal) -> Response:
        raise UnknownResource(TAG_ID.get(request))
