"""Who is at the pages: a session in a cookie; without one, the page to sign in on.

A change needs the form token of a page that was made for this session, and never comes from another site.
"""

import time
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rapport.activity import is_id
from rapport.auth.gate import check_may
from rapport.auth.scope import Privilege, Scope
from rapport.auth.session import Session, form_token, is_form_token, sign_session, verify_session
from rapport.auth.watch import KeyCache
from rapport.errors import InvalidForm, InvalidToken, PayloadTooLarge, StoreUnavailable, UnknownContact
from rapport.instant import SECOND, Instant
from rapport.url_paths import restore_marks
from rapport.web.addresses import SIGN_IN, is_same_origin

COOKIE: Final = "rapport_session"

_LONGEST_FORM: Final = 16 * 1024
_OWN_SITES: Final = {"same-origin", "none"}


class NotSignedIn(Exception):
    """Nobody is signed in: the page to sign in on is shown instead."""


class SessionManager:
    """Opens and closes sessions, with the keys that hold now."""

    def __init__(self, keys: KeyCache, public_url: str) -> None:
        self._keys = keys
        self._public_url = public_url

    def address(self, request: Request) -> str:
        """The address of this server, as whoever asks knows it."""
        return self._public_url or str(request.base_url).rstrip("/")

    def session(self, request: Request, scope: Scope | None = None, privilege: Privilege | None = None) -> Session:
        """Whose page it is. Raises SignedOut, and Forbidden where the role or the token didn't allow it."""
        try:
            session = verify_session(self._keys.keys.sealing, request.cookies.get(COOKIE, ""), now())
            self._keys.check_session(session)
        except InvalidToken as problem:
            raise NotSignedIn from problem
        request.scope["principal"] = session.principal
        check_may(session.principal, scope, privilege)
        return session

    def form_token(self, session: Session) -> str:
        """What the forms of this session's pages carry."""
        return form_token(self._keys.keys.sealing, session.nonce)

    def find_session(self, request: Request) -> Session | None:
        """Return the request's session, or None without a valid one."""
        try:
            return self.session(request)
        except (NotSignedIn, StoreUnavailable):
            return None

    def check_form(self, request: Request, session: Session, token: str) -> None:
        """Return if a page of this session sent the form. Raises InvalidForm."""
        self.check_site(request)
        if not is_form_token(self._keys.keys.sealing, session.nonce, token):
            raise InvalidForm("the form is not from this session")

    def check_site(self, request: Request) -> None:
        """Return if no page of another site sent the form, as far as the browser says. Raises InvalidForm.

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

    def signed_in(self, request: Request, session: Session, to: str) -> Response:
        """Let the browser keep the session, and go on to a page."""
        response = RedirectResponse(to, status_code=303)
        response.set_cookie(
            COOKIE,
            sign_session(self._keys.keys.sealing, session),
            max_age=(session.expires - now()) // SECOND,
            httponly=True,
            samesite="lax",
            secure=self.address(request).startswith("https:"),
        )
        return response

    async def sign_out(self, session: Session) -> Response:
        """End the session on every server, and have the browser forget it."""
        await self._keys.end_session(session, now())
        response = RedirectResponse(SIGN_IN, status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response


def contact_asked(door: SessionManager, request: Request, privilege: Privilege) -> tuple[Session, str]:
    """Whose page of which contact it is. Raises SignedOut, Forbidden, and UnknownContact for what can't be an id."""
    session = door.session(request, Scope.CONTACT_DATA, privilege)
    contact_id = restore_marks(request.path_params["contact_id"])
    if not is_id(contact_id):
        raise UnknownContact(contact_id[:64])
    return session, contact_id


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form, each once. Raises TooLarge."""
    return dict(await read_fields(request))


async def read_fields(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a form, with repeated ones. Raises TooLarge."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise PayloadTooLarge(f"a form may have {_LONGEST_FORM:,} bytes")
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def now() -> Instant:
    """The time."""
    return Instant(time.time_ns() // 1_000_000)
