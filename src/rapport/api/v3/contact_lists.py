"""Contact lists. Rapport records none, so these endpoints return none."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.api import examples
from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.params import Choices, Flag, Limit, PathId
from rapport.api.query import get_query
from rapport.api.responses import DateTimeSeconds, Id, Links, encode_response
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import UnknownResource

LISTS: Final = "/v3/contact_lists"

_READ: Final = Access(Scope.CONTACT_DATA, Privilege.LISTS_READ)
_TAG: Final = "Contact Lists"

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


class ContactLists(Resource):
    """The contact lists of an account."""

    @endpoint(
        "GET",
        LISTS,
        operation_id="getLists",
        tag=_TAG,
        summary="List contact lists",
        description="The contact lists of the account. Rapport records none, so the page is empty.",
        access=_READ,
        params=(LIMIT, INCLUDE_COUNT, INCLUDE_MEMBERS, STATUS),
        returns=Returns(
            description="A page of lists.",
            schema=ContactListsPage,
            example={"lists": [], "lists_count": 0, "_links": {}},
        ),
    )
    async def list_lists(self, request: Request, _principal: Principal) -> Response:
        query = get_query(request)
        for param in (LIMIT, INCLUDE_MEMBERS, STATUS):
            param.get(query)
        count = 0 if INCLUDE_COUNT.get(query) else UNSET
        return encode_response(ContactListsPage(lists=[], lists_count=count, links=Links()))

    @endpoint(
        "GET",
        f"{LISTS}/{{list_id}}",
        operation_id="getList",
        tag=_TAG,
        summary="Get a contact list",
        description="A contact list. Rapport records none, so each is unknown.",
        access=_READ,
        params=(LIST_ID, INCLUDE_MEMBERS),
        returns=Returns(
            description="The list.",
            schema=ContactList,
            example={"list_id": examples.LIST_ID, "name": "Newsletter", "created_at": "2026-01-05T09:30:00Z"},
        ),
        errors=(UnknownResource,),
    )
    async def get_list(self, request: Request, _principal: Principal) -> Response:
        raise UnknownResource(LIST_ID.get(request))
