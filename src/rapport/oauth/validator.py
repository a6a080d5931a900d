"""oauthlib's request validator, which answers from data that was loaded for the request, without I/O.

oauthlib is synchronous, but the store isn't. So everything that a request names is loaded first; then oauthlib decides;
then changes are written, by conditional writes that fail if another request was faster (`rapport.oauth.server`).
"""

from typing import Any, Final

import msgspec
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError
from oauthlib.oauth2.rfc6749.grant_types import AuthorizationCodeGrant
from oauthlib.oauth2.rfc6749.grant_types.authorization_code import code_challenge_method_s256
from oauthlib.oauth2.rfc6749.request_validator import RequestValidator
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant

from rapport.instant import Instant
from rapport.oauth.applications import RefreshPolicy
from rapport.oauth.credentials import is_client_secret
from rapport.oauth.lifetimes import ROTATION_GRACE
from rapport.oauth.redirects import is_registered
from rapport.store.applications import Application, AuthorizationCode, DeviceAuthorization, Grant

DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
CHALLENGE_METHOD: Final = "S256"


class RequestContext(msgspec.Struct, kw_only=True):
    """What a request refers to: its application, code, device and grant, or None for those that don't exist."""

    now: Instant
    application: Application | None
    client_secret: str | None = None
    code: AuthorizationCode | None = None
    device: DeviceAuthorization | None = None
    grant: Grant | None = None
    refresh_digest: bytes | None = None
    """The digest of the refresh token in the request."""
    next_digest: bytes | None = None
    """The digest of the refresh token that replaces it."""


class Client:
    """The authenticated client, as oauthlib expects it."""

    def __init__(self, application: Application) -> None:
        self.client_id = application.client_id
        self.application = application


class PkceCodeGrant(AuthorizationCodeGrant):
    """The authorization code grant with PKCE by S256 only: the method `plain` offers no protection."""

    _code_challenge_methods = {CHALLENGE_METHOD: code_challenge_method_s256}  # noqa: RUF012 - oauthlib's name

    def __init__(self, validator: RequestValidator, *, refresh_token: bool = False) -> None:
        """Create the grant. With `refresh_token`, the token response has one."""
        super().__init__(validator, refresh_token=refresh_token)  # type: ignore[no-untyped-call]  # oauthlib


