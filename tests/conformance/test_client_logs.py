"""What clients of Constant Contact send to get and refresh tokens, replayed: one request log for each client.

A log under `clients/` has the address that the client sends people to, or its device request, and its token and refresh
requests as they go over the wire, with placeholders for what differs from run to run.
"""

import json
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from rapport.auth.scope import Scope
from rapport.oauth.applications import RefreshPolicy
from tests.helpers.oauth import BASE, CALLBACK, App, approve_device, create_app, decide
from tests.helpers.server import Server
from tests.helpers.web import open_browser_by_link

pytestmark = pytest.mark.slow

LOGS = sorted((Path(__file__).parent / "clients").glob("*.json"))
VERIFIER = "a-verifier-of-at-least-forty-three-characters"
KEYS = {"access_token", "token_type", "expires_in", "scope", "refresh_token"}


def fill(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def send(server: Server, request: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    headers = {name: fill(value, values) for name, value in request["headers"].items()}
    answer = httpx.post(
        server.url + fill(request["path"], values), headers=headers, content=fill(request["body"], values), timeout=60
    )
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def values_of(server: Server, app: App) -> dict[str, str]:
    return {
        "server": server.url,
        "client_id": app.client_id,
        "client_secret": app.secret,
        "basic": b64encode(f"{app.client_id}:{app.secret}".encode()).decode(),
        "basic_of_id": b64encode(app.client_id.encode()).decode(),
        "redirect_uri": CALLBACK,
        "redirect_uri_encoded": quote(CALLBACK, safe=""),
        "code_verifier": VERIFIER,
        "code_challenge": urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(),
    }


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_client_gets_and_refreshes_tokens(server: Server, account: str, log: Path) -> None:
    client = json.loads(log.read_text())
    app = create_app(
        server,
        account,
        scopes=frozenset(Scope),
        is_public=client["type"] == "public",
        refresh_policy=RefreshPolicy(client.get("refresh_policy", "rotating")),
    )
    values = values_of(server, app)
    with open_browser_by_link(server, account) as browser:
        if "device" in client:
            device = send(server, client["device"], values)
            values["device_code"] = device["device_code"]
            assert approve_device(browser, device["user_code"]).status_code == 200
        else:
            values["code"] = decide(browser, fill(client["authorize"], values))["code"]
    tokens = send(server, client["token"], values)
    assert tokens.keys() == KEYS
    check_claims(server, tokens["access_token"], client.get("claims", {}), values)
    for _ in range(2):
        values["refresh_token"] = tokens["refresh_token"]
        tokens = send(server, client["refresh"], values)
        assert tokens.keys() == KEYS
        assert len(tokens["refresh_token"]) <= 50
        is_same = client.get("refresh_policy") == "long-lived"
        assert (tokens["refresh_token"] == values["refresh_token"]) is is_same
    privileges = httpx.get(
        f"{server.url}/v3/account/user/privileges", headers={"authorization": f"Bearer {tokens['access_token']}"}
    )
    assert privileges.status_code == 200


def check_claims(server: Server, token: str, expected: dict[str, Any], values: dict[str, str]) -> None:
    keys = KeySet.import_key_set(httpx.get(f"{server.url}{BASE}/keys").json())
    claims = jwt.decode(token, keys, algorithms=["RS256"]).claims
    for name, value in expected.items():
        if name == "aud":
            assert fill(value, values) in claims["aud"]
        else:
            assert claims[name] == value
