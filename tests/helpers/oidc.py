"""A small OpenID Connect provider, built with authlib and Flask, that signs in the configured user."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

from tests.helpers.network import find_free_port

CLIENT_ID, CLIENT_SECRET = "rapport", "s3cret+/ü"


class _Client(ClientMixin):
    def __init__(self, redirect_uris: list[str]) -> None:
        self._redirect_uris = redirect_uris

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return self._redirect_uris[0]

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self._redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class _Code(AuthorizationCodeMixin):
    def __init__(self, code: str, request: Any) -> None:
        data = request.payload.data
        self.code = code
        self.redirect_uri = data.get("redirect_uri")
        self.scope = data.get("scope")
        self.nonce = data.get("nonce")
        self.code_challenge = data.get("code_challenge")
        self.code_challenge_method = data.get("code_challenge_method")
        self.user = request.user
        self.auth_time = int(time.time())

    def get_redirect_uri(self) -> str:
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        return str(self.scope)

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Provider:
    """A running provider. `claims` are those of the next user to sign in."""

    def __init__(self) -> None:
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.issuer = self.url
        self.redirect_uris: list[str] = []
        self.claims: dict[str, Any] = {}
        self.id_token_claims: dict[str, Any] = {}
        """Claims of the ID token that replace the right ones, as an attacker might."""
        self.in_userinfo_only: set[str] = set()
        self.tamper: Callable[[str], str] = lambda token: token
        self.requests: list[dict[str, str]] = []
        self.signing_key = self.new_key()
        self.published_keys = [self.signing_key]
        self.codes: dict[str, _Code] = {}

    @staticmethod
    def new_key() -> RSAKey:
        return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a server that uses this provider."""
        return {
            "RAPPORT_OIDC_ISSUER": self.issuer,
            "RAPPORT_OIDC_CLIENT_ID": CLIENT_ID,
            "RAPPORT_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "RAPPORT_OIDC_NAME": "Example Login",
        }


def _make_grants(provider: Provider) -> tuple[type[Any], type[Any]]:
    class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]  # noqa: RUF012 - authlib's

        def save_authorization_code(self, code: str, request: Any) -> None:
            provider.codes[code] = _Code(code, request)

        def query_authorization_code(self, code: str, client: Any) -> _Code | None:
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code: _Code) -> None:
            del provider.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: _Code) -> Any:
            return authorization_code.user

    class Code(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return False

        def resolve_client_private_key(self, client: Any) -> RSAKey:
            return provider.signing_key

        def get_client_algorithm(self, client: Any) -> str:
            return "RS256"

        def get_client_claims(self, client: Any) -> dict[str, Any]:
            return {"iss": provider.issuer, "aud": [CLIENT_ID]}

        def get_encode_header(self, client: Any) -> dict[str, Any]:
            return {"alg": "RS256", "kid": provider.signing_key.kid}

        def process_token(self, grant: Any, response: Any) -> Any:
            token = super().process_token(grant, response)
            token["id_token"] = provider.tamper(token["id_token"])
            return token

        def generate_user_info(self, user: dict[str, Any], scope: str) -> UserInfo:
            claims = {name: value for name, value in user.items() if name not in provider.in_userinfo_only}
            # They are merged last, so they replace the right claims.
            return UserInfo({**claims, **provider.id_token_claims})

    return CodeGrant, Code


def _make_app(provider: Provider) -> flask.Flask:
    app = flask.Flask("provider")
    app.secret_key = "of the tests"  # noqa: S105 - of the tests
    client = _Client(provider.redirect_uris)
    server = AuthorizationServer(
        app,
        query_client=lambda client_id: client if client_id == CLIENT_ID else None,
        save_token=lambda _token, _request: None,
    )
    code_grant, open_id = _make_grants(provider)
    server.register_grant(code_grant, [open_id(require_nonce=True), CodeChallenge(required=True)])

    @app.get("/.well-known/openid-configuration")
    def describe() -> Any:
        return {
            "issuer": provider.issuer,
            "authorization_endpoint": f"{provider.url}/authorize?tenant=1",
            "token_endpoint": f"{provider.url}/token",
            "jwks_uri": f"{provider.url}/keys",
            "userinfo_endpoint": f"{provider.url}/userinfo",
        }

    @app.get("/keys")
    def keys() -> Any:
        return {"keys": [key.as_dict(private=False) for key in provider.published_keys]}

    @app.get("/authorize")
    def authorize() -> Any:
        provider.requests.append(dict(flask.request.args))
        if "error" in provider.claims:
            query = f"error={provider.claims['error']}&state={flask.request.args['state']}"
            return flask.redirect(f"{flask.request.args['redirect_uri']}?{query}")
        user = dict(provider.claims)
        return server.create_authorization_response(grant_user=user, grant=server.get_consent_grant(end_user=user))

    @app.post("/token")
    def token() -> Any:
        provider.requests.append(dict(flask.request.form))
        return server.create_token_response()

    @app.get("/userinfo")
    def userinfo() -> Any:
        return provider.claims

    return app


@contextmanager
def run_provider() -> Iterator[Provider]:
    """Run a provider in a thread."""
    provider = Provider()
    server = make_server("127.0.0.1", provider.port, _make_app(provider), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
