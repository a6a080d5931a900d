"""The connect page: tokens are created, listed and revoked, and its code examples work."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from rapport.auth.scope import Role, Scope
from rapport.instant import DAY, parse_instant
from rapport.web.sessions import now
from rapport.web.snippets import build_snippets
from tests.helpers.api import ApiClient, details_path, make_line
from tests.helpers.server import Server
from tests.helpers.web import (
    MALICIOUS_HTML,
    get_form_token,
    open_browser,
    open_browser_by_link,
    open_browser_with_token,
)

MAKE = "/connect/tokens"
ASKED = f"{details_path('c1')}?tracking_activity_type=em_opens"
EVERY_SCOPE = tuple(scope.value for scope in Scope)


def submit_token_form(
    browser: httpx.Client, name: str, scopes: tuple[str, ...] = EVERY_SCOPE, role: str = "owner", life: str = "longest"
) -> httpx.Response:
    """Submit the form that creates a token, and return the response."""
    form = {"name": name, "scope": list(scopes), "role": role, "lifetime": life}
    return browser.post(MAKE, data={**form, **get_hidden_fields(browser.get("/connect"))})


def get_hidden_fields(page: httpx.Response) -> dict[str, str]:
    """Return the hidden fields of the form that creates a token, or else of the sign-out form."""
    form = page.text[page.text.find('class="card token-form"') :]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', form)) or {
        "form_token": get_form_token(page)
    }


def create_token(browser: httpx.Client, name: str, scopes: tuple[str, ...] = EVERY_SCOPE, role: str = "owner") -> str:
    response = submit_token_form(browser, name, scopes, role)
    assert response.status_code == 200, response.text
    (token,) = re.findall(r'id="token"[^>]*><code>([^<]+)</code>', response.text)
    return str(token)


def list_tokens(browser: httpx.Client) -> dict[str, tuple[str, str]]:
    """Return the row of each listed token by its name, with its id if it can be revoked there."""
    text = browser.get("/connect").text
    rows = re.findall(r"<tr>\s*(<td.*?)</tr>", text[text.index('id="tokens"') :], re.DOTALL)
    ids = [re.search(r'action="/connect/tokens/(\w+)/revoke"', row) for row in rows]
    words = [re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", row))).strip() for row in rows]
    names = [unescape(re.findall(r"<strong>(.*?)</strong>", row)[0]) for row in rows]
    return {name: (word, found[1] if found else "") for name, word, found in zip(names, words, ids, strict=True)}


def revoke_token(browser: httpx.Client, token_id: str) -> int:
    token = get_form_token(browser.get("/connect"))
    return browser.post(f"{MAKE}/{token_id}/revoke", data={"form_token": token}).status_code


def send_request(server: Server, token: str) -> int:
    return httpx.get(server.url + ASKED, headers={"authorization": f"Bearer {token}"}).status_code


def test_created_token_is_shown_once_with_selected_permissions(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line())
    with open_browser_by_link(server, account, Role.MANAGER) as browser:
        assert "No named tokens yet" in browser.get("/connect").text
        token = create_token(browser, " shop ", ("contact_data",), "manager")
        assert send_request(server, token) == 200
        bearer = {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{server.url}/v3/emails", headers=bearer).status_code == 403
        again = browser.get("/connect").text
        assert token.rpartition(".")[2] not in again
        assert 'id="created"' not in again
        words, token_id = list_tokens(browser)["shop"]
        assert re.match(r"shop contact_data as manager \d.* by \S+ \d", words)
        assert token_id
        assert submit_token_form(browser, "long", role="manager", life="365").status_code == 200
        row = browser.get("/connect").text.partition("<strong>long</strong>")[2]
        _created, expires = re.findall(r'<time datetime="([^"]+)"', row)[:2]
        assert parse_instant(expires) == pytest.approx(now() + 365 * DAY, abs=60_000)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"role": "owner"}, 403),
        ({"scope": ["contact_data", "campaign_data"]}, 403),
        ({"lifetime": "1"}, 400),
        ({"scope": []}, 400),
        ({"scope": ["everything"]}, 400),
        ({"role": "emperor"}, 400),
        ({"role": ""}, 400),
        ({"lifetime": "for ever"}, 400),
        ({"nonce": ""}, 400),
        ({"name": " "}, 400),
        ({"name": "x" * 65}, 400),
    ],
    ids=str,
)
def test_token_with_more_permissions_than_creator_is_rejected(
    server: Server, account: str, wrong: dict[str, object], status: int
) -> None:
    maker = server.token(account, frozenset({Scope.CONTACT_DATA}), Role.MANAGER)
    with open_browser_with_token(server, maker) as browser:
        page = browser.get("/connect")
        # The form doesn't offer it either.
        assert 'value="owner"' not in page.text
        assert 'value="campaign_data"' not in page.text
        form = {"name": "a", "scope": ["contact_data"], "role": "manager", "lifetime": "longest"}
        response = browser.post(MAKE, data={**form, **get_hidden_fields(page), **wrong})
        assert response.status_code == status
        assert list_tokens(browser) == {}


@pytest.mark.slow
def test_revoked_token_ends_its_sessions_and_tokens(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line())
    with open_browser(server, account) as owner:
        lost, kept = create_token(owner, "lost"), create_token(owner, "kept")
        with open_browser_with_token(server, lost) as second:
            child = create_token(second, "made with the lost one")
            with open_browser_with_token(server, child) as third:
                grandchild = create_token(third, "made with that")
                assert "you are signed in with it" in list_tokens(third)["made with the lost one"][0]
                assert [send_request(server, token) for token in (lost, kept, child, grandchild)] == [200] * 4
                bearer = {"authorization": f"Bearer {child}"}
                with httpx.stream("GET", f"{server.url}/track/v1/stream", headers=bearer, timeout=10) as listening:
                    assert listening.status_code == 200
                    assert revoke_token(owner, list_tokens(owner)["lost"][1]) == 303
                    # Otherwise the stream doesn't end, and the request times out.
                    assert b"activity" not in listening.read()
                # At once in the worker that revoked it.
                assert [send_request(server, token) for token in (lost, kept, child, grandchild)] == [
                    401,
                    200,
                    401,
                    401,
                ]
                assert [client.get("/connect").status_code for client in (owner, second, third)] == [200, 303, 303]
                assert httpx.post(f"{server.url}/sign-in", data={"token": child}).status_code == 401
        states = {name: "Revoked" in words for name, (words, _) in list_tokens(owner).items()}
        assert states == {"lost": True, "made with the lost one": True, "made with that": True, "kept": False}
        assert revoke_token(owner, list_tokens(owner)["kept"][1]) == 303
        assert send_request(server, kept) == 401


def test_user_cannot_revoke_others_or_more_powerful_tokens(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line())
    with open_browser(server, account) as owner, open_browser(server, f"{account}-other") as other:
        token = create_token(owner, "the owner's")
        _, token_id = list_tokens(owner)["the owner's"]
        assert list_tokens(other) == {}
        assert revoke_token(other, token_id) == 404
        assert revoke_token(owner, "nothing") == 404
        narrow = server.token(account, frozenset({Scope.CONTACT_DATA}))
        for maker in (narrow, server.token(account, frozenset(Scope), Role.MANAGER)):
            with open_browser_with_token(server, maker) as browser:
                words, offered = list_tokens(browser)["the owner's"]
                assert "Has more permissions than you" in words
                assert offered == ""
                assert revoke_token(browser, token_id) == 403
        assert send_request(server, token) == 200


def test_token_forms_require_form_token_of_session(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line())
    with open_browser(server, account) as browser, open_browser(server, account) as other:
        token = create_token(browser, "a")
        _, token_id = list_tokens(browser)["a"]
        mine, strange = get_form_token(browser.get("/connect")), get_form_token(other.get("/connect"))
        form = {
            "nonce": "0123456789abcdef",
            "name": "b",
            "scope": ["contact_data"],
            "role": "owner",
            "lifetime": "longest",
        }
        for path, data in ((MAKE, form), (f"{MAKE}/{token_id}/revoke", {})):
            for stolen in ({}, {"form_token": "x"}, {"form_token": strange}):
                assert browser.post(path, data={**data, **stolen}).status_code == 403
            elsewhere = browser.post(path, data={**data, "form_token": mine}, headers={"sec-fetch-site": "cross-site"})
            assert elsewhere.status_code == 403
            assert httpx.post(server.url + path, data={**data, "form_token": mine}).headers["location"] == "/sign-in"
        assert list(list_tokens(browser)) == ["a"]
        assert send_request(server, token) == 200


def test_campaign_creator_sees_only_connect_page(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line())
    with open_browser(server, account) as owner, open_browser(server, account, Role.CAMPAIGN_CREATOR) as creator:
        create_token(owner, "the owner's", role="campaign_creator")
        _, token_id = list_tokens(owner)["the owner's"]
        page = creator.get("/connect")
        assert page.status_code == 200
        assert "activity_details" in page.text
        assert "contact_reports/CONTACT_ID/" in page.text
        assert MAKE not in page.text
        assert "the owner&#39;s" not in page.text
        assert submit_token_form(creator, "mine", role="campaign_creator").status_code == 403
        assert revoke_token(creator, token_id) == 403


def test_resubmitted_form_creates_no_second_token(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line())
    with open_browser_by_link(server, account) as browser:
        form = {"name": "shop", "scope": ["contact_data"], "role": "owner", "lifetime": "30"}
        form |= get_hidden_fields(browser.get("/connect"))
        first = browser.post(MAKE, data=form)
        (token,) = re.findall(r'id="token"[^>]*><code>([^<]+)</code>', first.text)
        for _ in range(2):
            again = browser.post(MAKE, data=form)
            assert (again.status_code, again.headers["location"]) == (303, "/connect?repeated=1")
        shown = browser.get("/connect?repeated=1").text
        assert "already submitted" in shown
        assert token not in shown
        assert list(list_tokens(browser)) == ["shop"]
        assert send_request(server, token) == 200
        # A different name in a cached page creates another token, and so does the same form of a new page.
        assert browser.post(MAKE, data={**form, "name": "till"}).status_code == 200
        assert browser.post(MAKE, data={**form, **get_hidden_fields(browser.get("/connect"))}).status_code == 200
        names = re.findall(r"<strong>(.*?)</strong>", browser.get("/connect").text)
        assert sorted(names) == ["shop", "shop", "till"]
        assert revoke_token(browser, list_tokens(browser)["till"][1]) == 303
        assert browser.post(MAKE, data={**form, "name": "till"}).status_code == 303


def test_api_page_token_ends_with_its_session(server: Server, account: str, client: ApiClient) -> None:
    client.record(make_line())
    with open_browser_with_token(
        server, server.token(account, frozenset({Scope.CONTACT_DATA}), Role.MANAGER)
    ) as browser:
        page = browser.get("/schema")
        assert 'data-page-token="/connect/page-token"' in page.text
        form = {"form_token": get_form_token(page)}
        for stolen in ({}, {"form_token": "x"}):
            assert browser.post("/connect/page-token", data=stolen).status_code == 403
        response = browser.post("/connect/page-token", data=form)
        assert response.headers["cache-control"] == "no-store"
        token, seconds = response.json()["token"], response.json()["expires_in"]
        assert 500 < seconds <= 600
        assert send_request(server, token) == 200
        # It has the session's permissions, and isn't listed.
        bearer = {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{server.url}/v3/emails", headers=bearer).status_code == 403
        assert list_tokens(browser) == {}
        with open_browser_with_token(server, token) as second:
            assert browser.post("/sign-out", data=form).status_code == 303
            assert send_request(server, token) == 401
            assert second.get("/connect").status_code == 303
        assert browser.post("/connect/page-token", data=form).headers["location"] == "/sign-in"
    page = httpx.get(f"{server.url}/schema")
    assert "data-page-token" not in page.text
    assert 'href="/sign-in?next=/schema"' in page.text


def test_token_names_are_escaped(server: Server, account: str) -> None:
    with open_browser(server, account) as browser:
        response = submit_token_form(browser, MALICIOUS_HTML)
        for text in (response.text, browser.get("/connect").text):
            assert MALICIOUS_HTML not in text
            assert MALICIOUS_HTML in unescape(text)
        assert response.headers["cache-control"] == "no-store"
        assert "unsafe" not in response.headers["content-security-policy"]


@pytest.mark.slow
def test_tokens_created_from_tokens_are_limited(server: Server, account: str) -> None:
    with open_browser(server, account) as browser:
        token = create_token(browser, "first")
    for generation in range(2, 10):
        with open_browser_with_token(server, token) as browser:
            response = submit_token_form(browser, str(generation))
            if generation == 9:
                assert response.status_code == 409
                assert "sign in with a link" in response.text
                return
            (token,) = re.findall(r'id="token"[^>]*><code>([^<]+)</code>', response.text)


# The command and file name for each snippet; None if it can't be run here.
RUN = {
    "curl": (["bash"], "snippet.sh"),
    "python": ([sys.executable], "snippet.py"),
    "php": (["php"], "snippet.php"),
    "java": (["java"], "ActivityDetails.java"),
    "php-sdk": None,
    "csharp-sdk": None,
    "csharp": None,
}


@pytest.fixture(scope="module")
def shop_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one contact."""
    with Server(str(tmp_path_factory.mktemp("shop") / "data")) as server:
        with server.client("shop") as client:
            client.record(make_line("the-42nd", "em_sends"), make_line("the-42nd", "em_clicks", "2026-03-01T11:30:00Z"))
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_code_example_prints_activities(shop_server: Server, tmp_path: Path, name: str) -> None:
    with open_browser(shop_server, "shop") as browser:
        page = browser.get("/connect").text
    code = {
        found: unescape(text)
        for found, text in re.findall(r'id="snippet-([\w-]+)"[^>]*><code>(.*?)</code>', page, re.DOTALL)
    }
    assert set(code) == set(RUN)
    assert shop_server.url in code[name]
    assert "the-42nd" in code[name]
    assert "@" not in code[name]
    runner = RUN[name]
    if runner is None:
        return
    command, file = runner
    (tmp_path / file).write_text(code[name])
    process = subprocess.run(
        [*command, file],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "TOKEN": shop_server.token("shop")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (process.returncode, process.stderr) == (0, "")
    for said in ("2026-03-01", "11:30:00", "em_clicks", "10:00:00", "em_sends"):
        assert said in process.stdout


def test_code_examples_escape_server_url() -> None:
    for snippet in build_snippets("http://a'b\"c$(id)\\`\n"):
        assert "http://a%27b%22c%24%28id%29%5C%60%0A" in snippet.code


@pytest.mark.slow
def test_public_url_is_used_in_examples_and_secures_cookie(tmp_path: Path) -> None:
    public = "https://rapport.example.com"
    with Server(str(tmp_path / "data"), environment={"RAPPORT_PUBLIC_URL": public}) as server:
        with httpx.Client(base_url=server.url) as browser:
            response = browser.post("/sign-in", data={"token": server.token("default", frozenset(Scope))})
            cookie = response.headers["set-cookie"]
            assert "Secure" in cookie
            page = browser.get("/connect", headers={"cookie": cookie.partition(";")[0]}).text
        assert f"<code>{public}/v3</code>" in page
        assert server.url not in page
        ends = time.monotonic() + 10
        while f"{public}/sign-in/" not in server.log.read_text():
            assert time.monotonic() < ends
            time.sleep(0.05)
