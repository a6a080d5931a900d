"""The authorization code grant: consent, codes, PKCE, redirect URIs and what clients send to the token endpoint."""

import json
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from importlib.resources import files
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from rapport.auth.scope import Role, Scope
from tests.helpers.oauth import (
    BASE,
    CALLBACK,
    DECIDE,
    DEVICE,
    REVOKE,
    TOKEN,
    ask,
    code_of,
    create_app,
    decide,
    error_of,
    hidden_fields,
    post,
    redeem,
    refresh,
    status_with,
    tokens_of,
    without_secret,
)
from tests.helpers.server import Server
from tests.helpers.sql import fetch_all
from tests.helpers.web import open_browser_by_link

SUMMARIES = "/v3/reports/summary_reports/email_campaign_summaries"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def test_user_grants_access_to_application(server: Server, account: str) -> None:
    app = create_app(server, account)
    with httpx.Client(base_url=server.url) as stranger:
        to_sign_in = stranger.get(ask(app))
    assert (to_sign_in.status_code, to_sign_in.headers["location"].partition("?")[0]) == (303, "/sign-in")
    with open_browser_by_link(server, account) as browser:
        page = browser.get(ask(app))
        assert "Test client" in page.text
        assert account in page.text
        assert CALLBACK in page.text
        assert "form-action 'self' https://client.example.com" in page.headers["content-security-policy"]
        returned = decide(browser, ask(app))
    assert returned["state"] == "s/1?"
    assert returned["iss"] == server.url
    response = redeem(server, app, returned["code"])
    assert response.headers["cache-control"] == "no-store"
    tokens = tokens_of(response)
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 86_400)
    assert set(tokens["scope"].split()) == {"contact_data", "offline_access"}
    assert len(tokens["refresh_token"]) <= 50
    assert status_with(server, tokens["access_token"]) == 200
    assert status_with(server, tokens["access_token"], "/v3/emails") == 403


