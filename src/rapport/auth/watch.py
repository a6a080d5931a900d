"""The keys of a running server: what another process rotates is good here at once, what it drops is void in seconds.

So is a token that another process revokes.
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
from rapport.auth.register import RevocationList
from rapport.auth.session import Session
from rapport.auth.token import Issuer, Principal, RefusedAgain, Verified, Verifier, names_a_key
from rapport.errors import InvalidSetting, InvalidToken, RevokedToken, StoreUnavailable
from rapport.instant import Instant
from rapport.settings import Settings
from rapport.store.secrets import SecretRepository

_REFRESH_INTERVAL: Final = 0.5
"""Seconds between two refreshes that refused tokens lead to: all that come meanwhile share the next one."""
_MAX_WAITING: Final = 50
"""Refused tokens that may wait for a refresh at once; any more are refused as things are."""

_LOOK_EVERY: Final = 2.0
"""Seconds until a key that was dropped elsewhere is dropped here, and a token that was revoked elsewhere void."""

_log = structlog.get_logger("rapport.auth")


class KeyCache:
    """Verifies tokens with the keys that hold now."""

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
        """Load the keys, making them if there are none, and keep an eye on them. Raises InvalidSetting."""
        await self.check()
        await self._ended_sessions.look()
        self._log_loaded()
        self._task = asyncio.create_task(self._look(), name="key-watch")

    async def check(self) -> None:
        """Return if the keys are there and can be used. Raises InvalidSetting."""
        await self._revoked.look()
        await self._take_over(self._read_trusted())

    async def stop(self) -> None:
        """Look no more."""
        if self._next_refresh is not None:
            self._next_refresh.cancel()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def keys(self) -> Keys:
        """The keys that hold now."""
        if self._keys is None:
            raise StoreUnavailable("the signing keys are not loaded yet")
        return self._keys

    async def verify(self, token: str) -> Principal:
        """The principal of a good token. Raises InvalidToken."""
        return (await self.verified(token)).principal

    async def verified(self, token: str) -> Verified:
        """What a good token says. Raises InvalidToken."""
        try:
            verified = self._verifier.verify(token)
        except RefusedAgain:
            raise
        except InvalidToken:
            # It may be signed with a key that another process has just made.
            if not (names_a_key(token) and await self._refresh_for_refused()):
                raise
            verified = self._verifier.verify(token)
        self._check_revoked(verified.principal.account_id, verified.token_ids)
        return verified

    def check_session(self, session: Session) -> None:
        """Return if the session was not ended, and none of its tokens is revoked. Raises RevokedToken."""
        self._check_revoked(session.principal.account_id, session.ids)

    def check_not_revoked(self, account_id: str, ids: tuple[str, ...]) -> None:
        """Return if none of these tokens, or sessions, is revoked. Raises RevokedToken."""
        self._check_revoked(account_id, ids)

    async def end_session(self, session: Session, now: Instant) -> None:
        """End the session and the tokens that depend on it, here at once."""
        await self._ended_sessions.end(session, now)

    def _check_revoked(self, account_id: str, ids: tuple[str, ...]) -> None:
        if not self._revoked.ids.isdisjoint(ids):
            raise RevokedToken("it was revoked, or one that it was made with")
        if any(self._ended_sessions.include(account_id, token_or_session_id) for token_or_session_id in ids):
            raise RevokedToken("its session was ended by signing out")

    async def look_up_revoked(self) -> None:
        """Have what is revoked void here at once."""
        await self._revoked.look()

    async def _refresh_for_refused(self) -> bool:
        """Wait for a refresh that begins after this call, and return True if the keys have changed."""
        verifier = self._verifier
        if self._waiting >= _MAX_WAITING:
            return False
        if self._next_refresh is None:
            self._next_refresh = asyncio.create_task(self._refresh_later(), name="key-refresh")
        self._waiting += 1
        try:
            # Shielded: it is everybody's, and this request may be cancelled.
            await asyncio.shield(self._next_refresh)
        finally:
            self._waiting -= 1
        return self._verifier is not verifier

    async def _refresh_later(self) -> None:
        await asyncio.sleep(self._refresh_at - time.monotonic())
        self._next_refresh = None
        self._refresh_at = time.monotonic() + _REFRESH_INTERVAL
        await self._refresh()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            for look in (self._revoked.look, self._ended_sessions.look, self._refresh):
                try:
                    await look()
                except StoreUnavailable as problem:
                    _log.warning("keys not looked up", reason=str(problem))

    async def _refresh(self) -> bool:
        """Take over the keys as they are now; return True if they have changed.

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
                _log.warning("trusted keys can't be read: the last ones stay valid", reason=failure)
            else:
                _log.info("trusted keys can be read again")
        if not await self._take_over(trusted):
            return False
        self._log_loaded()
        return True

    def _log_loaded(self) -> None:
        names = [self._settings.issuer, self._settings.trusted_issuer]
        _log.info("keys loaded", current=self.keys.signing.kid, issuers=[name for name in names if name])

    async def _take_over(self, trusted: tuple[bytes, KeySet | None]) -> bool:
        known = self._keys
        keys = await load_keys(self._repository, known)
        content, trusted_keys = trusted
        if keys is known and content == self._trusted:
            return False
        issuers = [Issuer(self._settings.issuer, keys.verifying)]
        if trusted_keys is not None:
            issuers.append(Issuer(self._settings.trusted_issuer, trusted_keys))
        self._keys, self._trusted, self._trusted_keys = keys, content, trusted_keys
        # A new verifier: what the old one remembers was verified with keys that may hold no more.
        self._verifier = Verifier(issuers, self._settings.audience)
        return True

    def _read_trusted(self) -> tuple[bytes, KeySet | None]:
        """Return the content of the trusted issuer's file, and its keys. Raises InvalidSetting."""
        if not self._settings.trusted_issuer:
            return b"", None
        if not self._settings.trusted_keys:
            raise InvalidSetting("RAPPORT_TRUSTED_ISSUER is set: set RAPPORT_TRUSTED_KEYS to the file of its JWKS, too")
        try:
            content = Path(self._settings.trusted_keys).read_bytes()
        except OSError as problem:
            raise InvalidSetting(f"RAPPORT_TRUSTED_KEYS={self._settings.trusted_keys}: {problem.strerror}") from None
        if content == self._trusted:
            return content, self._trusted_keys
        return content, self._parsed(content)

    def _parsed(self, trusted: bytes) -> KeySet:
        try:
            return KeySet.import_key_set(msgspec.json.decode(trusted))
        except (msgspec.DecodeError, JoseError, KeyError, TypeError, ValueError) as problem:
            raise InvalidSetting(f"RAPPORT_TRUSTED_KEYS must hold a JWKS: {problem}") from None
