"""The authorization server: oauthlib validates each request, then one conditional write changes the store.

Of several requests that redeem the same code, device code or refresh token at once, one succeeds; the others get the
protocol's error. Using a refresh token that was replaced before revokes its grant, with all its tokens.
"""

from typing import Final

import structlog
from oauthlib.oauth2.rfc6749.endpoints import RevocationEndpoint
from oauthlib.oauth2.rfc6749.errors import OAuth2Error
from oauthlib.oauth2.rfc8628.endpoints import DeviceAuthorizationEndpoint

from rapport.auth.authenticator import Authenticator
from rapport.auth.rate_limits import RateLimiter
from rapport.auth.revocations import add_revocation
from rapport.errors import InvalidToken
from rapport.instant import DAY, SECOND, Instant
from rapport.oauth.applications import application_revocation_id
from rapport.oauth.credentials import get_grant_id, new_user_code
from rapport.oauth.exchange import Exchange, get_grant_expiry
from rapport.oauth.grants import revoke_grant
from rapport.oauth.lifetimes import DEVICE_LIFETIME, POLL_INTERVAL, RETENTION, SLOW_DOWN
from rapport.oauth.requests import ClientRequest
from rapport.oauth.responses import FORM, URI, OAuthResponse, error_response, read_response
from rapport.oauth.tokens import TokenIssuer
from rapport.oauth.validator import DEVICE_CODE, RequestContext, Validator
from rapport.settings import Settings
from rapport.store.applications import Application, Consent, DeviceAuthorization, Grant
from rapport.store.store import Store

ACTIVATE: Final = "/activate"
"""The page on which users type the code of a device."""

_MAX_WAITING_DEVICES: Final = 1_000
"""The maximum number of an application's devices that wait for their users."""
_POLLING_ERRORS: Final = frozenset({"authorization_pending", "slow_down"})
_REVOKED_BY: Final = "the authorization server"

_log = structlog.get_logger("rapport.oauth")


