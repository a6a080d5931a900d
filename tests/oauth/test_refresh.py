"""Refresh tokens: rotation, its grace, reuse, and many requests at once."""

import re
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
import pytest
from msgspec.structs import replace

from rapport.auth.scope import Scope
from rapport.instant import Instant
from rapport.oauth.applications import RefreshPolicy
from rapport.oauth.credentials import get_grant_id
from rapport.oauth.lifetimes import ROTATION_GRACE
from rapport.settings import Settings
from rapport.store.applications import Grant
from rapport.store.engines import open_store
from rapport.store.store import Store
from rapport.web.sessions import now
from tests.helpers.command import run_rapport
from tests.helpers.loop import run_async
from tests.helpers.oauth import (
    App,
    code_of,
    create_app,
    error_of,
    hidden_fields,
    redeem,
    refresh,
    send_concurrently,
    status_with,
    tokens_of,
)
from tests.helpers.server import Server
from tests.helpers.web import open_browser_by_link

T = TypeVar("T")


def granted(server: Server, app: App, account: str) -> dict[str, str]:
    with open_browser_by_link(server, account) as browser:
        return tokens_of(redeem(server, app, code_of(browser, app)))


def change_grant(server: Server, refresh_token: str, change: Callable[[Grant], Grant]) -> None:
    async def work() -> None:
        async with open_store(Settings(data=server.data)) as store:
            grant = await store.applications.find_grant(get_grant_id(refresh_token))
            assert grant is not None
            await store.applications.add_grant(change(grant), Instant(0))

    run_async(work())


def end_grace(server: Server, refresh_token: str) -> None:
    """Have the last rotation lie so far back that its grace is over."""
    change_grant(server, refresh_token, lambda grant: replace(grant, rotated_time=Instant(now() - ROTATION_GRACE - 1)))


