"""Tags of contacts, and the numbers of their contacts."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.api import examples
from rapport.api.endpoint import Access, Json, Resource, Returns, endpoint
from rapport.api.pagination import Cursors
from rapport.api.params import Cursor, Flag, Limit, PathId
from rapport.api.query import get_query
from rapport.api.responses import DateTimeSeconds, Id, Links, encode_response, format_second, page_links
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.catalog import DefinitionType
from rapport.errors import UnknownResource
from rapport.reporting.definitions import DefinitionsRequest, get_definition, list_definitions
from rapport.store.attributes import get_text
from rapport.store.definitions import DefinitionRecord, DefinitionRepository

TAGS: Final = "/v3/contact_tags"

_READ: Final = Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ)
_TAG: Final = "Contact Tags"

TAG_ID: Final = PathId("tag_id", "The tag.", examples.TAG_ID, UnknownResource)
LIMIT: Final = Limit("tags", 500, 50, as_text=False)
INCLUDE_COUNT: Final = Flag(
    "include_count", "Whether to return the number of contacts that have the tag.", default=False
)
CURSOR: Final = Cursor("cursor")


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


_EXAMPLE: Final[Json] = {
    "tag_id": examples.TAG_ID,
    "name": "vip",
    "created_at": "2026-01-05T09:30:00Z",
    "updated_at": "2026-01-05T09:30:00Z",
}


class ContactTags(Resource):
    """The tags of an account."""

    def __init__(self, definitions: DefinitionRepository, cursors: Cursors) -> None:
        self._definitions = definitions
        self._cursors = cursors

    @endpoint(
        "GET",
        TAGS,
        operation_id="getTags",
        tag=_TAG,
        summary="List tags",
        description="The tags of the account that aren't deleted, most recently created first.",
        access=_READ,
        params=(LIMIT, INCLUDE_COUNT, CURSOR),
        returns=Returns(description="A page of tags.", schema=TagsPage, example={"tags": [_EXAMPLE], "_links": {}}),
    )
    async def list_tags(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        page_request = self._cursors.decode_optional(CURSOR.get(query), principal, TAGS, DefinitionsRequest)
        if page_request is None:
            count_active = False if INCLUDE_COUNT.get(query) else None
            page_request = DefinitionsRequest(
                type=DefinitionType.TAG, limit=LIMIT.get(query), count_active=count_active
            )
        page = await list_definitions(self._definitions, principal.account_id, page_request)
        return encode_response(
            TagsPage(
                tags=[_tag(record, page.contacts) for record in page.definitions],
                links=page_links(self._cursors.next_href(principal, TAGS, page.next, "cursor")),
            )
        )

    @endpoint(
        "GET",
        f"{TAGS}/{{tag_id}}",
        operation_id="getTag",
        tag=_TAG,
        summary="Get a tag",
        description="A tag.",
        access=_READ,
        params=(TAG_ID, INCLUDE_COUNT),
        returns=Returns(description="The tag.", schema=Tag, example=_EXAMPLE),
        errors=(UnknownResource,),
    )
    async def get_tag(self, request: Request, principal: Principal) -> Response:
        with_count = INCLUDE_COUNT.get(get_query(request))
        tag_id = TAG_ID.get(request)
        record = await get_definition(self._definitions, principal.account_id, DefinitionType.TAG, tag_id)
        counts = None
        if with_count:
            counts = await self._definitions.count_contacts(
                principal.account_id, DefinitionType.TAG, [tag_id], only_active=False
            )
        return encode_response(_tag(record, counts))


def _tag(record: DefinitionRecord, counts: Mapping[str, int] | None) -> Tag:
    return Tag(
        tag_id=record.definition_id,
        name=record.name,
        created_at=format_second(record.created_at),
        updated_at=format_second(record.updated_at),
        contacts_count=UNSET if counts is None else counts.get(record.definition_id, 0),
        tag_source=get_text(record.attributes, "tag_source") or UNSET,
    )
