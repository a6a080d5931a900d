"""Authorization of every route: one table, checked for completeness."""

import httpx
import pytest

from rapport.api.oauth.description import OAUTH_PATHS
from rapport.auth.scope import Role, Scope
from rapport.store.tracking import EMAIL_REPORTS, LANDING_PAGE_REPORTS
from tests.helpers.api import ApiClient, details_path, landing_page_path, make_line, tracking_path
from tests.helpers.openapi import get_openapi
from tests.helpers.server import Server

ACTIVITIES = "/track/v1/activities"
STREAM = "/track/v1/stream"
ERASED = "/track/v1/contacts/"
STATED = {
    "/track/v1/contacts": {"contact_id": "c-stated"},
    "/track/v1/contacts/merge": {"contact_id": "c-stated", "merged_into": "c-other"},
    "/track/v1/campaigns": {"campaign_id": "k-stated"},
    "/track/v1/lists": {"list_id": "l-stated", "name": "Stated"},
    "/track/v1/tags": {"tag_id": "t-stated", "name": "Stated"},
    "/track/v1/custom_fields": {"custom_field_id": "f-stated", "name": "stated"},
}
"""The paths to which attributes are posted, each with an item."""
SIGN_UP = "/v3/contacts/sign_up_form"
ID = "71600990-908b-11e6-907f-00166bff25"
YEAR = "start=2026-01-01&end=2026-12-31"
CONTACT = f"/v3/reports/contact_reports/{ID}"

EMPTY_COLLECTIONS = {
    "/v3/contact_lists": "list_id",
    "/v3/contact_custom_fields": "custom_field_id",
    "/v3/contact_tags": "tag_id",
    "/v3/segments": "segment_id",
    "/v3/activities": "activity_id",
}
"""Collections of what Rapport doesn't record, and the parameter of each one's items, which are all unknown."""
OF_UNKNOWN_ITEMS = {f"{path}/{{{name}}}": f"{path}/{ID}" for path, name in EMPTY_COLLECTIONS.items()}

