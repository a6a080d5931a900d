"""Bearer tokens: valid ones are accepted, all others get the same response."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet, OKPKey, RSAKey

from rapport.auth.scope import Role, Scope
from tests.helpers.api import details_path, make_line
from tests.helpers.command import run_rapport
from tests.helpers.server import Server
from tests.helpers.waiting import wait_until

ASKED = f"{details_path('c1')}?tracking_activity_type=em_opens"


@pytest.fixture(scope="module")
def trusted_key() -> RSAKey:
    """The key of an issuer that the operator trusts."""
    return RSAKey.generate_key(2048, {"alg": "RS256"}, auto_kid=True)


@pytest.fixture(scope="module")
def trusting_server(trusted_key: RSAKey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a contact, which trusts another issuer too."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "jwks.json").write_text(json.dumps(KeySet([trusted_key]).as_dict(private=False)))
    trusted = {"RAPPORT_TRUSTED_ISSUER": "https://login.example.com", "RAPPORT_TRUSTED_KEYS": str(folder / "jwks.json")}
    with Server(str(folder / "data"), environment=trusted) as server:
        with server.client("default") as client:
            client.record(make_line())
        yield server


def send_request(server: Server, token: str | None) -> httpx.Response:
    return httpx.get(server.url + ASKED, headers={} if token is None else {"authorization": f"Bearer {token}"})


def make_claims(**changes: object) -> dict[str, Any]:
    now = int(time.time())
    valid = {
        "iss": "rapport",
        "aud": "rapport",
        "iat": now,
        "exp": now + 60,
        "sub": "somebody",
        "cid": "a-client",
        "account": "default",
        "role": "owner",
        "scp": ["contact_data"],
    }
    return {name: value for name, value in {**valid, **changes}.items() if value is not None}


def read_signing_key(server: Server) -> RSAKey:
    (stored,) = Path(server.data).glob("signing-keys*")
    return RSAKey.import_key(json.loads(stored.read_bytes())["signing"][0]["jwk"])


def sign_token(key: RSAKey | OKPKey, header: dict[str, Any] | None = None, **changes: object) -> str:
    return jwt.encode(
        {"alg": "RS256", "kid": key.kid, **(header or {})}, make_claims(**changes), key, algorithms=["RS256", "Ed25519"]
    )


def sign_with_secret(secret: bytes, kid: str) -> str:
    """Sign a token without the library, which rejects public keys as secrets."""

    def part(content: bytes) -> bytes:
        return urlsafe_b64encode(content).rstrip(b"=")

    head = part(json.dumps({"alg": "HS256", "kid": kid}).encode()) + b"." + part(json.dumps(make_claims()).encode())
    return (head + b"." + part(hmac.digest(secret, head, "sha256"))).decode()


def test_token_signed_with_server_key_is_valid(trusting_server: Server) -> None:
    assert send_request(trusting_server, sign_token(read_signing_key(trusting_server))).status_code == 200


@pytest.mark.slow
def test_invalid_tokens_get_same_401(trusting_server: Server) -> None:
    key = read_signing_key(trusting_server)
    stranger = RSAKey.generate_key(2048, {"alg": "RS256", "kid": key.kid})
    valid = sign_token(key)
    head, payload, signature = valid.split(".")
    now = int(time.time())
    bad = {
        "none at all": None,
        "no token": "x",
        "wrong signature": f"{head}.{payload}.{signature[:-8]}AAAAAAAA",
        "changed payload": f"{head}.{payload[:-4]}AAAA.{signature}",
        "no algorithm": "eyJhbGciOiJub25lIn0." + payload + ".",
        "a public key as a shared secret": sign_with_secret(key.as_pem(private=False), str(key.kid)),
        "a stranger's key under our id": sign_token(stranger),
        "an unknown key": sign_token(RSAKey.generate_key(2048, auto_kid=True)),
        "another kind of key": sign_token(OKPKey.generate_key("Ed25519", auto_kid=True), {"alg": "Ed25519"}),
        "wrong audience": sign_token(key, aud="https://api.example.com"),
        "no audience": sign_token(key, aud=None),
        "wrong issuer": sign_token(key, iss="https://login.example.com"),
        "no issuer": sign_token(key, iss=None),
        "expired": sign_token(key, exp=now - 1),
        "without an end": sign_token(key, exp=None),
        "an end that is no number": sign_token(key, exp="tomorrow"),
        "an end that is no time": sign_token(key, exp=float("nan")),
        "not good yet": sign_token(key, nbf=now + 300),
        "made in the future": sign_token(key, iat=now + 300),
        "no account": sign_token(key, account=None),
        "an account that is no id": sign_token(key, account="a b"),
        "an unknown role": sign_token(key, role="emperor"),
        "too long": valid + "A" * 9_000,
    }
    responses = {why: send_request(trusting_server, token) for why, token in bad.items()}
    assert {why: response.status_code for why, response in responses.items()} == dict.fromkeys(bad, 401)
    assert {response.content for response in responses.values()} == {
        b'{"error_key":"unauthorized","error_message":"Unauthorized"}'
    }
    assert {response.headers["www-authenticate"] for response in responses.values()} == {"Bearer"}


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic {}", "{}", "Bearer {} {}"])
def test_other_authorization_schemes_return_401(trusting_server: Server, authorization: str) -> None:
    token = sign_token(read_signing_key(trusting_server))
    response = httpx.get(trusting_server.url + ASKED, headers={"authorization": authorization.replace("{}", token)})
    assert response.status_code == 401


def test_bearer_scheme_is_case_insensitive(trusting_server: Server) -> None:
    token = sign_token(read_signing_key(trusting_server))
    assert httpx.get(trusting_server.url + ASKED, headers={"authorization": f"bearer {token}"}).status_code == 200


def test_token_in_query_is_ignored(trusting_server: Server) -> None:
    token = sign_token(read_signing_key(trusting_server))
    assert httpx.get(f"{trusting_server.url}{ASKED}&access_token={token}").status_code == 401


@pytest.mark.slow
def test_cached_token_is_rejected_after_expiry(trusting_server: Server) -> None:
    token = sign_token(read_signing_key(trusting_server), exp=int(time.time()) + 2)
    assert send_request(trusting_server, token).status_code == 200
    time.sleep(2.1)
    assert send_request(trusting_server, token).status_code == 401


def test_configured_issuer_is_trusted(trusting_server: Server, trusted_key: RSAKey) -> None:
    named = sign_token(trusted_key, iss="https://login.example.com", scp=None, scope="openid contact_data")
    assert send_request(trusting_server, named).status_code == 200
    assert send_request(trusting_server, sign_token(trusted_key)).status_code == 401
    # An issuer chooses its own subject and client claims, and its tokens may never expire.
    odd = sign_token(
        trusted_key, iss="https://login.example.com", jti="7", made_with=1, parent_tokens={"a": 1}, exp=1e300
    )
    assert send_request(trusting_server, odd).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("claim", ["parent_tokens", "made_with"])
def test_revoking_parent_token_revokes_its_child_under_both_claim_names(trusting_server: Server, claim: str) -> None:
    run_rapport("token", "create", "--name", claim, "--data", trusting_server.data)
    tokens = [
        row.split("\t") for row in run_rapport("token", "list", "--data", trusting_server.data).stdout.splitlines()
    ]
    parent_id = next(row[0] for row in tokens if row[1] == claim)
    child = sign_token(read_signing_key(trusting_server), **{claim: [parent_id]})
    assert send_request(trusting_server, child).status_code == 200
    run_rapport("token", "revoke", parent_id, "--data", trusting_server.data)
    wait_until(lambda: send_request(trusting_server, child).status_code == 401)


@pytest.mark.parametrize(
    ("scopes", "role", "status"),
    [
        ({Scope.CONTACT_DATA}, Role.OWNER, 200),
        ({Scope.CONTACT_DATA}, Role.MANAGER, 200),
        ({Scope.CONTACT_DATA}, Role.CAMPAIGN_CREATOR, 403),
        ({Scope.CAMPAIGN_DATA, Scope.ACCOUNT_READ, Scope.ACTIVITY_WRITE}, Role.OWNER, 403),
        (set(), Role.OWNER, 403),
    ],
)
def test_scope_and_privilege_are_both_required(
    trusting_server: Server, scopes: set[Scope], role: Role, status: int
) -> None:
    response = send_request(trusting_server, trusting_server.token("default", frozenset(scopes), role))
    assert response.status_code == status
    if status == 403:
        assert response.json()["error_key"] == "access_denied"


def test_missing_scope_is_reported_before_invalid_parameters(trusting_server: Server) -> None:
    token = trusting_server.token("default", frozenset({Scope.ACTIVITY_WRITE}))
    response = httpx.get(trusting_server.url + details_path("c1"), headers={"authorization": f"Bearer {token}"})
    assert response.status_code == 403


def test_jwks_verifies_tokens_and_has_no_private_part(trusting_server: Server) -> None:
    response = httpx.get(f"{trusting_server.url}/.well-known/jwks.json")
    assert response.headers["content-type"] == "application/jwk-set+json"
    assert all(key.keys() <= {"kty", "n", "e", "use", "alg", "kid"} for key in response.json()["keys"])
    published = KeySet.import_key_set(response.json())
    assert jwt.decode(trusting_server.token("default"), published, algorithms=["RS256"]).claims["account"] == "default"


def test_key_files_are_readable_by_owner_only(trusting_server: Server) -> None:
    folder = Path(trusting_server.data)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == {
        file.name: "0o600" for file in folder.iterdir()
    }


@pytest.mark.slow
def test_key_rotation_reaches_running_servers_and_keeps_old_tokens(location: str) -> None:
    with Server(location, workers=2) as server:
        with server.client("default") as client:
            client.record(make_line())
        old = server.token("default")
        kid = run_rapport("keys", "rotate", "--data", location).stdout.strip()
        new = run_rapport("token", "create", "--data", location).stdout.strip()
        assert json.loads(httpx.get(f"{server.url}/.well-known/jwks.json").content)["keys"]
        # Each request may reach the other worker.
        assert [send_request(server, token).status_code for token in (new, old) * 8] == [200] * 16
        assert run_rapport("keys", "list", "--data", location).stdout.split()[0] == kid

        run_rapport("keys", "rotate", "--drop-old", "--data", location)
        newest = run_rapport("token", "create", "--data", location).stdout.strip()
        assert [send_request(server, newest).status_code for _ in range(8)] == [200] * 8
        wait_until(lambda: [send_request(server, token).status_code for token in (old, new) * 8] == [401] * 16)


@pytest.mark.slow
def test_cursor_survives_key_rotation_and_restart(location: str) -> None:
    with Server(location) as server:
        with server.client("default") as client:
            client.record(*(make_line(time=1_767_225_600_000 + number) for number in range(3)))
            first = client.page("c1", tracking_activity_type="em_opens", limit=1).json()
            run_rapport("keys", "rotate", "--data", location)
        server.stop()
        server.start()
        with server.client("default") as client:
            assert client.get(first["_links"]["next"]["href"]).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["gone", "damaged"])
def test_unreadable_trusted_keys_stay_valid(location: str, trusted_key: RSAKey, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(KeySet([trusted_key]).as_dict(private=False)))
    trusted = {
        "RAPPORT_TRUSTED_ISSUER": "https://login.example.com",
        "RAPPORT_TRUSTED_KEYS": str(file),
        "RAPPORT_LOG": "json",
    }
    with Server(location, environment=trusted) as server:
        with server.client("default") as client:
            client.record(make_line())
        issuer = "https://login.example.com"
        valid = sign_token(trusted_key, iss=issuer)
        if damage == "gone":
            file.unlink()
        else:
            file.write_text('{"keys": [')
        for _ in range(3):
            for bad in ("no.such.token", sign_token(RSAKey.generate_key(2048, auto_kid=True), iss=issuer)):
                refused = send_request(server, bad)
                assert (refused.status_code, refused.json()["error_key"]) == (401, "unauthorized")
        assert send_request(server, valid).status_code == 200
        assert send_request(server, server.token("default")).status_code == 200
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        # The server's own keys are still watched.
        run_rapport("keys", "rotate", "--data", location)
        file.write_text(json.dumps(KeySet([trusted_key]).as_dict(private=False)))
        # A token with an unknown key id makes the server read the keys again.
        assert send_request(server, sign_token(RSAKey.generate_key(2048, auto_kid=True), iss=issuer)).status_code == 401
        server.stop()
        events = [
            json.loads(splitline) for splitline in server.log.read_text().splitlines() if splitline.startswith("{")
        ]
        warnings = [event for event in events if event["level"] == "warning"]
        assert len(warnings) == 1, warnings
        assert "RAPPORT_TRUSTED_KEYS" in warnings[0]["reason"]
        assert sum(event["event"] == "trusted keys can be read again" for event in events) == 1
        assert not any("Traceback" in splitline for splitline in server.log.read_text().splitlines())


@pytest.mark.parametrize("claim", ["cid", "sub"])
@pytest.mark.parametrize("odd", ["a\x00b", "a\ud800b"])
def test_token_with_unstorable_text_is_rejected(
    trusting_server: Server, trusted_key: RSAKey, claim: str, odd: str
) -> None:
    content = json.dumps(make_claims(iss="https://login.example.com", **{claim: odd})).encode()
    token = jws.serialize_compact({"alg": "RS256", "kid": trusted_key.kid}, content, trusted_key)
    assert send_request(trusting_server, token).status_code == 401
