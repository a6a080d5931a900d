"""Who may ask for what: one table of all routes, which no route escapes."""

import httpx
import pytest

from rapport.api.oauth.description import OAUTH_PATHS
from rapport.auth.scope import Role, Scope
from rapport.reporting.tracking_reports import EMAIL_REPORTS, LANDING_PAGE_REPORTS
from tests.openapi import description
from tests.world import Server, details, landing_page, line, tracking

ACTIVITIES = "/track/v1/activities"
STREAM = "/track/v1/stream"
ERASED = "/track/v1/contacts/"
STATED = ("/track/v1/contacts", "/track/v1/campaigns")
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

# Of each route that needs a token: its scope, whether only some roles may, and a request that succeeds.
GUARDED = {
    "/v3/reports/contact_reports/{contact_id}/activity_details": (
        *(Scope.CONTACT_DATA, True),
        f"{details(ID)}?tracking_activity_type=em_sends",
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
        tracking("{campaign_activity_id}", report): (Scope.CAMPAIGN_DATA, True, tracking(ID, report))
        for report in EMAIL_REPORTS
    },
    **{
        landing_page("{campaign_activity_id}", report): (Scope.CAMPAIGN_DATA, True, landing_page(ID, report))
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
    "/v3/contacts": (Scope.CONTACT_DATA, True, "/v3/contacts"),
    "/v3/contacts/{contact_id}": (Scope.CONTACT_DATA, True, f"/v3/contacts/{ID}"),
    "/v3/account/summary": (Scope.ACCOUNT_READ, True, "/v3/account/summary"),
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
}
"""Campaigns themselves are theirs; contacts and reports aren't."""
OF_EVERY_TOKEN = {"/v3/account/user/privileges"}
OPEN = {"/healthz", "/readyz", "/metrics", "/.well-known/jwks.json", "/schema/openapi.json", *OAUTH_PATHS}


def test_every_route_is_in_table() -> None:
    described = {path: next(iter(operations.values())) for path, operations in description()["paths"].items()}
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


def ask(client: httpx.Client, request: str) -> httpx.Response:
    if request.startswith(ACTIVITIES):
        return client.post(request, json=[line(ID, campaign_activity_id=ID, campaign_id=ID)])
    if request.partition("?")[0] in STATED:
        return client.post(request, json=[{"contact_id": ID} if request.startswith(STATED[0]) else {"campaign_id": ID}])
    if request.startswith(STREAM):
        # It has no end: how it begins tells all.
        with client.stream("GET", request) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
            return response
    return client.delete(request) if request.startswith(ERASED) else client.get(request)


def refused(response: httpx.Response) -> bool:
    assert response.status_code in {200, 204, 403}, response
    if response.status_code == 403:
        assert response.json()["error_key"] == "access_denied"
    return response.status_code == 403


@pytest.mark.parametrize("path", GUARDED)
def test_scope_grants_its_own_routes_only(server: Server, account: str, path: str) -> None:
    wanted, _, request = GUARDED[path]
    with server.caller(account) as caller:
        caller.record(line(ID, campaign_activity_id=ID, campaign_id=ID))
    for scope in Scope:
        with server.caller(account, frozenset({scope})) as caller:
            assert refused(ask(caller, request)) is (scope is not wanted)
    with server.caller(account, frozenset(Scope) - {wanted}) as caller:
        assert refused(ask(caller, request))


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize("role", Role)
def test_campaign_creator_cannot_read_reports(server: Server, account: str, path: str, role: Role) -> None:
    _, by_role, request = GUARDED[path]
    with server.caller(account, frozenset(Scope), role) as caller:
        with server.caller(account) as recording:
            recording.record(line(ID, campaign_activity_id=ID, campaign_id=ID))
        is_kept_out = by_role and role is Role.CAMPAIGN_CREATOR and path not in OF_CREATORS
        assert refused(ask(caller, request)) is is_kept_out


@pytest.mark.parametrize("path", GUARDED)
def test_request_without_token_reveals_nothing_else(server: Server, path: str) -> None:
    """Neither that a parameter is bad nor that nobody is known: 401 comes first, then 403, then 400, then 404."""
    *_, request = GUARDED[path]
    spoilt = request.split("?")[0].replace(ID, "nobody") + "?limit=x&next=x&no_clicks=x"
    with httpx.Client(base_url=server.url) as stranger:
        response = ask(stranger, spoilt)
        assert (response.status_code, response.json()["error_key"]) == (401, "unauthorized")
    with server.caller("nobody", frozenset()) as caller:
        assert refused(ask(caller, spoilt))
    if path.startswith("/v3/reports/") and ("{contact_id}/" in path or "{campaign_activity_id}/" in path):
        with server.caller("nobody") as caller:
            assert ask(caller, spoilt).status_code == 400
            assert ask(caller, request.replace(ID, "nobody")).status_code == 404


@pytest.mark.parametrize("request_path", OF_UNKNOWN_ITEMS.values())
def test_items_that_are_not_recorded_are_unknown_to_those_who_may_ask(
    server: Server, account: str, request_path: str
) -> None:
    with server.caller(account) as caller:
        response = caller.get(request_path)
        assert (response.status_code, response.json()[0]["error_key"]) == (404, "contacts.api.not_found")
        assert caller.get(request_path.replace(ID, "not an id")).status_code == 404
    with server.caller(account, frozenset(Scope) - {Scope.CONTACT_DATA}) as caller:
        assert caller.get(request_path).status_code == 403
