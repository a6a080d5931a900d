"""The page to connect on: tokens are made, listed and revoked, and what it gives to paste works as it is."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import httpx
import pytest

from rapport.auth.one_time import create_code
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal
from rapport.instant import DAY, parse_instant
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.web.door import now
from rapport.web.snippets import snippets
from tests.web.test_pages import NASTY, browser, form_token
from tests.world import Caller, Server, details, line

MAKE = "/connect/tokens"
ASKED = f"{details('c1')}?tracking_activity_type=em_opens"
EVERY_SCOPE = tuple(scope.value for scope in Scope)


@contextmanager
def signed_in(server: Server, token: str) -> Iterator[httpx.Client]:
    """A browser that has signed in with this token."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert client.post("/sign-in", data={"token": token}).status_code == 303
        yield client


@contextmanager
def signed_in_by_link(server: Server, account: str, role: Role = Role.OWNER) -> Iterator[httpx.Client]:
    """A browser that has signed in by a link."""

    async def made() -> str:
        async with open_store(Settings(data=server.data)) as store:
            return await create_code(store.secrets, Principal(account, "serve", "serve", role, frozenset(Scope)), now())

    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert client.post(f"/sign-in/{asyncio.run(made())}").status_code == 303
        yield client


def asked_for(
    client: httpx.Client, name: str, scopes: tuple[str, ...] = EVERY_SCOPE, role: str = "owner", life: str = "longest"
) -> httpx.Response:
    """The answer to the form."""
    form = {"name": name, "scope": list(scopes), "role": role, "life": life}
    return client.post(MAKE, data={**form, **hidden_fields(client.get("/connect"))})


def hidden_fields(page: httpx.Response) -> dict[str, str]:
    """Return the hidden fields of the form that creates a token, or else of the sign-out form."""
    form = page.text[page.text.find('class="card grant"') :]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', form)) or {
        "form_token": form_token(page)
    }


def made(client: httpx.Client, name: str, scopes: tuple[str, ...] = EVERY_SCOPE, role: str = "owner") -> str:
    response = asked_for(client, name, scopes, role)
    assert response.status_code == 200, response.text
    (token,) = re.findall(r'id="token"[^>]*><code>([^<]+)</code>', response.text)
    return str(token)


def listed(client: httpx.Client) -> dict[str, tuple[str, str]]:
    """Of each token in the list, by its name, what its row says, and its id if it can be revoked there."""
    text = client.get("/connect").text
    rows = re.findall(r"<tr>\s*(<td.*?)</tr>", text[text.index('id="tokens"') :], re.DOTALL)
    ids = [re.search(r'action="/connect/tokens/(\w+)/revoke"', row) for row in rows]
    words = [re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", row))).strip() for row in rows]
    names = [unescape(re.findall(r"<strong>(.*?)</strong>", row)[0]) for row in rows]
    return {name: (word, found[1] if found else "") for name, word, found in zip(names, words, ids, strict=True)}


def revoked(client: httpx.Client, token_id: str) -> int:
    token = form_token(client.get("/connect"))
    return client.post(f"{MAKE}/{token_id}/revoke", data={"form_token": token}).status_code


def ask(server: Server, token: str) -> int:
    return httpx.get(server.url + ASKED, headers={"authorization": f"Bearer {token}"}).status_code


def test_created_token_is_shown_once_with_selected_permissions(server: Server, account: str, caller: Caller) -> None:
    caller.record(line())
    with signed_in_by_link(server, account, Role.MANAGER) as client:
        assert "None yet" in client.get("/connect").text
        token = made(client, " shop ", ("contact_data",), "manager")
        assert ask(server, token) == 200
        bearer = {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{server.url}/v3/emails", headers=bearer).status_code == 403
        again = client.get("/connect").text
        assert token.rpartition(".")[2] not in again
        assert 'id="made"' not in again
        words, token_id = listed(client)["shop"]
        assert re.match(r"shop contact_data as manager \d.* by serve until \d", words)
        assert token_id
        assert asked_for(client, "long", role="manager", life="365").status_code == 200
        (until,) = re.findall(r'until <time datetime="([^"]+)"', client.get("/connect").text)[:1]
        assert parse_instant(until) == pytest.approx(now() + 365 * DAY, abs=60_000)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"role": "owner"}, 403),
        ({"scope": ["contact_data", "campaign_data"]}, 403),
        ({"life": "1"}, 400),
        ({"scope": []}, 400),
        ({"scope": ["everything"]}, 400),
        ({"role": "emperor"}, 400),
        ({"role": ""}, 400),
        ({"life": "for ever"}, 400),
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
    with signed_in(server, maker) as client:
        page = client.get("/connect")
        # It isn't offered either.
        assert 'value="owner"' not in page.text
        assert 'value="campaign_data"' not in page.text
        form = {"name": "a", "scope": ["contact_data"], "role": "manager", "life": "longest"}
        response = client.post(MAKE, data={**form, **hidden_fields(page), **wrong})
        assert response.status_code == status
        assert listed(client) == {}


