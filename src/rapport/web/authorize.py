"""The pages on which people decide: whether an application, or a device, may act on their behalf."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.auth.session import Session
from rapport.errors import InvalidField, UnknownUserCode
from rapport.oauth.consent import AuthorizationRequest, ConsentService, Redirect, scopes_to_grant
from rapport.oauth.redirects import get_origin
from rapport.oauth.server import ACTIVATE
from rapport.web.labels import ROLE_LABELS, SCOPE_LABELS
from rapport.web.rendering import HEADERS, page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form

BASE: Final = "/oauth2/default/v1"
AUTHORIZE: Final = f"{BASE}/authorize"
DECIDE: Final = f"{AUTHORIZE}/decision"

_POLICY: Final = "content-security-policy"
_DECISIONS: Final = {"allow": True, "deny": False}


class ConsentPages:
    """The page that an application sends people to, and the one on which they type in a device's code."""

    def __init__(self, consents: ConsentService, sessions: SessionManager) -> None:
        self._consents = consents
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            page_route(AUTHORIZE, self.authorize),
            page_route(DECIDE, self.decide, method="POST"),
            page_route(ACTIVATE, self.activate),
            page_route(ACTIVATE, self.decide_device, method="POST"),
        ]

    async def authorize(self, request: Request) -> Response:
        """Show who asks for what. Everybody signs in first, so that no link is a redirect to elsewhere by itself."""
        query = request.scope["query_string"].decode("latin-1")
        try:
            asked = await self._consents.read_request(query, self._sessions.get_base_url(request), now())
        except Redirect as exc:
            self._sessions.get_session(request)
            return RedirectResponse(exc.location, status_code=303)
        session = self._sessions.get_session(request)
        granted = scopes_to_grant(session, asked.application, asked.scopes)
        response = page(
            "consent.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            action=DECIDE,
            application=asked.application,
            hidden={"request": urlencode(asked.params)},
            user_code="",
            destination=asked.redirect_uri,
            scopes=[(scope.value, SCOPE_LABELS[scope.value]) for scope in granted],
            refused=sorted(set(asked.scopes) - {scope.value for scope in granted}),
            role=ROLE_LABELS[session.principal.role.value],
        )
        return _allow_redirect(response, asked)

    async def decide(self, request: Request) -> Response:
        """Send the browser back to the application, with a code or a refusal."""
        session, form = await self._form(request)
        issuer = self._sessions.get_base_url(request)
        try:
            asked = await self._consents.read_request(form.get("request", ""), issuer, now())
        except Redirect as exc:
            return RedirectResponse(exc.location, status_code=303)
        if _read_decision(form):
            location = await self._consents.approve(session, asked, issuer, now())
        else:
            location = self._consents.deny(asked, issuer)
        # 303, so that the browser doesn't post the form to the application (RFC 9700, section 4.12).
        return _allow_redirect(RedirectResponse(location, status_code=303, headers=HEADERS), asked)

    async def activate(self, request: Request) -> Response:
        """Show the form for a device's code or, once there is one, who asks for what."""
        session = self._sessions.get_session(request)
        user_code = request.query_params.get("user_code", "")
        if not user_code:
            return self._code_form(session, "")
        try:
            asked = await self._consents.find_device(session, user_code, now())
        except UnknownUserCode:
            return self._code_form(session, "No device is waiting with this code. Check it, or start again there.")
        granted = scopes_to_grant(session, asked.application, asked.device.scopes)
        return page(
            "consent.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            action=ACTIVATE,
            application=asked.application,
            hidden={"user_code": asked.user_code},
            user_code=asked.user_code,
            destination="",
            scopes=[(scope.value, SCOPE_LABELS[scope.value]) for scope in granted],
            refused=sorted(set(asked.device.scopes) - {scope.value for scope in granted}),
            role=ROLE_LABELS[session.principal.role.value],
        )

    async def decide_device(self, request: Request) -> Response:
        """Approve or deny a device."""
        session, form = await self._form(request)
        asked = await self._consents.find_device(session, form.get("user_code", ""), now())
        approved = _read_decision(form)
        await self._consents.decide_device(session, asked, approved=approved, now=now())
        return page(
            "message.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            title="Device connected" if approved else "Access denied",
            text=f"{asked.application.name} can go on now. You can close this page."
            if approved
            else f"{asked.application.name} gets no access. You can close this page.",
        )

    async def _form(self, request: Request) -> tuple[Session, dict[str, str]]:
        session = self._sessions.get_session(request)
        form = await read_form(request)
        self._sessions.check_form(request, session, form.get("form_token", ""))
        return session, form

    def _code_form(self, session: Session, problem: str) -> Response:
        form_token = self._sessions.make_form_token(session)
        status = 404 if problem else 200
        return page(
            "activate.html", status=status, session=session, form_token=form_token, action=ACTIVATE, problem=problem
        )


def _read_decision(form: dict[str, str]) -> bool:
    decision = form.get("decision", "")
    if decision not in _DECISIONS:
        raise InvalidField("decision", decision, "must be one of " + ", ".join(_DECISIONS))
    return _DECISIONS[decision]


def _allow_redirect(response: Response, asked: AuthorizationRequest) -> Response:
    """Let the page's form end at the application: browsers apply form-action to redirects as well."""
    policy = HEADERS[_POLICY].replace("form-action 'self'", f"form-action 'self' {get_origin(asked.redirect_uri)}")
    response.headers[_POLICY] = policy
    return response
