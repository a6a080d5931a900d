"""Refresh tokens: rotation, its grace, reuse, and many requests at once."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext
from typing import TypeVar

import httpx
import pytest
from msgspec.structs import replace

from rapport.auth.scope import Scope
from rapport.instant import Instant
from rapport.oauth.applications import RefreshPolicy
from rapport.oauth.credentials import read_grant_id
from rapport.oauth.lifetimes import ROTATION_GRACE
from rapport.settings import Settings
from rapport.store.applications import Grant
from rapport.store.engines import open_store
from rapport.store.store import Store
from rapport.web.door import now
from tests.helpers.command import run_rapport
from tests.helpers.loop import run_async
from tests.helpers.postgres import Databases
from tests.helpers.server import Server
from tests.oauth.flows import (
    TOKEN,
    App,
    browser_of,
    code_of,
    create_app,
    error_of,
    hidden_fields,
    redeem,
    refresh,
    status_with,
    tokens_of,
)

T = TypeVar("T")


@pytest.fixture(scope="module")
def servers(databases: Databases | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers with two workers each, at one store."""
    place = (
        nullcontext(str(tmp_path_factory.mktemp("shared") / "data"))
        if databases is None
        else databases.migrated_schema()
    )
    with place as data, Server(data, workers=2) as first, Server(data, workers=2) as second:
        yield [first, second]


def granted(server: Server, app: App, account: str) -> dict[str, str]:
    with browser_of(server, account) as browser:
        return tokens_of(redeem(server, app, code_of(browser, app)))


def change_grant(server: Server, refresh_token: str, change: Callable[[Grant], Grant]) -> None:
    async def work() -> None:
        async with open_store(Settings(data=server.data)) as store:
            grant = await store.applications.find_grant(read_grant_id(refresh_token))
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


