"""Map ids of the v2 API to ids of the v3 API. Rapport never had ids of the v2 API, so nothing is found."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.params import Text
from rapport.api.query import get_query
from rapport.api.responses import Id, encode_response
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import InvalidField

V2Id = Annotated[str, Meta(description="The id in the v2 API.", examples=["1100395673356"])]

_IDS_SCHEMA: Final = {"type": "string", "minLength": 1}


def _parse_ids(text: str) -> str:
    if not text.strip(", "):
        raise ValueError("must name at least one id")
    return text


SEQUENCE_IDS: Final = Text("sequence_ids", "Ids of the v2 API, separated by commas.", _parse_ids, _IDS_SCHEMA, "1,2")
CAMPAIGN_IDS: Final = Text(
    "v2_email_campaign_ids", "Ids of the v2 API, separated by commas.", _parse_ids, _IDS_SCHEMA, "1,2"
)


class ContactXref(msgspec.Struct):
    """A contact by both ids."""

    sequence_id: V2Id
    contact_id: Id


class ListXref(msgspec.Struct):
    """A contact list by both ids."""

    sequence_id: V2Id
    list_id: Id


class CampaignXref(msgspec.Struct):
    """A campaign, and its primary campaign activity, by both ids."""

    v2_email_campaign_id: V2Id
    campaign_id: Id
    campaign_activity_id: Id


class ContactXrefs(msgspec.Struct):
    """Contacts by both ids."""

    xrefs: list[ContactXref]


class ListXrefs(msgspec.Struct):
    """Contact lists by both ids."""

    xrefs: list[ListXref]


class CampaignXrefs(msgspec.Struct):
    """Campaigns by both ids."""

    xrefs: list[CampaignXref]


def _require(request: Request, param: Text[str]) -> None:
    if param.get(get_query(request)) is None:
        raise InvalidField(param.name, None, "is required: name the ids, separated by commas")


class CrossReferences(Resource):
    """Pairs of ids of both APIs."""

    @endpoint(
        "GET",
        "/v3/contacts/contact_id_xrefs",
        operation_id="getContactIdXrefs",
        tag="Contacts",
        summary="Look up contacts of the v2 API",
        description="The contacts with these ids of the v2 API. Rapport has no such ids, so there are none.",
        access=Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ),
        params=(SEQUENCE_IDS,),
        returns=Returns(description="The pairs.", schema=ContactXrefs, example={"xrefs": []}),
        errors=(InvalidField,),
    )
    async def find_contacts(self, request: Request, _principal: Principal) -> Response:
        _require(request, SEQUENCE_IDS)
        return encode_response(ContactXrefs([]))

    @endpoint(
        "GET",
        "/v3/contact_lists/list_id_xrefs",
        operation_id="getListIdXrefs",
        tag="Contact Lists",
        summary="Look up lists of the v2 API",
        description="The lists with these ids of the v2 API. Rapport has no such ids, so there are none.",
        access=Access(Scope.CONTACT_DATA, Privilege.LISTS_READ),
        params=(SEQUENCE_IDS,),
        returns=Returns(description="The pairs.", schema=ListXrefs, example={"xrefs": []}),
        errors=(InvalidField,),
    )
    async def find_lists(self, request: Request, _principal: Principal) -> Response:
        _require(request, SEQUENCE_IDS)
        return encode_response(ListXrefs([]))

    @endpoint(
        "GET",
        "/v3/emails/campaign_id_xrefs",
        operation_id="retrieveXrefMappingsUsingGET",
        tag="Email Campaigns",
        summary="Look up campaigns of the v2 API",
        description="The campaigns with these ids of the v2 API. Rapport has no such ids, so there are none.",
        access=Access(Scope.CAMPAIGN_DATA, Privilege.CAMPAIGN_READ),
        params=(CAMPAIGN_IDS,),
        returns=Returns(description="The pairs.", schema=CampaignXrefs, example={"xrefs": []}),
        errors=(InvalidField,),
    )
    async def find_campaigns(self, request: Request, _principal: Principal) -> Response:
        _require(request, CAMPAIGN_IDS)
        return encode_response(CampaignXrefs([]))
