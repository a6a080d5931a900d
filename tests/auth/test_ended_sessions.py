"""The list of sessions that were ended by signing out: what it covers, and that it stays small."""

import asyncio

import pytest

from rapport.auth import ended_sessions
from rapport.auth.ended_sessions import EndedSessions
from rapport.auth.scope import Role, Scope
from rapport.auth.session import LIFE, Session, begin_session
from rapport.auth.token import Principal
from rapport.errors import StoreUnavailable
from rapport.instant import HOUR, Instant
from rapport.settings import Settings
from rapport.store.engines import open_store

NOW = Instant(1_772_000_000_000)


def begin(account_id: str, at: int = NOW) -> Session:
    return begin_session(Principal(account_id, "serve", "serve", Role.OWNER, frozenset(Scope)), Instant(at))


def is_ended(sessions: EndedSessions, session: Session) -> bool:
    return sessions.include(session.principal.account_id, session.session_id)


def test_ended_session_is_ended_for_all_readers(data: str) -> None:
    async def run() -> None:
        async with open_store(Settings(data=data)) as store, open_store(Settings(data=data)) as other_store:
            here, elsewhere = EndedSessions(store.secrets), EndedSessions(other_store.secrets)
            ended, kept = begin("acme"), begin("acme")
            await here.end(ended, NOW)
            assert (is_ended(here, ended), is_ended(here, kept)) == (True, False)
            assert not is_ended(elsewhere, ended)
            await elsewhere.look()
            assert (is_ended(elsewhere, ended), is_ended(elsewhere, kept)) == (True, False)
            # A token's id is never that of a session.
            assert not here.include("acme", ended.nonce)

    asyncio.run(run())


def test_expired_sessions_are_removed_from_list(data: str) -> None:
    async def run() -> None:
        async with open_store(Settings(data=data)) as store:
            sessions = EndedSessions(store.secrets)
            early = begin("acme")
            await sessions.end(early, NOW)
            await sessions.end(begin("acme"), Instant(NOW + LIFE + HOUR - 1))
            assert is_ended(sessions, early)
            await sessions.end(begin("acme"), Instant(NOW + LIFE + HOUR))
            assert not is_ended(sessions, early)

    asyncio.run(run())


def test_too_many_ended_sessions_end_all_sessions_of_account(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_sessions, "MAX_LISTED", 5)

    async def run() -> None:
        async with open_store(Settings(data=data)) as store:
            sessions = EndedSessions(store.secrets)
            # One of them began on a server whose clock is a second ahead.
            ended = [*(begin("acme", NOW + number) for number in range(4)), begin("acme", NOW + 1_000), begin("acme")]
            kept, other = begin("acme", NOW + 3), begin("other", NOW + 3)
            for session in ended[:5]:
                await sessions.end(session, Instant(NOW + 10))
            assert not is_ended(sessions, kept)
            await sessions.end(ended[5], Instant(NOW + 10))
            assert all(is_ended(sessions, session) for session in (*ended, kept))
            assert not is_ended(sessions, other)
            assert not is_ended(sessions, begin("acme", NOW + 1_001))
            stored = await store.secrets.read("ended-sessions")
            assert stored is not None
            assert len(stored) < 200

    asyncio.run(run())


def test_damaged_list_is_reported(data: str) -> None:
    async def run() -> None:
        async with open_store(Settings(data=data)) as store:
            await store.secrets.replace("ended-sessions", None, b"{")
            with pytest.raises(StoreUnavailable, match="list of ended sessions is damaged"):
                await EndedSessions(store.secrets).look()

    asyncio.run(run())