async def at_once(servers: list[Server], requests: list[dict[str, str]], app: App) -> list[httpx.Response]:
    """Send the requests at once, to the servers in turn."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        return await asyncio.gather(
            *(
                client.post(f"{servers[number % len(servers)].url}{TOKEN}", data=request, auth=app.basic)
                for number, request in enumerate(requests)
            )
        )


def test_each_refresh_returns_another_token(server: Server, account: str) -> None:
    app = create_app(server, account)
    tokens = granted(server, app, account)
    seen = {tokens["refresh_token"]}
    for _ in range(4):
        tokens = tokens_of(refresh(server, app, tokens["refresh_token"]))
        assert tokens["refresh_token"] not in seen
        assert len(tokens["refresh_token"]) <= 50
        seen.add(tokens["refresh_token"])
    assert status_with(server, tokens["access_token"]) == 200


def test_a_client_that_lost_the_response_gets_the_same_token_again(server: Server, account: str) -> None:
    app = create_app(server, account)
    first = granted(server, app, account)["refresh_token"]
    second = tokens_of(refresh(server, app, first))["refresh_token"]
    assert tokens_of(refresh(server, app, first))["refresh_token"] == second
    third = tokens_of(refresh(server, app, second))["refresh_token"]
    assert third != second
    # Its successor was used: the first one can only be stolen, however short ago that was.
    assert error_of(refresh(server, app, first)) == (400, "invalid_grant")
    assert error_of(refresh(server, app, third)) == (400, "invalid_grant")


def test_a_stolen_old_token_revokes_the_grant(server: Server, account: str) -> None:
    app = create_app(server, account)
    first = granted(server, app, account)["refresh_token"]
    second = tokens_of(refresh(server, app, first))
    end_grace(server, first)
    assert status_with(server, second["access_token"]) == 200
    assert error_of(refresh(server, app, first)) == (400, "invalid_grant")
    assert error_of(refresh(server, app, second["refresh_token"])) == (400, "invalid_grant")
    assert status_with(server, second["access_token"]) == 401


def test_another_application_neither_uses_nor_revokes_a_token(server: Server, account: str) -> None:
    app, other = create_app(server, account), create_app(server, account)
    first = granted(server, app, account)["refresh_token"]
    second = tokens_of(refresh(server, app, first))["refresh_token"]
    end_grace(server, first)
    for token in (first, second):
        assert error_of(refresh(server, other, token)) == (400, "invalid_grant")
    assert refresh(server, app, second).status_code == 200


def test_a_long_lived_token_stays_the_same(server: Server, account: str) -> None:
    app = create_app(server, account, refresh_policy=RefreshPolicy.LONG_LIVED)
    first = granted(server, app, account)["refresh_token"]
    for _ in range(3):
        tokens = tokens_of(refresh(server, app, first))
        assert tokens["refresh_token"] == first
    assert status_with(server, tokens["access_token"]) == 200


def test_an_unused_grant_expires_and_a_used_one_is_extended(server: Server, account: str) -> None:
    for policy in RefreshPolicy:
        app = create_app(server, account, refresh_policy=policy)
        token = granted(server, app, account)["refresh_token"]
        change_grant(server, token, lambda grant: replace(grant, expires=Instant(now() + 60_000)))
        token = tokens_of(refresh(server, app, token))["refresh_token"]
        grant = in_store(server, lambda store: store.applications.find_grant(read_grant_id(token)))  # noqa: B023
        assert grant is not None
        assert grant.expires > now() + 179 * 24 * 3_600_000
        change_grant(server, token, lambda grant: replace(grant, expires=Instant(now() - 1)))
        assert error_of(refresh(server, app, token)) == (400, "invalid_grant")


def test_a_refresh_may_ask_for_less_but_not_for_more(server: Server, account: str) -> None:
    app = create_app(server, account)
    tokens = granted(server, app, account)
    less = tokens_of(refresh(server, app, tokens["refresh_token"], scope="contact_data"))
    assert less["scope"] == "contact_data"
    assert error_of(refresh(server, app, less["refresh_token"], scope="campaign_data")) == (400, "invalid_scope")
    whole = tokens_of(refresh(server, app, less["refresh_token"]))
    assert set(whole["scope"].split()) == {"contact_data", "offline_access"}


def test_a_grant_ends_with_the_token_that_its_user_signed_in_with(server: Server, account: str) -> None:
    app = create_app(server, account)
    with browser_of(server, account) as owner:
        form = {"name": "shop", "scope": [scope.value for scope in Scope], "role": "owner", "life": "longest"}
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


async def test_a_hundred_refreshes_at_once_give_one_new_token(servers: list[Server], account: str) -> None:
    app = create_app(servers[0], account)
    first = granted(servers[0], app, account)["refresh_token"]
    request = {"grant_type": "refresh_token", "refresh_token": first}
    responses = await at_once(servers, [request] * 100, app)
    assert [response.status_code for response in responses] == [200] * 100, responses[-1].text
    (second,) = {response.json()["refresh_token"] for response in responses}
    assert second != first
    grants = in_store(servers[0], lambda store: store.applications.list_grants(account))
    assert len(grants) == 1
    assert refresh(servers[1], app, second).status_code == 200


async def test_a_code_is_redeemed_once_however_many_try(servers: list[Server], account: str) -> None:
    app = create_app(servers[0], account)
    with browser_of(servers[0], account) as browser:
        codes = [code_of(browser, app) for _ in range(3)]
    for code in codes:
        request = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": "https://client.example.com/callback",
        }
        responses = await at_once(servers, [request] * 30, app)
        statuses = sorted(response.status_code for response in responses)
        assert statuses == [200] + [400] * 29
        assert {response.json().get("error") for response in responses} == {None, "invalid_grant"}
    # All of them were used twice, so that nothing of what they gave is valid.
    assert in_store(servers[0], lambda store: store.applications.list_grants(account)) == []


async def test_old_and_new_tokens_at_once_leave_nothing_valid_or_one(servers: list[Server], account: str) -> None:
    app = create_app(servers[0], account)
    first = granted(servers[0], app, account)["refresh_token"]
    second = tokens_of(refresh(servers[0], app, first))["refresh_token"]
    requests = [{"grant_type": "refresh_token", "refresh_token": token} for token in [first, second] * 20]
    responses = await at_once(servers, requests, app)
    assert {response.status_code for response in responses} <= {200, 400}
    grants = in_store(servers[0], lambda store: store.applications.list_grants(account))
    assert len(grants) <= 1
    new = {response.json().get("refresh_token") for response in responses} - {None, second}
    assert len(new) <= 1


def test_dropping_the_old_keys_voids_refresh_tokens_and_codes(data: str) -> None:
    with Server(data) as server:
        app = create_app(server, "default")
        tokens = granted(server, app, "default")
        with browser_of(server, "default") as browser:
            code = code_of(browser, app)
        run_rapport("keys", "rotate", "--drop-old", "--data", data)
        deadline = time.monotonic() + 10
        while status_with(server, tokens["access_token"]) == 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert error_of(refresh(server, app, tokens["refresh_token"])) == (400, "invalid_grant")
        assert error_of(redeem(server, app, code)) == (400, "invalid_grant")
