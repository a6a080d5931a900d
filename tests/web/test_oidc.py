"""Signing in through an OpenID Connect provider: who gets in, and who doesn't."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from rapport.auth.scope import Role
from rapport.web.sessions import COOKIE
from tests.helpers.oidc import CLIENT_ID, CLIENT_SECRET, Provider, run_provider
from tests.helpers.people import PASSWORD, add_user, get_user_ids, invite, open_browser_of_user, sign_in, submit
from tests.helpers.postgres import Databases
from tests.helpers.server import Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running_provider() -> Iterator[Provider]:
    with run_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def server(
    running_provider: Provider, databases: Databases | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    environment = running_provider.environment
    if databases is None:
        with Server(str(tmp_path_factory.mktemp("oidc") / "data"), environment=environment) as server:
            running_provider.redirect_uris[:] = [f"{server.url}/sign-in/oidc/callback"]
            yield server
        return
    with databases.migrated_schema() as url, Server(url, environment=environment) as server:
        running_provider.redirect_uris[:] = [f"{server.url}/sign-in/oidc/callback"]
        yield server


@pytest.fixture
def provider(running_provider: Provider) -> Iterator[Provider]:
    """The provider, as honest as before the test."""
    keys = running_provider.signing_key, list(running_provider.published_keys)
    yield running_provider
    running_provider.id_token_claims, running_provider.in_userinfo_only = {}, set()
    running_provider.tamper = lambda token: token
    running_provider.signing_key, running_provider.published_keys[:] = keys


@pytest.fixture
def ada(account: str) -> str:
    return f"ada@{account}.example.com"


@pytest.fixture
def browser(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as browser:
        yield browser


def claims_of(address: str, **changes: object) -> dict[str, Any]:
    return {"sub": f"sub-{address}", "email": address, "email_verified": True, **changes}


def go_to_provider(browser: httpx.Client, **params: str) -> str:
    """Start to sign in, and return the address that the provider sends the browser back to."""
    start = browser.get("/sign-in/oidc", params=params)
    assert start.status_code == 303, start.text
    back = httpx.get(start.headers["location"])
    assert back.status_code == 302, back.text
    return str(back.headers["location"])


def log_in(browser: httpx.Client, **params: str) -> httpx.Response:
    return browser.get(go_to_provider(browser, **params))


def test_invited_user_joins_through_the_provider(
    server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client
) -> None:
    link = invite(server, account, ada, Role.MANAGER)
    assert "Sign in with Example Login" in browser.get("/sign-in").text
    assert "Sign in with Example Login" in browser.get(link).text
    provider.claims = claims_of(ada.upper())
    response = log_in(browser, next="/account?days=7")
    assert (response.status_code, response.headers["location"]) == (303, "/account?days=7")
    profile = browser.get("/profile").text
    assert f"{ada}, manager of the account {account}" in profile
    assert "You sign in without a password" in profile
    authorize, token = provider.requests[-2:]
    assert authorize["code_challenge_method"] == "S256"
    assert len(authorize["state"]) >= 32
    assert len(authorize["nonce"]) >= 32
    assert "code_verifier" in token
    assert "client_secret" not in token
    # The invitation is used up.
    assert browser.get(link).status_code == 404
    # From now on the subject counts, whatever the address is.
    provider.claims = claims_of(ada.upper(), email="elsewhere@example.com")
    assert log_in(browser).status_code == 303


def test_user_signs_in_with_password_or_provider_until_removed(
    server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client
) -> None:
    with open_browser_of_user(server, account, f"boss.{ada}") as owner:
        add_user(server, account, ada)
        provider.claims = claims_of(ada)
        assert log_in(browser).status_code == 303
        assert "Provider" in browser.get("/profile").text
        assert sign_in(browser, ada, PASSWORD).status_code == 303
        assert submit(owner, "/people", f"/people/{get_user_ids(owner)[ada]}/remove").status_code == 303
        assert browser.get("/profile").status_code == 303
        assert log_in(browser).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"email_verified": False},
        {"email_verified": "false"},
        {"email_verified": 1},
        {"email_verified": None},
        {"email": "stranger@example.com"},
        {"email": ""},
        {"email": "not an address"},
        {"email": 5},
        {"sub": ""},
        {"sub": "x" * 300},
        {"sub": "a\u0000b"},
    ],
)
def test_unverified_or_unknown_identity_is_rejected(
    *, server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client, changes: dict[str, Any]
) -> None:
    add_user(server, account, ada)
    provider.claims = claims_of(ada, **changes)
    response = log_in(browser)
    assert response.status_code == 401
    assert COOKIE not in browser.cookies


def test_address_of_a_user_with_another_identity_is_rejected(
    server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client
) -> None:
    """The provider may have given the address to somebody else since."""
    add_user(server, account, ada)
    provider.claims = claims_of(ada)
    assert log_in(browser).status_code == 303
    provider.claims = claims_of(ada, sub="somebody else")
    with httpx.Client(base_url=server.url) as other:
        assert log_in(other).status_code == 401


def test_address_comes_from_userinfo_if_the_token_has_none(
    server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client
) -> None:
    add_user(server, account, ada)
    provider.claims = claims_of(ada)
    provider.in_userinfo_only = {"email", "email_verified"}
    provider.id_token_claims = {"sub": "somebody else"}
    assert log_in(browser).status_code == 401
    provider.id_token_claims = {}
    assert log_in(browser).status_code == 303


def resign(token: str, header: dict[str, Any], key: OctKey | RSAKey) -> str:
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return jwt.encode(header, claims, key, [header["alg"]])


def without_signature(token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


@pytest.mark.parametrize("attack", ["none", "hs256", "other key", "changed", "missing"])
def test_forged_id_token_is_rejected(
    *, server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client, attack: str
) -> None:
    add_user(server, account, ada)
    provider.claims = claims_of(ada)
    public = provider.signing_key.as_pem(private=False)
    other = Provider.new_key()
    provider.tamper = {
        "none": without_signature,
        "hs256": lambda token: resign(token, {"alg": "HS256"}, OctKey.import_key(base64.urlsafe_b64encode(public))),
        "other key": lambda token: resign(token, {"alg": "RS256", "kid": provider.signing_key.kid}, other),
        "changed": lambda token: token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"),
        "missing": lambda _token: "",
    }[attack]
    assert log_in(browser).status_code == 401
    provider.tamper = lambda token: token
    assert log_in(browser).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": ["another client"]},
        {"aud": [CLIENT_ID, "another client"]},
        {"azp": "another client"},
        {"exp": int(time.time()) - 3_600},
        {"iat": int(time.time()) + 3_600},
        {"nonce": "of another attempt"},
        {"nonce": None},
    ],
)
def test_id_token_for_somebody_else_is_rejected(
    *, server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client, claims: dict[str, Any]
) -> None:
    add_user(server, account, ada)
    provider.claims = claims_of(ada)
    provider.id_token_claims = claims
    assert log_in(browser).status_code == 401
    assert COOKIE not in browser.cookies


def test_attempt_belongs_to_its_browser_and_is_used_once(
    server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client
) -> None:
    """Nobody is signed in to an attacker's account by a link (login CSRF), and a code isn't redeemed twice."""
    add_user(server, account, ada)
    provider.claims = claims_of(ada)
    back = go_to_provider(browser)
    with httpx.Client(base_url=server.url) as victim:
        assert victim.get(back).status_code == 401
        victims_own = go_to_provider(victim)
        state = parse_qs(urlsplit(victims_own).query)["state"][0]
        mixed = str(httpx.URL(back).copy_set_param("state", state))
        assert victim.get(back).status_code == 401
        assert COOKIE not in victim.cookies
        # The attempt is over, even with the right state.
        assert victim.get(mixed).status_code == 401
    assert browser.get(back + "x").status_code == 401
    cookie = dict(browser.cookies)
    back = go_to_provider(browser)
    cookie = dict(browser.cookies)
    assert browser.get(back).status_code == 303
    assert httpx.get(back, cookies=cookie).status_code == 401


@pytest.mark.parametrize(
    "query", ["", "code=x", "state=x", "code=x&state=x", "error=access_denied", "code=%00&state=%ff"]
)
def test_malformed_callback_is_rejected(server: Server, browser: httpx.Client, query: str) -> None:
    for cookie in ("", "x", "x" * 10_000):
        response = browser.get(f"/sign-in/oidc/callback?{query}", headers={"cookie": f"rapport_oidc={cookie}"})
        assert response.status_code == 401


def test_denied_sign_in_is_reported(
    server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client
) -> None:
    provider.claims = {"error": "access_denied"}
    response = log_in(browser)
    assert response.status_code == 401
    assert "Sign-in failed" in response.text


def test_rotated_key_is_read_again(
    server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client
) -> None:
    add_user(server, account, ada)
    provider.claims = claims_of(ada)
    assert log_in(browser).status_code == 303
    provider.signing_key = Provider.new_key()
    provider.published_keys[:] = [provider.signing_key]
    # At most every 30 seconds, so that forged tokens don't cause requests to the provider.
    assert log_in(browser).status_code == 401


def test_user_of_two_accounts_chooses_one(
    server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client
) -> None:
    add_user(server, account, ada)
    add_user(server, f"{account}-2", ada)
    provider.claims = claims_of(ada)
    choice = log_in(browser)
    assert "Choose an account" in choice.text
    assert f'href="/sign-in/oidc?account={account}-2"' in choice.text
    assert log_in(browser, account=f"{account}-2").status_code == 303
    assert f"account {account}-2<" in browser.get("/profile").text
    assert log_in(browser, account="of somebody else").status_code == 401


def test_secret_and_tokens_are_not_logged(
    server: Server, provider: Provider, account: str, ada: str, browser: httpx.Client
) -> None:
    add_user(server, account, ada)
    provider.claims = claims_of(ada)
    assert log_in(browser).status_code == 303
    log = server.log.read_text()
    assert CLIENT_SECRET not in log
    assert ada not in log
    assert "eyJ" not in log


def test_without_a_provider_there_is_no_such_page(tmp_path: Path) -> None:
    with Server(str(tmp_path / "data")) as server:
        assert "Sign in with" not in httpx.get(f"{server.url}/sign-in").text.replace("Sign in with token", "")
        assert httpx.get(f"{server.url}/sign-in/oidc/callback?code=x&state=x").status_code == 404
        assert "rapport_oidc" not in httpx.get(f"{server.url}/sign-in/oidc").cookies


def test_provider_that_is_down_is_a_503(tmp_path: Path) -> None:
    with run_provider() as gone:
        environment = gone.environment
    with Server(str(tmp_path / "data"), environment=environment) as server:
        response = httpx.get(f"{server.url}/sign-in/oidc")
        assert response.status_code == 503
        assert "sign in another way" in response.text
