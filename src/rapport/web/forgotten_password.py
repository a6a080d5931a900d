"""The page on which a user who has forgotten the password asks for a link."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.errors import Throttled
from rapport.people.forgotten_passwords import ForgottenPasswords
from rapport.web.invitation import INVITATION
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form

FORGOTTEN_PASSWORD: Final = "/forgotten-password"  # noqa: S105 - a path


class ForgottenPasswordPage:
    """The page, and its form."""

    def __init__(self, passwords: ForgottenPasswords, sessions: SessionManager) -> None:
        self._passwords = passwords
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            page_route(FORGOTTEN_PASSWORD, self.show),
            page_route(FORGOTTEN_PASSWORD, self.request_link, method="POST"),
        ]

    async def show(self, _request: Request) -> Response:
        """Ask for the email address."""
        return self._page()

    async def request_link(self, request: Request) -> Response:
        """Send a link, and say the same whether the user exists or not."""
        self._sessions.check_site(request)
        form = await read_form(request)
        if not self._passwords.is_available:
            return self._page()
        try:
            await self._passwords.request_link(form.get("email_address", ""), INVITATION, now())
        except Throttled:
            return self._page("Too many requests for this email address. Try again later.", status=429)
        return self._page(is_sent=True)

    def _page(self, error: str = "", *, is_sent: bool = False, status: int = 200) -> Response:
        return page(
            "forgotten_password.html",
            status=status,
            error=error,
            is_available=self._passwords.is_available,
            is_sent=is_sent,
        )