def test_access_token_has_claims_verified_by_clients(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        tokens = tokens_of(redeem(server, app, code_of(browser, app)))
    keys = KeySet.import_key_set(httpx.get(f"{server.url}{BASE}/keys").json())
    claims = jwt.decode(tokens["access_token"], keys, algorithms=["RS256"]).claims
    assert claims["aud"] == [f"{server.url}/v3", "rapport"]
    assert claims["cid"] == app.client_id
    assert claims["sub"] == "ada@example.com"
    assert claims["scp"] == ["contact_data", "offline_access"]
    assert claims["exp"] - claims["iat"] == 86_400


def test_user_denies_access(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        returned = decide(browser, ask(app), "deny")
    assert (returned["error"], returned["state"]) == ("access_denied", "s/1?")
    assert "code" not in returned


def test_forged_decision_is_rejected(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser, open_browser_by_link(server, account) as other:
        fields = {**hidden_fields(browser.get(ask(app))), "decision": "allow"}
        assert other.post(DECIDE, data=fields).status_code == 403
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert browser.post(DECIDE, data=fields, headers=elsewhere).status_code == 403
        assert browser.post(DECIDE, data={**fields, "decision": "perhaps"}).status_code == 400


def test_session_cannot_grant_more_than_its_role_and_scopes(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account, Role.CAMPAIGN_CREATOR, frozenset({Scope.CAMPAIGN_DATA})) as browser:
        requested = ask(app, scope="contact_data campaign_data")
        assert "<code>contact_data</code>, which you don" in browser.get(requested).text
        tokens = tokens_of(redeem(server, app, decide(browser, requested)["code"]))
        assert tokens["scope"] == "campaign_data"
        assert "refresh_token" not in tokens
        assert status_with(server, tokens["access_token"], SUMMARIES) == 403
        nothing = browser.get(ask(app, scope="contact_data"))
        assert 'value="allow"' not in nothing.text
        fields = {**hidden_fields(nothing), "decision": "allow"}
        assert browser.post(DECIDE, data=fields).status_code == 400


def test_application_of_other_account_is_rejected(server: Server, account: str) -> None:
    app = create_app(server, f"other-{account}")
    with open_browser_by_link(server, account) as browser:
        page = browser.get(ask(app))
        assert page.status_code == 403
        assert "code" not in httpx.URL(str(page.url)).params


@pytest.mark.parametrize(
    "uri",
    [
        "https://client.example.com/callback/",
        "https://client.example.com/callback?x=1",
        "https://client.example.com/",
        "http://client.example.com/callback",
        "https://client.example.com:444/callback",
        "https://client.example.com.evil.example/callback",
        "https://evil.example/callback",
        "//client.example.com/callback",
        "javascript:alert(1)",
    ],
)
def test_unregistered_redirect_uri_is_not_followed(server: Server, account: str, uri: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        page = browser.get(ask(app, redirect_uri=uri))
        assert page.status_code == 400
        assert "Authorization failed" in page.text
        fields = {**hidden_fields(browser.get(ask(app))), "decision": "allow"}
        forged = {**fields, "request": fields["request"].replace("client.example.com", "evil.example")}
        assert browser.post(DECIDE, data=forged).status_code == 400


@pytest.mark.parametrize(
    ("asked", "is_good"),
    [
        ("http://127.0.0.1:49152/cb", True),
        ("http://127.0.0.1/cb", True),
        ("http://127.0.0.1:49152/other", False),
        ("http://localhost:49152/cb", False),
        ("http://127.0.0.1.evil.example:49152/cb", False),
        ("http://127.0.0.1:49152@evil.example/cb", False),
    ],
)
def test_loopback_redirect_uri_allows_any_port(server: Server, account: str, asked: str, *, is_good: bool) -> None:
    app = create_app(server, account, redirect_uris=("http://127.0.0.1/cb",))
    with open_browser_by_link(server, account) as browser:
        assert browser.get(ask(app, redirect_uri=asked)).status_code == (200 if is_good else 400)
        if is_good:
            code = code_of(browser, app, redirect_uri=asked)
            assert redeem(server, app, code, redirect_uri=asked).status_code == 200


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unauthorized_client"),
        ({"response_type": "none"}, "unauthorized_client"),
        ({"response_type": None}, "invalid_request"),
        ({"scope": "contact_data openid"}, "invalid_scope"),
        ({"scope": "activity_write"}, "invalid_scope"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
    ],
)
def test_other_errors_are_returned_to_application(
    server: Server, account: str, params: dict[str, str | None], error: str
) -> None:
    app = create_app(server, account)
    with httpx.Client(base_url=server.url) as stranger:
        # Nobody is redirected elsewhere before they have signed in.
        assert stranger.get(ask(app, **params)).headers["location"].startswith("/sign-in")
    with open_browser_by_link(server, account) as browser:
        answer = browser.get(ask(app, **params))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(CALLBACK)
    returned = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert (returned["error"], returned.get("state"), returned["iss"]) == (error, "s/1?", server.url)


def test_duplicate_parameter_is_rejected(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        page = browser.get(ask(app) + "&redirect_uri=https%3A%2F%2Fevil.example")
        assert page.status_code == 400
        assert "Duplicate redirect_uri" in page.text


@pytest.mark.parametrize(
    "scope",
    [
        "contact_data%20offline_access",
        "contact_data+offline_access",
        "contact_data%2Boffline_access",
        "contact_data,offline_access",
    ],
)
def test_scopes_accept_every_separator(server: Server, account: str, scope: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        path = ask(app, scope=None) + f"&scope={scope}"
        tokens = tokens_of(redeem(server, app, decide(browser, path)["code"]))
    assert set(tokens["scope"].split()) == {"contact_data", "offline_access"}


def test_missing_scope_requests_all_scopes_of_application(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        tokens = tokens_of(redeem(server, app, code_of(browser, app, scope=None)))
    assert set(tokens["scope"].split()) == {"account_read", "campaign_data", "contact_data", "offline_access"}


def test_reused_code_revokes_its_tokens(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        code = code_of(browser, app)
    tokens = tokens_of(redeem(server, app, code))
    assert status_with(server, tokens["access_token"]) == 200
    assert error_of(redeem(server, app, code)) == (400, "invalid_grant")
    assert status_with(server, tokens["access_token"]) == 401
    assert error_of(refresh(server, app, tokens["refresh_token"])) == (400, "invalid_grant")


def test_code_is_bound_to_application_and_redirect_uri(server: Server, account: str) -> None:
    app, other = create_app(server, account), create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        code = code_of(browser, app)
    assert error_of(redeem(server, other, code)) == (400, "invalid_grant")
    assert error_of(redeem(server, app, code, redirect_uri="https://evil.example")) == (400, "invalid_grant")
    assert error_of(redeem(server, without_secret(app), code)) == (401, "invalid_client")
    assert redeem(server, app, code).status_code == 200


def test_public_application_requires_pkce(server: Server, account: str) -> None:
    app = create_app(server, account, is_public=True)
    with open_browser_by_link(server, account) as browser:
        answer = browser.get(ask(app))
        assert "error=invalid_request" in answer.headers["location"]
        code = code_of(browser, app, **PKCE)
        assert error_of(redeem(server, app, code)) == (400, "invalid_request")
        assert error_of(redeem(server, app, code, code_verifier="w" * 43)) == (400, "invalid_grant")
        tokens = tokens_of(redeem(server, app, code, code_verifier=VERIFIER))
    assert refresh(server, app, tokens["refresh_token"]).status_code == 200


def test_verifier_without_challenge_is_rejected(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        code = code_of(browser, app)
    assert error_of(redeem(server, app, code, code_verifier=VERIFIER)) == (400, "invalid_grant")


def test_token_endpoint_accepts_requests_of_clients(server: Server, account: str) -> None:
    app = create_app(server, account)
    url = server.url + TOKEN
    with open_browser_by_link(server, account) as browser:
        codes = [code_of(browser, app) for _ in range(5)]
    form = "application/x-www-form-urlencoded"
    basic = {"authorization": "Basic " + b64encode(":".join(app.basic).encode()).decode()}
    query = f"grant_type=authorization_code&redirect_uri={CALLBACK}&code="
    answers = [
        # Everything in the query and an empty body.
        httpx.post(f"{url}?{query}{codes[0]}", headers=basic),
        # JSON that is labeled as a form, in addition to the query.
        httpx.post(
            f"{url}?{query}{codes[1]}",
            headers={**basic, "content-type": form},
            content=json.dumps({"client_id": app.client_id, "client_secret": app.secret, "code": codes[1]}),
        ),
        # Credentials in the body.
        httpx.post(
            url,
            data={
                "grant_type": "authorization_code",
                "redirect_uri": CALLBACK,
                "code": codes[2],
                "client_id": app.client_id,
                "client_secret": app.secret,
            },
        ),
        # Both, and empty parameters, which are as if they were missing.
        httpx.post(
            url,
            headers=basic,
            data={
                "grant_type": "authorization_code",
                "redirect_uri": CALLBACK,
                "code": codes[3],
                "scope": "",
                "client_id": app.client_id,
                "client_secret": app.secret,
                "code_verifier": "",
            },
        ),
        # A slash at the end.
        httpx.post(f"{url}/", headers=basic, data=dict(parse_qsl(query + codes[4]))),
    ]
    assert [answer.status_code for answer in answers] == [200] * 5, [answer.text for answer in answers]
    refresh_token = answers[0].json()["refresh_token"]
    refreshed = httpx.post(f"{url}?grant_type=refresh_token&refresh_token={refresh_token}", headers=basic)
    assert refreshed.json().keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}


@pytest.mark.parametrize(
    ("query", "content", "authorization", "expected"),
    [
        ("", "", None, (401, "invalid_client")),
        ("", "grant_type=authorization_code&client_id=nobody&code=x", None, (401, "invalid_client")),
        ("", "grant_type=password&client_id=nobody", None, (400, "unsupported_grant_type")),
        ("", "{not json", None, (400, "invalid_request")),
        ("", '{"code": [1]}', None, (400, "invalid_request")),
        ("client_secret=x", "grant_type=authorization_code", None, (400, "invalid_request")),
        ("code=1", "code=2", None, (400, "invalid_request")),
        ("", "grant_type=refresh_token", "Basic %%%", (401, "invalid_client")),
        ("", "client_id=a", "Basic Yjpj", (401, "invalid_client")),
        ("", "&".join(f"p{n}=1" for n in range(60)), None, (400, "invalid_request")),
        ("", "x=" + "y" * 70_000, None, (400, "invalid_request")),
        ("", "code=%00&grant_type=authorization_code", None, (400, "invalid_request")),
    ],
)
def test_errors_have_oauth_format(
    server: Server, query: str, content: str, authorization: str | None, expected: tuple[int, str]
) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if authorization is not None:
        headers["authorization"] = authorization
    answer = httpx.post(f"{server.url}{TOKEN}?{query}", content=content, headers=headers)
    if content == "":
        assert answer.status_code in {400, 401}
        return
    assert error_of(answer) == expected


def test_client_credentials_are_disabled_by_default(server: Server, account: str) -> None:
    usual = create_app(server, account)
    assert error_of(post(server, TOKEN, {"grant_type": "client_credentials"}, usual)) == (400, "unauthorized_client")
    app = create_app(server, account, credentials_role=Role.MANAGER)
    tokens = tokens_of(post(server, TOKEN, {"grant_type": "client_credentials", "scope": "contact_data"}, app))
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert status_with(server, tokens["access_token"]) == 200
    assert status_with(server, tokens["access_token"], "/v3/emails") == 403
    wrong = without_secret(app)
    assert error_of(post(server, TOKEN, {"grant_type": "client_credentials"}, wrong)) == (401, "invalid_client")
    too_much = {"grant_type": "client_credentials", "scope": "activity_write"}
    assert error_of(post(server, TOKEN, too_much, app)) == (400, "invalid_scope")


def test_revocation_ends_grant_or_single_access_token(server: Server, account: str) -> None:
    app, other = create_app(server, account), create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        first = tokens_of(redeem(server, app, code_of(browser, app)))
        second = tokens_of(refresh(server, app, first["refresh_token"]))
    assert error_of(post(server, REVOKE, {"token": second["refresh_token"]}, without_secret(app)))[0] == 401
    for token in (second["refresh_token"], second["access_token"]):
        # Another application's tokens are left alone, and nobody learns that they exist.
        assert post(server, REVOKE, {"token": token}, other).status_code == 200
    assert status_with(server, second["access_token"]) == 200
    assert post(server, REVOKE, {"token": second["access_token"]}, app).status_code == 200
    assert status_with(server, second["access_token"]) == 401
    assert status_with(server, first["access_token"]) == 200
    revoked = post(server, REVOKE, {"token": second["refresh_token"], "token_type_hint": "refresh_token"}, app)
    assert (revoked.status_code, revoked.content) == (200, b"")
    assert status_with(server, first["access_token"]) == 401
    assert error_of(refresh(server, app, second["refresh_token"])) == (400, "invalid_grant")
    assert post(server, REVOKE, {"token": "unknown"}, app).status_code == 200


def test_access_token_does_not_sign_in(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        tokens = tokens_of(redeem(server, app, code_of(browser, app)))
    with httpx.Client(base_url=server.url) as client:
        assert client.post("/sign-in", data={"token": tokens["access_token"]}).status_code == 401


def test_grant_ends_with_token_of_its_session(server: Server, account: str) -> None:
    app = create_app(server, account)
    token = server.token(account, frozenset(Scope))
    with httpx.Client(base_url=server.url) as browser:
        assert browser.post("/sign-in", data={"token": token}).status_code == 303
        tokens = tokens_of(redeem(server, app, code_of(browser, app)))
    assert 3_500 < tokens["expires_in"] <= 3_600


def test_metadata_lists_endpoints(server: Server) -> None:
    metadata = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == server.url
    assert metadata["token_endpoint"] == server.url + TOKEN
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["response_types_supported"] == ["code"]
    assert "password" not in metadata["grant_types_supported"]
    for name, address in metadata.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert httpx.post(address).status_code != 404


def test_consent_page_leaks_nothing(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        page = browser.get(ask(app))
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"


def test_pages_post_no_messages() -> None:
    folder = files("rapport") / "web"
    sources = [file for name in ("static", "templates") for file in (folder / name).iterdir() if file.is_file()]
    assert len(sources) > 20
    assert [file.name for file in sources if "postMessage" in file.read_text()] == []


def test_secrets_and_tokens_are_stored_hashed(server: Server, account: str) -> None:
    app = create_app(server, account)
    with open_browser_by_link(server, account) as browser:
        code = code_of(browser, app)
        unused = code_of(browser, app)
    tokens = tokens_of(redeem(server, app, code))
    refreshed = tokens_of(refresh(server, app, tokens["refresh_token"]))
    device = post(server, DEVICE, {}, app).json()
    stored = repr(
        [
            fetch_all(server.data, f"SELECT * FROM {table}")  # noqa: S608
            for table in ("application", "application_grant", "authorization_code", "device_authorization")
        ]
    )
    assert app.client_id in stored
    secrets = [code, unused, tokens["refresh_token"], refreshed["refresh_token"], app.secret]
    for secret in (*secrets, device["device_code"], device["user_code"]):
        assert secret not in stored
        assert secret not in server.log.read_text()
