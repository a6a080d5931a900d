"""Custom fields of contacts. Rapport records none, so these endpoints return none."""

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

CUSTOM_FIELDS: Final = "/v3/contact_custom_fields"

_READ: Final = Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ)
_TAG: Final = "Contacts Custom Fields"

CUSTOM_FIELD_ID: Final = PathId("custom_field_id", "The custom field.", examples.CUSTOM_FIELD_ID, UnknownResource)
LIMIT: Final = Limit("custom fields", 100, 50, as_text=False)


class CustomField(msgspec.Struct, kw_only=True):
    """A custom field of contacts."""

    custom_field_id: Id
    label: str
    name: str | UnsetType = UNSET
    type: str
    created_at: DateTimeSeconds | UnsetType = UNSET
    updated_at: DateTimeSeconds | UnsetType = UNSET


class CustomFieldsPage(msgspec.Struct, kw_only=True):
    """A page of custom fields."""

    custom_fields: list[CustomField]
    links: Links = msgspec.field(name="_links")


class CustomFields(Resource):
    """The custom fields of an account."""

    @endpoint(
        "GET",
        CUSTOM_FIELDS,
        operation_id="getCustomFields",
        tag=_TAG,
        summary="List custom fields",
        description="The custom fields of the account. Rapport records none, so the page is empty.",
        access=_READ,
        params=(LIMIT,),
        returns=Returns(
            description="A page of custom fields.", schema=CustomFieldsPage, example={"custom_fields": [], "_links": {}}
        ),
    )
    async def list_custom_fields(self, request: Request, _principal: Principal) -> Response:
        query = get_query(request)
        LIMIT.get(query)
        return encode_response(CustomFieldsPage(custom_fields=[], links=Links()))

    @endpoint(
        "GET",
        f"{CUSTOM_FIELDS}/{{custom_field_id}}",
        operation_id="getCustomField",
        tag=_TAG,
        summary="Get a custom field",
        description="A custom field. Rapport records none, so each is unknown.",
        access=_READ,
        params=(CUSTOM_FIELD_ID,),
        returns=Returns(
            description="The custom field.",
            schema=CustomField,
            example={"custom_field_id": examples.CUSTOM_FIELD_ID, "label": "Size", "type": "string"},
        ),
        errors=(UnknownResource,),
    )
    async def get_custom_field(self, request: Request, _principal: Principal) -> Response:
        raise UnknownResource(CUSTOM_FIELD_ID.get(request))
