"""Sessions of the pages: list them, and end them."""

from typing import Final

from rapport.auth.authenticator import Authenticator
from rapport.auth.ended_sessions import EndedSessions
from rapport.auth.revocations import RevocationList
from rapport.auth.session import SESSION_ID_PREFIX, Session, parse_start_time
from rapport.errors import InvalidToken, UnknownSession
from rapport.instant import Instant
from rapport.people.users import is_owner
from rapport.store.store import Store
from rapport.store.users import UserSession

_MAX_CLIENT_LENGTH: Final = 200


class SessionService:
    """Lists and ends sessions on behalf of a signed-in user."""

    def __init__(self, store: Store, authenticator: Authenticator) -> None:
        self._store = store
        self._authenticator = authenticator

    async def add(self, session: Session, method: str, client: str, now: Instant) -> None:
        """List a session that has just begun. `client` is the browser's User-Agent header."""
        printable = "".join(character for character in client if character.isprintable())
        await self._store.users.add_session(
            UserSession(
                session_id=session.nonce,
                account_id=session.principal.account_id,
                user_id=session.user_id,
                user_name=session.principal.user,
                role=session.principal.role.value,
                method=method,
                client=printable.encode("utf-8", "replace").decode()[:_MAX_CLIENT_LENGTH],
                token_ids=session.token_ids,
                started_time=parse_start_time(session.session_id),
                expires=session.expires,
            ),
            now,
        )

    async def list_sessions(self, session: Session, now: Instant) -> list[UserSession]:
        """Return the sessions that this one may end, newest first: an owner's are all of the account."""
        sessions = await self._store.users.list_sessions(session.principal.account_id, now)
        return [other for other in sessions if self._is_active(other) and _may_end(session, other)]

    async def end(self, session: Session, session_id: str, now: Instant) -> None:
        """End a session, effective on this server at once. Raises UnknownSession."""
        account_id = session.principal.account_id
        other = await self._store.users.find_session(account_id, session_id)
        if other is None or not _may_end(session, other):
            raise UnknownSession(session_id)
        await self._authenticator.end_session_by_id(account_id, SESSION_ID_PREFIX + session_id, other.expires, now)
        await self._store.users.delete_session(account_id, session_id)

    async def remove(self, session: Session) -> None:
        """Remove a session that has ended from the list."""
        await self._store.users.delete_session(session.principal.account_id, session.nonce)

    def _is_active(self, session: UserSession) -> bool:
        try:
            self._authenticator.check_not_revoked(
                session.account_id, (SESSION_ID_PREFIX + session.session_id, *session.token_ids)
            )
        except InvalidToken:
            return False
        return True


def _may_end(session: Session, other: UserSession) -> bool:
    if other.session_id == session.nonce or (session.user_id and other.user_id == session.user_id):
        return True
    return is_owner(session)


async def list_account_sessions(store: Store, account_id: str, now: Instant) -> list[UserSession]:
    """Return the sessions of an account, newest first. For commands."""
    ended, revoked = EndedSessions(store.secrets), RevocationList(store.secrets)
    await ended.refresh()
    await revoked.refresh()
    return [
        session
        for session in await store.users.list_sessions(account_id, now)
        if not ended.contains(account_id, SESSION_ID_PREFIX + session.session_id)
        and revoked.ids.isdisjoint(session.token_ids)
    ]


async def end_account_session(store: Store, account_id: str, session_id: str, now: Instant) -> UserSession:
    """End a session of an account, and return it. Raises UnknownSession. For commands."""
    session = await store.users.find_session(account_id, session_id)
    if session is None:
        raise UnknownSession(session_id)
    ended = EndedSessions(store.secrets)
    await ended.end_by_id(account_id, SESSION_ID_PREFIX + session_id, session.expires, now)
    await store.users.delete_session(account_id, session_id)
    return session
