"""A user's decision to let an application, or a device, act on their behalf."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode

import msgspec
import structlog
from oauthlib.common import add_params_to_uri
from oauthlib.oauth2.rfc6749.endpoints import AuthorizationEndpoint
from oauthlib.oauth2.rfc6749.errors import AccessDeniedError, FatalClientError, OAuth2Error
from oauthlib.oauth2.rfc6749.tokens import BearerToken

from rapport.auth.authenticator import Authenticator
from rapport.auth.rate_limits import RateLimiter
from rapport.auth.scope import ROLE_SCOPES, Scope
from rapport.auth.session import Session
from rapport.errors import Forbidden, InvalidField, RapportError, UnknownUserCode
from rapport.instant import Instant
from rapport.oauth.credentials import digest_token, normalize_user_code
from rapport.oauth.lifetimes import CODE_LIFETIME, RETENTION
from rapport.oauth.requests import MalformedRequest, Params, merge_params, parse_params
from rapport.oauth.validator import PkceCodeGrant, RequestContext, Validator
from rapport.store.applications import Application, AuthorizationCode, Consent, DeviceAuthorization
from rapport.store.store import Store

_URI: Final = "https://rapport.invalid/"

_log = structlog.get_logger("rapport.oauth")


class InvalidAuthorizationRequest(RapportError):
    """An authorization request whose client or redirect URI is wrong: the browser isn't sent back to it."""


class Redirect(Exception):
    """Sends the browser back to the application with an error."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A valid request for an authorization code."""

    application: Application
    redirect_uri: str
    scopes: tuple[str, ...]
    code_challenge: str | None
    params: Params


class DeviceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is waiting for its user's decision."""

    application: Application
    device: DeviceAuthorization
    user_code: str


class ConsentService:
    """Records the decisions of signed-in users. Every method may raise Forbidden and StoreUnavailable."""

    def __init__(self, store: Store, authenticator: Authenticator, limiter: RateLimiter) -> None:
        self._store = store
        self._authenticator = authenticator
        self._limiter = limiter

    async def read_request(self, query: str, issuer: str, now: Instant) -> AuthorizationRequest:
        """Return the authorization request of a query string.

        Raises InvalidAuthorizationRequest, and Redirect for errors that are reported to the application.
        """
        try:
            pairs = parse_params(query)
            params = merge_params(pairs)
        except MalformedRequest as exc:
            raise InvalidAuthorizationRequest(exc.description) from None
        application = await self._store.applications.find_application(dict(params).get("client_id", ""))
        validator = Validator(RequestContext(now=now, application=application))
        endpoint = _endpoint(validator)
        try:
            scopes, info = endpoint.validate_authorization_request(f"{_URI}?{urlencode(params)}")
        except FatalClientError as exc:
            raise InvalidAuthorizationRequest(exc.description or exc.error) from None
        except OAuth2Error as exc:
            raise Redirect(_error_redirect(exc, exc.redirect_uri, issuer)) from None
        if application is None:
            raise LookupError("oauthlib accepted a client that does not exist")
        return AuthorizationRequest(
            application=application,
            redirect_uri=info["redirect_uri"],
            scopes=tuple(dict.fromkeys(scopes)),
            code_challenge=info.get("code_challenge"),
            params=params,
        )

    async def approve(self, session: Session, request: AuthorizationRequest, issuer: str, now: Instant) -> str:
        """Return the URL that takes the browser back to the application, with a code that it can redeem."""
        consent = _consent(session, request.application, request.scopes)
        validator = Validator(RequestContext(now=now, application=request.application))
        headers, _, _ = _endpoint(validator).create_authorization_response(
            f"{_URI}?{urlencode(request.params)}", scopes=list(consent.scopes), credentials={"user": consent.user}
        )
        if not validator.code:
            raise InvalidAuthorizationRequest("the request is no longer valid; start again from the application")
        code = AuthorizationCode(
            digest=digest_token(self._authenticator.keys.signing_secret, validator.code),
            client_id=request.application.client_id,
            account_id=request.application.account_id,
            consent=consent,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            expires=Instant(now + CODE_LIFETIME),
        )
        await self._store.applications.add_code(code, Instant(now - RETENTION))
        _log.info("authorization granted", account=code.account_id, client_id=code.client_id)
        return str(add_params_to_uri(headers["Location"], [("iss", issuer)]))

    def deny(self, request: AuthorizationRequest, issuer: str) -> str:
        """Return the URL that takes the browser back to the application after the user denied access."""
        exc = AccessDeniedError(description="The user denied access.", state=dict(request.params).get("state"))
        return _error_redirect(exc, request.redirect_uri, issuer)

    async def find_device(self, session: Session, text: str, now: Instant) -> DeviceRequest:
        """Return the device with the code that the user typed. Raises UnknownUserCode, or Throttled for guessing."""
        await self._limiter.acquire(session.principal.account_id)
        user_code = normalize_user_code(text)
        device = await self._store.applications.find_device_by_user_code(
            session.principal.account_id, digest_token(self._authenticator.keys.signing_secret, user_code)
        )
        if device is None or device.expires <= now or device.decision != "pending":
            raise UnknownUserCode(text)
        application = await self._store.applications.find_application(device.client_id)
        if application is None:
            raise UnknownUserCode(text)
        return DeviceRequest(application=application, device=device, user_code=user_code)

    async def decide_device(self, session: Session, request: DeviceRequest, *, approved: bool, now: Instant) -> None:
        """Approve or deny a device. Raises UnknownUserCode if it has expired or was decided before."""
        consent = _consent(session, request.application, request.device.scopes) if approved else None
        if not await self._store.applications.decide_device(
            session.principal.account_id,
            request.device.user_code_digest,
            "approved" if approved else "denied",
            consent,
            now,
        ):
            raise UnknownUserCode(request.user_code)
        _log.info("device decided", account=request.application.account_id, approved=approved)


def scopes_to_grant(session: Session, application: Application, scopes: Iterable[str]) -> list[Scope]:
    """Return those of the scopes that the user can grant. Raises Forbidden for an application of another account."""
    if application.account_id != session.principal.account_id:
        raise Forbidden(f"{application.name} belongs to the account {application.account_id}; sign in to that account")
    requested = set(scopes)
    grantable = session.principal.scopes & ROLE_SCOPES[session.principal.role]
    return [scope for scope in Scope if scope.value in requested and scope in grantable]


def _consent(session: Session, application: Application, scopes: Iterable[str]) -> Consent:
    granted = scopes_to_grant(session, application, scopes)
    if not granted:
        raise InvalidField("scope", " ".join(scopes), "you have none of the requested permissions")
    return Consent(
        user=session.principal.user,
        role=session.principal.role.value,
        scopes=tuple(scope.value for scope in granted),
        ends=session.tokens_until,
        parent_tokens=session.token_ids,
    )


def _endpoint(validator: Validator) -> AuthorizationEndpoint:
    return AuthorizationEndpoint("code", BearerToken(validator), {"code": PkceCodeGrant(validator)})


def _error_redirect(exc: OAuth2Error, redirect_uri: str, issuer: str) -> str:
    return str(add_params_to_uri(redirect_uri, [*exc.twotuples, ("iss", issuer)]))
