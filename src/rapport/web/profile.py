"""Profile: a user's own password and sessions."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.auth.session import Session
from rapport.errors import Forbidden, InvalidField, SignInFailed
from rapport.people.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from rapport.people.sessions import SessionService
from rapport.people.sign_in import SignInService
from rapport.store.users import User
from rapport.web.labels import METHOD_LABELS, ROLE_LABELS
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form
from rapport.web.zone import get_zone

PROFILE: Final = "/profile"
CHANGE: Final = "/profile/password"
END_SESSION: Final = "/profile/sessions/{session_id}/end"


class ProfilePage:
    """The page, and its forms."""

    def __init__(self, sign_in: SignInService, session_service: SessionService, sessions: SessionManager) -> None:
        self._sign_in = sign_in
        self._session_service = session_service
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            page_route(PROFILE, self.show),
            page_route(CHANGE, self.change_password, method="POST"),
            page_route(END_SESSION, self.end_session, method="POST"),
        ]

    async def show(self, request: Request) -> Response:
        """Show the page."""
        session = self._sessions.get_session(request)
        return await self._page(request, session, await self._sign_in.get_session_user(session))

    async def change_password(self, request: Request) -> Response:
        """Change the password, end all other sessions, and go on in a new one."""
        session, form = await self._checked(request)
        user = await self._sign_in.get_session_user(session)
        if user is None or user.password_hash is None:
            raise Forbidden("password")
        new_password = form.get("password", "")
        try:
            if new_password != form.get("repeated", ""):
                raise InvalidField("password", "", "the two passwords differ")
            user = await self._sign_in.change_password(user, form.get("current_password", ""), new_password, now())
        except InvalidField as exc:
            return await self._page(request, session, user, f"The password {exc.reason}.", status=400)
        except SignInFailed as exc:
            return await self._page(request, session, user, f"{exc}.".capitalize(), status=400)
        new_session = await self._sign_in.begin_session(user, now())
        return await self._sessions.start_session(request, new_session, "password", PROFILE)

    async def end_session(self, request: Request) -> Response:
        """End one of the user's sessions."""
        session, _ = await self._checked(request)
        await self._session_service.end(session, request.path_params["session_id"], now())
        return RedirectResponse(f"{PROFILE}#sessions", status_code=303)

    async def _checked(self, request: Request) -> tuple[Session, dict[str, str]]:
        session = self._sessions.get_session(request)
        form = await read_form(request)
        self._sessions.check_form(request, session, form.get("form_token", ""))
        return session, form

    async def _page(
        self, request: Request, session: Session, user: User | None, error: str = "", *, status: int = 200
    ) -> Response:
        sessions = await self._session_service.list_sessions(session, now())
        return page(
            "profile.html",
            status=status,
            session=session,
            form_token=self._sessions.make_form_token(session),
            zone=get_zone(request),
            user=user,
            error=error,
            role=ROLE_LABELS[session.principal.role.value],
            min_length=MIN_PASSWORD_LENGTH,
            max_length=MAX_PASSWORD_LENGTH,
            method_labels=METHOD_LABELS,
            sessions=[
                other
                for other in sessions
                if other.session_id == session.nonce or (session.user_id and other.user_id == session.user_id)
            ],
            sessions_path="/profile/sessions",
        )
