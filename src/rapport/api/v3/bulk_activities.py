"""Bulk jobs on contacts. Rapport records none, so these endpoints return none."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.api import examples
from rapport.api.endpoint import Access, Resource, Returns, endpoint
from rapport.api.params import Choices, Limit, PathId
from rapport.api.query import get_query
from rapport.api.responses import DateTimeSeconds, Id, Links, encode_response
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.errors import UnknownResource

BULK_ACTIVITIES: Final = "/v3/activities"

_READ: Final = Access(Scope.CONTACT_DATA, Privilege.CONTACTS_WRITE)
_TAG: Final = "Bulk Activities"

ACTIVITY_ID: Final = PathId("activity_id", "The bulk job.", examples.ACTIVITY_ID, UnknownResource)
LIMIT: Final = Limit("bulk jobs", 500, 50, as_text=False)
STATE: Final = Choices(
    "state",
    "Only bulk jobs in this state.",
    {name: name for name in ("processing", "completed", "cancelled", "failed", "timed_out")},
    noun="state",
)


class BulkActivity(msgspec.Struct, kw_only=True):
    """A bulk job on contacts."""

    activity_id: Id
    state: str
    created_at: DateTimeSeconds | UnsetType = UNSET
    updated_at: DateTimeSeconds | UnsetType = UNSET
    percent_done: int | UnsetType = UNSET


class BulkActivitiesPage(msgspec.Struct, kw_only=True):
    """A page of bulk jobs."""

    activities: list[BulkActivity]
    links: Links = msgspec.field(name="_links")


class BulkActivities(Resource):
    """The bulk jobs of an account."""

    @endpoint(
        "GET",
        BULK_ACTIVITIES,
        operation_id="getActivityStatusCollection",
        tag=_TAG,
        summary="List bulk jobs",
        description="The bulk jobs of the account. Rapport records none, so the page is empty.",
        access=_READ,
        params=(LIMIT, STATE),
        returns=Returns(
            description="A page of bulk jobs.", schema=BulkActivitiesPage, example={"activities": [], "_links": {}}
        ),
    )
    async def list_activities(self, request: Request, _principal: Principal) -> Response:
        query = get_query(request)
        LIMIT.get(query)
        STATE.get(query)
        return encode_response(BulkActivitiesPage(activities=[], links=Links()))

    @endpoint(
        "GET",
        f"{BULK_ACTIVITIES}/{{activity_id}}",
        operation_id="getActivity",
        tag=_TAG,
        summary="Get a bulk job",
        description="A bulk job. Rapport records none, so each is unknown.",
        access=_READ,
        params=(ACTIVITY_ID,),
        returns=Returns(
            description="The bulk job.",
            schema=BulkActivity,
            example={"activity_id": examples.ACTIVITY_ID, "state": "completed"},
        ),
        errors=(UnknownResource,),
    )
    async def get_activity(self, request: Request, _principal: Principal) -> Response:
        raise UnknownResource(ACTIVITY_ID.get(request))
