"""The OAuth clients of authlib and of requests-oauthlib, for each flow."""

import re

import httpx
import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient, DeviceClient, InvalidGrantError, MobileApplicationClient
from requests_oauthlib import OAuth2Session

from rapport.auth.scope import Role
from tests.helpers.oauth import (
    AUTHORIZE,
    CALLBACK,
    DECIDE,
    DEVICE,
    DEVICE_CODE,
    REVOKE,
    TOKEN,
    approve_device,
    create_app,
    hidden_fields,
)
from tests.helpers.server import Server
from tests.helpers.web import open_browser_by_link

SCOPES = ["contact_data", "offline_access"]


def callback_of(browser: httpx.Client, server: Server, url: str) -> str:
    """Allow what the address asks for, and return the address that the browser returns to."""
    page = browser.get(url.removeprefix(server.url))
    assert page.status_code == 200, page.text
    answer = browser.post(DECIDE, data={**hidden_fields(page), "decision": "allow"})
    return str(answer.headers["location"])


@pytest.fixture
def _insecure(monkeypatch: pytest.MonkeyPatch) -> None:
    # The library refuses http otherwise, and these servers are on this machine.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_authlib_signs_in_by_code_with_pkce(server: Server, account: str, method: str) -> None:
    app = create_app(server, account, is_public=method == "none")
    with AuthlibSession(
        app.client_id,
        app.secret or None,
        token_endpoint_auth_method=method,
        redirect_uri=CALLBACK,
        scope=" ".join(SCOPES),
        code_challenge_method="S256",
        token_endpoint=server.url + TOKEN,
    ) as client:
        verifier = "v" * 64
        url, state = client.create_authorization_url(server.url + AUTHORIZE, code_verifier=verifier)
        with open_browser_by_link(server, account) as browser:
            callback = callback_of(browser, server, url)
        first = client.fetch_token(authorization_response=callback, code_verifier=verifier, state=state)
        assert client.get(f"{server.url}/v3/contacts").status_code == 200
        second = client.refresh_token(server.url + TOKEN, refresh_token=first["refresh_token"])
        assert second["refresh_token"] != first["refresh_token"]
        assert client.get(f"{server.url}/v3/contacts").status_code == 200
        revoked = client.revoke_token(server.url + REVOKE, token=second["refresh_token"])
        assert revoked.status_code == 200
        with pytest.raises(OAuthError, match="invalid_grant"):
            client.refresh_token(server.url + TOKEN, refresh_token=second["refresh_token"])


def test_authlib_gets_client_credentials_token(server: Server, account: str) -> None:
    app = create_app(server, account, credentials_role=Role.OWNER)
    with AuthlibSession(app.client_id, app.secret, scope="contact_data") as client:
        client.fetch_token(server.url + TOKEN, grant_type="client_credentials")
        assert client.get(f"{server.url}/v3/contacts").status_code == 200


def test_authlib_connects_device(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True)
    device = httpx.post(server.url + DEVICE, data={"client_id": app.client_id, "scope": " ".join(SCOPES)}).json()
    with AuthlibSession(app.client_id, token_endpoint_auth_method="none") as client:  # noqa: S106 - a method
        requested = {"grant_type": DEVICE_CODE, "device_code": device["device_code"]}
        with pytest.raises(OAuthError, match="authorization_pending"):
            client.fetch_token(server.url + TOKEN, **requested)
        with open_browser_by_link(server, account) as browser:
            approve_device(browser, device["user_code"])
        assert client.fetch_token(server.url + TOKEN, **requested)["refresh_token"]
        assert client.get(f"{server.url}/v3/contacts").status_code == 200


@pytest.mark.usefixtures("_insecure")
def test_requests_oauthlib_signs_in_by_code_with_pkce(server: Server, account: str) -> None:
    app = create_app(server, account)
    with OAuth2Session(app.client_id, redirect_uri=CALLBACK, scope=SCOPES, pkce="S256") as client:
        url, _ = client.authorization_url(server.url + AUTHORIZE)
        with open_browser_by_link(server, account) as browser:
            callback = callback_of(browser, server, url)
        client.fetch_token(server.url + TOKEN, authorization_response=callback, client_secret=app.secret)
        assert client.get(f"{server.url}/v3/contacts").status_code == 200
        old = client.token["refresh_token"]
        new = client.refresh_token(server.url + TOKEN, auth=app.basic)["refresh_token"]
        assert new != old
        client.refresh_token(server.url + TOKEN, auth=app.basic)
        with pytest.raises(InvalidGrantError):
            client.refresh_token(server.url + TOKEN, refresh_token=old, auth=app.basic)


@pytest.mark.usefixtures("_insecure")
def test_requests_oauthlib_gets_client_credentials_token(server: Server, account: str) -> None:
    app = create_app(server, account, credentials_role=Role.OWNER)
    backend = BackendApplicationClient(app.client_id, scope=["contact_data"])
    with OAuth2Session(client=backend) as client:
        client.fetch_token(server.url + TOKEN, auth=app.basic)
        assert client.get(f"{server.url}/v3/contacts").status_code == 200


@pytest.mark.usefixtures("_insecure")
def test_requests_oauthlib_connects_device(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True)
    device = httpx.post(server.url + DEVICE, data={"client_id": app.client_id, "scope": " ".join(SCOPES)}).json()
    with open_browser_by_link(server, account) as browser:
        approve_device(browser, device["user_code"])
    with OAuth2Session(client=DeviceClient(app.client_id)) as client:
        client.fetch_token(server.url + TOKEN, device_code=device["device_code"], include_client_id=True)
        assert client.get(f"{server.url}/v3/contacts").status_code == 200


@pytest.mark.usefixtures("_insecure")
def test_implicit_grant_is_rejected(server: Server, account: str) -> None:
    app = create_app(server, account)
    implicit = MobileApplicationClient(app.client_id)
    with OAuth2Session(client=implicit, redirect_uri=CALLBACK, scope=SCOPES) as client:
        url, _ = client.authorization_url(server.url + AUTHORIZE)
    with open_browser_by_link(server, account) as browser:
        answer = browser.get(url.removeprefix(server.url))
    assert re.search(r"[?&]error=unsupported_response_type", answer.headers["location"])
    assert "access_token" not in answer.headers["location"]
