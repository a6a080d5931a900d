"""The OpenAPI description that the server publishes: every route, parameter, scope, shape and failure."""

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport import __version__
from rapport.api.descriptions import (
    account,
    campaign_stats,
    contact_reports,
    contacts,
    email_reports,
    emails,
    landing_pages,
    operating,
    recording,
    stream,
)
from rapport.api.descriptions.operating import OPENAPI
from rapport.api.handler import get
from rapport.api.problems import ErrorBody
from rapport.api.track import Receipt
from rapport.api.v3.account import AccountSummary, UserPrivilege
from rapport.api.wire import Id, TrackingActivitiesPage
from rapport.api.wire_contacts import ContactsCounts, ContactsPage
from rapport.api.wire_email import EMAIL_PAGES
from rapport.api.wire_emails import EmailCampaign, EmailCampaignActivity, EmailCampaignsPage
from rapport.api.wire_landing_pages import LANDING_PAGE_PAGES
from rapport.api.wire_stats import BulkEmailCampaignSummariesPage, StatsPage
from rapport.api.wire_summary import ContactCampaignActivitiesSummary, ContactOpenAndClickRates
from rapport.auth.scope import Scope
from rapport.recording.catalogue_schemas import CAMPAIGN_SCHEMA, CONTACT_SCHEMA
from rapport.recording.lines import LINE_SCHEMA

_FAMILIES: Final = (
    contact_reports,
    email_reports,
    landing_pages,
    campaign_stats,
    contacts,
    emails,
    account,
    recording,
    stream,
    operating,
)

_SHAPES: Final = (
    TrackingActivitiesPage,
    ContactCampaignActivitiesSummary,
    ContactOpenAndClickRates,
    StatsPage,
    BulkEmailCampaignSummariesPage,
    ContactsPage,
    ContactsCounts,
    EmailCampaignsPage,
    EmailCampaign,
    EmailCampaignActivity,
    AccountSummary,
    UserPrivilege,
    *EMAIL_PAGES,
    *LANDING_PAGE_PAGES,
    Receipt,
    ErrorBody,
)


def description() -> dict[str, Any]:
    """The whole description, as OpenAPI 3.1."""
    _, shapes = msgspec.json.schema_components(_SHAPES, ref_template="#/components/schemas/{name}")
    scopes = ", ".join(f"`{scope.value}`" for scope in Scope)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rapport",
            "version": __version__,
            "description": "What did this contact do, when? The v3 reporting API, on a server of your own.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {path: item for family in _FAMILIES for path, item in family.OPERATIONS.items()},
        "components": {
            "schemas": {
                **shapes,
                "Id": msgspec.json.schema(Id),
                "Activity": LINE_SCHEMA,
                "ContactStatement": CONTACT_SCHEMA,
                "CampaignStatement": CAMPAIGN_SCHEMA,
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": f"`rapport token --scope '…'` makes one. Scopes: {scopes}.",
                }
            },
        },
    }


class Description:
    """The route that publishes it."""

    def __init__(self) -> None:
        self._body = msgspec.json.encode(description())

    def routes(self) -> list[Route]:
        """The route of the description."""
        return [get(OPENAPI, self.openapi)]

    async def openapi(self, _request: Request) -> Response:
        """The description."""
        return Response(self._body, headers={"cache-control": "no-cache"}, media_type="application/json")