# For each route that needs a token: its scope, whether it is limited to some roles, and a valid request.
GUARDED = {
    "/v3/reports/contact_reports/{contact_id}/activity_details": (
        *(Scope.CONTACT_DATA, True),
        f"{details_path(ID)}?tracking_activity_type=em_sends",
    ),
    "/v3/reports/contact_reports/{contact_id}/activity_summary": (
        *(Scope.CONTACT_DATA, True),
        f"{CONTACT}/activity_summary?{YEAR}",
    ),
    "/v3/reports/contact_reports/{contact_id}/open_and_click_rates": (
        *(Scope.CONTACT_DATA, True),
        f"{CONTACT}/open_and_click_rates?{YEAR}",
    ),
    **{
        tracking_path("{campaign_activity_id}", report): (Scope.CAMPAIGN_DATA, True, tracking_path(ID, report))
        for report in EMAIL_REPORTS
    },
    **{
        landing_page_path("{campaign_activity_id}", report): (Scope.CAMPAIGN_DATA, True, landing_page_path(ID, report))
        for report in LANDING_PAGE_REPORTS
    },
    "/v3/reports/email_reports/{campaign_activity_id}/links": (
        *(Scope.CAMPAIGN_DATA, True),
        f"/v3/reports/email_reports/{ID}/links",
    ),
    "/v3/reports/stats/email_campaigns/{campaign_ids}": (
        *(Scope.CAMPAIGN_DATA, True),
        f"/v3/reports/stats/email_campaigns/{ID}",
    ),
    "/v3/reports/stats/email_campaign_activities/{campaign_activity_ids}": (
        *(Scope.CAMPAIGN_DATA, True),
        f"/v3/reports/stats/email_campaign_activities/{ID}",
    ),
    "/v3/reports/summary_reports/email_campaign_summaries": (
        *(Scope.CAMPAIGN_DATA, True),
        "/v3/reports/summary_reports/email_campaign_summaries",
    ),
    **{
        f"/track/v1/export/{name}": (scope, True, f"/track/v1/export/{name}")
        for name, scope in {
            "activities": Scope.CONTACT_DATA,
            "contacts": Scope.CONTACT_DATA,
            "lists": Scope.CONTACT_DATA,
            "tags": Scope.CONTACT_DATA,
            "custom_fields": Scope.CONTACT_DATA,
            "merges": Scope.CONTACT_DATA,
        }.items()
    },
    "/track/v1/export/campaigns": (Scope.CAMPAIGN_DATA, True, "/track/v1/export/campaigns"),
    "/track/v1/export/reports/{campaign_activity_id}": (
        *(Scope.CAMPAIGN_DATA, True),
        f"/track/v1/export/reports/{ID}",
    ),
    "/v3/contacts": (Scope.CONTACT_DATA, True, "/v3/contacts"),
    "/v3/contacts/{contact_id}": (Scope.CONTACT_DATA, True, f"/v3/contacts/{ID}"),
    **{
        path: (Scope.ACCOUNT_READ, True, path)
        for path in ("/v3/account/summary", "/v3/account/summary/physical_address", "/v3/account/emails")
    },
    "/v3/reports/summary_reports/sms_campaign_summaries": (
        *(Scope.CAMPAIGN_DATA, True),
        "/v3/reports/summary_reports/sms_campaign_summaries?start_at=2026-01-01",
    ),
    SIGN_UP: (Scope.CONTACT_DATA, True, SIGN_UP),
    "/v3/contacts/counts": (Scope.CONTACT_DATA, True, "/v3/contacts/counts"),
    "/v3/emails": (Scope.CAMPAIGN_DATA, True, "/v3/emails"),
    "/v3/emails/{campaign_id}": (Scope.CAMPAIGN_DATA, True, f"/v3/emails/{ID}"),
    "/v3/emails/activities/{campaign_activity_id}": (Scope.CAMPAIGN_DATA, True, f"/v3/emails/activities/{ID}"),
    **{
        f"/v3/emails/activities/{{campaign_activity_id}}/{name}": (
            *(Scope.CAMPAIGN_DATA, True),
            f"/v3/emails/activities/{ID}/{name}",
        )
        for name in ("send_history", "schedules", "previews")
    },
    **{path: (Scope.CONTACT_DATA, True, path) for path in EMPTY_COLLECTIONS},
    "/v3/contacts/contact_id_xrefs": (*(Scope.CONTACT_DATA, True), "/v3/contacts/contact_id_xrefs?sequence_ids=1"),
    "/v3/contact_lists/list_id_xrefs": (*(Scope.CONTACT_DATA, True), "/v3/contact_lists/list_id_xrefs?sequence_ids=1"),
    "/v3/emails/campaign_id_xrefs": (
        *(Scope.CAMPAIGN_DATA, True),
        "/v3/emails/campaign_id_xrefs?v2_email_campaign_ids=1",
    ),
    STREAM: (Scope.CONTACT_DATA, True, f"{STREAM}?tracking_activity_type=em_sends"),
    ACTIVITIES: (Scope.ACTIVITY_WRITE, False, ACTIVITIES),
    **{path: (Scope.ACTIVITY_WRITE, True, path) for path in STATED},
    ERASED + "{contact_id}": (Scope.ACTIVITY_WRITE, True, ERASED + ID),
}
OF_CREATORS = {
    *(path for path in GUARDED if path.startswith(("/v3/emails", "/v3/contact_lists", "/v3/segments"))),
    "/track/v1/campaigns",
    "/track/v1/export/campaigns",
}
"""They may read campaigns, but neither contacts nor reports."""
OF_EVERY_TOKEN = {"/v3/account/user/privileges"}
OPEN = {"/healthz", "/readyz", "/metrics", "/.well-known/jwks.json", "/schema/openapi.json", *OAUTH_PATHS}


def test_every_route_is_in_table() -> None:
    described = {path: next(iter(operations.values())) for path, operations in get_openapi()["paths"].items()}
    assert set(described) == GUARDED.keys() | OF_UNKNOWN_ITEMS.keys() | OF_EVERY_TOKEN | OPEN
    for path, operation in described.items():
        if path in OPEN:
            assert operation["security"] == []
        elif path in OF_EVERY_TOKEN:
            assert operation["security"] == [{"token": []}]
        else:
            scope, by_role, _ = GUARDED.get(path, (Scope.CONTACT_DATA, True, ""))
            assert operation["security"] == [{"token": [scope.value]}]
            assert ("x-authorization-privileges" in operation) is by_role


