"""Public applications in browsers call the token endpoint from their own origin."""

import httpx
import pytest

from tests.helpers.api import ApiClient
from tests.helpers.oauth import BASE
from tests.helpers.server import Server

ORIGIN = {"origin": "https://app.example.com"}


@pytest.mark.parametrize("path", ["token", "device/authorize", "revoke"])
def test_browsers_may_call_endpoint_from_any_origin(server: Server, path: str) -> None:
    preflight = httpx.options(
        f"{server.url}{BASE}/{path}",
        headers={
            **ORIGIN,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type",
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-methods"] == "POST"
    assert preflight.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "access-control-allow-credentials" not in preflight.headers
    response = httpx.post(f"{server.url}{BASE}/{path}", data={"client_id": "unknown"}, headers=ORIGIN)
    assert response.status_code in {400, 401}
    assert response.headers["access-control-allow-origin"] == "*"


def test_keys_and_metadata_may_be_read_from_any_origin(server: Server) -> None:
    for path in (f"{BASE}/keys", "/.well-known/oauth-authorization-server"):
        assert httpx.get(server.url + path, headers=ORIGIN).headers["access-control-allow-origin"] == "*"


def test_pages_and_api_do_not_allow_other_origins(server: Server, client: ApiClient) -> None:
    assert "access-control-allow-origin" not in client.get("/v3/contacts", headers=ORIGIN).headers
    assert "access-control-allow-origin" not in httpx.get(server.url, headers=ORIGIN).headers
