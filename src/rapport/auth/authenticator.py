"""Authentication of tokens and sessions, with the keys and revocations of a running server.

A key that another process creates is accepted at once; one that it drops, and a token that it revokes, is rejected
within seconds.
"""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from rapport.auth.ended_sessions import EndedSessions
from rapport.auth.keys import Keys, load_keys
from rapport.auth.revocations import RevocationList, account_revocation_id
from rapport.auth.session import Session
from rapport.auth.token import Issuer, RecentlyRejected, VerifiedToken, Verifier, is_well_formed
from rapport.errors import InvalidSetting, InvalidToken, RevokedToken, StoreUnavailable
from rapport.instant import Instant
from rapport.settings import Settings
from rapport.store.secrets import SecretRepository

_REFRESH_INTERVAL: Final = 0.5
"""Minimum seconds between two refreshes caused by rejected tokens; the tokens that arrive meanwhile share one."""
_MAX_WAITING: Final = 50
"""The maximum number of rejected tokens that wait for a refresh; any more are rejected without one."""

_POLL_INTERVAL: Final = 2.0
"""Seconds between two checks for dropped keys, revoked tokens and ended sessions."""

_log = structlog.get_logger("rapport.auth")


class Authenticator:
    """Verifies tokens and sessions with the current keys, revocations and ended sessions."""

    def __init__(self, repository: SecretRepository, settings: Settings) -> None:
        self._repository = repository
        self._settings = settings
        self._keys: Keys | None = None
        self._trusted = b""
        self._trusted_keys: KeySet | None = None
        self._trusted_failure = ""
        self._verifier = Verifier((), settings.audience)
        self._revoked = RevocationList(repository)
        self._ended_sessions = EndedSessions(repository)
        self._task: asyncio.Task[None] | None = None
        self._next_refresh: asyncio.Task[None] | None = None
        self._refresh_at = 0.0
        self._waiting = 0

    async def start(self) -> None:
        """Load the keys, creating them if there are none, and poll for changes. Raises InvalidSetting."""
        await self.load()
        await self._ended_sessions.refresh()
        self._log_loaded()
        self._task = asyncio.create_task(self._poll(), name="key-poll")

    async def load(self) -> None:
        """Load the keys and revocations once. Raises InvalidSetting."""
        await self._revoked.refresh()
        await self._reload(self._read_trusted())

    async def stop(self) -> None:
        """Stop polling."""
        if self._next_refresh is not None:
            self._next_refresh.cancel()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def keys(self) -> Keys:
        """The current keys."""
        if self._keys is None:
            raise StoreUnavailable("the signing keys are not loaded yet")
        return self._keys

    async def verify(self, token: str) -> VerifiedToken:
        """Return the content of a valid token. Raises InvalidToken."""
        try:
            verified = self._verifier.verify(token)
        except RecentlyRejected:
            raise
        except InvalidToken:
            # It may be signed with a key that another process has just created.
            if not (is_well_formed(token) and await self._refresh_for_rejected()):
                raise
            verified = self._verifier.verify(token)
        self.check_not_revoked(verified.principal.account_id, verified.token_ids)
        return verified

    def check_session(self, session: Session) -> None:
        """Check that the session wasn't ended, and none of its tokens revoked. Raises RevokedToken."""
        self.check_not_revoked(session.principal.account_id, session.ids)

    async def end_session(self, session: Session, now: Instant) -> None:
        """End the session and the tokens that depend on it, effective on this server at once."""
        await self._ended_sessions.end(session, now)

    async def end_session_by_id(self, account_id: str, session_id: str, expires: Instant, now: Instant) -> None:
        """End the session with this id, effective on this server at once."""
        await self._ended_sessions.end_by_id(account_id, session_id, expires, now)

    def check_not_revoked(self, account_id: str, ids: tuple[str, ...]) -> None:
        """Check that none of these tokens and sessions was revoked or ended. Raises RevokedToken."""
        if not self._revoked.ids.isdisjoint(ids):
            raise RevokedToken("the token, or one that it was created with, was revoked")
        if self._revoked.ids and account_revocation_id(account_id) in self._revoked.ids:
            raise RevokedToken("the account was deleted")
        if any(self._ended_sessions.contains(account_id, token_or_session_id) for token_or_session_id in ids):
            raise RevokedToken("the session was ended by signing out")

    async def refresh_revocations(self) -> None:
        """Read the list of revoked tokens again."""
        await self._revoked.refresh()

    async def _refresh_for_rejected(self) -> bool:
        """Wait for a refresh that begins after this call, and return True if the keys have changed."""
        verifier = self._verifier
        if self._waiting >= _MAX_WAITING:
            return False
        if self._next_refresh is None:
            self._next_refresh = asyncio.create_task(self._refresh_later(), name="key-refresh")
        self._waiting += 1
        try:
            # Shielded because other requests wait for it too, and this one may be cancelled.
            await asyncio.shield(self._next_refresh)
        finally:
            self._waiting -= 1
        return self._verifier is not verifier

    async def _refresh_later(self) -> None:
        await asyncio.sleep(self._refresh_at - time.monotonic())
        self._next_refresh = None
        self._refresh_at = time.monotonic() + _REFRESH_INTERVAL
        await self._refresh()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_INTERVAL)
            for refresh in (self._revoked.refresh, self._ended_sessions.refresh, self._refresh):
                try:
                    await refresh()
                except StoreUnavailable as exc:
                    _log.warning("keys not refreshed", reason=str(exc))

    async def _refresh(self) -> bool:
        """Load the keys again; return True if they have changed.

        While the trusted issuer's file can't be read, its last keys stay valid.
        """
        trusted = self._trusted, self._trusted_keys
        failure = ""
        try:
            trusted = self._read_trusted()
        except InvalidSetting as exc:
            failure = str(exc)
        if failure != self._trusted_failure:
            self._trusted_failure = failure
            if failure:
                _log.warning("trusted keys can't be read, so the last ones stay valid", reason=failure)
            else:
                _log.info("trusted keys can be read again")
        if not await self._reload(trusted):
            return False
        self._log_loaded()
        return True

    def _log_loaded(self) -> None:
        names = [self._settings.issuer, self._settings.trusted_issuer]
        _log.info("keys loaded", current=self.keys.signing_key.kid, issuers=[name for name in names if name])

    async def _reload(self, trusted: tuple[bytes, KeySet | None]) -> bool:
        known = self._keys
        keys = await load_keys(self._repository, known)
        content, trusted_keys = trusted
        if keys is known and content == self._trusted:
            return False
        issuers = [Issuer(self._settings.issuer, keys.verification_keys)]
        if trusted_keys is not None:
            issuers.append(Issuer(self._settings.trusted_issuer, trusted_keys))
        self._keys, self._trusted, self._trusted_keys = keys, content, trusted_keys
        # A new verifier, because the old one's cache holds tokens that were verified with keys that may be gone.
        self._verifier = Verifier(issuers, self._settings.audience)
        return True

    def _read_trusted(self) -> tuple[bytes, KeySet | None]:
        """Return the content of the trusted issuer's file, and its keys. Raises InvalidSetting."""
        if not self._settings.trusted_issuer:
            return b"", None
        if not self._settings.trusted_keys:
            raise InvalidSetting("RAPPORT_TRUSTED_ISSUER is set: set RAPPORT_TRUSTED_KEYS to its JWKS file, too")
        try:
            content = Path(self._settings.trusted_keys).read_bytes()
        except OSError as exc:
            raise InvalidSetting(f"RAPPORT_TRUSTED_KEYS={self._settings.trusted_keys}: {exc.strerror}") from None
        if content == self._trusted:
            return content, self._trusted_keys
        return content, self._parse_trusted(content)

    def _parse_trusted(self, trusted: bytes) -> KeySet:
        try:
            return KeySet.import_key_set(msgspec.json.decode(trusted))
        except (msgspec.DecodeError, JoseError, KeyError, TypeError, ValueError) as exc:
            raise InvalidSetting(f"RAPPORT_TRUSTED_KEYS must name a JWKS file: {exc}") from None
