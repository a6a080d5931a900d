"""Signing in and out: one-time links, redirects, forms of other sites, the end of a session."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from rapport.app import build
from rapport.auth.scope import Scope
from rapport.settings import Settings
from rapport.web.own_urls import is_own_path, is_same_origin
from rapport.web.sessions import COOKIE
from tests.helpers.api import ApiClient, make_line
from tests.helpers.command import run_rapport
from tests.helpers.server import Server
from tests.helpers.waiting import wait_until
from tests.helpers.web import API_PREFIXES, create_sign_in_link, get_form_token, open_browser

NOTICED_WITHIN = 3.0
"""Seconds after which every server knows that a session has ended, as documented in docs/operating.md."""

FOREIGN_PATHS = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example\\",
    "https://evil.example/",
    "HTTPS:evil.example",
    "javascript:alert(1)",
    "JavaScript:alert(1)//",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    "?next=//evil.example",
    "",
    "/sign-out",
    "/sign-in?next=/",
    "/é",
    "/\x00",
    "/" + "x" * 2_000,
]
OWN_PATHS = [
    "/",
    "/contacts/c1?type=em_opens&after=2026-03-01",
    "/account?days=7",
    "/%2F/evil.example",
    "/%5Cevil.example",
    "/?q=https://example.com//x",
]


def resolve_redirect(base: str, location: str) -> httpx.URL:
    """Return where a browser goes: backslashes are slashes, and tabs and line breaks are skipped."""
    cleaned = re.sub(r"[\t\r\n]", "", location).strip().replace("\\", "/")
    return httpx.URL(base).join(cleaned)


@pytest.mark.parametrize("path", FOREIGN_PATHS)
def test_sign_in_never_redirects_to_other_site(server: Server, account: str, path: str) -> None:
    assert not is_own_path(path)
    token = server.token(account, frozenset(Scope))
    with httpx.Client(base_url=server.url) as browser:
        page = browser.get("/sign-in", params={"next": path})
        assert 'name="next"' not in page.text
        response = browser.post("/sign-in", data={"token": token, "next": path})
        assert (response.status_code, response.headers["location"]) == (303, "/")
        link = create_sign_in_link(server, account)
        response = browser.post(link, params={"next": path}, data={"next": path})
        assert (response.status_code, response.headers["location"]) == (303, "/")


@pytest.mark.parametrize("path", OWN_PATHS)
def test_sign_in_redirects_to_requested_page(server: Server, account: str, path: str) -> None:
    assert is_own_path(path)
    token = server.token(account, frozenset(Scope))
    with httpx.Client(base_url=server.url) as browser:
        response = browser.post("/sign-in", data={"token": token, "next": path})
        assert response.status_code == 303
        target = resolve_redirect(f"{server.url}/sign-in", response.headers["location"])
        assert (target.host, target.port) == ("127.0.0.1", server.port)
        assert response.headers["location"] == path


def test_shared_link_survives_sign_in_and_failed_attempt(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line("c1", "em_opens"))
    shared = "/contacts/c1?type=em_opens&after=2026-03-01"
    with httpx.Client(base_url=server.url) as browser:
        form = browser.get(shared, follow_redirects=True)
        (kept,) = set(re.findall(r'name="next" value="([^"]+)"', form.text))
        kept = kept.replace("&amp;", "&")
        assert kept == shared
        mistake = browser.post("/sign-in", data={"token": "wrong", "next": kept})
        assert mistake.status_code == 401
        assert 'name="next"' in mistake.text
        response = browser.post("/sign-in", data={"token": server.token(account, frozenset(Scope)), "next": kept})
        assert response.headers["location"] == shared
        assert browser.get(response.headers["location"]).status_code == 200


def test_opening_sign_in_link_does_not_use_it(server: Server, account: str) -> None:
    link = create_sign_in_link(server, account)
    with httpx.Client(base_url=server.url) as preview, httpx.Client(base_url=server.url) as person:
        for _ in range(2):
            for method in ("HEAD", "GET"):
                response = preview.request(method, link)
                assert response.status_code == 200
                assert "set-cookie" not in response.headers
        page = person.get(link)
        assert '<form method="post" class="card">' in page.text
        # The page has no script that could submit the form.
        assert re.findall(r'<script src="([^"?]+)', page.text) == ["/static/vendor/htmx.min.js", "/static/pages.js"]
        assert "submit()" not in httpx.get(f"{server.url}/static/pages.js").text
        assert person.post(link).status_code == 303
        assert person.get("/connect").status_code == 200
        used = person.post(link)
        assert used.status_code == 401
        assert "rapport sign-in" in used.text


@pytest.mark.slow
def test_sign_in_command_prints_link_for_running_server(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line())
    result = run_rapport("sign-in", "--data", server.data, "--account", account, "--port", str(server.port))
    assert result.stdout.count("\n") == 1
    assert result.stdout.startswith(f"{server.url}/sign-in/")
    with httpx.Client() as browser:
        assert browser.post(result.stdout.strip()).status_code == 303
        assert account in browser.get(f"{server.url}/connect").text
    public = {"RAPPORT_PUBLIC_URL": "https://rapport.example.com"}
    result = run_rapport("sign-in", "--data", server.data, environment=public)
    assert result.stdout.startswith("https://rapport.example.com/sign-in/")
    refused = run_rapport("sign-in", "--data", server.data, "--account", "nobody", code=2)
    assert "there is no account 'nobody'" in refused.stderr


@pytest.mark.slow
def test_sign_in_command_creates_no_store(tmp_path: Path) -> None:
    run_rapport("sign-in", "--data", str(tmp_path / "nothing"), code=1)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.slow
def test_sign_out_ends_session_on_every_worker(server: Server, account: str) -> None:
    link = create_sign_in_link(server, account)
    with Server(server.data, workers=2) as other, httpx.Client(base_url=server.url) as browser:
        everywhere = [server, *[other] * 8]
        assert browser.post(link).status_code == 303
        cookie = {"cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        assert [httpx.get(f"{client.url}/connect", headers=cookie).status_code for client in everywhere] == [200] * 9
        with open_browser(server, account) as colleague:
            form = {"form_token": get_form_token(browser.get("/connect"))}
            assert browser.post("/sign-out", data=form).status_code == 303
            # At once on the server that handled it.
            replayed = httpx.get(f"{server.url}/connect", headers=cookie)
            assert (replayed.status_code, replayed.headers["location"]) == (303, "/sign-in?next=%2Fconnect")
            assert httpx.post(f"{server.url}/sign-out", headers=cookie, data=form).status_code == 303
            wait_until(
                lambda: (
                    [httpx.get(f"{client.url}/connect", headers=cookie).status_code for client in everywhere]
                    == [303] * 9
                ),
                NOTICED_WITHIN,
            )
            assert colleague.get("/connect").status_code == 200
        # Also after a restart.
        other.stop()
        other.start()
        assert httpx.get(f"{other.url}/connect", headers=cookie).status_code == 303


@pytest.mark.slow
def test_dropped_keys_end_sessions_started_by_link(location: str) -> None:
    with Server(location) as server, httpx.Client(base_url=server.url) as browser:
        assert browser.post(create_sign_in_link(server, "default")).status_code == 303
        assert browser.get("/connect").status_code == 200
        run_rapport("keys", "rotate", "--drop-old", "--data", location)
        wait_until(lambda: browser.get("/connect").status_code == 303, NOTICED_WITHIN)


def list_form_paths() -> Iterator[str]:
    """Return the path of every page that accepts a form."""
    service = build(Settings(data="/nowhere"))
    for route in service._router.routes:  # noqa: SLF001 - the only list of methods
        if isinstance(route, Route) and "POST" in (route.methods or ()) and not route.path.startswith(API_PREFIXES):
            yield re.sub(r"{\w+}", "x", route.path)


OTHER_SITES: list[dict[str, str]] = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "file://"},
    {"origin": "https://127.0.0.1.evil.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "{own}"},
]


@pytest.mark.parametrize("path", list(list_form_paths()))
def test_forms_of_other_sites_are_rejected(server: Server, account: str, path: str) -> None:
    token = server.token(account, frozenset(Scope))
    with open_browser(server, account) as browser:
        form = {"form_token": get_form_token(browser.get("/connect")), "token": token, "typed": "x"}
        for other in OTHER_SITES:
            headers = {name: value.replace("{own}", server.url) for name, value in other.items()}
            response = browser.post(path, data=form, headers=headers)
            assert response.status_code == 403, other
            assert "set-cookie" not in response.headers
        # A different port is a different origin.
        other_port = {"origin": f"http://127.0.0.1:{server.port + 1}"}
        assert browser.post(path, data=form, headers=other_port).status_code == 403
        own = browser.post(path, data=form, headers={"origin": server.url})
        assert own.status_code != 403 or "Form not accepted" not in own.text


@pytest.mark.parametrize(
    ("origin", "public_url", "host", "is_own"),
    [
        ("http://rapport.local:8080", "", "rapport.local:8080", True),
        ("http://RAPPORT.local", "", "rapport.LOCAL:80", True),
        ("https://rapport.local", "", "rapport.local", True),
        ("https://rapport.local", "", "rapport.local:443", True),
        ("https://rapport.local", "", "rapport.local:80", False),
        ("http://[::1]:8080", "", "[::1]:8080", True),
        ("https://rapport.example.com", "https://rapport.example.com", "127.0.0.1:8080", True),
        ("https://rapport.example.com:443", "https://rapport.example.com", "127.0.0.1:8080", True),
        ("http://rapport.example.com", "https://rapport.example.com", "127.0.0.1:8080", False),
        ("http://127.0.0.1:8080", "https://rapport.example.com", "127.0.0.1:8080", True),
        ("https://evil.example", "https://rapport.example.com", "127.0.0.1:8080", False),
        ("null", "", "null", False),
        ("http://", "", "", False),
        ("http://:80", "", "", False),
    ],
)
def test_origin_is_compared_with_host_and_public_url(origin: str, public_url: str, host: str, is_own: bool) -> None:
    assert is_same_origin(origin, public_url, host) is is_own


@pytest.mark.slow
def test_forms_work_behind_host_changing_proxy(tmp_path: Path) -> None:
    public = "https://rapport.example.com"
    with Server(str(tmp_path / "data"), environment={"RAPPORT_PUBLIC_URL": public}) as server:
        token = server.token("default", frozenset(Scope))
        for headers in ({"origin": public}, {"origin": public, "host": "rapport.example.com"}):
            response = httpx.post(f"{server.url}/sign-in", data={"token": token}, headers=headers)
            assert response.status_code == 303
            assert "Secure" in response.headers["set-cookie"]
        foreign = {"origin": "https://evil.example"}
        assert httpx.post(f"{server.url}/sign-in", data={"token": token}, headers=foreign).status_code == 403


@pytest.mark.parametrize("host", ["x';id;'", 'x"$(id)`id`', "x\\';id;#", "<script>"])
def test_curl_example_quotes_host(server: Server, account: str, client: ApiClient, host: str) -> None:
    client.record(make_line("c1"))
    with open_browser(server, account) as browser:
        cookie = f"{COOKIE}={browser.cookies[COOKIE]}"
        page = httpx.get(f"{server.url}/contacts/c1", headers={"host": host, "cookie": cookie})
        if page.status_code == 400:
            # The HTTP server rejected such a header.
            return
        (curl,) = re.findall(r'id="curl"[^>]*><code>(.*?)</code>', page.text, re.DOTALL)
        for character in ";$`\\<":
            assert character not in curl.replace("$TOKEN", "").replace("&#39;", "").replace("&#34;", "").replace(
                "&amp;", ""
            )
        assert curl.count("&#39;") == 2
