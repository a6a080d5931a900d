"""The device grant: codes that people type in elsewhere, polling, and decisions."""

import httpx
import pytest

from rapport.oauth.credentials import new_user_code, normalize_user_code
from tests.helpers.oauth import (
    DEVICE,
    DEVICE_CODE,
    TOKEN,
    approve_device,
    create_app,
    error_of,
    poll_device,
    post,
    refresh,
    send_concurrently,
    start_device,
    status_with,
    tokens_of,
)
from tests.helpers.server import Server
from tests.helpers.sql import execute_sql
from tests.helpers.web import open_browser_by_link


def test_device_is_connected_from_other_device(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True, redirect_uris=())
    device = start_device(server, app)
    assert device.keys() == {
        *("device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval")
    }
    assert device["interval"] == 5
    assert device["verification_uri"] == f"{server.url}/activate"
    assert error_of(poll_device(server, app, device)) == (400, "authorization_pending")
    assert error_of(poll_device(server, app, device)) == (400, "slow_down")
    with open_browser_by_link(server, account) as browser:
        assert 'name="user_code"' in browser.get("/activate").text
        typed = device["user_code"].lower().replace("-", " ")
        assert device["user_code"] in browser.get("/activate", params={"user_code": typed}).text
        assert "Device connected" in approve_device(browser, typed).text
    tokens = tokens_of(poll_device(server, app, device))
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert status_with(server, tokens["access_token"]) == 200
    assert error_of(poll_device(server, app, device)) == (400, "invalid_grant")
    assert refresh(server, app, tokens["refresh_token"]).status_code == 200


def test_device_can_be_denied(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True)
    device = start_device(server, app)
    with open_browser_by_link(server, account) as browser:
        assert "Access denied" in approve_device(browser, device["user_code"], "deny").text
        assert browser.get("/activate", params={"user_code": device["user_code"]}).status_code == 404
    assert error_of(poll_device(server, app, device)) == (400, "access_denied")


def test_device_of_other_account_is_not_found(server: Server, account: str) -> None:
    app = create_app(server, f"other-{account}", is_public=True)
    device = start_device(server, app)
    with open_browser_by_link(server, account) as browser:
        page = browser.get("/activate", params={"user_code": device["user_code"]})
        assert page.status_code == 404
        assert "No device is waiting" in page.text


def test_device_code_is_bound_to_application(server: Server, account: str) -> None:
    app, other = create_app(server, account, is_public=True), create_app(server, account, is_public=True)
    device = start_device(server, app)
    with open_browser_by_link(server, account) as browser:
        approve_device(browser, device["user_code"])
    assert error_of(poll_device(server, other, device)) == (400, "invalid_grant")
    assert poll_device(server, app, device).status_code == 200


def test_device_code_expires(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True)
    device = start_device(server, app)
    is_sqlite = not server.data.startswith("postgresql:")
    past = "1000" if is_sqlite else "'2026-01-01'"
    execute_sql(server.data, f"UPDATE device_authorization SET expires = {past} WHERE client_id = '{app.client_id}'")  # noqa: S608
    assert error_of(poll_device(server, app, device)) == (400, "expired_token")
    with open_browser_by_link(server, account) as browser:
        assert browser.get("/activate", params={"user_code": device["user_code"]}).status_code == 404


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"scope": "openid"}, (400, "invalid_scope")),
        ({"client_id": "nobody"}, (400, "invalid_request")),
        ({"client_id": ""}, (400, "invalid_request")),
    ],
)
def test_invalid_device_request_is_reported(
    server: Server, account: str, params: dict[str, str], expected: tuple[int, str]
) -> None:
    app = create_app(server, account, is_public=True)
    assert error_of(post(server, DEVICE, {"client_id": app.client_id, **params})) == expected


def test_confidential_device_must_authenticate(server: Server, account: str) -> None:
    app = create_app(server, account)
    assert error_of(post(server, DEVICE, {"client_id": app.client_id})) == (401, "invalid_client")
    assert post(server, DEVICE, {"scope": "contact_data"}, app).status_code == 200


def test_device_parameters_may_be_in_query(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True)
    answer = httpx.post(f"{server.url}{DEVICE}?client_id={app.client_id}&scope=contact_data+offline_access")
    assert answer.status_code == 200
    with open_browser_by_link(server, account) as browser:
        approve_device(browser, answer.json()["user_code"])
    query = f"grant_type={DEVICE_CODE}&device_code={answer.json()['device_code']}&client_id={app.client_id}"
    assert tokens_of(httpx.post(f"{server.url}{TOKEN}?{query}"))["refresh_token"]


@pytest.mark.slow
async def test_concurrent_device_polls_redeem_code_once(servers: list[Server], account: str) -> None:
    app = create_app(servers[0], account)
    for _ in range(3):
        device = post(servers[0], DEVICE, {"scope": "contact_data offline_access"}, app).json()
        with open_browser_by_link(servers[0], account) as browser:
            approve_device(browser, device["user_code"])
        request = {"grant_type": DEVICE_CODE, "device_code": device["device_code"]}
        responses = await send_concurrently(servers, [request] * 30, app)
        assert sorted(response.status_code for response in responses) == [200] + [400] * 29


def test_user_code_is_normalized() -> None:
    for _ in range(100):
        code = new_user_code()
        assert normalize_user_code(code) == code
        assert normalize_user_code(f" {code.lower().replace('-', '')} ") == code
    assert normalize_user_code("") == "-"