class Validator(RequestValidator):
    """Validates one request. `reused` is the id of a grant whose code or refresh token was used again."""

    def __init__(self, context: RequestContext) -> None:
        super().__init__()
        self.context = context
        self.token: dict[str, Any] | None = None
        self.code = ""
        self.revoked = False
        self.reused: str | None = None

    # The signatures are oauthlib's; arguments that the context replaces are unused.
    # ruff: noqa: ARG002, ANN401

    def client_authentication_required(self, request: Any, *_args: Any, **_kwargs: Any) -> bool:
        """Return True unless the application is public."""
        application = self.context.application
        return application is None or application.secret_digest is not None

    def authenticate_client(self, request: Any, *_args: Any, **_kwargs: Any) -> bool:
        """Return True if the secret is that of the application."""
        application, secret = self.context.application, self.context.client_secret
        if application is None or application.secret_digest is None or secret is None:
            return False
        request.client = Client(application)
        return is_client_secret(secret, application.secret_digest)

    def authenticate_client_id(self, client_id: str, request: Any, *_args: Any, **_kwargs: Any) -> bool:
        """Return True if the application is public."""
        return self.validate_client_id(client_id, request) and not self.client_authentication_required(request)

    def validate_client_id(self, client_id: str, request: Any, *_args: Any, **_kwargs: Any) -> bool:
        """Return True if the application exists."""
        if self.context.application is None:
            return False
        request.client = Client(self.context.application)
        return True

    def is_pkce_required(self, client_id: str, request: Any) -> bool:
        """Return True for a public application."""
        return not self.client_authentication_required(request)

    def validate_redirect_uri(
        self, client_id: str, redirect_uri: str, request: Any, *_args: Any, **_kwargs: Any
    ) -> bool:
        """Return True if the application has registered the URI."""
        return is_registered(redirect_uri, self._application.redirect_uris)

    def get_default_redirect_uri(self, client_id: str, request: Any, *_args: Any, **_kwargs: Any) -> str | None:
        """Return the application's redirect URI if it has only one."""
        uris = self._application.redirect_uris
        return uris[0] if len(uris) == 1 else None

    def get_default_scopes(self, client_id: str, request: Any, *_args: Any, **_kwargs: Any) -> list[str]:
        """Return all scopes of the application."""
        return list(self._application.scopes)

    def validate_scopes(
        self, client_id: str, scopes: list[str], client: Any, request: Any, *_args: Any, **_kwargs: Any
    ) -> bool:
        """Return True if the application has all these scopes."""
        return bool(scopes) and set(scopes) <= set(self._application.scopes)

    def validate_response_type(
        self, client_id: str, response_type: str, client: Any, request: Any, *_args: Any, **_kwargs: Any
    ) -> bool:
        """Return True for a code alone: there is no implicit grant."""
        return response_type == "code"

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *_args: Any, **_kwargs: Any
    ) -> bool:
        """Return True unless the grant type is client credentials and the application may not use them."""
        return grant_type != "client_credentials" or self._application.credentials_role is not None

    def save_authorization_code(self, client_id: str, code: Any, request: Any, *_args: Any, **_kwargs: Any) -> None:
        """Keep the new code: the server stores it."""
        self.code = code["code"]

    def validate_code(self, client_id: str, code: str, client: Any, request: Any, *_args: Any, **_kwargs: Any) -> bool:
        """Return True if the code is the application's, is fresh, and wasn't redeemed before."""
        stored = self.context.code
        if stored is None or stored.client_id != client_id:
            return False
        if stored.grant_id is not None:
            self.reused = stored.grant_id
            return False
        request.user = stored.consent.user
        request.scopes = list(stored.consent.scopes)
        return stored.expires > self.context.now

    def get_code_challenge(self, code: str, request: Any) -> str | None:
        """Return the challenge that the code was requested with."""
        challenge = None if self.context.code is None else self.context.code.code_challenge
        if challenge is None and request.code_verifier is not None:
            # The challenge was removed from the authorization request (RFC 9700, section 2.1.1).
            raise InvalidGrantError(description="The code was requested without a challenge.", request=request)
        return challenge

    def get_code_challenge_method(self, code: str, request: Any) -> str:
        """Return the only method."""
        return CHALLENGE_METHOD

    def confirm_redirect_uri(
        self, client_id: str, code: str, redirect_uri: str, client: Any, request: Any, *_args: Any, **_kwargs: Any
    ) -> bool:
        """Return True if the code was sent to this URI. Raises InvalidGrantError otherwise, as RFC 6749 requires."""
        if self.context.code is None or self.context.code.redirect_uri != redirect_uri:
            raise InvalidGrantError(description="The code was sent to another redirect_uri.", request=request)
        return True

    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Any, *_args: Any, **_kwargs: Any
    ) -> None:
        """Do nothing: the server redeems the code."""

    def validate_refresh_token(
        self, refresh_token: str, client: Any, request: Any, *_args: Any, **_kwargs: Any
    ) -> bool:
        """Return True if it is the current refresh token of a valid grant, or was replaced within the grace period."""
        grant, now = self.context.grant, self.context.now
        if grant is None or grant.client_id != client.client_id or grant.digest is None:
            return False
        if grant.revoked_time is not None or grant.expires <= now:
            return False
        if not self.is_current and not self.is_in_grace:
            self.reused = grant.grant_id
            return False
        request.user = grant.consent.user
        return True

    @property
    def is_current(self) -> bool:
        """True if the refresh token in the request is the current one of its grant."""
        grant = self.context.grant
        return grant is not None and grant.digest == self.context.refresh_digest

    @property
    def is_in_grace(self) -> bool:
        """True if the refresh token in the request was replaced by the current one within the grace period."""
        grant = self.context.grant
        return (
            grant is not None
            and grant.previous_digest == self.context.refresh_digest
            and grant.digest == self.context.next_digest
            and grant.rotated_time is not None
            and self.context.now <= grant.rotated_time + ROTATION_GRACE
        )

    def get_original_scopes(self, refresh_token: str, request: Any, *_args: Any, **_kwargs: Any) -> list[str]:
        """Return the scopes that the user allowed."""
        return [] if self.context.grant is None else list(self.context.grant.consent.scopes)

    def rotate_refresh_token(self, request: Any) -> bool:
        """Return True if the application's refresh tokens rotate."""
        return self._application.refresh_policy == RefreshPolicy.ROTATING.value

    def validate_device_code(self, client_id: str, device_code: str, request: Any) -> str | None:
        """Return oauthlib's status of the device; None for an unknown code."""
        device, now = self.context.device, self.context.now
        if device is None or device.client_id != client_id:
            return None
        if device.expires <= now:
            return str(DeviceCodeGrant.DEVICE_CODE_EXPIRED)
        if device.decision == "denied":
            return str(DeviceCodeGrant.DEVICE_CODE_DENIED)
        if device.consent is not None:
            request.user = device.consent.user
            request.scopes = list(device.consent.scopes)
            return str(DeviceCodeGrant.DEVICE_CODE_AUTHORIZED)
        if device.polled_time is not None and now < device.polled_time + device.interval:
            return str(DeviceCodeGrant.DEVICE_CODE_SLOW_DOWN)
        return str(DeviceCodeGrant.DEVICE_CODE_PENDING)

    def save_token(self, token: dict[str, Any], request: Any, *_args: Any, **_kwargs: Any) -> None:
        """Keep the new token."""
        self.token = token

    def revoke_token(self, token: str, token_type_hint: str, request: Any, *_args: Any, **_kwargs: Any) -> None:
        """Mark the request as valid: the server revokes the token."""
        self.revoked = True

    @property
    def _application(self) -> Application:
        if self.context.application is None:
            raise LookupError("oauthlib used a client that it did not validate")
        return self.context.application