def test_revoked_token_ends_its_sessions_and_tokens(server: Server, account: str, caller: Caller) -> None:
    caller.record(line())
    with browser(server, account) as owner:
        lost, kept = made(owner, "lost"), made(owner, "kept")
        with signed_in(server, lost) as second:
            child = made(second, "made with the lost one")
            with signed_in(server, child) as third:
                grandchild = made(third, "made with that")
                assert "you are signed in with it" in listed(third)["made with the lost one"][0]
                assert [ask(server, token) for token in (lost, kept, child, grandchild)] == [200] * 4
                bearer = {"authorization": f"Bearer {child}"}
                with httpx.stream("GET", f"{server.url}/track/v1/stream", headers=bearer, timeout=10) as listening:
                    assert listening.status_code == 200
                    assert revoked(owner, listed(owner)["lost"][1]) == 303
                    # Else there is no end, and the time is up.
                    assert b"activity" not in listening.read()
                # At once, in the worker that did it.
                assert [ask(server, token) for token in (lost, kept, child, grandchild)] == [401, 200, 401, 401]
                assert [client.get("/connect").status_code for client in (owner, second, third)] == [200, 303, 303]
                assert httpx.post(f"{server.url}/sign-in", data={"token": child}).status_code == 401
        states = {name: "revoked" in words for name, (words, _) in listed(owner).items()}
        assert states == {"lost": True, "made with the lost one": True, "made with that": True, "kept": False}
        assert revoked(owner, listed(owner)["kept"][1]) == 303
        assert ask(server, kept) == 401


def test_user_cannot_revoke_others_or_more_powerful_tokens(server: Server, account: str, caller: Caller) -> None:
    caller.record(line())
    with browser(server, account) as owner, browser(server, f"{account}-other") as other:
        token = made(owner, "the owner's")
        _, token_id = listed(owner)["the owner's"]
        assert listed(other) == {}
        assert revoked(other, token_id) == 404
        assert revoked(owner, "nothing") == 404
        narrow = server.token(account, frozenset({Scope.CONTACT_DATA}))
        for maker in (narrow, server.token(account, frozenset(Scope), Role.MANAGER)):
            with signed_in(server, maker) as client:
                words, offered = listed(client)["the owner's"]
                assert "it may more than you" in words
                assert offered == ""
                assert revoked(client, token_id) == 403
        assert ask(server, token) == 200


def test_token_forms_require_form_token_of_session(server: Server, account: str, caller: Caller) -> None:
    caller.record(line())
    with browser(server, account) as client, browser(server, account) as other:
        token = made(client, "a")
        _, token_id = listed(client)["a"]
        mine, strange = form_token(client.get("/connect")), form_token(other.get("/connect"))
        form = {"nonce": "0123456789abcdef", "name": "b", "scope": ["contact_data"], "role": "owner", "life": "longest"}
        for path, data in ((MAKE, form), (f"{MAKE}/{token_id}/revoke", {})):
            for stolen in ({}, {"form_token": "x"}, {"form_token": strange}):
                assert client.post(path, data={**data, **stolen}).status_code == 403
            elsewhere = client.post(path, data={**data, "form_token": mine}, headers={"sec-fetch-site": "cross-site"})
            assert elsewhere.status_code == 403
            assert httpx.post(server.url + path, data={**data, "form_token": mine}).headers["location"] == "/sign-in"
        assert list(listed(client)) == ["a"]
        assert ask(server, token) == 200


def test_campaign_creator_sees_only_connect_page(server: Server, account: str, caller: Caller) -> None:
    caller.record(line())
    with browser(server, account) as owner, browser(server, account, Role.CAMPAIGN_CREATOR) as creator:
        made(owner, "the owner's", role="campaign_creator")
        _, token_id = listed(owner)["the owner's"]
        page = creator.get("/connect")
        assert page.status_code == 200
        assert "activity_details" in page.text
        assert "contact_reports/CONTACT_ID/" in page.text
        assert MAKE not in page.text
        assert "the owner&#39;s" not in page.text
        assert asked_for(creator, "mine", role="campaign_creator").status_code == 403
        assert revoked(creator, token_id) == 403


def test_resubmitted_form_creates_no_second_token(server: Server, account: str, caller: Caller) -> None:
    caller.record(line())
    with signed_in_by_link(server, account) as client:
        form = {"name": "shop", "scope": ["contact_data"], "role": "owner", "life": "30"}
        form |= hidden_fields(client.get("/connect"))
        first = client.post(MAKE, data=form)
        (token,) = re.findall(r'id="token"[^>]*><code>([^<]+)</code>', first.text)
        for _ in range(2):
            again = client.post(MAKE, data=form)
            assert (again.status_code, again.headers["location"]) == (303, "/connect?repeated=1")
        shown = client.get("/connect?repeated=1").text
        assert "already created" in shown
        assert token not in shown
        assert list(listed(client)) == ["shop"]
        assert ask(server, token) == 200
        # Another name in a page that the browser kept is another token; the same form of a new page is one as well.
        assert client.post(MAKE, data={**form, "name": "till"}).status_code == 200
        assert client.post(MAKE, data={**form, **hidden_fields(client.get("/connect"))}).status_code == 200
        names = re.findall(r"<strong>(.*?)</strong>", client.get("/connect").text)
        assert sorted(names) == ["shop", "shop", "till"]
        assert revoked(client, listed(client)["till"][1]) == 303
        assert client.post(MAKE, data={**form, "name": "till"}).status_code == 303