def in_store(server: Server, work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_store(Settings(data=server.data)) as store:
            return await work(store)

    return run_async(run())


def test_refresh_rotates_token(server: Server, account: str) -> None:
    app = create_app(server, account)
    tokens = granted(server, app, account)
    seen = {tokens["refresh_token"]}
    for _ in range(4):
        tokens = tokens_of(refresh(server, app, tokens["refresh_token"]))
        assert tokens["refresh_token"] not in seen
        assert len(tokens["refresh_token"]) <= 50
        seen.add(tokens["refresh_token"])
    assert status_with(server, tokens["access_token"]) == 200


def test_repeated_refresh_within_grace_returns_same_token(server: Server, account: str) -> None:
    app = create_app(server, account)
    first = granted(server, app, account)["refresh_token"]
    second = tokens_of(refresh(server, app, first))["refresh_token"]
    assert tokens_of(refresh(server, app, first))["refresh_token"] == second
    third = tokens_of(refresh(server, app, second))["refresh_token"]
    assert third != second
    # Its successor was used: the first one can only be stolen, however short ago that was.
    assert error_of(refresh(server, app, first)) == (400, "invalid_grant")
    assert error_of(refresh(server, app, third)) == (400, "invalid_grant")


def test_reused_refresh_token_revokes_grant(server: Server, account: str) -> None:
    app = create_app(server, account)
    first = granted(server, app, account)["refresh_token"]
    second = tokens_of(refresh(server, app, first))
    end_grace(server, first)
    assert status_with(server, second["access_token"]) == 200
    assert error_of(refresh(server, app, first)) == (400, "invalid_grant")
    assert error_of(refresh(server, app, second["refresh_token"])) == (400, "invalid_grant")
    assert status_with(server, second["access_token"]) == 401


def test_other_application_cannot_use_or_revoke_token(server: Server, account: str) -> None:
    app, other = create_app(server, account), create_app(server, account)
    first = granted(server, app, account)["refresh_token"]
    second = tokens_of(refresh(server, app, first))["refresh_token"]
    end_grace(server, first)
    for token in (first, second):
        assert error_of(refresh(server, other, token)) == (400, "invalid_grant")
    assert refresh(server, app, second).status_code == 200


def test_long_lived_token_is_not_rotated(server: Server, account: str) -> None:
    app = create_app(server, account, refresh_policy=RefreshPolicy.LONG_LIVED)
    first = granted(server, app, account)["refresh_token"]
    for _ in range(3):
        tokens = tokens_of(refresh(server, app, first))
        assert tokens["refresh_token"] == first
    assert status_with(server, tokens["access_token"]) == 200


def test_unused_grant_expires_and_used_one_is_extended(server: Server, account: str) -> None:
    for policy in RefreshPolicy:
        app = create_app(server, account, refresh_policy=policy)
        token = granted(server, app, account)["refresh_token"]
        change_grant(server, token, lambda grant: replace(grant, expires=Instant(now() + 60_000)))
        token = tokens_of(refresh(server, app, token))["refresh_token"]
        grant = in_store(server, lambda store: store.applications.find_grant(get_grant_id(token)))  # noqa: B023
        assert grant is not None
        assert grant.expires > now() + 179 * 24 * 3_600_000
        change_grant(server, token, lambda grant: replace(grant, expires=Instant(now() - 1)))
        assert error_of(refresh(server, app, token)) == (400, "invalid_grant")


def test_refresh_can_narrow_but_not_widen_scopes(server: Server, account: str) -> None:
    app = create_app(server, account)
    tokens = granted(server, app, account)
    less = tokens_of(refresh(server, app, tokens["refresh_token"], scope="contact_data"))
    assert less["scope"] == "contact_data"
    assert error_of(refresh(server, app, less["refresh_token"], scope="campaign_data")) == (400, "invalid_scope")
    whole = tokens_of(refresh(server, app, less["refresh_token"]))
    assert set(whole["scope"].split()) == {"contact_data", "offline_access"}


def test_grant_ends_with_token_its_user_signed_in_with(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as owner:
        form = {"name": "shop", "scope": [scope.value for scope in Scope], "role": "owner", "lifetime": "longest"}
        page = owner.get("/connect")
        created = owner.post("/connect/tokens", data={**form, **hidden_fields(page)})
        (token,) = re.findall(r'id="token"[^>]*><code>([^<]+)</code>', created.text)
        with httpx.Client(base_url=server.url) as browser:
            assert browser.post("/sign-in", data={"token": token}).status_code == 303
            tokens = tokens_of(redeem(server, app, code_of(browser, app)))
        tokens = tokens_of(refresh(server, app, tokens["refresh_token"]))
        (token_id,) = re.findall(r'action="/connect/tokens/(\w+)/revoke"', owner.get("/connect").text)
        fields = hidden_fields(owner.get("/connect"))
        assert owner.post(f"/connect/tokens/{token_id}/revoke", data=fields).status_code == 303
    assert status_with(server, tokens["access_token"]) == 401
    assert error_of(refresh(server, app, tokens["refresh_token"])) == (400, "invalid_grant")


@pytest.mark.slow
async def test_concurrent_refreshes_return_one_new_token(servers: list[Server], account: str) -> None:
    app = create_app(servers[0], account)
    first = granted(servers[0], app, account)["refresh_token"]
    request = {"grant_type": "refresh_token", "refresh_token": first}
    responses = await send_concurrently(servers, [request] * 100, app)
    assert [response.status_code for response in responses] == [200] * 100, responses[-1].text
    (second,) = {response.json()["refresh_token"] for response in responses}
    assert second != first
    grants = in_store(servers[0], lambda store: store.applications.list_grants(account))
    assert len(grants) == 1
    assert refresh(servers[1], app, second).status_code == 200


async def test_concurrent_requests_redeem_code_once(servers: list[Server], account: str) -> None:
    app = create_app(servers[0], account)
    with open_browser_by_link(servers[0], account) as browser:
        codes = [code_of(browser, app) for _ in range(3)]
    for code in codes:
        request = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": "https://client.example.com/callback",
        }
        responses = await send_concurrently(servers, [request] * 30, app)
        statuses = sorted(response.status_code for response in responses)
        assert statuses == [200] + [400] * 29
        assert {response.json().get("error") for response in responses} == {None, "invalid_grant"}
    # All of them were used twice, so that nothing of what they gave is valid.
    assert in_store(servers[0], lambda store: store.applications.list_grants(account)) == []


async def test_concurrent_old_and_new_tokens_leave_at_most_one_valid(servers: list[Server], account: str) -> None:
    app = create_app(servers[0], account)
    first = granted(servers[0], app, account)["refresh_token"]
    second = tokens_of(refresh(servers[0], app, first))["refresh_token"]
    requests = [{"grant_type": "refresh_token", "refresh_token": token} for token in [first, second] * 20]
    responses = await send_concurrently(servers, requests, app)
    assert {response.status_code for response in responses} <= {200, 400}
    grants = in_store(servers[0], lambda store: store.applications.list_grants(account))
    assert len(grants) <= 1
    new = {response.json().get("refresh_token") for response in responses} - {None, second}
    assert len(new) <= 1


@pytest.mark.slow
def test_dropping_old_keys_revokes_refresh_tokens_and_codes(location: str) -> None:
    with Server(location) as server:
        app = create_app(server, "default")
        tokens = granted(server, app, "default")
        with open_browser_by_link(server, "default") as browser:
            code = code_of(browser, app)
        run_rapport("keys", "rotate", "--drop-old", "--data", location)
        deadline = time.monotonic() + 10
        while status_with(server, tokens["access_token"]) == 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert error_of(refresh(server, app, tokens["refresh_token"])) == (400, "invalid_grant")
        assert error_of(redeem(server, app, code)) == (400, "invalid_grant")
