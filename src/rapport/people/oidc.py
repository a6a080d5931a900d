"""Sign in through an OpenID Connect provider: authorization code with PKCE, state, nonce and a verified ID token.

See https://openid.net/specs/openid-connect-core-1_0.html and RFC 9700.
"""

import secrets
import time
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import msgspec
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry
from oauthlib.common import add_params_to_uri
from oauthlib.oauth2 import WebApplicationClient
from oauthlib.oauth2.rfc6749.errors import OAuth2Error

from rapport.activity import is_storable
from rapport.auth.authenticator import Authenticator
from rapport.auth.signing import InvalidSignature, sign, verify
from rapport.email_address import normalize_address
from rapport.errors import ProviderUnavailable, SeveralAccounts, SignInFailed
from rapport.instant import MINUTE, Instant
from rapport.people.users import make_email_key
from rapport.settings import Settings
from rapport.store.store import Store
from rapport.store.users import User

LIFETIME: Final = 10 * MINUTE
"""How long somebody may take to sign in at the provider."""

_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""All asymmetric, so that a public key can't be used as a shared secret."""
_SCOPE: Final = "openid email"
_PURPOSE: Final = b"oidc"
_CACHE_SECONDS: Final = 3_600
_MIN_REFRESH_SECONDS: Final = 30
_TIMEOUT: Final = 10.0
_LEEWAY: Final = 60
"""Seconds by which the provider's clock may differ from ours."""
_MAX_LENGTH: Final = 4_096
_MAX_SUBJECT_LENGTH: Final = 255
_CALLBACK_PREFIX: Final = "https://rapport.invalid/?"

_log = structlog.get_logger("rapport.people")


class _Attempt(msgspec.Struct, frozen=True, array_like=True):
    """An attempt to sign in, kept in a cookie of its browser while it is at the provider."""

    state: str
    nonce: str
    code_verifier: str
    account_id: str
    next_path: str
    expires: Instant


class _Metadata(msgspec.Struct):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Provider(msgspec.Struct):
    """What the provider publishes about itself, and when it was read."""

    metadata: _Metadata
    keys: KeySet
    read_at: float


class _Identity(msgspec.Struct):
    """Who signed in at the provider."""

    sub: str
    email: str = ""
    email_verified: bool | str = False