def test_api_page_token_ends_with_its_session(server: Server, account: str, caller: Caller) -> None:
    caller.record(line())
    with signed_in(server, server.token(account, frozenset({Scope.CONTACT_DATA}), Role.MANAGER)) as client:
        page = client.get("/schema")
        assert 'data-page-token="/connect/page-token"' in page.text
        form = {"form_token": form_token(page)}
        for stolen in ({}, {"form_token": "x"}):
            assert client.post("/connect/page-token", data=stolen).status_code == 403
        response = client.post("/connect/page-token", data=form)
        assert response.headers["cache-control"] == "no-store"
        token, seconds = response.json()["token"], response.json()["expires_in"]
        assert 500 < seconds <= 600
        assert ask(server, token) == 200
        # It has the permissions of the session, and isn't in the list of tokens.
        bearer = {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{server.url}/v3/emails", headers=bearer).status_code == 403
        assert listed(client) == {}
        with signed_in(server, token) as second:
            assert client.post("/sign-out", data=form).status_code == 303
            assert ask(server, token) == 401
            assert second.get("/connect").status_code == 303
        assert client.post("/connect/page-token", data=form).headers["location"] == "/sign-in"
    page = httpx.get(f"{server.url}/schema")
    assert "data-page-token" not in page.text
    assert 'href="/sign-in?next=/schema"' in page.text


def test_token_names_are_escaped(server: Server, account: str) -> None:
    with browser(server, account) as client:
        response = asked_for(client, NASTY)
        for text in (response.text, client.get("/connect").text):
            assert NASTY not in text
            assert NASTY in unescape(text)
        assert response.headers["cache-control"] == "no-store"
        assert "unsafe" not in response.headers["content-security-policy"]


def test_tokens_created_from_tokens_are_limited(server: Server, account: str) -> None:
    with browser(server, account) as client:
        token = made(client, "first")
    for generation in range(2, 10):
        with signed_in(server, token) as client:
            response = asked_for(client, str(generation))
            if generation == 9:
                assert response.status_code == 409
                assert "sign in by a link" in response.text
                return
            (token,) = re.findall(r'id="token"[^>]*><code>([^<]+)</code>', response.text)


# What runs a snippet, and the name of its file; None for those that nothing here can run.
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
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one contact."""
    with Server(str(tmp_path_factory.mktemp("shop") / "data")) as server:
        with server.caller("shop") as caller:
            caller.record(line("the-42nd", "em_sends"), line("the-42nd", "em_clicks", "2026-03-01T11:30:00Z"))
        yield server


@pytest.mark.parametrize("name", RUN)
def test_code_example_prints_activities(shop: Server, tmp_path: Path, name: str) -> None:
    with browser(shop, "shop") as client:
        page = client.get("/connect").text
    code = {
        found: unescape(text)
        for found, text in re.findall(r'id="snippet-([\w-]+)"[^>]*><code>(.*?)</code>', page, re.DOTALL)
    }
    assert set(code) == set(RUN)
    assert shop.url in code[name]
    assert "the-42nd" in code[name]
    assert "@" not in code[name]
    runner = RUN[name]
    if runner is None:
        return
    command, file = runner
    (tmp_path / file).write_text(code[name])
    ran = subprocess.run(
        [*command, file],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "TOKEN": shop.token("shop")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    for said in ("2026-03-01", "11:30:00", "em_clicks", "10:00:00", "em_sends"):
        assert said in ran.stdout


def test_code_examples_escape_server_url() -> None:
    for snippet in snippets("http://a'b\"c$(id)\\`\n"):
        assert "http://a%27b%22c%24%28id%29%5C%60%0A" in snippet.code


def test_public_url_is_used_in_examples_and_secures_cookie(tmp_path: Path) -> None:
    public = "https://rapport.example.com"
    with Server(str(tmp_path / "data"), environment={"RAPPORT_PUBLIC_URL": public}) as server:
        with httpx.Client(base_url=server.url) as client:
            response = client.post("/sign-in", data={"token": server.token("default", frozenset(Scope))})
            cookie = response.headers["set-cookie"]
            assert "Secure" in cookie
            page = client.get("/connect", headers={"cookie": cookie.partition(";")[0]}).text
        assert f"<code>{public}/v3</code>" in page
        assert server.url not in page
        ends = time.monotonic() + 10
        while f"{public}/sign-in/" not in server.log.read_text():
            assert time.monotonic() < ends
            time.sleep(0.05)
