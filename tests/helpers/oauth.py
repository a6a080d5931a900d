"""Applications and people for the tests of the authorization server."""

import asyncio
import re
from collections.abc import Mapping
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from rapport.auth.scope import Role, Scope
from rapport.oauth.applications import ApplicationRequest, RefreshPolicy, create_application
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.web.sessions import now
from tests.helpers.loop import run_async
from tests.helpers.server import Server

BASE = "/oauth2/default/v1"
AUTHORIZE = f"{BASE}/authorize"
DECIDE = f"{AUTHORIZE}/decision"
TOKEN = f"{BASE}/token"
DEVICE = f"{BASE}/device/authorize"
REVOKE = f"{BASE}/revoke"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
CALLBACK = "https://client.example.com/callback"
USUAL_SCOPES = frozenset({Scope.CONTACT_DATA, Scope.CAMPAIGN_DATA, Scope.ACCOUNT_READ, Scope.OFFLINE_ACCESS})


class App(NamedTuple):
    """An application that tests created."""

    client_id: str
    secret: str

    @property
    def basic(self) -> tuple[str, str]:
        return (self.client_id, self.secret)


def without_secret(app: App) -> App:
    """Return the application with another secret than its own."""
    return app._replace(secret=app.secret[::-1])


def create_app(
    server: Server,
    account: str,
    *,
    redirect_uris: tuple[str, ...] = (CALLBACK,),
    scopes: frozenset[Scope] = USUAL_SCOPES,
    is_public: bool = False,
    refresh_policy: RefreshPolicy = RefreshPolicy.ROTATING,
    credentials_role: Role | None = None,
) -> App:
    """Create an application in the server's store."""
    request = ApplicationRequest(
        name="Test client",
        redirect_uris=redirect_uris,
        scopes=scopes,
        is_public=is_public,
        refresh_policy=refresh_policy,
        credentials_role=credentials_role,
    )

    async def create() -> App:
        async with open_store(Settings(data=server.data)) as store:
            application, secret = await create_application(store, account, request, by="tests", now=now())
            return App(application.client_id, secret or "")

    return run_async(create())


def hidden_fields(page: httpx.Response) -> dict[str, str]:
    """Return the hidden fields of the page's form in its main part."""
    form = page.text[page.text.index("<main") :]
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)}


def ask(app: App, **params: str | None) -> str:
    """Return the path of an authorization request; None leaves a parameter out."""
    requested: dict[str, str | None] = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": CALLBACK,
        "scope": "contact_data offline_access",
        "state": "s/1?",
        **params,
    }
    return f"{AUTHORIZE}?{urlencode({name: value for name, value in requested.items() if value is not None})}"


def decide(browser: httpx.Client, path: str, decision: str = "allow") -> dict[str, str]:
    """Go through the consent page, and return the parameters that the browser returns with."""
    page = browser.get(path)
    assert page.status_code == 200, page.text
    answer = browser.post(DECIDE, data={**hidden_fields(page), "decision": decision})
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def code_of(browser: httpx.Client, app: App, **params: str | None) -> str:
    return decide(browser, ask(app, **params))["code"]


def post(server: Server, path: str, data: Mapping[str, str], app: App | None = None) -> httpx.Response:
    auth = app.basic if app is not None and app.secret else None
    return httpx.post(server.url + path, data=dict(data), auth=auth, timeout=60)


def redeem(server: Server, app: App, code: str, **more: str) -> httpx.Response:
    data = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **more}
    return post(server, TOKEN, data if app.secret else {**data, "client_id": app.client_id}, app)


def refresh(server: Server, app: App, refresh_token: str, **more: str) -> httpx.Response:
    data = {"grant_type": "refresh_token", "refresh_token": refresh_token, **more}
    return post(server, TOKEN, data if app.secret else {**data, "client_id": app.client_id}, app)


def tokens_of(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


def error_of(response: httpx.Response) -> tuple[int, str]:
    content = response.json()
    assert content.keys() == {"error", "error_description"}
    return response.status_code, content["error"]


def status_with(server: Server, access_token: str, path: str = "/v3/contacts") -> int:
    return httpx.get(server.url + path, headers={"authorization": f"Bearer {access_token}"}).status_code


def start_device(server: Server, app: App, scope: str = "contact_data offline_access") -> dict[str, Any]:
    """Start the device flow and return the response."""
    response = post(server, DEVICE, {"client_id": app.client_id, "scope": scope, "response_type": "code"})
    assert response.status_code == 200, response.text
    device: dict[str, Any] = response.json()
    return device


def poll_device(server: Server, app: App, device: dict[str, Any]) -> httpx.Response:
    """Request the tokens of a device."""
    data = {"grant_type": DEVICE_CODE, "device_code": device["device_code"], "client_id": app.client_id}
    return post(server, TOKEN, data)


def approve_device(browser: httpx.Client, user_code: str, decision: str = "allow") -> httpx.Response:
    """Decide about a device in a signed-in browser."""
    page = browser.get("/activate", params={"user_code": user_code})
    assert page.status_code == 200, page.text
    return browser.post("/activate", data={**hidden_fields(page), "decision": decision})


async def send_concurrently(servers: list[Server], requests: list[dict[str, str]], app: App) -> list[httpx.Response]:
    """Send token requests concurrently, to each server in turn."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        return await asyncio.gather(
            *(
                client.post(f"{servers[number % len(servers)].url}{TOKEN}", data=request, auth=app.basic)
                for number, request in enumerate(requests)
            )
        )
