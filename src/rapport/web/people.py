"""People: an account's users and sessions, and the forms with which owners change them."""

from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.auth.scope import Role
from rapport.auth.session import Session
from rapport.errors import InvalidField, MailNotSent
from rapport.instant import DAY
from rapport.people.mail import Mailer
from rapport.people.sessions import SessionService
from rapport.people.users import LINK_LIFETIME, UserService, require_owner
from rapport.store.users import User
from rapport.web.invitation import invitation_path
from rapport.web.labels import METHOD_LABELS, ROLE_LABELS
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form
from rapport.web.zone import get_zone

PEOPLE: Final = "/people"
ROLE: Final = "/people/{user_id}/role"
LINK: Final = "/people/{user_id}/link"
RESET_TOTP: Final = "/people/{user_id}/totp"
REMOVE: Final = "/people/{user_id}/remove"
END_SESSION: Final = "/people/sessions/{session_id}/end"


_log = structlog.get_logger("rapport.web")


class PeoplePage:
    """The page, and its forms."""

    def __init__(
        self, users: UserService, session_service: SessionService, sessions: SessionManager, mailer: Mailer
    ) -> None:
        self._mailer = mailer
        self._users = users
        self._session_service = session_service
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            page_route(PEOPLE, self.show),
            page_route(PEOPLE, self.invite, method="POST"),
            page_route(END_SESSION, self.end_session, method="POST"),
            page_route(ROLE, self.change_role, method="POST"),
            page_route(LINK, self.create_link, method="POST"),
            page_route(RESET_TOTP, self.reset_totp, method="POST"),
            page_route(REMOVE, self.remove, method="POST"),
        ]

    async def show(self, request: Request) -> Response:
        """Show the account's users and sessions."""
        session = self._sessions.get_session(request)
        require_owner(session)
        return await self._page(request, session)

    async def invite(self, request: Request) -> Response:
        """Invite a user, and show the one-time link."""
        session, form = await self._checked(request)
        role = _read_role(form)
        user, code = await self._users.invite(session, form.get("email_address", ""), role, now())
        return await self._deliver(request, session, user, code)

    async def create_link(self, request: Request) -> Response:
        """Create a one-time link with which a user sets a password, and show it."""
        session, _ = await self._checked(request)
        user, code = await self._users.create_password_link(session, request.path_params["user_id"], now())
        return await self._deliver(request, session, user, code)

    async def change_role(self, request: Request) -> Response:
        """Change a user's role."""
        session, form = await self._checked(request)
        await self._users.change_role(session, request.path_params["user_id"], _read_role(form), now())
        return RedirectResponse(PEOPLE, status_code=303)

    async def reset_totp(self, request: Request) -> Response:
        """Let a user sign in without the authenticator app, for example because it is lost."""
        session, _ = await self._checked(request)
        await self._users.reset_totp(session, request.path_params["user_id"])
        return RedirectResponse(PEOPLE, status_code=303)

    async def remove(self, request: Request) -> Response:
        """Remove a user."""
        session, _ = await self._checked(request)
        await self._users.remove(session, request.path_params["user_id"], now())
        return RedirectResponse(PEOPLE, status_code=303)

    async def end_session(self, request: Request) -> Response:
        """End a session of the account."""
        session, _ = await self._checked(request)
        await self._session_service.end(session, request.path_params["session_id"], now())
        return RedirectResponse(f"{PEOPLE}#sessions", status_code=303)

    async def _checked(self, request: Request) -> tuple[Session, dict[str, str]]:
        session = self._sessions.get_session(request)
        require_owner(session)
        form = await read_form(request)
        self._sessions.check_form(request, session, form.get("form_token", ""))
        return session, form

    async def _deliver(self, request: Request, session: Session, user: User, code: str) -> Response:
        """Send the link by email, or else show it."""
        link = self._sessions.get_base_url(request) + invitation_path(code)
        if not self._mailer.is_configured:
            return await self._page(request, session, user, link)
        try:
            await self._mailer.send_link(user, await self._users.get_account_name(session), link)
        except MailNotSent as exc:
            _log.warning("link not sent", account=user.account_id, user_id=user.user_id, reason=str(exc))
            return await self._page(request, session, user, link, f"{exc}.".capitalize())
        return await self._page(request, session, user)

    async def _page(
        self, request: Request, session: Session, linked: User | None = None, link: str = "", error: str = ""
    ) -> Response:
        return page(
            "people.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            nav_id="people",
            zone=get_zone(request),
            users=await self._users.list_users(session),
            linked=linked,
            link=link,
            error=error,
            days=LINK_LIFETIME // DAY,
            roles=[role.value for role in Role],
            role_labels=ROLE_LABELS,
            method_labels=METHOD_LABELS,
            sessions=await self._session_service.list_sessions(session, now()),
            sessions_path="/people/sessions",
        )


def _read_role(form: dict[str, str]) -> Role:
    roles = {role.value: role for role in Role}
    role = form.get("role", "")
    if role not in roles:
        raise InvalidField("role", role, "must be one of " + ", ".join(roles))
    return roles[role]
