"""Sessions that were ended by signing out: one list in the store, which every server reads every few seconds.

The session itself is in the browser's cookie, so a copy of that cookie would otherwise stay valid until it expires.
"""

import asyncio
from typing import Final

import msgspec

from rapport.auth.session import LIFETIME, SESSION_ID_PREFIX, Session, parse_start_time
from rapport.errors import StoreUnavailable
from rapport.instant import HOUR, Instant
from rapport.store.secrets import SecretRepository

MAX_LISTED: Final = 500
"""Ended sessions listed for one account; with one more, all of the account's sessions so far are ended instead."""

_NAME: Final = "ended-sessions"
_CLOCK_SKEW: Final = HOUR
"""How long an entry stays after the session has expired, for servers whose clocks are late."""


class _EndedSession(msgspec.Struct, frozen=True, kw_only=True):
    account_id: str
    session_id: str
    expires: Instant


class _EndedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """All sessions of an account that began at `until` or before."""

    account_id: str
    until: Instant
    expires: Instant


class _Stored(msgspec.Struct, frozen=True):
    sessions: list[_EndedSession] = []
    accounts: list[_EndedAccount] = []


class EndedSessions:
    """The ended sessions, as last read from the store."""

    def __init__(self, repository: SecretRepository) -> None:
        self._repository = repository
        self._stored: bytes | None = None
        # Two reads at once may finish in the wrong order: the earlier one must not overwrite the later one.
        self._lock = asyncio.Lock()
        self._ids: frozenset[str] = frozenset()
        self._accounts: dict[str, Instant] = {}

    async def refresh(self) -> None:
        """Read the list again."""
        async with self._lock:
            stored = await self._repository.read(_NAME)
            if stored != self._stored:
                entries = _decode(stored)
                self._ids = frozenset(entry.session_id for entry in entries.sessions)
                self._accounts = {entry.account_id: entry.until for entry in entries.accounts}
                self._stored = stored

    def contains(self, account_id: str, token_or_session_id: str) -> bool:
        """Return True if this is the id of a session that was ended."""
        if not token_or_session_id.startswith(SESSION_ID_PREFIX):
            return False
        until = self._accounts.get(account_id)
        return token_or_session_id in self._ids or (
            until is not None and parse_start_time(token_or_session_id) <= until
        )

    async def end(self, session: Session, now: Instant) -> None:
        """End the session: on this server at once, on the others within seconds."""
        await self.end_by_id(session.principal.account_id, session.session_id, session.expires, now)

    async def end_by_id(self, account_id: str, session_id: str, expires: Instant, now: Instant) -> None:
        """End the session with this id, which expires at `expires`."""
        ended = _EndedSession(account_id=account_id, session_id=session_id, expires=expires)
        while True:
            stored = await self._repository.read(_NAME)
            entries = _decode(stored)
            sessions = [entry for entry in entries.sessions if entry.expires > now - _CLOCK_SKEW]
            accounts = [entry for entry in entries.accounts if entry.expires > now - _CLOCK_SKEW]
            same_account = [entry for entry in sessions if entry.account_id == account_id]
            if len(same_account) < MAX_LISTED:
                sessions.append(ended)
            else:
                # A server whose clock is ahead may have given some of them a start time in our future.
                until = max(now, *(parse_start_time(entry.session_id) for entry in [ended, *same_account]))
                sessions = [entry for entry in sessions if entry.account_id != account_id]
                accounts = [entry for entry in accounts if entry.account_id != account_id]
                accounts.append(_EndedAccount(account_id=account_id, until=until, expires=Instant(until + LIFETIME)))
            if await self._repository.replace(_NAME, stored, msgspec.json.encode(_Stored(sessions, accounts))):
                await self.refresh()
                return


def _decode(stored: bytes | None) -> _Stored:
    if stored is None:
        return _Stored()
    try:
        return msgspec.json.decode(stored, type=_Stored)
    except msgspec.DecodeError as exc:
        raise StoreUnavailable(
            f"the list of ended sessions is damaged ({exc}): restore it from a backup, or remove it and end all "
            "sessions with `rapport keys rotate --drop-old`"
        ) from None