class AuthorizationServer:
    """Handles the requests of applications. Every method may raise StoreUnavailable and Throttled."""

    def __init__(self, store: Store, authenticator: Authenticator, settings: Settings, limiter: RateLimiter) -> None:
        self._store = store
        self._authenticator = authenticator
        self._issuer = TokenIssuer(authenticator, settings)
        self._limiter = limiter

    async def issue_token(self, request: ClientRequest, base_url: str, now: Instant) -> OAuthResponse:
        """Handle a request to the token endpoint. `base_url` is this server's URL as the client sees it."""
        context = await self._load(request, now)
        validator = Validator(context)
        exchange = Exchange(self._issuer, validator, request, base_url)
        response = exchange.validate()
        if validator.reused is not None:
            await self._revoke_grant(validator.reused, now, "its code or an old refresh token was used again")
        if response.status == 200:
            return await self._complete(exchange, response)
        if response.body is not None and context.device is not None and response.body["error"] in _POLLING_ERRORS:
            too_fast = response.body["error"] == "slow_down"
            interval = context.device.interval + (SLOW_DOWN if too_fast else 0)
            await self._store.applications.poll_device(context.device.digest, now, interval)
        return response

    async def authorize_device(self, request: ClientRequest, base_url: str, now: Instant) -> OAuthResponse:
        """Handle a request for a device code. `base_url` is this server's URL as users see it."""
        application = await self._find_application(request)
        validator = Validator(RequestContext(now=now, application=application, client_secret=request.client_secret))
        endpoint = DeviceAuthorizationEndpoint(
            validator,
            f"{base_url}{ACTIVATE}",
            expires_in=DEVICE_LIFETIME // SECOND,
            interval=POLL_INTERVAL // SECOND,
            verification_uri_complete=f"{base_url}{ACTIVATE}?user_code={{user_code}}",
            user_code_generator=new_user_code,  # type: ignore[arg-type]  # oauthlib calls it without an argument
        )
        try:
            _, data, _ = endpoint.create_device_authorization_response(URI, "POST", request.body, FORM)
        except OAuth2Error as exc:
            return error_response(exc, request)
        if application is None:
            raise LookupError("oauthlib accepted a client that does not exist")
        device = DeviceAuthorization(
            digest=self._issuer.digest(data["device_code"]),
            user_code_digest=self._issuer.digest(data["user_code"]),
            client_id=application.client_id,
            account_id=application.account_id,
            scopes=tuple(data.pop("scope").split()),
            expires=Instant(now + DEVICE_LIFETIME),
            interval=POLL_INTERVAL,
        )
        if not await self._store.applications.add_device(device, Instant(now - RETENTION), _MAX_WAITING_DEVICES):
            body = {
                "error": "temporarily_unavailable",
                "error_description": "Too many devices are waiting; retry later.",
            }
            return OAuthResponse(503, body, {"retry-after": "60"})
        return OAuthResponse(200, data)

    async def revoke(self, request: ClientRequest, now: Instant) -> OAuthResponse:
        """Handle a request to the revocation endpoint (RFC 7009)."""
        application = await self._find_application(request)
        validator = Validator(RequestContext(now=now, application=application, client_secret=request.client_secret))
        _, body, status = RevocationEndpoint(validator).create_revocation_response(URI, "POST", request.body, FORM)
        if not validator.revoked:
            return read_response(body, status, request)
        token = request.get("token") or ""
        grant = await self._store.applications.find_grant(get_grant_id(token))
        if grant is not None and grant.client_id == request.client_id:
            await self._revoke_grant(grant.grant_id, now, "the application revoked it")
        else:
            await self._revoke_access_token(token, request.client_id, now)
        return OAuthResponse(200, None)

    async def _find_application(self, request: ClientRequest) -> Application | None:
        application = await self._store.applications.find_application(request.client_id)
        await self._limiter.acquire("" if application is None else application.client_id)
        return application

    async def _load(self, request: ClientRequest, now: Instant) -> RequestContext:
        context = RequestContext(
            now=now, application=await self._find_application(request), client_secret=request.client_secret
        )
        repository = self._store.applications
        grant_type, code = request.get("grant_type"), request.get("code")
        if grant_type == "authorization_code" and code is not None:
            context.code = await repository.find_code(self._issuer.digest(code))
            if context.code is not None and self._is_revoked(context.code.account_id, context.code.consent):
                context.code = None
        device_code, refresh_token = request.get("device_code"), request.get("refresh_token")
        if grant_type == DEVICE_CODE and device_code is not None:
            context.device = await repository.find_device(self._issuer.digest(device_code))
        if grant_type == "refresh_token" and refresh_token is not None:
            context.refresh_digest = self._issuer.digest(refresh_token)
            context.next_digest = self._issuer.digest(self._issuer.get_successor(refresh_token))
            context.grant = await repository.find_grant(get_grant_id(refresh_token))
            if context.grant is not None and self._is_revoked(context.grant.account_id, context.grant.consent):
                context.grant = None
        return context

    def _is_revoked(self, account_id: str, consent: Consent) -> bool:
        """Return True if a token that the user had signed in with was revoked."""
        try:
            self._authenticator.check_not_revoked(account_id, consent.parent_tokens)
        except InvalidToken:
            return True
        return False

    async def _complete(self, exchange: "Exchange", response: OAuthResponse) -> OAuthResponse:
        """Store the changes of a valid request, unless another request was faster."""
        repository, context = self._store.applications, exchange.validator.context
        if context.code is not None:
            if not await repository.redeem_code(context.code.digest, exchange.new_grant()):
                redeemed = await repository.find_code(context.code.digest)
                if redeemed is not None and redeemed.grant_id is not None:
                    await self._revoke_grant(redeemed.grant_id, context.now, "its code was used twice at once")
                return exchange.reject("The code was used before.")
        elif context.device is not None:
            if not await repository.redeem_device(context.device.digest, exchange.new_grant()):
                return exchange.reject("The device code was used before.")
        elif context.grant is not None:
            return await self._refresh(exchange, context.grant, response)
        return response

    async def _refresh(self, exchange: "Exchange", grant: Grant, response: OAuthResponse) -> OAuthResponse:
        repository, context = self._store.applications, exchange.validator.context
        expires = get_grant_expiry(grant.consent, context.now)
        old, new = context.refresh_digest, context.next_digest
        if old is None or new is None:
            raise LookupError("a refresh token was accepted that was not sent")
        if not exchange.is_rotating:
            if expires > grant.expires + DAY:
                await repository.extend_grant(grant.grant_id, expires)
            return response
        if not exchange.validator.is_current:
            return response
        if await repository.rotate_refresh_token(grant.grant_id, old, new, context.now, expires):
            return response
        # Another request was faster. If it sent the same token, both get the same response.
        context.grant = await repository.find_grant(grant.grant_id)
        if context.grant is not None and context.grant.revoked_time is None and exchange.validator.is_in_grace:
            return response
        return exchange.reject("The refresh token was used before.")

    async def _revoke_grant(self, grant_id: str, now: Instant, reason: str) -> None:
        if await revoke_grant(self._store, grant_id, now, by=_REVOKED_BY):
            await self._authenticator.refresh_revocations()
            _log.warning("grant revoked", grant_id=grant_id, reason=reason)

    async def _revoke_access_token(self, token: str, client_id: str, now: Instant) -> None:
        try:
            verified = await self._authenticator.verify(token)
        except InvalidToken:
            return
        if verified.principal.client_id == client_id and application_revocation_id(client_id) in verified.token_ids:
            await add_revocation(self._store.secrets, verified.token_ids[0], verified.expires, by=_REVOKED_BY, now=now)
            await self._authenticator.refresh_revocations()
