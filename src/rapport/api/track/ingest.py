"""Record activities, update contacts and campaigns, and erase contacts.

What is accepted is durable when the response is sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from rapport.api import examples
from rapport.api.endpoint import Access, Json, NamedSchema, RequestBody, Resource, Returns, endpoint
from rapport.api.params import PathId
from rapport.api.track.body import BodyReader, Lines
from rapport.api.track.body_limits import MAX_BYTES, MAX_LINES
from rapport.api.track.result import ImportResult, ResultBuilder, decode_items
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.disconnects import watch_client
from rapport.errors import (
    BodyTimeout,
    MalformedBody,
    MalformedContactId,
    PayloadTooLarge,
    StoreUnavailable,
    UnknownContact,
    UnsupportedMediaType,
)
from rapport.recording import catalog_codec, definition_codec
from rapport.recording.activity_codec import (
    ACTIVITY_SCHEMA,
    LineFormat,
)
from rapport.recording.catalog_schemas import (
    CAMPAIGN_SCHEMA,
    CONTACT_SCHEMA,
    CUSTOM_FIELD_SCHEMA,
    LIST_SCHEMA,
    TAG_SCHEMA,
)
from rapport.recording.decoding import decode_activity
from rapport.recording.group_commit import GroupCommitter
from rapport.store.batch import Batch, BatchBuilder
from rapport.store.campaigns import CampaignRepository
from rapport.store.contacts import ContactRepository
from rapport.store.definitions import DefinitionRepository
from rapport.store.erasure import Erasure

ACTIVITIES: Final = "/track/v1/activities"
CONTACTS: Final = "/track/v1/contacts"
CAMPAIGNS: Final = "/track/v1/campaigns"
LISTS: Final = "/track/v1/lists"
TAGS: Final = "/track/v1/tags"
CUSTOM_FIELDS: Final = "/track/v1/custom_fields"

_TAG: Final = "Recording"
_SIZES: Final = f"{MAX_LINES} {{}} and {MAX_BYTES // 1024 // 1024} MiB, also as gzip"
_BODY_ERRORS: Final = (MalformedBody, BodyTimeout, PayloadTooLarge, UnsupportedMediaType)

CONTACT_ID: Final = PathId("contact_id", "The contact.", examples.CONTACT_ID, MalformedContactId)

T = TypeVar("T")

_COMMIT_TIMEOUT: Final = 30.0
"""Seconds that a request waits for its commit. Items that are committed later are duplicates when sent again."""


_EXAMPLE_ACTIVITY: Final[Json] = {
    "contact_id": examples.CONTACT_ID,
    "campaign_activity_id": examples.CAMPAIGN_ACTIVITY_ID,
    "tracking_activity_type": "em_clicks",
    "created_time": "2017-04-02T05:11:34.000Z",
    "campaign_activity_name": "April Newsletter",
    "email_address": "ada@example.com",
    "link_url": "https://shop.example.com/spring",
    "device_type": "mobile",
}

_EXAMPLE_CONTACT: Final[Json] = {
    "contact_id": examples.CONTACT_ID,
    "updated_at": "2026-03-10T15:30:49Z",
    "email_address": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "permission_to_send": "implicit",
    "created_at": "2026-01-05T09:30:00Z",
}

_EXAMPLE_CAMPAIGN: Final[Json] = {
    "campaign_id": examples.CAMPAIGN_ID,
    "campaign_name": "December Newsletter",
    "current_status": "Done",
    "campaign_activities": [
        {
            "campaign_activity_id": examples.CAMPAIGN_ACTIVITY_ID,
            "role": "primary_email",
            "subject": "Spring is here",
            "from_name": "Ada",
            "from_email": "ada@example.com",
            "reply_to_email": "ada@example.com",
            "links": [{"link_url": "https://shop.example.com/spring", "url_id": "105"}],
        }
    ],
}

_EXAMPLE_LIST: Final[Json] = {"list_id": examples.LIST_ID, "name": "Newsletter", "favorite": True}
_EXAMPLE_TAG: Final[Json] = {"tag_id": examples.TAG_ID, "name": "vip"}
_EXAMPLE_CUSTOM_FIELD: Final[Json] = {
    "custom_field_id": examples.CUSTOM_FIELD_ID,
    "label": "T-shirt size",
    "type": "single_select",
    "choices": [{"choice_id": 1, "choice_label": "M"}, {"choice_id": 2, "choice_label": "L", "display_order": 1}],
}

_UPDATED: Final = Returns(
    description="The result.",
    schema=ImportResult,
    example={"accepted": 1, "duplicate": 0, "rejected": 0, "rejections": []},
)
_UPDATE_RULE: Final = (
    "The response is sent when all accepted updates are durable. Of two updates of the same field the one with the "
    "later `updated_at` wins; without `updated_at` an update is dated now. An update that changes nothing counts as "
    "`duplicate`."
)


class Ingest(Resource):
    """Endpoints that write data."""

    def __init__(
        self,
        recorder: GroupCommitter,
        contacts: ContactRepository,
        campaigns: CampaignRepository,
        definitions: DefinitionRepository,
        erasure: Erasure,
    ) -> None:
        self._contacts = contacts
        self._campaigns = campaigns
        self._definitions = definitions
        self._erasure = erasure
        self._recorder = recorder
        self._bodies = BodyReader()

    @endpoint(
        "POST",
        CONTACTS,
        operation_id="upsertContacts",
        tag=_TAG,
        summary="Create or update contacts",
        description=f"Up to {_SIZES.format('contacts')}. {_UPDATE_RULE}",
        access=Access(Scope.ACTIVITY_WRITE, Privilege.CONTACTS_WRITE),
        body=RequestBody(item=NamedSchema("ContactUpdate", CONTACT_SCHEMA), example=_EXAMPLE_CONTACT),
        returns=_UPDATED,
        errors=_BODY_ERRORS,
    )
    async def upsert_contacts(self, request: Request, principal: Principal) -> Response:
        return await self._upsert(request, principal, catalog_codec.CONTACTS, self._contacts.upsert)

    @endpoint(
        "POST",
        CAMPAIGNS,
        operation_id="upsertCampaigns",
        tag=_TAG,
        summary="Create or update campaigns",
        description=f"Up to {_SIZES.format('campaigns')}. {_UPDATE_RULE}",
        access=Access(Scope.ACTIVITY_WRITE, Privilege.CAMPAIGN_WRITE),
        body=RequestBody(item=NamedSchema("CampaignUpdate", CAMPAIGN_SCHEMA), example=_EXAMPLE_CAMPAIGN),
        returns=_UPDATED,
        errors=_BODY_ERRORS,
    )
    async def upsert_campaigns(self, request: Request, principal: Principal) -> Response:
        return await self._upsert(request, principal, catalog_codec.CAMPAIGNS, self._campaigns.upsert)

    @endpoint(
        "POST",
        LISTS,
        operation_id="upsertLists",
        tag=_TAG,
        summary="Create or update lists",
        description=f"Up to {_SIZES.format('lists')}. {_UPDATE_RULE}",
        access=Access(Scope.ACTIVITY_WRITE, Privilege.LISTS_WRITE),
        body=RequestBody(item=NamedSchema("ListUpdate", LIST_SCHEMA), example=_EXAMPLE_LIST),
        returns=_UPDATED,
        errors=_BODY_ERRORS,
    )
    async def upsert_lists(self, request: Request, principal: Principal) -> Response:
        return await self._upsert(request, principal, definition_codec.LISTS, self._definitions.upsert)

    @endpoint(
        "POST",
        TAGS,
        operation_id="upsertTags",
        tag=_TAG,
        summary="Create or update tags",
        description=f"Up to {_SIZES.format('tags')}. {_UPDATE_RULE}",
        access=Access(Scope.ACTIVITY_WRITE, Privilege.CONTACTS_WRITE),
        body=RequestBody(item=NamedSchema("TagUpdate", TAG_SCHEMA), example=_EXAMPLE_TAG),
        returns=_UPDATED,
        errors=_BODY_ERRORS,
    )
    async def upsert_tags(self, request: Request, principal: Principal) -> Response:
        return await self._upsert(request, principal, definition_codec.TAGS, self._definitions.upsert)

    @endpoint(
        "POST",
        CUSTOM_FIELDS,
        operation_id="upsertCustomFields",
        tag=_TAG,
        summary="Create or update custom fields",
        description=f"Up to {_SIZES.format('custom fields')}. {_UPDATE_RULE}",
        access=Access(Scope.ACTIVITY_WRITE, Privilege.CONTACTS_WRITE),
        body=RequestBody(item=NamedSchema("CustomFieldUpdate", CUSTOM_FIELD_SCHEMA), example=_EXAMPLE_CUSTOM_FIELD),
        returns=_UPDATED,
        errors=_BODY_ERRORS,
    )
    async def upsert_custom_fields(self, request: Request, principal: Principal) -> Response:
        return await self._upsert(request, principal, definition_codec.CUSTOM_FIELDS, self._definitions.upsert)

    async def _upsert(
        self,
        request: Request,
        principal: Principal,
        line_format: LineFormat[T],
        upsert: Callable[[str, Sequence[T]], Awaitable[int]],
    ) -> Response:
        """Respond with the result of the updates in the body, once they are durable."""
        with await self._bodies.read(request, principal.account_id) as lines:
            updates, results = await _read_updates(lines, line_format)
        watch_client(request.receive)
        try:
            async with asyncio.timeout(_COMMIT_TIMEOUT):
                changes = await upsert(principal.account_id, updates)
        except TimeoutError:
            raise StoreUnavailable("the commit takes too long") from None
        return results.response(changes, len(updates) - changes)

    @endpoint(
        "POST",
        ACTIVITIES,
        operation_id="recordActivities",
        tag=_TAG,
        summary="Record activities",
        description=f"Up to {_SIZES.format('activities')}. The response is sent when all accepted activities are "
        "durable. An invalid activity is rejected by its index and doesn't affect the others. Sending the same "
        "activity again changes nothing.",
        access=Access(Scope.ACTIVITY_WRITE),
        body=RequestBody(item=NamedSchema("Activity", ACTIVITY_SCHEMA), example=_EXAMPLE_ACTIVITY),
        returns=Returns(
            description="The result.",
            schema=ImportResult,
            example={
                "accepted": 1,
                "duplicate": 0,
                "rejected": 1,
                "rejections": [
                    {"index": 1, "field": "created_time", "value": "1970-01-20", "reason": "must not be before 1990"}
                ],
            },
        ),
        errors=_BODY_ERRORS,
    )
    async def record_activities(self, request: Request, principal: Principal) -> Response:
        with await self._bodies.read(request, principal.account_id) as lines:
            batch, results = await _read_activities(principal.account_id, lines)
        watch_client(request.receive)
        try:
            async with asyncio.timeout(_COMMIT_TIMEOUT):
                recorded = await self._recorder.record(batch)
        except TimeoutError:
            raise StoreUnavailable("the commit takes too long") from None
        return results.response(sum(recorded.accepted.values()), recorded.duplicate)

    @endpoint(
        "DELETE",
        f"{CONTACTS}/{{contact_id:any}}",
        operation_id="eraseContact",
        tag=_TAG,
        summary="Erase a contact",
        description="Deletes the contact and all of its activities permanently. Campaign totals stay the same. "
        "Activities from before the erasure that arrive later count as duplicates and don't bring the contact back.",
        access=Access(Scope.ACTIVITY_WRITE, Privilege.CONTACTS_WRITE),
        params=(CONTACT_ID,),
        returns=Returns(description="The contact was erased.", status=204),
        errors=(UnknownContact,),
    )
    async def erase_contact(self, request: Request, principal: Principal) -> Response:
        contact_id = CONTACT_ID.get(request)
        if not await self._erasure.erase(principal.account_id, contact_id):
            raise UnknownContact(contact_id)
        return Response(status_code=204)


async def _read_activities(account_id: str, lines: Lines) -> tuple[Batch, ResultBuilder]:
    results = ResultBuilder()
    builder = BatchBuilder()
    for start, lines_slice in lines.slices():
        if start:
            await lines.let_others_run()
        builder.extend(decode_items(lines_slice, start, decode_activity, results))
    return builder.batch(account_id), results


async def _read_updates(lines: Lines, line_format: LineFormat[T]) -> tuple[list[T], ResultBuilder]:
    results = ResultBuilder()
    updates: list[T] = []
    for start, lines_slice in lines.slices():
        if start:
            await lines.let_others_run()
        updates += decode_items(lines_slice, start, line_format.decode_json, results)
    return updates, results
