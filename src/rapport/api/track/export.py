"""Export activities, contacts, campaigns, merges and reports, streamed in the requested format."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rapport.activity import EARLIEST, ID_ALLOWED, is_id
from rapport.api import examples
from rapport.api.endpoint import Access, Param, Resource, Returns, endpoint
from rapport.api.params import Flag, PathId, Text, TimeRange
from rapport.api.query import get_query
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.catalog import DefinitionType
from rapport.errors import (
    InvalidField,
    MalformedCampaignActivityId,
    UnknownCampaignActivity,
    UnknownContact,
)
from rapport.export_stream import FORMATS, get_headers, parse_format, stream_export
from rapport.instant import MAX_INSTANT
from rapport.recording.export import (
    ACTIVITY_COLUMNS,
    ALL_TIMES,
    CONTACT_COLUMNS,
    DEFINITION_COLUMNS,
    MERGE_COLUMNS,
    ExportPeriod,
    Rows,
    export_account_activities,
    export_campaigns,
    export_contact,
    export_contact_activities,
    export_contacts,
    export_definitions,
    export_merges,
    export_report,
    get_campaign_columns,
)
from rapport.recording.export_formats import MEDIA_TYPES, Column, ExportFormat
from rapport.store.store import Store
from rapport.store.tracking import TRACKING_REPORTS

_PATH: Final = "/track/v1/export"
_TAG: Final = "Export"
_BY_MEDIA_TYPE: Final = {
    **{media_type: export_format for export_format, media_type in MEDIA_TYPES.items()},
    "application/ndjson": ExportFormat.NDJSON,
    "application/jsonl": ExportFormat.NDJSON,
}
_ANY: Final = frozenset({"*/*", "application/*"})


def _parse_id(text: str) -> str:
    text = text.strip()
    if not is_id(text):
        raise ValueError(ID_ALLOWED)
    return text


def _parse_report(text: str) -> str:
    if text not in TRACKING_REPORTS:
        raise ValueError(f"must be one of {', '.join(TRACKING_REPORTS)}")
    return text


FORMAT: Final = Text(
    "format",
    f"The format, in place of `Accept`: {', '.join(MEDIA_TYPES.values())}. NDJSON by default.",
    parse_format,
    {"type": "string", "enum": list(FORMATS)},
    "csv",
)
BOM: Final = Flag("bom", "Begin CSV with a byte order mark, so that Excel reads it as UTF-8.", default=False)
CONTACT_ID: Final = Text(
    "contact_id",
    "Only this contact.",
    _parse_id,
    {"$ref": "#/components/schemas/Id"},
    examples.CONTACT_ID,
)
CREATED: Final = TimeRange("created_after", "created_before", "activities that happened")
CAMPAIGN_ACTIVITY_ID: Final = PathId(
    "campaign_activity_id", "The campaign activity.", examples.CAMPAIGN_ACTIVITY_ID, MalformedCampaignActivityId
)
REPORT: Final = Text(
    "report",
    "The report: the last segment of its path in the API of reports. `sends` by default.",
    _parse_report,
    {"type": "string", "enum": list(TRACKING_REPORTS)},
    "opens",
)

_FORMAT_PARAMS: Final[tuple[Param, ...]] = (FORMAT, BOM)
_CONTENT: Final = (
    "As NDJSON, CSV or Parquet, which can be imported again (except Parquet). In CSV, an apostrophe before a cell that "
    "begins with `=`, `+`, `-` or `@` keeps spreadsheets from computing it. The export is sent as it is read, and is "
    "no snapshot: what is recorded meanwhile may be in it."
)
_EXAMPLE_ACTIVITY: Final = (
    f'{{"contact_id":"{examples.CONTACT_ID}","campaign_activity_id":"{examples.CAMPAIGN_ACTIVITY_ID}",'
    '"tracking_activity_type":"em_opens","created_time":"2017-04-02T05:11:34.000Z"}\n'
)


def _csv_example(line: str) -> str:
    fields = {name: value for name, value in msgspec.json.decode(line).items() if isinstance(value, str)}
    return "".join(f"{','.join(row)}\r\n" for row in (fields.keys(), fields.values()))


def _returns(description: str, example: str) -> Returns:
    return Returns(
        description=description,
        schema={"type": "string"},
        example=example,
        media_type=ExportFormat.NDJSON.media_type,
        other_media_types={
            ExportFormat.CSV.media_type: _csv_example(example),
            ExportFormat.PARQUET.media_type: "PAR1…PAR1",
        },
    )


class Export(Resource):
    """The exports of an account."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @endpoint(
        "GET",
        f"{_PATH}/activities",
        operation_id="exportActivities",
        tag=_TAG,
        summary="Export activities",
        description=f"The activities of the account or of a contact, contact by contact, newest first. {_CONTENT}",
        access=Access(Scope.CONTACT_DATA, Privilege.CONTACT_REPORTS),
        params=(CONTACT_ID, CREATED, *_FORMAT_PARAMS),
        returns=_returns("The activities, in the format that is imported.", _EXAMPLE_ACTIVITY),
        errors=(UnknownContact,),
    )
    async def export_activities(self, request: Request, principal: Principal) -> Response:
        query = get_query(request)
        contact_id = CONTACT_ID.get(query)
        period = _get_period(request)
        if contact_id is None:
            rows = export_account_activities(self._store, principal.account_id, period)
            return await _respond(request, ACTIVITY_COLUMNS, rows, "activities")
        if await self._store.contacts.get(principal.account_id, contact_id) is None:
            raise UnknownContact(contact_id)
        rows = export_contact_activities(self._store, principal.account_id, contact_id, period)
        return await _respond(request, ACTIVITY_COLUMNS, rows, contact_id)

    @endpoint(
        "GET",
        f"{_PATH}/contacts",
        operation_id="exportContacts",
        tag=_TAG,
        summary="Export contacts",
        description="The attributes that sources have set for contacts, a row for each time at which some were set. Of "
        f"a single contact, the permission is included that its activities have set. {_CONTENT}",
        access=Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ),
        params=(CONTACT_ID, *_FORMAT_PARAMS),
        returns=_returns(
            "The contacts, in the format that is imported.",
            f'{{"contact_id":"{examples.CONTACT_ID}","updated_at":"2026-03-10T15:30:49.000Z","first_name":"Ada"}}\n',
        ),
        errors=(UnknownContact,),
    )
    async def export_contacts(self, request: Request, principal: Principal) -> Response:
        contact_id = CONTACT_ID.get(get_query(request))
        if contact_id is None:
            rows = export_contacts(self._store, principal.account_id)
            return await _respond(request, CONTACT_COLUMNS, rows, "contacts")
        if await self._store.contacts.get(principal.account_id, contact_id) is None:
            raise UnknownContact(contact_id)
        rows = export_contact(self._store, principal.account_id, contact_id)
        return await _respond(request, CONTACT_COLUMNS, rows, contact_id)

    @endpoint(
        "GET",
        f"{_PATH}/campaigns",
        operation_id="exportCampaigns",
        tag=_TAG,
        summary="Export campaigns",
        description="Campaigns, their campaign activities and links: nested in NDJSON, otherwise a row for each. "
        f"{_CONTENT}",
        access=Access(Scope.CAMPAIGN_DATA, Privilege.CAMPAIGN_READ),
        params=_FORMAT_PARAMS,
        returns=_returns(
            "The campaigns, in the format that is imported.",
            f'{{"campaign_id":"{examples.CAMPAIGN_ID}","updated_at":"2026-03-10T15:30:49.000Z","current_status":"DONE"}}\n',
        ),
    )
    async def export_campaigns(self, request: Request, principal: Principal) -> Response:
        export_format = _get_format(request)
        rows = export_campaigns(self._store, principal.account_id, export_format)
        return await _respond(request, get_campaign_columns(export_format), rows, "campaigns")

    @endpoint(
        "GET",
        f"{_PATH}/lists",
        operation_id="exportLists",
        tag=_TAG,
        summary="Export contact lists",
        description=f"The contact lists of the account. {_CONTENT}",
        access=Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ),
        params=_FORMAT_PARAMS,
        returns=_returns(
            "The lists, in the format that is imported.",
            '{"list_id":"news","updated_at":"2026-03-10T15:30:49.000Z","name":"Newsletter"}\n',
        ),
    )
    async def export_lists(self, request: Request, principal: Principal) -> Response:
        return await self._export_definitions(request, principal, DefinitionType.LIST, "lists")

    @endpoint(
        "GET",
        f"{_PATH}/tags",
        operation_id="exportTags",
        tag=_TAG,
        summary="Export tags",
        description=f"The tags of the account. {_CONTENT}",
        access=Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ),
        params=_FORMAT_PARAMS,
        returns=_returns(
            "The tags, in the format that is imported.",
            '{"tag_id":"vip","updated_at":"2026-03-10T15:30:49.000Z","name":"VIP"}\n',
        ),
    )
    async def export_tags(self, request: Request, principal: Principal) -> Response:
        return await self._export_definitions(request, principal, DefinitionType.TAG, "tags")

    @endpoint(
        "GET",
        f"{_PATH}/custom_fields",
        operation_id="exportCustomFields",
        tag=_TAG,
        summary="Export custom fields",
        description=f"The custom fields of the account. {_CONTENT}",
        access=Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ),
        params=_FORMAT_PARAMS,
        returns=_returns(
            "The custom fields, in the format that is imported.",
            '{"custom_field_id":"size","updated_at":"2026-03-10T15:30:49.000Z","label":"Size","type":"string"}\n',
        ),
    )
    async def export_custom_fields(self, request: Request, principal: Principal) -> Response:
        return await self._export_definitions(request, principal, DefinitionType.CUSTOM_FIELD, "custom_fields")

    async def _export_definitions(
        self, request: Request, principal: Principal, definition_type: DefinitionType, name: str
    ) -> Response:
        rows = export_definitions(self._store, principal.account_id, definition_type)
        return await _respond(request, DEFINITION_COLUMNS[definition_type], rows, name)

    @endpoint(
        "GET",
        f"{_PATH}/merges",
        operation_id="exportMerges",
        tag=_TAG,
        summary="Export merges",
        description=f"The ids of contacts that were merged into others. {_CONTENT}",
        access=Access(Scope.CONTACT_DATA, Privilege.CONTACTS_READ),
        params=_FORMAT_PARAMS,
        returns=_returns(
            "The merges, in the format that is imported.",
            f'{{"contact_id":"crm-4711","merged_into":"{examples.CONTACT_ID}"}}\n',
        ),
    )
    async def export_merges(self, request: Request, principal: Principal) -> Response:
        rows = export_merges(self._store, principal.account_id)
        return await _respond(request, MERGE_COLUMNS, rows, "merges")

    @endpoint(
        "GET",
        f"{_PATH}/reports/{{campaign_activity_id:any}}",
        operation_id="exportReport",
        tag=_TAG,
        summary="Export a report",
        description="The activities of a report on an email or a landing page, newest first, with the address and "
        f"names that their contacts had at that time. {_CONTENT}",
        access=Access(Scope.CAMPAIGN_DATA, Privilege.REPORTS),
        params=(CAMPAIGN_ACTIVITY_ID, REPORT, CREATED, *_FORMAT_PARAMS),
        returns=_returns("The activities, in the format that is imported.", _EXAMPLE_ACTIVITY),
        errors=(UnknownCampaignActivity,),
    )
    async def export_report(self, request: Request, principal: Principal) -> Response:
        campaign_activity_id = CAMPAIGN_ACTIVITY_ID.get(request)
        name = REPORT.get(get_query(request)) or "sends"
        rows = export_report(
            self._store,
            principal.account_id,
            campaign_activity_id,
            TRACKING_REPORTS[name],
            _get_period(request),
        )
        return await _respond(request, ACTIVITY_COLUMNS, rows, f"{campaign_activity_id}-{name}")