class OidcService:
    """Signs users in through the provider of the settings."""

    def __init__(self, store: Store, authenticator: Authenticator, settings: Settings) -> None:
        self._store = store
        self._authenticator = authenticator
        self._settings = settings
        self._provider: _Provider | None = None

    @property
    def name(self) -> str:
        """The name of the provider on the sign-in page; empty if there is none."""
        return self._settings.oidc_name if self._settings.oidc_issuer else ""

    async def start(self, redirect_uri: str, account_id: str, next_path: str, now: Instant) -> tuple[str, str]:
        """Return the URL to sign in at the provider, and the value of a cookie for the browser.

        Raises ProviderUnavailable.
        """
        provider = await self._get_provider()
        client = WebApplicationClient(self._settings.oidc_client_id)
        attempt = _Attempt(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            code_verifier=client.create_code_verifier(64),
            account_id=account_id,
            next_path=next_path,
            expires=Instant(now + LIFETIME),
        )
        params = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": redirect_uri,
            "scope": _SCOPE,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": client.create_code_challenge(attempt.code_verifier, "S256"),
            "code_challenge_method": "S256",
        }
        cookie = sign(self._authenticator.keys.signing_secret, _PURPOSE, msgspec.msgpack.encode(attempt))
        return str(add_params_to_uri(provider.metadata.authorization_endpoint, list(params.items()))), cookie

    async def finish(self, query: str, cookie: str, redirect_uri: str, now: Instant) -> tuple[User, str]:
        """Return the user who signed in, and the path where the user wanted to go.

        Raises SignInFailed, SeveralAccounts and ProviderUnavailable.
        """
        attempt = self._read_cookie(cookie, now)
        provider = await self._get_provider()
        client = WebApplicationClient(self._settings.oidc_client_id)
        try:
            response = client.parse_request_uri_response(_CALLBACK_PREFIX + query, state=attempt.state)
        except (OAuth2Error, ValueError) as exc:
            raise _failed(f"authorization response: {exc}") from None
        if response.get("iss", provider.metadata.issuer) != provider.metadata.issuer:
            raise _failed("authorization response of another issuer")
        tokens = await self._redeem(provider, client, response["code"], attempt.code_verifier, redirect_uri)
        identity = await self._read_identity(provider, tokens, attempt.nonce)
        return await self._find_user(identity, attempt.account_id, now), attempt.next_path

    def _read_cookie(self, cookie: str, now: Instant) -> _Attempt:
        try:
            content = verify(self._authenticator.keys.signing_secret, _PURPOSE, cookie[:_MAX_LENGTH])
            attempt = msgspec.msgpack.decode(content, type=_Attempt)
        except (InvalidSignature, msgspec.MsgspecError):
            raise _failed("no attempt of this browser") from None
        if attempt.expires <= now:
            raise _failed("the attempt has expired")
        return attempt

    async def _redeem(
        self, provider: _Provider, client: WebApplicationClient, code: str, code_verifier: str, redirect_uri: str
    ) -> dict[str, Any]:
        """Exchange the code for tokens."""
        settings, methods = self._settings, provider.metadata.token_endpoint_auth_methods_supported
        auth, extra = None, {"client_id": settings.oidc_client_id}
        if settings.oidc_client_secret and ("client_secret_basic" in methods or "client_secret_post" not in methods):
            auth, extra = _basic(settings.oidc_client_id, settings.oidc_client_secret), {}
        elif settings.oidc_client_secret:
            extra["client_secret"] = settings.oidc_client_secret
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
            **extra,
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        async with _open_client() as http:
            try:
                response = await http.post(
                    provider.metadata.token_endpoint,
                    content=urlencode(fields),
                    headers=headers,
                    auth=auth or httpx.USE_CLIENT_DEFAULT,
                )
            except httpx.HTTPError as exc:
                raise ProviderUnavailable(f"the token endpoint can't be reached: {exc!r}") from None
        try:
            tokens: dict[str, Any] = client.parse_request_body_response(response.text)
        except (OAuth2Error, ValueError) as exc:
            raise _failed(f"token response {response.status_code}: {exc}") from None
        return tokens

    async def _read_identity(self, provider: _Provider, tokens: dict[str, Any], nonce: str) -> _Identity:
        """Verify the ID token, and return its subject with the email address, if need be of the userinfo endpoint."""
        claims = await self._verify_id_token(provider, str(tokens.get("id_token", "")), nonce)
        try:
            identity = msgspec.convert(claims, _Identity)
            if not identity.email and provider.metadata.userinfo_endpoint is not None:
                async with _open_client() as http:
                    headers = {"authorization": f"Bearer {tokens.get('access_token', '')}"}
                    response = await http.get(provider.metadata.userinfo_endpoint, headers=headers)
                    response.raise_for_status()
                userinfo = msgspec.json.decode(response.content, type=_Identity)
                if userinfo.sub != identity.sub:
                    raise _failed("userinfo of another subject")
                identity = userinfo
        except (msgspec.MsgspecError, httpx.HTTPError) as exc:
            raise _failed(f"identity: {exc!r}") from None
        if not 0 < len(identity.sub) <= _MAX_SUBJECT_LENGTH or not is_storable(identity.sub):
            raise _failed("the subject is not valid")
        return identity

    async def _verify_id_token(self, provider: _Provider, token: str, nonce: str) -> dict[str, Any]:
        try:
            return self._decode_id_token(provider, token, nonce)
        except ValueError:
            # It may be signed with a key that the provider has just created.
            return self._verify_with_new_keys(await self._get_provider(is_stale=True), token, nonce)
        except JoseError as exc:
            raise _failed(f"ID token: {exc!r}") from None

    def _verify_with_new_keys(self, provider: _Provider, token: str, nonce: str) -> dict[str, Any]:
        try:
            return self._decode_id_token(provider, token, nonce)
        except (JoseError, ValueError) as exc:
            raise _failed(f"ID token: {exc!r}") from None

    def _decode_id_token(self, provider: _Provider, token: str, nonce: str) -> dict[str, Any]:
        decoded = jwt.decode(token, provider.keys, algorithms=list(_ALGORITHMS))
        client_id = self._settings.oidc_client_id
        JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": provider.metadata.issuer},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(decoded.claims)
        audience = decoded.claims["aud"]
        authorized = decoded.claims.get("azp", client_id if isinstance(audience, str) or len(audience) == 1 else None)
        if authorized != client_id:
            raise _failed("the ID token is for another client")
        return dict(decoded.claims)

    async def _find_user(self, identity: _Identity, account_id: str, now: Instant) -> User:
        """Return the user with this identity, or else the one with its verified email address, who then keeps it."""
        issuer = self._settings.oidc_issuer
        users = await self._store.users.list_by_identity(issuer, identity.sub)
        if identity.email_verified in {True, "true"}:
            users += [user for user in await self._list_by_email(identity.email) if user.identity_subject is None]
        users = [user for user in users if account_id in {"", user.account_id}]
        if not users:
            raise _failed("nobody was invited with this identity or a verified email address")
        if len(users) > 1:
            raise SeveralAccounts(sorted({user.account_id for user in users}))
        (user,) = users
        if user.identity_subject is None:
            if not await self._store.users.set_identity(user.account_id, user.user_id, issuer, identity.sub, now):
                raise _failed("the user got another identity a moment ago")
            _log.info("identity linked", account=user.account_id, user_id=user.user_id)
        return user

    async def _list_by_email(self, email: str) -> list[User]:
        try:
            return await self._store.users.list_by_email(make_email_key(normalize_address(email)))
        except ValueError:
            return []

    async def _get_provider(self, *, is_stale: bool = False) -> _Provider:
        """Return what the provider publishes, read again every hour, or sooner if it `is_stale`."""
        max_age = _MIN_REFRESH_SECONDS if is_stale else _CACHE_SECONDS
        if self._provider is not None and time.monotonic() - self._provider.read_at < max_age:
            return self._provider
        issuer = self._settings.oidc_issuer
        try:
            async with _open_client() as http:
                response = await http.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                metadata = msgspec.json.decode(response.raise_for_status().content, type=_Metadata)
                if metadata.issuer != issuer:
                    raise ProviderUnavailable(f"the provider says that its issuer is {metadata.issuer}, not {issuer}")
                keys = KeySet.import_key_set((await http.get(metadata.jwks_uri)).raise_for_status().json())
        except (httpx.HTTPError, msgspec.MsgspecError, JoseError, ValueError) as exc:
            raise ProviderUnavailable(f"the provider {issuer} can't be used: {exc!r}") from None
        self._provider = _Provider(metadata, keys, time.monotonic())
        return self._provider


def _open_client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)


def _basic(client_id: str, secret: str) -> httpx.BasicAuth:
    """Return credentials as RFC 6749 encodes them, in section 2.3.1."""
    encoded = (urlencode({"": text})[1:] for text in (client_id, secret))
    return httpx.BasicAuth(*encoded)


def _failed(reason: str) -> SignInFailed:
    _log.warning("sign-in through the provider failed", reason=reason[:300])
    return SignInFailed("the provider's response was not accepted")
