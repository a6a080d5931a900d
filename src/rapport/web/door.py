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
from rapport.auth.session import Session, form_token, is_form_token, open_session, seal_session
from rapport.auth.watch import KeyWatch
from rapport.errors import Forbidden, InvalidToken, UnknownContact
from rapport.instant import SECOND, Instant

COOKIE: Final = "rapport_session"
SIGN_IN: Final = "/sign-in"

_LONGEST_FORM: Final = 16 * 1024
_OWN_SITES: Final = {"same-origin", "none"}


class SignedOut(Exception):
    """Nobody is signed in: the page to sign in on is shown instead."""


class Door:
    """Opens and closes sessions, with the keys that hold now."""

    def __init__(self, keys: KeyWatch, public_url: str) -> None:
        self._keys = keys
        self._public_url = public_url

    def address(self, request: Request) -> str:
        """The address of this server, as whoever asks knows it."""
        return self._public_url or str(request.base_url).rstrip("/")

    def session(self, request: Request, scope: Scope | None = None, privilege: Privilege | None = None) -> Session:
        """Whose page it is. Raises SignedOut, and Forbidden where the role or the token didn't allow it."""
        try:
            session = open_session(self._keys.keys.sealing, request.cookies.get(COOKIE, ""), now())
            self._keys.check_revoked(session.token_ids)
        except InvalidToken as problem:
            raise SignedOut from problem
        request.scope["principal"] = session.principal
        check_may(session.principal, scope, privilege)
        return session

    def form_token(self, session: Session) -> str:
        """What the forms of this session's pages carry."""
        return form_token(self._keys.keys.sealing, session.nonce)

    def check_form(self, request: Request, session: Session, token: str) -> None:
        """Return if a change was asked for on a page of this session. Raises Forbidden."""
        check_site(request)
        if not is_form_token(self._keys.keys.sealing, session.nonce, token):
            raise Forbidden("form of this session")

    def signed_in(self, request: Request, session: Session, to: str) -> Response:
        """Let the browser keep the session, and go on to a page."""
        answer = RedirectResponse(to, status_code=303)
        answer.set_cookie(
            COOKIE,
            seal_session(self._keys.keys.sealing, session),
            max_age=(session.expires - now()) // SECOND,
            httponly=True,
            samesite="lax",
            secure=self.address(request).startswith("https:"),
        )
        return answer

    def signed_out(self) -> Response:
        """Let the browser forget the session."""
        answer = RedirectResponse(SIGN_IN, status_code=303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return answer


def contact_asked(door: Door, request: Request, privilege: Privilege) -> tuple[Session, str]:
    """Whose page of which contact it is. Raises SignedOut, Forbidden, and UnknownContact for what can't be an id."""
    session = door.session(request, Scope.CONTACT_DATA, privilege)
    contact_id: str = request.path_params["contact_id"]
    if not is_id(contact_id):
        raise UnknownContact(contact_id[:64])
    return session, contact_id


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form, each once. Raises Forbidden for what no form of ours sends."""
    return dict(await read_fields(request))


async def read_fields(request: Request) -> list[tuple[str, str]]:
    """The fields of a form, as often as they are there. Raises Forbidden for what no form of ours sends."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise Forbidden("form of a page of this server")
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def check_site(request: Request) -> None:
    """Return if a form wasn't sent by the page of another site, as browsers tell. Raises Forbidden."""
    if request.headers.get("sec-fetch-site", "none") not in _OWN_SITES:
        raise Forbidden("form of a page of this server")


def now() -> Instant:
    """The time."""
    return Instant(time.time_ns() // 1_000_000)
