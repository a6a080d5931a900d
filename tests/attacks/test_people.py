"""Attacks on users: forged and reused links, guessed passwords, enumeration, other sites, other accounts."""

import asyncio
import secrets
from collections.abc import Iterator

import httpx
import pytest

from rapport.auth.scope import Role
from rapport.people import sign_in as sign_in_module
from rapport.people.users import LINK_LIFETIME, invite_user
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.web.sessions import COOKIE, now
from tests.helpers.cost import measure_cost
from tests.helpers.people import (
    OTHER_PASSWORD,
    PASSWORD,
    accept,
    add_user,
    get_user_ids,
    invite,
    open_browser_of_user,
    sign_in,
    submit,
)
from tests.helpers.server import Server

pytestmark = pytest.mark.slow

FOREIGN = [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}]


@pytest.fixture
def ada(account: str) -> str:
    return f"ada@{account}.example.com"


@pytest.fixture
def browser(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as browser:
        yield browser


async def test_invitation_is_accepted_once_under_load(server: Server, account: str, ada: str) -> None:
    link = await asyncio.to_thread(invite, server, account, ada)
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        await asyncio.gather(*(client.request(method, link) for method in ["HEAD", "GET"] * 10))
        passwords = [f"{PASSWORD} {number}" for number in range(8)]
        forms = [{"password": password, "repeated": password} for password in passwords]
        responses = await asyncio.gather(*(client.post(link, data=form) for form in forms))
        assert sorted(response.status_code for response in responses) == [303] + [404] * 7
        (winner,) = [n for n, response in enumerate(responses) if response.status_code == 303]
        for number, password in enumerate(passwords):
            form = {"email_address": ada, "password": password}
            response = await client.post("/sign-in/password", data=form)
            assert response.status_code == (303 if number == winner else 401)


async def test_forged_expired_and_reused_invitations_are_rejected(
    server: Server, account: str, ada: str, browser: httpx.Client
) -> None:
    with measure_cost(server):
        for _ in range(100):
            assert browser.get(f"/invitations/{secrets.token_urlsafe(32)}").status_code == 404
            assert accept(browser, f"/invitations/{secrets.token_urlsafe(32)}").status_code == 404
    async with open_store(Settings(data=server.data)) as store:
        expired = now() - LINK_LIFETIME
        _, code = await invite_user(store, account, ada, Role.OWNER, by="tests", now=type(now())(expired))
        assert accept(browser, f"/invitations/{code}").status_code == 404
        _, replaced = await invite_user(store, account, ada, Role.OWNER, by="tests", now=now())
        _, code = await invite_user(store, account, ada, Role.MANAGER, by="tests", now=now())
    assert accept(browser, f"/invitations/{replaced}").status_code == 404
    assert browser.get(f"/invitations/{code}x").status_code == 404
    assert accept(browser, f"/invitations/{code}").status_code == 303
    assert accept(browser, f"/invitations/{code}", OTHER_PASSWORD).status_code == 404
    assert sign_in(browser, ada).status_code == 303


def test_guessing_a_password_is_limited(server: Server, account: str, ada: str, browser: httpx.Client) -> None:
    add_user(server, account, ada)
    statuses = [sign_in(browser, ada, f"guess {number}").status_code for number in range(14)]
    assert statuses == [401] * sign_in_module.MAX_ATTEMPTS + [429] * 4
    # Neither the right password nor another spelling or account gets around it, and others aren't affected.
    for address, fields in ((ada, {}), (ada.upper(), {}), (f" {ada}", {}), (ada, {"account": account})):
        response = sign_in(browser, address, **fields)
        assert response.status_code == 429
        assert "minutes" in response.text
    add_user(server, account, f"bob.{ada}", Role.MANAGER)
    assert sign_in(browser, f"bob.{ada}").status_code == 303


async def test_concurrent_guesses_are_counted(server: Server, account: str, ada: str) -> None:
    await asyncio.to_thread(add_user, server, account, ada)
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        forms = [{"email_address": ada, "password": f"guess {number}"} for number in range(18)]
        responses = await asyncio.gather(*(client.post("/sign-in/password", data=form) for form in forms))
    assert [response.status_code for response in responses].count(401) <= sign_in_module.MAX_ATTEMPTS


def test_unknown_invited_and_wrong_users_get_the_same_response(
    server: Server, account: str, ada: str, browser: httpx.Client
) -> None:
    add_user(server, account, ada)
    invite(server, account, f"invited.{ada}")
    for fields in ({}, {"account": account}, {"account": "nowhere"}):
        texts = set()
        for address in (ada, f"invited.{ada}", f"nobody.{ada}"):
            response = sign_in(browser, address, "wrong horse battery", **fields)
            assert response.status_code == 401
            assert COOKIE not in response.cookies
            texts.add(response.text.replace(address, "ADDRESS"))
        assert len(texts) == 1


def test_signing_in_begins_another_session(server: Server, account: str, ada: str, browser: httpx.Client) -> None:
    """Session fixation: a cookie that somebody planted doesn't become the victim's session."""
    add_user(server, account, ada)
    with open_browser_of_user(server, account, f"mallory.{ada}", Role.CAMPAIGN_CREATOR) as mallory:
        planted = mallory.cookies[COOKIE]
        browser.cookies.set(COOKIE, planted)
        assert sign_in(browser, ada).status_code == 303
        cookies = [cookie.value for cookie in browser.cookies.jar if cookie.name == COOKIE]
        assert cookies.count(planted) <= 1
        assert len(set(cookies)) == len(cookies)
        assert ada in httpx.get(f"{server.url}/profile", cookies={COOKIE: cookies[-1] or ""}).text
        assert f"{ada}, owner" not in mallory.get("/profile").text


@pytest.mark.parametrize("headers", FOREIGN)
def test_forms_of_other_sites_are_rejected(server: Server, account: str, ada: str, headers: dict[str, str]) -> None:
    with open_browser_of_user(server, account, ada) as owner:
        user_id = get_user_ids(owner)[ada]
        token = submit(owner, "/people", "/people", email_address=f"x.{ada}", role="manager")
        form_token = token.text.split('name="form_token" value="')[1].split('"')[0]
        link = invite(server, account, f"guest.{ada}")
        for path in (
            "/people",
            f"/people/{user_id}/role",
            f"/people/{user_id}/link",
            f"/people/{user_id}/remove",
            "/people/sessions/x/end",
            "/profile/password",
            "/profile/sessions/x/end",
        ):
            assert owner.post(path, headers=headers, data={"form_token": form_token}).status_code == 403
            assert owner.post(path, data={"form_token": "x"}).status_code == 403
        with httpx.Client(base_url=server.url) as victim:
            form = {"email_address": ada, "password": PASSWORD}
            assert victim.post("/sign-in/password", headers=headers, data=form).status_code == 403
            passwords = {"password": PASSWORD, "repeated": PASSWORD}
            assert victim.post(link, headers=headers, data=passwords).status_code == 403
            assert COOKIE not in victim.cookies


def test_other_account_is_out_of_reach(server: Server, account: str, ada: str) -> None:
    other = f"{account}-other"
    with (
        open_browser_of_user(server, account, ada) as owner,
        open_browser_of_user(server, other, f"eve.{ada}") as eve,
    ):
        add_user(server, account, f"bob.{ada}", Role.MANAGER)
        user_ids = get_user_ids(owner)
        assert ada not in eve.get("/people").text.replace(f"eve.{ada}", "")
        session_id = owner.get("/people").text.split("/people/sessions/")[1].split("/")[0]
        for user_id in user_ids.values():
            for action in ("role", "link", "remove"):
                path = f"/people/{user_id}/{action}"
                assert submit(eve, "/people", path, role="campaign_creator").status_code == 404
        for page in ("people", "profile"):
            assert submit(eve, f"/{page}", f"/{page}/sessions/{session_id}/end").status_code == 404
        assert get_user_ids(owner) == user_ids


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example/", "/sign-out", "javascript:x"]
)
def test_sign_in_stays_on_this_server(server: Server, account: str, ada: str, browser: httpx.Client, path: str) -> None:
    add_user(server, account, ada)
    assert sign_in(browser, ada, next=path).headers["location"] == "/"
    failed = sign_in(browser, ada, "wrong", next=path)
    assert 'name="next"' not in failed.text


def test_markup_in_a_browser_name_or_address_is_escaped(server: Server, account: str, ada: str) -> None:
    with open_browser_of_user(server, account, ada) as owner:
        headers = {"user-agent": '<script>alert("1")</script>'}
        with httpx.Client(base_url=server.url, headers=headers) as browser:
            assert sign_in(browser, ada).status_code == 303
            assert "<script>alert" not in browser.get("/profile").text
        response = sign_in(owner, '"><script>alert(1)</script>@example.com', "x")
        assert "<script>alert" not in response.text
        submit(owner, "/people", "/people", email_address='"<script>alert(1)</script>"@example.com', role="manager")
        assert "<script>alert" not in owner.get("/people").text
