"""Profile: a user's own password, authenticator app, allowed applications and sessions."""

from typing import Final

import segno
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.auth.session import Session
from rapport.errors import Forbidden, InvalidField, InvalidForm, SignInFailed
from rapport.oauth.grants import GrantService
from rapport.people.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from rapport.people.recovery_codes import count_recovery_codes
from rapport.people.sessions import SessionService
from rapport.people.sign_in import SignInService
from rapport.people.totp import new_totp_secret, totp_uri
from rapport.store.users import User
from rapport.web.labels import METHOD_LABELS, ROLE_LABELS, SCOPE_LABELS
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form
from rapport.web.zone import get_zone

PROFILE: Final = "/profile"
CHANGE: Final = "/profile/password"
TOTP: Final = "/profile/totp"
REMOVE_TOTP: Final = "/profile/totp/remove"
RECOVERY_CODES: Final = "/profile/totp/recovery-codes"
DISALLOW: Final = "/profile/applications/{client_id}/revoke"
END_SESSION: Final = "/profile/sessions/{session_id}/end"


class ProfilePage:
    """The page, and its forms."""

    def __init__(
        self,
        sign_in: SignInService,
        session_service: SessionService,
        grants: GrantService,
        sessions: SessionManager,
    ) -> None:
        self._sign_in = sign_in
        self._grants = grants
        self._session_service = session_service
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            page_route(PROFILE, self.show),
            page_route(CHANGE, self.change_password, method="POST"),
            page_route(TOTP, self.set_up_totp),
            page_route(TOTP, self.enable_totp, method="POST"),
            page_route(REMOVE_TOTP, self.disable_totp, method="POST"),
            page_route(RECOVERY_CODES, self.renew_recovery_codes, method="POST"),
            page_route(DISALLOW, self.disallow_application, method="POST"),
            page_route(END_SESSION, self.end_session, method="POST"),
        ]

    async def show(self, request: Request) -> Response:
        """Show the page."""
        session = self._sessions.get_session(request)
        return await self._page(request, session, await self._sign_in.get_session_user(session))

    async def change_password(self, request: Request) -> Response:
        """Change the password, end all other sessions, and continue in a new one."""
        session, form = await self._checked(request)
        user = await self._require_password_user(session)
        new_password = form.get("password", "")
        try:
            if new_password != form.get("repeated", ""):
                raise InvalidField("password", "", "the two passwords differ")
            user = await self._sign_in.change_password(user, form.get("current_password", ""), new_password, now())
        except InvalidField as exc:
            return await self._page(request, session, user, f"The password {exc.reason}.", status=400)
        except SignInFailed as exc:
            return await self._page(request, session, user, _as_sentence(exc), status=400)
        new_session = await self._sign_in.begin_session(user, now())
        return await self._sessions.start_session(request, new_session, "password", PROFILE)

    async def set_up_totp(self, request: Request) -> Response:
        """Show a new secret for an authenticator app, as a QR code and as text."""
        session = self._sessions.get_session(request)
        return self._setup_page(session, await self._require_password_user(session), new_totp_secret())

    async def enable_totp(self, request: Request) -> Response:
        """Require codes from now on, once the first one was right."""
        session, form = await self._checked(request)
        user = await self._require_password_user(session)
        secret = form.get("secret", "")
        if not self._sessions.is_form_content(session, secret, form.get("secret_tag", "")):
            raise InvalidForm("the secret is not from this session")
        try:
            await self._sign_in.check_current_password(user, form.get("current_password", ""), now())
            codes = await self._sign_in.enable_totp(user, secret, form.get("code", ""), now())
        except SignInFailed as exc:
            return self._setup_page(session, user, secret, _as_sentence(exc), status=400)
        return self._codes_page(session, codes)

    async def renew_recovery_codes(self, request: Request) -> Response:
        """Replace the recovery codes, and show the new ones."""
        session, form = await self._checked(request)
        user = await self._require_password_user(session)
        try:
            await self._sign_in.check_current_password(user, form.get("current_password", ""), now())
            codes = await self._sign_in.renew_recovery_codes(user)
        except SignInFailed as exc:
            return await self._page(request, session, user, _as_sentence(exc), status=400)
        return self._codes_page(session, codes)

    async def disallow_application(self, request: Request) -> Response:
        """Revoke what the user lets an application do."""
        session, _ = await self._checked(request)
        await self._grants.revoke(session, request.path_params["client_id"], now())
        return RedirectResponse(f"{PROFILE}#applications", status_code=303)

    async def disable_totp(self, request: Request) -> Response:
        """Require no codes any more."""
        session, form = await self._checked(request)
        user = await self._require_password_user(session)
        try:
            await self._sign_in.check_current_password(user, form.get("current_password", ""), now())
        except SignInFailed as exc:
            return await self._page(request, session, user, _as_sentence(exc), status=400)
        await self._sign_in.disable_totp(user)
        return RedirectResponse(f"{PROFILE}#totp", status_code=303)

    async def _require_password_user(self, session: Session) -> User:
        user = await self._sign_in.get_session_user(session)
        if user is None or user.password_hash is None:
            raise Forbidden("only users who sign in with a password can use an authenticator app")
        return user

    def _setup_page(self, session: Session, user: User, secret: str, error: str = "", *, status: int = 200) -> Response:
        code = segno.make(totp_uri(secret, user.email_address), micro=False)
        return page(
            "totp_setup.html",
            status=status,
            session=session,
            form_token=self._sessions.make_form_token(session),
            secret=secret,
            secret_tag=self._sessions.tag_form_content(session, secret),
            qr_code=code.svg_inline(scale=5, border=3, dark="#000", light="#fff"),
            error=error,
        )

    def _codes_page(self, session: Session, codes: tuple[str, ...]) -> Response:
        form_token = self._sessions.make_form_token(session)
        return page("recovery_codes.html", session=session, form_token=form_token, codes=codes)

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
            nav_id="profile",
            zone=get_zone(request),
            user=user,
            error=error,
            role=ROLE_LABELS[session.principal.role.value],
            min_length=MIN_PASSWORD_LENGTH,
            max_length=MAX_PASSWORD_LENGTH,
            method_labels=METHOD_LABELS,
            scope_labels=SCOPE_LABELS,
            recovery_codes=0 if user is None else count_recovery_codes(user.recovery_codes),
            allowed=await self._grants.list_allowed(session, now()),
            sessions=[
                other
                for other in sessions
                if other.session_id == session.nonce or (session.user_id and other.user_id == session.user_id)
            ],
            sessions_path="/profile/sessions",
        )


def _as_sentence(exc: SignInFailed) -> str:
    text = str(exc)
    return f"{text[:1].upper()}{text[1:]}."
