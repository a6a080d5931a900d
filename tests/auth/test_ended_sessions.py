"""The list of sessions ended by signing out."""

import pytest

from rapport.auth import ended_sessions
from rapport.auth.ended_sessions import EndedSessions
from rapport.auth.scope import Role, Scope
from rapport.auth.session import LIFETIME, Session, begin_session
from rapport.auth.token import Principal
from rapport.errors import StoreUnavailable
from rapport.instant import HOUR, Instant
from rapport.settings import Settings
from rapport.store.engines import open_store

NOW = Instant(1_772_000_000_000)


def start_session(account_id: str, at: int = NOW) -> Session:
    return begin_session(Principal(account_id, "serve", "serve", Role.OWNER, frozenset(Scope)), Instant(at))


def is_ended(sessions: EndedSessions, session: Session) -> bool:
    return sessions.contains(session.principal.account_id, session.session_id)


async def test_ended_session_is_ended_for_all_readers(location: str) -> None:
    async with open_store(Settings(data=location)) as store, open_store(Settings(data=location)) as other_store:
        here, elsewhere = EndedSessions(store.secrets), EndedSessions(other_store.secrets)
        ended, kept = start_session("acme"), start_session("acme")
        await here.end(ended, NOW)
        assert (is_ended(here, ended), is_ended(here, kept)) == (True, False)
        assert not is_ended(elsewhere, ended)
        await elsewhere.refresh()
        assert (is_ended(elsewhere, ended), is_ended(elsewhere, kept)) == (True, False)
        # Token ids and session ids never coincide.
        assert not here.contains("acme", ended.nonce)


async def test_expired_sessions_are_removed_from_list(location: str) -> None:
    async with open_store(Settings(data=location)) as store:
        sessions = EndedSessions(store.secrets)
        early = start_session("acme")
        await sessions.end(early, NOW)
        await sessions.end(start_session("acme"), Instant(NOW + LIFETIME + HOUR - 1))
        assert is_ended(sessions, early)
        await sessions.end(start_session("acme"), Instant(NOW + LIFETIME + HOUR))
        assert not is_ended(sessions, early)


async def test_too_many_ended_sessions_end_all_sessions_of_account(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_sessions, "MAX_LISTED", 5)

    async with open_store(Settings(data=location)) as store:
        sessions = EndedSessions(store.secrets)
        # One session was started by a server whose clock is a second ahead.
        ended = [
            *(start_session("acme", NOW + number) for number in range(4)),
            start_session("acme", NOW + 1_000),
            start_session("acme"),
        ]
        kept, other = start_session("acme", NOW + 3), start_session("other", NOW + 3)
        for session in ended[:5]:
            await sessions.end(session, Instant(NOW + 10))
        assert not is_ended(sessions, kept)
        await sessions.end(ended[5], Instant(NOW + 10))
        assert all(is_ended(sessions, session) for session in (*ended, kept))
        assert not is_ended(sessions, other)
        assert not is_ended(sessions, start_session("acme", NOW + 1_001))
        stored = await store.secrets.read("ended-sessions")
        assert stored is not None
        assert len(stored) < 200


async def test_damaged_list_is_reported(location: str) -> None:
    async with open_store(Settings(data=location)) as store:
        await store.secrets.replace("ended-sessions", None, b"{")
        with pytest.raises(StoreUnavailable, match="list of ended sessions is damaged"):
            await EndedSessions(store.secrets).refresh()
