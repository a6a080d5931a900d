"""What the authorization server issues: access tokens, which are the JWTs of `rapport.auth`, and refresh tokens."""

from rapport.auth.register import new_token_id
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal, make_token
from rapport.auth.watch import KeyCache
from rapport.instant import Instant
from rapport.oauth.applications import application_mark
from rapport.oauth.credentials import digest_token, next_refresh_token
from rapport.oauth.lifetimes import ACCESS_TOKEN_LIFETIME
from rapport.settings import Settings
from rapport.store.applications import Application, Consent


class TokenIssuer:
    """Makes tokens and their digests with the keys that are current."""

    def __init__(self, keys: KeyCache, settings: Settings) -> None:
        self._keys = keys
        self._settings = settings

    def digest(self, token: str) -> bytes:
        """Return the digest under which a code or a refresh token is stored."""
        return digest_token(self._keys.keys.sealing, token)

    def successor_of(self, refresh_token: str) -> str:
        """Return the refresh token that replaces this one."""
        return next_refresh_token(self._keys.keys.sealing, refresh_token)

    def make_access_token(
        self,
        application: Application,
        consent: Consent,
        *,
        scopes: list[str],
        grant_id: str | None,
        address: str,
        now: Instant,
    ) -> str:
        """Return an access token. `address` is this server's, as the client knows it.

        The token names two audiences: the one that this server checks, and the API's address, which clients check.
        """
        audience, own_audience = self._settings.audience, f"{address}/v3"
        marks = [application_mark(application.client_id)]
        if grant_id is not None:
            marks.append(grant_id)
        return make_token(
            self._keys.keys,
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
            token_id=new_token_id(),
            made_with=(*consent.made_with, *marks),
        )