def _get_period(request: Request) -> ExportPeriod:
    created = CREATED.get(get_query(request))
    return ALL_TIMES if created is None else ExportPeriod(max(EARLIEST, created.start), min(MAX_INSTANT, created.end))


async def _respond(request: Request, columns: tuple[Column, ...], rows: Rows, name: str) -> Response:
    export_format = _get_format(request)
    with_bom = BOM.get(get_query(request)) and export_format is ExportFormat.CSV
    if request.method == "HEAD":
        return Response(headers=get_headers(name, export_format), media_type=export_format.media_type)
    return await stream_export(columns, rows, export_format, name, with_bom=with_bom)


def _get_format(request: Request) -> ExportFormat:
    return FORMAT.get(get_query(request)) or _negotiate(request.headers.get("accept"))


def _negotiate(accept: str | None) -> ExportFormat:
    """Return the format that an Accept header prefers. Raises InvalidField."""
    choices: list[tuple[float, ExportFormat]] = []
    for item in (accept or "*/*").split(","):
        media_type, *options = (part.strip().lower() for part in item.split(";"))
        export_format = ExportFormat.NDJSON if media_type in _ANY else _BY_MEDIA_TYPE.get(media_type)
        if media_type == "text/*":
            export_format = ExportFormat.CSV
        quality = _get_quality(options)
        if export_format is not None and quality > 0:
            choices.append((quality, export_format))
    if not choices:
        raise InvalidField("Accept", accept, f"must allow one of {', '.join(MEDIA_TYPES.values())}")
    # The first of the most preferred ones.
    return max(choices, key=lambda choice: choice[0])[1]


def _get_quality(options: list[str]) -> float:
    for option in options:
        if option.startswith("q="):
            try:
                return float(option[2:])
            except ValueError:
                return 0.0
    return 1.0
