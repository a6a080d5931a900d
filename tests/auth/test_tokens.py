"""Who is let in: good tokens only, and all others are told the same."""

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
from tests.cli.command import rapport
from tests.world import Server, details, line

ASKED = f"{details('c1')}?tracking_activity_type=em_opens"


@pytest.fixture(scope="module")
def elsewhere() -> RSAKey:
    """The key of an issuer that the operator has named."""
    return RSAKey.generate_key(2048, {"alg": "RS256"}, auto_kid=True)


@pytest.fixture(scope="module")
def guarded(engine: str, elsewhere: RSAKey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that also trusts another issuer, and that has a contact."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "jwks.json").write_text(json.dumps(KeySet([elsewhere]).as_dict(private=False)))
    trusted = {"RAPPORT_TRUSTED_ISSUER": "https://login.example.com", "RAPPORT_TRUSTED_KEYS": str(folder / "jwks.json")}
    with Server(str(folder / "data"), environment=trusted) as server:
        with server.caller("default") as caller:
            caller.record(line())
        yield server


def ask(server: Server, token: str | None) -> httpx.Response:
    return httpx.get(server.url + ASKED, headers={} if token is None else {"authorization": f"Bearer {token}"})


def claims(**changes: object) -> dict[str, Any]:
    now = int(time.time())
    good = {
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
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signing_key(server: Server) -> RSAKey:
    (stored,) = Path(server.data).glob("signing-keys*")
    return RSAKey.import_key(json.loads(stored.read_bytes())["signing"][0]["jwk"])


def signed(key: RSAKey | OKPKey, header: dict[str, Any] | None = None, **changes: object) -> str:
    return jwt.encode(
        {"alg": "RS256", "kid": key.kid, **(header or {})}, claims(**changes), key, algorithms=["RS256", "Ed25519"]
    )


def signed_with_a_secret(secret: bytes, kid: str) -> str:
    """A token by hand: the library won't take a public key for a secret."""

    def part(content: bytes) -> bytes:
        return urlsafe_b64encode(content).rstrip(b"=")

    head = part(json.dumps({"alg": "HS256", "kid": kid}).encode()) + b"." + part(json.dumps(claims()).encode())
    return (head + b"." + part(hmac.digest(secret, head, "sha256"))).decode()


def test_token_signed_with_server_key_is_valid(guarded: Server) -> None:
    assert ask(guarded, signed(signing_key(guarded))).status_code == 200


def test_invalid_tokens_get_same_401(guarded: Server) -> None:
    key = signing_key(guarded)
    stranger = RSAKey.generate_key(2048, {"alg": "RS256", "kid": key.kid})
    good = signed(key)
    head, payload, signature = good.split(".")
    now = int(time.time())
    bad = {
        "none at all": None,
        "no token": "x",
        "wrong signature": f"{head}.{payload}.{signature[:-8]}AAAAAAAA",
        "changed payload": f"{head}.{payload[:-4]}AAAA.{signature}",
        "no algorithm": "eyJhbGciOiJub25lIn0." + payload + ".",
        "a public key as a shared secret": signed_with_a_secret(key.as_pem(private=False), str(key.kid)),
        "a stranger's key under our id": signed(stranger),
        "an unknown key": signed(RSAKey.generate_key(2048, auto_kid=True)),
        "another kind of key": signed(OKPKey.generate_key("Ed25519", auto_kid=True), {"alg": "Ed25519"}),
        "wrong audience": signed(key, aud="https://api.example.com"),
        "no audience": signed(key, aud=None),
        "wrong issuer": signed(key, iss="https://login.example.com"),
        "no issuer": signed(key, iss=None),
        "expired": signed(key, exp=now - 1),
        "without an end": signed(key, exp=None),
        "an end that is no number": signed(key, exp="tomorrow"),
        "an end that is no time": signed(key, exp=float("nan")),
        "not good yet": signed(key, nbf=now + 300),
        "made in the future": signed(key, iat=now + 300),
        "no account": signed(key, account=None),
        "an account that is no id": signed(key, account="a b"),
        "an unknown role": signed(key, role="emperor"),
        "too long": good + "A" * 9_000,
    }
    responses = {why: ask(guarded, token) for why, token in bad.items()}
    assert {why: response.status_code for why, response in responses.items()} == dict.fromkeys(bad, 401)
    assert {response.content for response in responses.values()} == {
        b'{"error_key":"unauthorized","error_message":"Unauthorized"}'
    }
    assert {response.headers["www-authenticate"] for response in responses.values()} == {"Bearer"}


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic {}", "{}", "Bearer {} {}"])
def test_other_authorization_schemes_return_401(guarded: Server, authorization: str) -> None:
    token = signed(signing_key(guarded))
    response = httpx.get(guarded.url + ASKED, headers={"authorization": authorization.replace("{}", token)})
    assert response.status_code == 401


def test_bearer_scheme_is_case_insensitive(guarded: Server) -> None:
    token = signed(signing_key(guarded))
    assert httpx.get(guarded.url + ASKED, headers={"authorization": f"bearer {token}"}).status_code == 200


def test_token_in_query_is_ignored(guarded: Server) -> None:
    token = signed(signing_key(guarded))
    assert httpx.get(f"{guarded.url}{ASKED}&access_token={token}").status_code == 401


def test_cached_token_is_rejected_after_expiry(guarded: Server) -> None:
    token = signed(signing_key(guarded), exp=int(time.time()) + 2)
    assert ask(guarded, token).status_code == 200
    time.sleep(2.1)
    assert ask(guarded, token).status_code == 401


def test_configured_issuer_is_trusted(guarded: Server, elsewhere: RSAKey) -> None:
    named = signed(elsewhere, iss="https://login.example.com", scp=None, scope="openid contact_data")
    assert ask(guarded, named).status_code == 200
    assert ask(guarded, signed(elsewhere)).status_code == 401
    # What it says where ours name others is its own affair, and its tokens may be good for ever.
    odd = signed(elsewhere, iss="https://login.example.com", jti="7", made_with={"a": 1}, exp=1e300)
    assert ask(guarded, odd).status_code == 200


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
def test_scope_and_privilege_are_both_required(guarded: Server, scopes: set[Scope], role: Role, status: int) -> None:
    response = ask(guarded, guarded.token("default", frozenset(scopes), role))
    assert response.status_code == status
    if status == 403:
        assert response.json()["error_key"] == "access_denied"


def test_missing_scope_is_reported_before_invalid_parameters(guarded: Server) -> None:
    token = guarded.token("default", frozenset({Scope.ACTIVITY_WRITE}))
    response = httpx.get(guarded.url + details("c1"), headers={"authorization": f"Bearer {token}"})
    assert response.status_code == 403


def test_jwks_verifies_tokens_and_has_no_private_part(guarded: Server) -> None:
    response = httpx.get(f"{guarded.url}/.well-known/jwks.json")
    assert response.headers["content-type"] == "application/jwk-set+json"
    assert all(key.keys() <= {"kty", "n", "e", "use", "alg", "kid"} for key in response.json()["keys"])
    published = KeySet.import_key_set(response.json())
    assert jwt.decode(guarded.token("default"), published, algorithms=["RS256"]).claims["account"] == "default"


def test_key_files_are_readable_by_owner_only(guarded: Server) -> None:
    folder = Path(guarded.data)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == {
        file.name: "0o600" for file in folder.iterdir()
    }


def test_key_rotation_reaches_running_servers_and_keeps_old_tokens(engine: str, data: str) -> None:
    with Server(data, workers=2) as server:
        with server.caller("default") as caller:
            caller.record(line())
        old = server.token("default")
        kid = rapport("keys", "rotate", "--data", data).stdout.strip()
        new = rapport("token", "--data", data).stdout.strip()
        assert json.loads(httpx.get(f"{server.url}/.well-known/jwks.json").content)["keys"]
        # Each request may meet the other worker.
        assert [ask(server, token).status_code for token in (new, old) * 8] == [200] * 16
        assert rapport("keys", "list", "--data", data).stdout.split()[0] == kid

        rapport("keys", "rotate", "--drop-old", "--data", data)
        newest = rapport("token", "--data", data).stdout.strip()
        assert [ask(server, newest).status_code for _ in range(8)] == [200] * 8
        time.sleep(2.5)
        assert [ask(server, token).status_code for token in (old, new) * 8] == [401] * 16


def test_cursor_survives_key_rotation_and_restart(engine: str, data: str) -> None:
    with Server(data) as server:
        with server.caller("default") as caller:
            caller.record(*(line(time=1_767_225_600_000 + number) for number in range(3)))
            first = caller.page("c1", tracking_activity_type="em_opens", limit=1).json()
            rapport("keys", "rotate", "--data", data)
        server.stop()
        server.start()
        with server.caller("default") as caller:
            assert caller.get(first["_links"]["next"]["href"]).status_code == 200


@pytest.mark.parametrize("damage", ["gone", "damaged"])
def test_unreadable_trusted_keys_stay_valid(data: str, elsewhere: RSAKey, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(KeySet([elsewhere]).as_dict(private=False)))
    trusted = {
        "RAPPORT_TRUSTED_ISSUER": "https://login.example.com",
        "RAPPORT_TRUSTED_KEYS": str(file),
        "RAPPORT_LOG": "json",
    }
    with Server(data, environment=trusted) as server:
        with server.caller("default") as caller:
            caller.record(line())
        issuer = "https://login.example.com"
        good = signed(elsewhere, iss=issuer)
        if damage == "gone":
            file.unlink()
        else:
            file.write_text('{"keys": [')
        for _ in range(3):
            for bad in ("no.such.token", signed(RSAKey.generate_key(2048, auto_kid=True), iss=issuer)):
                refused = ask(server, bad)
                assert (refused.status_code, refused.json()["error_key"]) == (401, "unauthorized")
        assert ask(server, good).status_code == 200
        assert ask(server, server.token("default")).status_code == 200
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        # Our own keys are looked after as before.
        rapport("keys", "rotate", "--data", data)
        file.write_text(json.dumps(KeySet([elsewhere]).as_dict(private=False)))
        # A token that names an unknown key has the keys read again.
        assert ask(server, signed(RSAKey.generate_key(2048, auto_kid=True), iss=issuer)).status_code == 401
        server.stop()
        events = [json.loads(each) for each in server.log.read_text().splitlines() if each.startswith("{")]
        warnings = [each for each in events if each["level"] == "warning"]
        assert len(warnings) == 1, warnings
        assert "RAPPORT_TRUSTED_KEYS" in warnings[0]["reason"]
        assert sum(each["event"] == "trusted keys can be read again" for each in events) == 1
        assert not any("Traceback" in each for each in server.log.read_text().splitlines())


@pytest.mark.parametrize("claim", ["cid", "sub"])
@pytest.mark.parametrize("odd", ["a\x00b", "a\ud800b"])
def test_token_with_unstorable_text_is_rejected(guarded: Server, elsewhere: RSAKey, claim: str, odd: str) -> None:
    content = json.dumps(claims(iss="https://login.example.com", **{claim: odd})).encode()
    token = jws.serialize_compact({"alg": "RS256", "kid": elsewhere.kid}, content, elsewhere)
    assert ask(guarded, token).status_code == 401
