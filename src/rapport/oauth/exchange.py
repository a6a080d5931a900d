"""Exchange a code, refresh token or device code for tokens: one request to the token endpoint."""

from typing import Any

from oauthlib.oauth2.rfc6749.endpoints import TokenEndpoint
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError, OAuth2Error
from oauthlib.oauth2.rfc6749.grant_types import ClientCredentialsGrant, RefreshTokenGrant
from oauthlib.oauth2.rfc6749.tokens import BearerToken
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant

from rapport.auth.scope import Scope
from rapport.instant import SECOND, Instant
from rapport.oauth.applications import RefreshPolicy, application_revocation_id
from rapport.oauth.credentials import get_grant_id, new_refresh_token
from rapport.oauth.lifetimes import ACCESS_TOKEN_LIFETIME, GRANT_LIFETIME
from rapport.oauth.requests import ClientRequest
from rapport.oauth.responses import FORM, URI, OAuthResponse, error_response, read_response
from rapport.oauth.tokens import TokenIssuer
from rapport.oauth.validator import DEVICE_CODE, PkceCodeGrant, Validator
from rapport.store.applications import Consent, Grant


class Exchange:
    """One request to the token endpoint: oauthlib's validation of it, and the grant that it creates."""

    def __init__(self, issuer: TokenIssuer, validator: Validator, request: ClientRequest, base_url: str) -> None:
        self.validator = validator
        self._issuer = issuer
        self._request = request
        self._base_url = base_url
        self._refresh_token: str | None = None
        self._grant_id = ""
        self._expires_in = 0

    @property
    def is_rotating(self) -> bool:
        """True if the application's refresh tokens rotate."""
        application = self.validator.context.application
        return application is not None and application.refresh_policy == RefreshPolicy.ROTATING.value

    def validate(self) -> OAuthResponse:
        """Have oauthlib validate the request and create the tokens. Nothing is stored yet."""
        consent = self._find_consent()
        has_refresh_token = consent is not None and Scope.OFFLINE_ACCESS.value in consent.scopes
        token_type = BearerToken(
            self.validator,
            token_generator=self._make_access_token,
            refresh_token_generator=self._make_refresh_token,
            expires_in=self._find_lifetime,
        )
        endpoint = TokenEndpoint(
            "authorization_code",
            token_type,
            {
                "authorization_code": PkceCodeGrant(self.validator, refresh_token=has_refresh_token),
                "refresh_token": RefreshTokenGrant(self.validator),
                "client_credentials": ClientCredentialsGrant(self.validator),
                DEVICE_CODE: DeviceCodeGrant(self.validator, refresh_token=has_refresh_token),
            },
        )
        try:
            _, body, status = endpoint.create_token_response(URI, "POST", self._request.body, FORM)
        except OAuth2Error as exc:
            return error_response(exc, self._request)
        return read_response(body, status, self._request)

    def new_grant(self) -> Grant:
        """Return the new grant of a redeemed code or device code."""
        context, consent = self.validator.context, self._find_consent()
        if context.application is None or consent is None:
            raise LookupError("a token was issued without an application or a consent")
        has_refresh_token = self._refresh_token is not None
        return Grant(
            grant_id=self._grant_id,
            client_id=context.application.client_id,
            account_id=context.application.account_id,
            consent=consent,
            digest=None if self._refresh_token is None else self._issuer.digest(self._refresh_token),
            created_time=context.now,
            expires=get_grant_expiry(consent, context.now)
            if has_refresh_token
            else Instant(context.now + self._expires_in * SECOND),
        )

    def reject(self, description: str) -> OAuthResponse:
        """Return the error for a code or token that was used before."""
        return error_response(InvalidGrantError(description=description), self._request)

    def _find_consent(self) -> Consent | None:
        context = self.validator.context
        for source in (context.code, context.device, context.grant):
            if source is not None:
                return source.consent
        if context.application is None or context.application.credentials_role is None:
            return None
        return Consent(
            user=application_revocation_id(context.application.client_id),
            role=context.application.credentials_role,
            scopes=context.application.scopes,
            ends=Instant(context.now + ACCESS_TOKEN_LIFETIME),
        )

    def _find_lifetime(self, _request: Any) -> int:  # noqa: ANN401 - oauthlib's
        consent = self._find_consent()
        ends = self.validator.context.now if consent is None else consent.ends
        self._expires_in = min(ACCESS_TOKEN_LIFETIME, ends - self.validator.context.now) // SECOND
        return self._expires_in

    def _make_access_token(self, request: Any) -> str:  # noqa: ANN401 - oauthlib's
        context, consent = self.validator.context, self._find_consent()
        if context.application is None or consent is None:
            raise LookupError("oauthlib accepted a request without an application or a consent")
        grant_id: str | None = None
        if context.grant is not None:
            grant_id = context.grant.grant_id
        elif context.code is not None or context.device is not None:
            self._refresh_token = new_refresh_token() if Scope.OFFLINE_ACCESS.value in consent.scopes else None
            grant_id = self._grant_id = get_grant_id(self._refresh_token or new_refresh_token())
        return self._issuer.make_access_token(
            context.application,
            consent,
            scopes=request.scopes,
            grant_id=grant_id,
            base_url=self._base_url,
            now=context.now,
        )

    def _make_refresh_token(self, request: Any) -> str:  # noqa: ANN401 - oauthlib's
        if self.validator.context.grant is not None:
            return self._issuer.get_successor(request.refresh_token)
        if self._refresh_token is None:
            raise LookupError("oauthlib created a refresh token that the user did not consent to")
        return self._refresh_token


def get_grant_expiry(consent: Consent, now: Instant) -> Instant:
    """Return the expiry of a grant that is used now, unless it is used again."""
    return Instant(min(now + GRANT_LIFETIME, consent.ends))
