"""Custom fields of contacts."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple
from starlette.requests import Request
from starlette.responses import Response

from rapport.api import examples
from rapport.api.endpoint import Access, Json, Resource, Returns, endpoint
from rapport.api.pagination import Cursors
from rapport.api.params import Cursor, Limit, PathId
from rapport.api.query import get_query
from rapport.api.responses import DateTimeSeconds, Id, Links, encode_response, format_second, page_links
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.catalog import DefinitionType
from rapport.errors import UnknownResource
from rapport.reporting.definitions import DefinitionsRequest, get_definition, list_definitions
from rapport.store.attributes import get_text
from rapport.store.definitions import DefinitionRecord, DefinitionRepository

CUSTOM_FIELDS: Final = "/v3/contact_custom_fields"

_READ: Final = Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ)
_TAG: Final = "Contacts Custom Fields"

CUSTOM_FIELD_ID: Final = PathId("custom_field_id", "The custom field.", examples.CUSTOM_FIELD_ID, UnknownResource)
LIMIT: Final = Limit("custom fields", 100, 50, as_text=False)
CURSOR: Final = Cursor("cursor")

_DEFAULT_TYPE: Final = "string"
"""The type of a field that only contacts refer to."""


class Choice(msgspec.Struct):
    """A value that the field can have."""

    choice_id: int
    choice_label: str
    display_order: int


class CustomField(msgspec.Struct, kw_only=True):
    """A custom field of contacts."""

    custom_field_id: Id
    label: str
    name: str | UnsetType = UNSET
    type: str
    choices: list[Choice] | UnsetType = UNSET
    created_at: DateTimeSeconds | UnsetType = UNSET
    updated_at: DateTimeSeconds | UnsetType = UNSET


class CustomFieldsPage(msgspec.Struct, kw_only=True):
    """A page of custom fields."""

    custom_fields: list[CustomField]
    links: Links = msgspec.field(name="_links")


_EXAMPLE: Final[Json] = {
    "custom_field_id": examples.CUSTOM_FIELD_ID,
    "label": "T-shirt size",
    "name": "T-shirt_size",
    "type": "string",
    "created_at": "2026-01-05T09:30:00Z",
    "updated_at": "2026-01-05T09:30:00Z",
}


class CustomFields(Resource):
    """The custom fields of an account."""

    def __init__(self, definitions: DefinitionRepository, cursors: Cursors) -> None:
        self._definitions = definitions
        self._cursors = cursors

    @endpoint(
        "GET",
        CUSTOM_FIELDS,
        operation_id="getCustomFields",
        tag=_TAG,
        summary="List custom fields",
        description="The custom fields of the account that aren't deleted, most recently created first.",
        access=_READ,
        params=(LIMIT, CURSOR),
        returns=Returns(
            description="A page of custom fields.",
            schema=CustomFieldsPage,
            example={"custom_fields": [_EXAMPLE], "_links": {}},
        ),
    )
    async def list_custom_fields(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        page_request = self._cursors.decode_optional(CURSOR.get(query), principal, CUSTOM_FIELDS, DefinitionsRequest)
        if page_request is None:
            page_request = DefinitionsRequest(type=DefinitionType.CUSTOM_FIELD, limit=LIMIT.get(query))
        page = await list_definitions(self._definitions, principal.account_id, page_request)
        return encode_response(
            CustomFieldsPage(
                custom_fields=[_custom_field(record) for record in page.definitions],
                links=page_links(self._cursors.next_href(principal, CUSTOM_FIELDS, page.next, "cursor")),
            )
        )

    @endpoint(
        "GET",
        f"{CUSTOM_FIELDS}/{{custom_field_id}}",
        operation_id="getCustomField",
        tag=_TAG,
        summary="Get a custom field",
        description="A custom field.",
        access=_READ,
        params=(CUSTOM_FIELD_ID,),
        returns=Returns(description="The custom field.", schema=CustomField, example=_EXAMPLE),
        errors=(UnknownResource,),
    )
    async def get_custom_field(self, request: Request, principal: Principal) -> Response:
        field_id = CUSTOM_FIELD_ID.get(request)
        return encode_response(
            _custom_field(
                await get_definition(self._definitions, principal.account_id, DefinitionType.CUSTOM_FIELD, field_id)
            )
        )


def _custom_field(record: DefinitionRecord) -> CustomField:
    return CustomField(
        custom_field_id=record.definition_id,
        label=record.name,
        # As Constant Contact makes it from the label.
        name=record.name.replace(" ", "_"),
        type=get_text(record.attributes, "field_type") or _DEFAULT_TYPE,
        choices=[Choice(*astuple(choice)) for choice in record.choices] or UNSET,
        created_at=format_second(record.created_at),
        updated_at=format_second(record.updated_at),
    )
