"""Errors: a page with navigation for browsers, JSON for programs."""

import re
from pathlib import Path

import httpx
import pytest

from rapport.auth.scope import Scope
from rapport.web.error_pages import prefers_html
from tests.helpers.api import ApiClient, make_line
from tests.helpers.server import Server
from tests.helpers.sql import execute_sql
from tests.helpers.web import open_browser

BROWSERS = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "text/html, application/xhtml+xml, image/jxr, */*",
    "text/html",
]
PROGRAMS = ["*/*", "", "application/json", "application/json, text/html", "text/html;q=0.5, application/json", "text/*"]
HTML = {"accept": BROWSERS[0]}


def is_page(response: httpx.Response) -> bool:
    return response.headers["content-type"].startswith("text/html")


def test_unknown_page_shows_navigation(server: Server, account: str) -> None:
    with open_browser(server, account) as browser:
        for accept in BROWSERS:
            page = browser.get("/no/such/page", headers={"accept": accept})
            assert (page.status_code, is_page(page)) == (404, True)
            assert "<h1>Page not found</h1>" in page.text
            assert 'action="/sign-out"' in page.text
            for path in ("/", "/account", "/connect", "/schema"):
                assert f'<a href="{path}"' in page.text
            assert "default-src 'none'" in page.headers["content-security-policy"]
    stranger = httpx.get(f"{server.url}/no/such/page", headers=HTML)
    assert (stranger.status_code, 'href="/sign-in"' in stranger.text) == (404, True)
    assert "/sign-out" not in stranger.text


@pytest.mark.parametrize("accept", PROGRAMS)
def test_client_without_html_preference_gets_json(server: Server, account: str, accept: str) -> None:
    with open_browser(server, account) as browser:
        browser.headers["accept"] = accept
        for method, path, status in (("GET", "/no/such/page", 404), ("DELETE", "/account", 405)):
            response = browser.request(method, path)
            assert response.status_code == status
            assert response.json()["error_key"] == {404: "not_found", 405: "method_not_allowed"}[status]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v3/nothing", 404),
        ("GET", "/v3", 404),
        ("POST", "/v3/contacts/counts", 405),
        ("GET", "/v3/contacts", 401),
        ("GET", "/track/v1/nothing", 404),
        ("GET", "/track", 404),
        ("GET", "/track/v1/activities", 405),
        ("POST", "/track/v1/activities", 401),
    ],
)
def test_api_routes_return_json_for_any_accept_header(server: Server, method: str, path: str, status: int) -> None:
    response = httpx.request(method, server.url + path, headers=HTML)
    assert response.status_code == status
    assert "error_key" in response.json()


def test_every_error_status_has_page_with_navigation(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line("c1"))
    with open_browser(server, account) as browser:
        requests = [
            (browser.build_request("GET", "/contacts/c1?type=em_reads"), 400),
            (browser.build_request("POST", "/contacts/c1/erase", data={"typed": "c1"}), 403),
            (browser.build_request("GET", "/contacts/nobody"), 404),
            (browser.build_request("GET", "/sign-out"), 405),
            (browser.build_request("DELETE", "/"), 405),
            (browser.build_request("POST", "/sign-in", data={"token": "x" * 20_000}), 413),
        ]
        for request, status in requests:
            request.headers["accept"] = HTML["accept"]
            page = browser.send(request)
            assert (page.status_code, is_page(page)) == (status, True)
            assert 'action="/sign-out"' in page.text
            assert len(re.findall("<h1>", page.text)) == 1
            if status == 405:
                assert page.headers["allow"]


@pytest.mark.slow
def test_unavailable_store_has_page_with_navigation(tmp_path: Path) -> None:
    with Server(str(tmp_path / "data")) as server, open_browser(server, "default") as browser:
        execute_sql(server.data, "DROP TABLE campaign_activity_hour")
        page = browser.get("/account", headers=HTML)
        assert (page.status_code, is_page(page)) == (500, True)
        assert 'action="/sign-out"' in page.text
        assert page.headers["x-request-id"] in page.text


@pytest.mark.slow
def test_too_many_live_connections_show_error_page(tmp_path: Path) -> None:
    with (
        Server(str(tmp_path / "data"), environment={"RAPPORT_MAX_STREAMS": "1"}) as server,
        open_browser(server, "default") as browser,
        server.client("default", frozenset(Scope)) as client,
        client.stream("GET", "/track/v1/stream"),
    ):
        page = browser.get("/live", headers=HTML)
        assert (page.status_code, is_page(page)) == (503, True)
        assert int(page.headers["retry-after"]) > 0
        assert 'action="/sign-out"' in page.text


@pytest.mark.parametrize("accept", BROWSERS)
def test_browser_accept_headers_prefer_html(accept: str) -> None:
    assert prefers_html(accept)


@pytest.mark.parametrize("accept", [*PROGRAMS, "text/html;q=0", "text/html;q=x", "text/html;q=0.9,application/json"])
def test_program_accept_headers_do_not_prefer_html(accept: str) -> None:
    assert not prefers_html(accept)
