"""The device grant: codes that people type in elsewhere, polling, and decisions."""

from typing import Any

import httpx
import pytest

from rapport.oauth.credentials import new_user_code, normalize_user_code
from tests.helpers.server import Server
from tests.helpers.sql import execute_sql
from tests.oauth.flows import (
    DEVICE,
    DEVICE_CODE,
    TOKEN,
    App,
    browser_of,
    create_app,
    error_of,
    hidden_fields,
    post,
    refresh,
    status_with,
    tokens_of,
)
from tests.oauth.test_refresh import at_once, servers

__all__ = ["servers"]


def start(server: Server, app: App, scope: str = "contact_data offline_access") -> dict[str, Any]:
    answer = post(server, DEVICE, {"client_id": app.client_id, "scope": scope, "response_type": "code"})
    assert answer.status_code == 200, answer.text
    device: dict[str, Any] = answer.json()
    return device


def poll(server: Server, app: App, device: dict[str, Any]) -> httpx.Response:
    data = {"grant_type": DEVICE_CODE, "device_code": device["device_code"], "client_id": app.client_id}
    return post(server, TOKEN, data)


def approve(browser: httpx.Client, user_code: str, decision: str = "allow") -> httpx.Response:
    page = browser.get("/activate", params={"user_code": user_code})
    assert page.status_code == 200, page.text
    return browser.post("/activate", data={**hidden_fields(page), "decision": decision})


def test_a_device_is_connected_from_another_one(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True, redirect_uris=())
    device = start(server, app)
    assert device.keys() == {
        *("device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval")
    }
    assert device["interval"] == 5
    assert device["verification_uri"] == f"{server.url}/activate"
    assert error_of(poll(server, app, device)) == (400, "authorization_pending")
    assert error_of(poll(server, app, device)) == (400, "slow_down")
    with browser_of(server, account) as browser:
        assert 'name="user_code"' in browser.get("/activate").text
        typed = device["user_code"].lower().replace("-", " ")
        assert device["user_code"] in browser.get("/activate", params={"user_code": typed}).text
        assert "Device connected" in approve(browser, typed).text
    tokens = tokens_of(poll(server, app, device))
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert status_with(server, tokens["access_token"]) == 200
    assert error_of(poll(server, app, device)) == (400, "invalid_grant")
    assert refresh(server, app, tokens["refresh_token"]).status_code == 200


def test_a_device_can_be_denied(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True)
    device = start(server, app)
    with browser_of(server, account) as browser:
        assert "Access denied" in approve(browser, device["user_code"], "deny").text
        assert browser.get("/activate", params={"user_code": device["user_code"]}).status_code == 404
    assert error_of(poll(server, app, device)) == (400, "access_denied")


def test_a_device_of_another_account_is_not_found(server: Server, account: str) -> None:
    app = create_app(server, f"other-{account}", is_public=True)
    device = start(server, app)
    with browser_of(server, account) as browser:
        page = browser.get("/activate", params={"user_code": device["user_code"]})
        assert page.status_code == 404
        assert "No device is waiting" in page.text


def test_a_device_code_belongs_to_its_application(server: Server, account: str) -> None:
    app, other = create_app(server, account, is_public=True), create_app(server, account, is_public=True)
    device = start(server, app)
    with browser_of(server, account) as browser:
        approve(browser, device["user_code"])
    assert error_of(poll(server, other, device)) == (400, "invalid_grant")
    assert poll(server, app, device).status_code == 200


def test_a_device_code_expires(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True)
    device = start(server, app)
    is_sqlite = not server.data.startswith("postgresql:")
    past = "1000" if is_sqlite else "'2026-01-01'"
    execute_sql(server.data, f"UPDATE device_authorization SET expires = {past} WHERE client_id = '{app.client_id}'")  # noqa: S608
    assert error_of(poll(server, app, device)) == (400, "expired_token")
    with browser_of(server, account) as browser:
        assert browser.get("/activate", params={"user_code": device["user_code"]}).status_code == 404


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"scope": "openid"}, (400, "invalid_scope")),
        ({"client_id": "nobody"}, (400, "invalid_request")),
        ({"client_id": ""}, (400, "invalid_request")),
    ],
)
def test_a_device_request_that_is_wrong_is_told(
    server: Server, account: str, params: dict[str, str], expected: tuple[int, str]
) -> None:
    app = create_app(server, account, is_public=True)
    assert error_of(post(server, DEVICE, {"client_id": app.client_id, **params})) == expected


def test_a_confidential_device_authenticates(server: Server, account: str) -> None:
    app = create_app(server, account)
    assert error_of(post(server, DEVICE, {"client_id": app.client_id})) == (401, "invalid_client")
    assert post(server, DEVICE, {"scope": "contact_data"}, app).status_code == 200


def test_everything_may_be_in_the_query(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True)
    answer = httpx.post(f"{server.url}{DEVICE}?client_id={app.client_id}&scope=contact_data+offline_access")
    assert answer.status_code == 200
    with browser_of(server, account) as browser:
        approve(browser, answer.json()["user_code"])
    query = f"grant_type={DEVICE_CODE}&device_code={answer.json()['device_code']}&client_id={app.client_id}"
    assert tokens_of(httpx.post(f"{server.url}{TOKEN}?{query}"))["refresh_token"]


async def test_a_device_code_is_redeemed_once_however_many_try(servers: list[Server], account: str) -> None:
    app = create_app(servers[0], account)
    for _ in range(3):
        device = post(servers[0], DEVICE, {"scope": "contact_data offline_access"}, app).json()
        with browser_of(servers[0], account) as browser:
            approve(browser, device["user_code"])
        request = {"grant_type": DEVICE_CODE, "device_code": device["device_code"]}
        responses = await at_once(servers, [request] * 30, app)
        assert sorted(response.status_code for response in responses) == [200] + [400] * 29


def test_user_codes_are_read_as_people_type_them() -> None:
    for _ in range(100):
        code = new_user_code()
        assert normalize_user_code(code) == code
        assert normalize_user_code(f" {code.lower().replace('-', '')} ") == code
    assert normalize_user_code("") == "-"
