"""Reports that list what contacts did with one campaign activity: what those on emails and landing pages share.

A list is declared as a `ReportDefinition`; its endpoint, parameters and paging are derived from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from rapport.activity import BOUNCE_CODES, DEVICE_TYPES, EARLIEST, ID_ALLOWED, MAX_ID_LENGTH, DeviceType, is_id
from rapport.api import examples
from rapport.api.endpoint import Access, Endpoint, Param, Resource, Returns, endpoint
from rapport.api.pagination import Cursors
from rapport.api.params import Choices, Cursor, Limit, PathId, Text, TimeRange
from rapport.api.query import read_query
from rapport.api.responses import Id, Time, encode_response, page_links
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.caching import cache_short
from rapport.errors import MalformedCampaignActivityId, UnknownCampaignActivity
from rapport.instant import Instant, iso
from rapport.reporting.tracking_reports import (
    TrackingPage,
    TrackingRequest,
    get_tracking_page,
    tracking_cursor_before,
)
from rapport.store.links import make_url_id
from rapport.store.reports import ReportRepository
from rapport.store.tracking import START_OF_REPORT, TrackingReport, TrackingRow

_MAX_FILTER_LENGTH: Final = 255


def _parse_url_id(text: str) -> str:
    if not is_id(text):
        raise ValueError(f"{ID_ALLOWED}, not {text[:20]!r}")
    return text


def _parse_filter(text: str) -> str | None:
    if len(text) > _MAX_FILTER_LENGTH or not text.isprintable():
        raise ValueError(f"must be at most {_MAX_FILTER_LENGTH} characters without control characters")
    return text or None


READ_REPORTS: Final = Access(Scope.CAMPAIGN_DATA, Privilege.REPORTS)
MAX_ROWS: Final = 500

CAMPAIGN_ACTIVITY_ID: Final = PathId(
    "campaign_activity_id", "The campaign activity.", examples.CAMPAIGN_ACTIVITY_ID, MalformedCampaignActivityId
)
CREATED: Final = TimeRange("created_after", "created_before", "activities that happened")
CURSOR: Final = Cursor()
URL_ID: Final = Text(
    "url_id",
    "Only clicks on the link with this id.",
    _parse_url_id,
    {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH},
    "105",
)
BOUNCE_CODE: Final = Choices(
    "bounce_code",
    "Only bounces with these codes. Repeat it, or join values by commas.",
    BOUNCE_CODES,
    noun="bounce code",
    example=["B", "S"],
)
CONTACTS_FILTER: Final = Text(
    "contacts_filter",
    "Only contacts whose current first name, last name or email address contains this.",
    _parse_filter,
    {"type": "string", "maxLength": _MAX_FILTER_LENGTH, "pattern": "^[ -~]*$"},
    "ada",
)

DeviceName: TypeAlias = Annotated[
    str, Meta(description="The type of device; left out if unknown.", extra_json_schema={"enum": list(DEVICE_TYPES)})
]
UrlId: TypeAlias = Annotated[
    str,
    Meta(description="The link's id: its source's, else one made from `link_url`, else `0`.", examples=["105"]),
]
Day: TypeAlias = Annotated[
    str,
    Meta(
        description="When the contact was deleted, if it was.",
        pattern=r"^\d{4}-\d\d-\d\d$",
        examples=["2026-03-10"],
    ),
]

_DAY_LENGTH: Final = len("2026-03-10")
_DEVICE_NAMES: Final = tuple(device.name.lower() for device in DeviceType)


class ContactActivity(msgspec.Struct, kw_only=True):
    """A contact's activity, with the contact's address and names at the time."""

    contact_id: Id
    campaign_activity_id: Id
    tracking_activity_type: Annotated[str, Meta(examples=["em_sends"])]
    email_address: Annotated[str, Meta(description="As it was at the time; empty if unknown.")]
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    deleted_at: Day | UnsetType = UNSET
    created_time: Time


def contact_columns(campaign_activity_id: str, type_name: str, row: TrackingRow) -> dict[str, Any]:
    """Return the columns that the rows of all reports have."""
    email_address, first_name, last_name = row.profile_at_activity
    return {
        "contact_id": row.contact_id,
        "campaign_activity_id": campaign_activity_id,
        "tracking_activity_type": type_name,
        "email_address": email_address or "",
        "first_name": or_unset(first_name),
        "last_name": or_unset(last_name),
        "deleted_at": UNSET if row.deleted_at is None else iso(row.deleted_at)[:_DAY_LENGTH],
        "created_time": iso(row.created_time),
    }


def no_columns(_row: TrackingRow) -> dict[str, Any]:
    """Return no columns, for rows that only have those of all reports."""
    return {}


def device_column(row: TrackingRow) -> dict[str, Any]:
    """Return the column of the device type."""
    return {"device_type": UNSET if row.device_type is None else _DEVICE_NAMES[row.device_type]}


def link_columns(row: TrackingRow) -> dict[str, Any]:
    """Return the columns that the rows of clicks have in addition."""
    url_id = make_url_id(row.link_url) if row.url_id is None else row.url_id
    return {**device_column(row), "url_id": url_id, "link_url": row.link_url or ""}


def or_unset(value: str | None) -> str | UnsetType:
    """Return the value, or for None UNSET, which leaves the field out."""
    return UNSET if value is None else value


@dataclass(frozen=True, eq=False, kw_only=True)
class ReportDefinition:
    """A list of activities: the last segment of its path, and the type and columns of its rows."""

    name: str
    operation_id: str
    summary: str
    description: str
    type_name: str
    page: Callable[[list[Any], Any], msgspec.Struct]
    row: Callable[..., ContactActivity]
    columns: Callable[[TrackingRow], dict[str, Any]]
    params: tuple[Param, ...] = ()
    example: dict[str, str] = field(default_factory=dict)

    def serialize(self, campaign_activity_id: str, page: TrackingPage, links: msgspec.Struct) -> msgspec.Struct:
        """Return the response for a page with these links."""
        rows = [
            self.row(**contact_columns(campaign_activity_id, self.type_name, row), **self.columns(row))
            for row in page.rows
        ]
        return self.page(rows, links)


class TrackingReports(Resource):
    """Reports on one campaign activity.

    `selections` maps the name of each report to the activities it shows, or None if Rapport records none of them.
    """

    path: str
    tag: str
    reports: tuple[ReportDefinition, ...]
    selections: Mapping[str, TrackingReport | None]
    limit: Limit

    def __init__(self, repository: ReportRepository, cursors: Cursors) -> None:
        self.repository = repository
        self.cursors = cursors

    @staticmethod
    def links(next_href: str | None) -> msgspec.Struct:
        """Return the `_links` of a page; `next_href` is None on the last one."""
        return page_links(next_href)

    @classmethod
    def endpoints(cls) -> list[Endpoint]:
        """Return the declared endpoints and those of the reports."""
        return [*super().endpoints(), *map(cls._report_endpoint, cls.reports)]

    @classmethod
    def _report_endpoint(cls, report: ReportDefinition) -> Endpoint:
        async def list_activities(resource: TrackingReports, request: Request, principal: Principal) -> Response:
            return await resource.list_activities(request, principal, report)

        declare = endpoint(
            "GET",
            f"{cls.path}/{report.name}",
            operation_id=report.operation_id,
            tag=cls.tag,
            summary=report.summary,
            description=f"{report.description} Follow `_links.next.href` until there is none: activities that are "
            "recorded meanwhile are neither repeated nor skipped.",
            access=READ_REPORTS,
            params=(CAMPAIGN_ACTIVITY_ID, *report.params, cls.limit, CREATED, CURSOR),
            returns=Returns(description="A page of activities.", schema=report.page, example=cls._example_page(report)),
            errors=(UnknownCampaignActivity,),
        )
        return declare(list_activities)

    @classmethod
    def _page_path(cls, report: ReportDefinition, campaign_activity_id: str) -> str:
        return f"{cls.path.replace('{campaign_activity_id:any}', campaign_activity_id)}/{report.name}"

    @classmethod
    def _example_page(cls, report: ReportDefinition) -> dict[str, Any]:
        row = {
            "contact_id": examples.CONTACT_ID,
            "campaign_activity_id": examples.CAMPAIGN_ACTIVITY_ID,
            "tracking_activity_type": report.type_name,
            "email_address": "ada@example.com",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "created_time": "2017-04-02T05:11:34.000Z",
            **report.example,
        }
        path = cls._page_path(report, examples.CAMPAIGN_ACTIVITY_ID)
        return {"tracking_activities": [row], "_links": {"next": {"href": f"{path}?next={examples.CURSOR}"}}}

    async def list_activities(self, request: Request, principal: Principal, report: ReportDefinition) -> Response:
        """Return a page of a report."""
        path = self._page_path(report, CAMPAIGN_ACTIVITY_ID.get_segment(request))
        page_request = parse_page(request.scope["query_string"], report, self.limit)
        if isinstance(page_request, str):
            page_request = self.cursors.decode(page_request, principal, path, TrackingRequest)
        campaign_activity_id = CAMPAIGN_ACTIVITY_ID.get(request)
        selection = self.selections[report.name]
        page = await get_tracking_page(
            self.repository, principal.account_id, campaign_activity_id, selection, page_request
        )
        links = self.links(self.cursors.next_href(principal, path, page.next))
        return encode_response(report.serialize(campaign_activity_id, page, links))


@cache_short(maxsize=512)
def parse_page(query_string: bytes, report: ReportDefinition, limit: Limit) -> TrackingRequest | str:
    """Return the query's cursor, or else the request for the first page with its parameters. Raises InvalidField."""
    query = read_query(query_string)
    cursor = CURSOR.get(query)
    if cursor is not None:
        return cursor
    created = CREATED.get_bounds(query)
    return TrackingRequest(
        limit=limit.get(query),
        not_before=EARLIEST if created.after is None else created.after,
        after=START_OF_REPORT if created.before is None else tracking_cursor_before(Instant(created.before + 1)),
        url_id=URL_ID.get(query) if URL_ID in report.params else None,
        bounce_codes=tuple(sorted(BOUNCE_CODE.get(query))) if BOUNCE_CODE in report.params else (),
        contacts_filter=CONTACTS_FILTER.get(query) if CONTACTS_FILTER in report.params else None,
    )
