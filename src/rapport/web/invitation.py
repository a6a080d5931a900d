"""The page of a one-time link, on which an invited user joins, or a user sets a new password."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.errors import InvalidField
from rapport.people.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from rapport.people.sign_in import SignInService
from rapport.store.users import User
from rapport.web.labels import ROLE_LABELS
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form
from rapport.web.sign_in import continue_sign_in

INVITATION: Final = "/invitations/{code}"


def invitation_path(code: str) -> str:
    """Return the path of a one-time link."""
    return INVITATION.replace("{code}", code)


class InvitationPage:
    """Shows and redeems one-time links. Opening one doesn't use it up, as mail scanners and previews open links."""

    def __init__(self, sign_in: SignInService, sessions: SessionManager, provider_name: str) -> None:
        self._provider_name = provider_name
        self._sign_in = sign_in
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [page_route(INVITATION, self.show), page_route(INVITATION, self.redeem, method="POST")]

    async def show(self, request: Request) -> Response:
        """Show who is invited to what, and ask for a password."""
        return self._form(await self._sign_in.find_link(request.path_params["code"], now()), "")

    async def redeem(self, request: Request) -> Response:
        """Set the password, and sign in."""
        self._sessions.check_site(request)
        form = await read_form(request)
        code, password = request.path_params["code"], form.get("password", "")
        try:
            if password != form.get("repeated", ""):
                raise InvalidField("password", "", "the two passwords differ")
            user = await self._sign_in.redeem_link(code, password, now())
        except InvalidField as exc:
            return self._form(await self._sign_in.find_link(code, now()), f"The password {exc.reason}.", status=400)
        return await continue_sign_in(request, self._sign_in, self._sessions, user, "")

    def _form(self, user: User, error: str, *, status: int = 200) -> Response:
        return page(
            "invitation.html",
            status=status,
            error=error,
            user=user,
            role=ROLE_LABELS[user.role],
            min_length=MIN_PASSWORD_LENGTH,
            max_length=MAX_PASSWORD_LENGTH,
            provider_name=self._provider_name,
        )
