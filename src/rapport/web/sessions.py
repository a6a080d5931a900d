"""Sessions of the pages: the session cookie, form tokens, and forms.

A form must carry the form token of its session, and must not come from another site.
"""

import time
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rapport.activity import is_id
from rapport.auth.authenticator import Authenticator
from rapport.auth.authorization import require_permission
from rapport.auth.scope import Privilege, Scope
from rapport.auth.session import Session, form_token, is_form_token, sign_session, verify_session
from rapport.errors import InvalidForm, InvalidToken, PayloadTooLarge, StoreUnavailable, UnknownContact
from rapport.instant import SECOND, Instant
from rapport.people.sessions import SessionService
from rapport.url_paths import restore_marks
from rapport.web.own_urls import SIGN_IN, is_same_origin

COOKIE: Final = "rapport_session"

_MAX_FORM_SIZE: Final = 16 * 1024
_OWN_SITES: Final = {"same-origin", "none"}


class NotSignedIn(Exception):
    """The request has no valid session. The sign-in page is shown instead."""


class SessionManager:
    """Starts, verifies and ends sessions."""

    def __init__(self, authenticator: Authenticator, sessions: SessionService, public_url: str) -> None:
        self._authenticator = authenticator
        self._sessions = sessions
        self._public_url = public_url

    def get_base_url(self, request: Request) -> str:
        """Return the server's URL as the client knows it."""
        return self._public_url or str(request.base_url).rstrip("/")

    def get_session(self, request: Request, scope: Scope | None = None, privilege: Privilege | None = None) -> Session:
        """Return the request's session. Raises NotSignedIn, and Forbidden if it lacks the scope or privilege."""
        try:
            session = verify_session(self._authenticator.keys.signing_secret, request.cookies.get(COOKIE, ""), now())
            self._authenticator.check_session(session)
        except InvalidToken as exc:
            raise NotSignedIn from exc
        request.scope["principal"] = session.principal
        require_permission(session.principal, scope, privilege)
        return session

    def make_form_token(self, session: Session) -> str:
        """Return the token that forms of this session must carry."""
        return form_token(self._authenticator.keys.signing_secret, session.nonce)

    def tag_form_content(self, session: Session, content: str) -> str:
        """Return a signature of a form's content, which is valid in this session only."""
        return form_token(self._authenticator.keys.signing_secret, f"{session.nonce} {content}")

    def is_form_content(self, session: Session, content: str, tag: str) -> bool:
        """Return True if this content was given to a form of this session."""
        return is_form_token(self._authenticator.keys.signing_secret, f"{session.nonce} {content}", tag)

    def find_session(self, request: Request) -> Session | None:
        """Return the request's session, or None without a valid one."""
        try:
            return self.get_session(request)
        except (NotSignedIn, StoreUnavailable):
            return None

    def check_form(self, request: Request, session: Session, token: str) -> None:
        """Check that the form was sent from a page of this session. Raises InvalidForm."""
        self.check_site(request)
        if not is_form_token(self._authenticator.keys.signing_secret, session.nonce, token):
            raise InvalidForm("the form is not from this session")

    def check_site(self, request: Request) -> None:
        """Check that the browser doesn't report another site as the form's origin. Raises InvalidForm.

        Browsers send Sec-Fetch-Site only to addresses that they trust (https, localhost); to others they send Origin.
        Clients that send neither are not browsers, and no other site can have them send anything.
        """
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is not None:
            is_own = site in _OWN_SITES
        else:
            is_own = origin is None or is_same_origin(origin, self._public_url, request.headers.get("host", ""))
        if not is_own:
            raise InvalidForm("the form is from another site")

    async def start_session(self, request: Request, session: Session, method: str, to: str) -> Response:
        """Set the session cookie and redirect to a page. `method` says how the user signed in."""
        await self._sessions.add(session, method, request.headers.get("user-agent", ""), now())
        response = RedirectResponse(to, status_code=303)
        response.set_cookie(
            COOKIE,
            sign_session(self._authenticator.keys.signing_secret, session),
            max_age=(session.expires - now()) // SECOND,
            httponly=True,
            samesite="lax",
            secure=self.get_base_url(request).startswith("https:"),
        )
        return response

    async def sign_out(self, session: Session) -> Response:
        """End the session on every server, delete its cookie and redirect to the sign-in page."""
        await self._authenticator.end_session(session, now())
        await self._sessions.remove(session)
        response = RedirectResponse(SIGN_IN, status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response


def require_contact(sessions: SessionManager, request: Request, privilege: Privilege) -> tuple[Session, str]:
    """Return the session and the contact id of the path. Raises NotSignedIn, Forbidden, and UnknownContact."""
    session = sessions.get_session(request, Scope.CONTACT_DATA, privilege)
    contact_id = restore_marks(request.path_params["contact_id"])
    if not is_id(contact_id):
        raise UnknownContact(contact_id[:64])
    return session, contact_id


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; for repeated ones, the last value. Raises PayloadTooLarge."""
    return dict(await read_fields(request))


async def read_fields(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a form, including repeated ones. Raises PayloadTooLarge."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_SIZE:
            raise PayloadTooLarge(f"a form can have at most {_MAX_FORM_SIZE:,} bytes")
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def now() -> Instant:
    """Return the current time."""
    return Instant(time.time_ns() // 1_000_000)
