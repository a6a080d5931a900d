"""Merge contacts."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from rapport.api import examples
from rapport.api.endpoint import Access, NamedSchema, RequestBody, Resource, Returns, endpoint
from rapport.api.track.body import BodyReader, Lines
from rapport.api.track.body_limits import MAX_BYTES, MAX_LINES
from rapport.api.track.result import ImportResult, ResultBuilder, decode_items
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.catalog import ContactMerge
from rapport.disconnects import watch_client
from rapport.errors import (
    BodyTimeout,
    ErasedContactMerged,
    InvalidField,
    MalformedBody,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from rapport.recording.catalog_codec import MERGES
from rapport.recording.catalog_schemas import MERGE_SCHEMA
from rapport.store.merges import MergeRepository

_SIZES: Final = f"{MAX_LINES} merges and {MAX_BYTES // 1024 // 1024} MiB, also as gzip"


class Merges(Resource):
    """The endpoint that merges contacts."""

    def __init__(self, merges: MergeRepository) -> None:
        self._merges = merges
        self._bodies = BodyReader()

    @endpoint(
        "POST",
        "/track/v1/contacts/merge",
        operation_id="mergeContacts",
        tag="Recording",
        summary="Merge contacts",
        description=f"Up to {_SIZES}. Everything about the contact `contact_id` becomes that of "
        "`merged_into`: its activities, attributes and counts, and whatever arrives under its id later. Activities "
        "that both have count once. Both ids stand for one contact from then on, and are erased together. If they were "
        "one contact before, the merge counts as `duplicate`. Neither contact has to exist yet.",
        access=Access(Scope.ACTIVITY_WRITE, Privilege.CONTACTS_WRITE),
        body=RequestBody(
            item=NamedSchema("ContactMerge", MERGE_SCHEMA),
            example={"contact_id": "crm-4711", "merged_into": examples.CONTACT_ID},
        ),
        returns=Returns(
            description="The result.",
            schema=ImportResult,
            example={"accepted": 1, "duplicate": 0, "rejected": 0, "rejections": []},
        ),
        errors=(MalformedBody, BodyTimeout, PayloadTooLarge, UnsupportedMediaType),
    )
    async def merge_contacts(self, request: Request, principal: Principal) -> Response:
        with await self._bodies.read(request, principal.account_id) as lines:
            merges, results = await _read_merges(lines)
        watch_client(request.receive)
        changes = unchanged = 0
        for index, merge in merges:
            results.begin(index)
            try:
                merged = await self._merges.merge(principal.account_id, merge.contact_id, merge.merged_into)
            except ErasedContactMerged as exc:
                results.reject(InvalidField("merged_into", merge.merged_into, f"can't be used: {exc}"))
            else:
                changes += merged.is_changed
                unchanged += not merged.is_changed
        return results.response(changes, unchanged)


async def _read_merges(lines: Lines) -> tuple[list[tuple[int, ContactMerge]], ResultBuilder]:
    """Return the merges with their indexes, as the store may reject some."""
    results = ResultBuilder()
    merges: list[tuple[int, ContactMerge]] = []
    for start, lines_slice in lines.slices():
        for index, line in enumerate(lines_slice, start):
            merges += [(index, merge) for merge in decode_items([line], index, MERGES.decode_json, results)]
    return merges, results
