"""Issue access tokens, which are JWTs of `rapport.auth`, and refresh tokens."""

from rapport.auth.authenticator import Authenticator
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal, sign_token
from rapport.auth.token_registry import create_token_id
from rapport.instant import Instant
from rapport.oauth.applications import application_revocation_id
from rapport.oauth.credentials import digest_token, next_refresh_token
from rapport.oauth.lifetimes import ACCESS_TOKEN_LIFETIME
from rapport.settings import Settings
from rapport.store.applications import Application, Consent


class TokenIssuer:
    """Creates tokens and their digests with the current keys."""

    def __init__(self, authenticator: Authenticator, settings: Settings) -> None:
        self._authenticator = authenticator
        self._settings = settings

    def digest(self, token: str) -> bytes:
        """Return the digest under which a code or a refresh token is stored."""
        return digest_token(self._authenticator.keys.signing_secret, token)

    def get_successor(self, refresh_token: str) -> str:
        """Return the refresh token that replaces this one."""
        return next_refresh_token(self._authenticator.keys.signing_secret, refresh_token)

    def make_access_token(
        self,
        application: Application,
        consent: Consent,
        *,
        scopes: list[str],
        grant_id: str | None,
        base_url: str,
        now: Instant,
    ) -> str:
        """Return an access token. `base_url` is the server's URL as the client sees it.

        The token has two audiences: the one that this server checks, and the API's URL, which clients check.
        """
        audience, own_audience = self._settings.audience, f"{base_url}/v3"
        revocation_ids = [application_revocation_id(application.client_id)]
        if grant_id is not None:
            revocation_ids.append(grant_id)
        return sign_token(
            self._authenticator.keys,
            Principal(
                account_id=application.account_id,
                client_id=application.client_id,
                user=consent.user,
                role=Role(consent.role),
                scopes=frozenset(scope for scope in Scope if scope.value in scopes),
            ),
            issuer=self._settings.issuer,
            audience=audience if audience == own_audience else [own_audience, audience],
            now=now,
            expires=Instant(min(now + ACCESS_TOKEN_LIFETIME, consent.ends)),
            token_id=create_token_id(),
            parent_tokens=(*consent.parent_tokens, *revocation_ids),
        )