def send_request(client: httpx.Client, request: str) -> httpx.Response:
    if request.startswith(ACTIVITIES):
        return client.post(request, json=[make_line(ID, campaign_activity_id=ID, campaign_id=ID)])
    if request.partition("?")[0] in STATED:
        return client.post(request, json=[STATED[request.partition("?")[0]]])
    if request.startswith(SIGN_UP):
        return client.post(request, json={"email_address": "ada@example.com", "list_memberships": ["l-stated"]})
    if request.startswith(STREAM):
        # The stream doesn't end; its status is enough.
        with client.stream("GET", request) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
            return response
    return client.delete(request) if request.startswith(ERASED) else client.get(request)


def prepare(client: ApiClient) -> None:
    """Record what the requests are about."""
    client.record(make_line(ID, campaign_activity_id=ID, campaign_id=ID))
    assert client.post("/track/v1/lists", json=[STATED["/track/v1/lists"]]).status_code == httpx.codes.OK


def is_denied(response: httpx.Response) -> bool:
    assert response.status_code in {200, 201, 204, 403}, response
    if response.status_code == 403:
        assert response.json()["error_key"] == "access_denied"
    return response.status_code == 403


@pytest.mark.parametrize("path", GUARDED)
def test_scope_grants_its_own_routes_only(sqlite_server: Server, account: str, path: str) -> None:
    expected, _, request = GUARDED[path]
    with sqlite_server.client(account) as client:
        prepare(client)
    for scope in Scope:
        with sqlite_server.client(account, frozenset({scope})) as client:
            assert is_denied(send_request(client, request)) is (scope is not expected)
    with sqlite_server.client(account, frozenset(Scope) - {expected}) as client:
        assert is_denied(send_request(client, request))


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize("role", Role)
def test_campaign_creator_cannot_read_reports(sqlite_server: Server, account: str, path: str, role: Role) -> None:
    _, by_role, request = GUARDED[path]
    with sqlite_server.client(account, frozenset(Scope), role) as client:
        with sqlite_server.client(account) as recording:
            prepare(recording)
        is_kept_out = by_role and role is Role.CAMPAIGN_CREATOR and path not in OF_CREATORS
        assert is_denied(send_request(client, request)) is is_kept_out


@pytest.mark.parametrize("path", GUARDED)
def test_request_without_token_reveals_nothing_else(sqlite_server: Server, path: str) -> None:
    """The order of checks is 401, 403, 400, 404, so a 401 reveals nothing about parameters or contacts."""
    *_, request = GUARDED[path]
    spoilt = request.split("?")[0].replace(ID, "nobody") + "?limit=x&next=x&no_clicks=x"
    with httpx.Client(base_url=sqlite_server.url) as stranger:
        response = send_request(stranger, spoilt)
        assert (response.status_code, response.json()["error_key"]) == (401, "unauthorized")
    with sqlite_server.client("nobody", frozenset()) as client:
        assert is_denied(send_request(client, spoilt))
    if path.startswith("/v3/reports/") and ("{contact_id}/" in path or "{campaign_activity_id}/" in path):
        with sqlite_server.client("nobody") as client:
            assert send_request(client, spoilt).status_code == 400
            assert send_request(client, request.replace(ID, "nobody")).status_code == 404


@pytest.mark.parametrize("request_path", OF_UNKNOWN_ITEMS.values())
def test_items_that_are_not_recorded_are_unknown_to_those_who_may_ask(
    sqlite_server: Server, account: str, request_path: str
) -> None:
    with sqlite_server.client(account) as client:
        response = client.get(request_path)
        assert (response.status_code, response.json()[0]["error_key"]) == (404, "contacts.api.not_found")
        assert client.get(request_path.replace(ID, "not an id")).status_code == 404
    with sqlite_server.client(account, frozenset(Scope) - {Scope.CONTACT_DATA}) as client:
        assert client.get(request_path).status_code == 403
