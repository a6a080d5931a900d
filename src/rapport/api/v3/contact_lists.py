"""Contact lists, and the numbers of their contacts."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.activity import is_storable
from rapport.api import examples
from rapport.api.endpoint import Access, Json, Resource, Returns, endpoint
from rapport.api.pagination import Cursors
from rapport.api.params import Choices, Cursor, Flag, Limit, PathId, Text
from rapport.api.query import Query, get_query
from rapport.api.responses import DateTimeSeconds, Id, Links, encode_response, format_second, page_links
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.catalog import DefinitionType
from rapport.errors import UnknownResource
from rapport.reporting.definitions import DefinitionsRequest, get_definition, list_definitions
from rapport.store.attributes import get_text
from rapport.store.definitions import DefinitionRecord, DefinitionRepository

LISTS: Final = "/v3/contact_lists"

_READ: Final = Access(Scope.CONTACT_DATA, Privilege.LISTS_READ)
_TAG: Final = "Contact Lists"


def _parse_name(text: str) -> str:
    if not is_storable(text):
        raise ValueError("must be a name without control characters")
    return text


LIST_ID: Final = PathId("list_id", "The list.", examples.LIST_ID, UnknownResource)
LIMIT: Final = Limit("lists", 1_000, 50, as_text=False)
INCLUDE_COUNT: Final = Flag("include_count", "Whether to return the number of lists.", default=False)
INCLUDE_MEMBERS: Final = Choices(
    "include_membership_count",
    "Which members of each list to count.",
    {name: name for name in ("all", "active")},
    noun="membership",
)
STATUS: Final = Choices(
    "status",
    "Only lists with this status.",
    {name: name for name in ("all", "active", "deleted")},
    noun="status",
)
NAME: Final = Text(
    "name",
    "Only the list with this name.",
    _parse_name,
    {"type": "string", "minLength": 1, "maxLength": 255},
    "Newsletter",
)
CHANNEL: Final = Choices(
    "channel_type",
    "Only lists for email or for text messages; Rapport has none for text messages.",
    {name: name for name in ("email", "sms")},
    noun="channel",
)
INCLUDE_SMS_MEMBERS: Final = Flag(
    "include_sms_membership_count", "Accepted; there are no lists for text messages.", default=False
)
CURSOR: Final = Cursor("cursor")


class ContactList(msgspec.Struct, kw_only=True):
    """A contact list."""

    list_id: Id
    name: str
    description: str | UnsetType = UNSET
    favorite: bool | UnsetType = UNSET
    created_at: DateTimeSeconds | UnsetType = UNSET
    updated_at: DateTimeSeconds | UnsetType = UNSET
    deleted_at: DateTimeSeconds | UnsetType = UNSET
    membership_count: int | UnsetType = UNSET


class ContactListsPage(msgspec.Struct, kw_only=True):
    """A page of contact lists."""

    lists: list[ContactList]
    lists_count: int | UnsetType = UNSET
    links: Links = msgspec.field(name="_links")


_EXAMPLE: Final[Json] = {
    "list_id": examples.LIST_ID,
    "name": "Newsletter",
    "favorite": False,
    "created_at": "2026-01-05T09:30:00Z",
    "updated_at": "2026-01-05T09:30:00Z",
}


class ContactLists(Resource):
    """The contact lists of an account."""

    def __init__(self, definitions: DefinitionRepository, cursors: Cursors) -> None:
        self._definitions = definitions
        self._cursors = cursors

    @endpoint(
        "GET",
        LISTS,
        operation_id="getLists",
        tag=_TAG,
        summary="List contact lists",
        description="The contact lists of the account, most recently created first; by default all that aren't "
        "deleted. There are no lists for text messages.",
        access=_READ,
        params=(LIMIT, INCLUDE_COUNT, INCLUDE_MEMBERS, NAME, STATUS, CHANNEL, INCLUDE_SMS_MEMBERS, CURSOR),
        returns=Returns(
            description="A page of lists.",
            schema=ContactListsPage,
            example={"lists": [_EXAMPLE], "lists_count": 1, "_links": {}},
        ),
    )
    async def list_lists(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        page_request = self._cursors.decode_optional(CURSOR.get(query), principal, LISTS, DefinitionsRequest)
        if page_request is None:
            page_request = _first_page(query)
        page = await list_definitions(self._definitions, principal.account_id, page_request)
        return encode_response(
            ContactListsPage(
                lists=[_list(record, page.contacts) for record in page.definitions],
                lists_count=UNSET if page.count is None else page.count,
                links=page_links(self._cursors.next_href(principal, LISTS, page.next, "cursor")),
            )
        )

    @endpoint(
        "GET",
        f"{LISTS}/{{list_id}}",
        operation_id="getList",
        tag=_TAG,
        summary="Get a contact list",
        description="A contact list, also if it is deleted.",
        access=_READ,
        params=(LIST_ID, INCLUDE_MEMBERS),
        returns=Returns(description="The list.", schema=ContactList, example=_EXAMPLE),
        errors=(UnknownResource,),
    )
    async def get_list(self, request: Request, principal: Principal) -> Response:
        count_active = _count_active(get_query(request))
        list_id = LIST_ID.get(request)
        record = await get_definition(self._definitions, principal.account_id, DefinitionType.LIST, list_id)
        counts = None
        if count_active is not None:
            counts = await self._definitions.count_contacts(
                principal.account_id, DefinitionType.LIST, [list_id], only_active=count_active
            )
        return encode_response(_list(record, counts))


def _first_page(query: Query) -> DefinitionsRequest:
    statuses = STATUS.get(query) or ("active",)
    limit, with_count, count_active = LIMIT.get(query), INCLUDE_COUNT.get(query), _count_active(query)
    INCLUDE_SMS_MEMBERS.get(query)
    is_sms = set(CHANNEL.get(query)) == {"sms"}
    return DefinitionsRequest(
        type=DefinitionType.LIST,
        name=NAME.get(query),
        with_current=not is_sms and not {"all", "active"}.isdisjoint(statuses),
        with_deleted=not is_sms and not {"all", "deleted"}.isdisjoint(statuses),
        limit=limit,
        with_count=with_count,
        count_active=count_active,
    )


def _count_active(query: Query) -> bool | None:
    members = INCLUDE_MEMBERS.get(query)
    return "all" not in members if members else None


def _list(record: DefinitionRecord, counts: Mapping[str, int] | None) -> ContactList:
    return ContactList(
        list_id=record.definition_id,
        name=record.name,
        description=get_text(record.attributes, "description") or UNSET,
        favorite=record.is_favorite,
        created_at=format_second(record.created_at),
        updated_at=format_second(record.updated_at),
        deleted_at=format_second(record.deleted_at),
        membership_count=UNSET if counts is None else counts.get(record.definition_id, 0),
    )
