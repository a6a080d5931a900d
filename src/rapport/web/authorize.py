"""The consent pages, on which users let an application, or a device, act on their behalf."""

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
    """The page that an application sends users to, and the one on which they type the code of a device."""

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
        """Show the request. Users sign in before any redirect, so a link to this page isn't an open redirect."""
        query = request.scope["query_string"].decode("latin-1")
        try:
            consent_request = await self._consents.read_request(query, self._sessions.get_base_url(request), now())
        except Redirect as exc:
            self._sessions.get_session(request)
            return RedirectResponse(exc.location, status_code=303)
        session = self._sessions.get_session(request)
        granted = scopes_to_grant(session, consent_request.application, consent_request.scopes)
        response = page(
            "consent.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            action=DECIDE,
            application=consent_request.application,
            hidden={"request": urlencode(consent_request.params)},
            user_code="",
            destination=consent_request.redirect_uri,
            scopes=[(scope.value, SCOPE_LABELS[scope.value]) for scope in granted],
            refused=sorted(set(consent_request.scopes) - {scope.value for scope in granted}),
            role=ROLE_LABELS[session.principal.role.value],
        )
        return _allow_redirect(response, consent_request)

    async def decide(self, request: Request) -> Response:
        """Send the browser back to the application, with a code or an error."""
        session, form = await self._form(request)
        issuer = self._sessions.get_base_url(request)
        try:
            consent_request = await self._consents.read_request(form.get("request", ""), issuer, now())
        except Redirect as exc:
            return RedirectResponse(exc.location, status_code=303)
        if _read_decision(form):
            location = await self._consents.approve(session, consent_request, issuer, now())
        else:
            location = self._consents.deny(consent_request, issuer)
        # 303, so that the browser doesn't post the form to the application (RFC 9700, section 4.12).
        return _allow_redirect(RedirectResponse(location, status_code=303, headers=HEADERS), consent_request)

    async def activate(self, request: Request) -> Response:
        """Show the form for a device's code; with a code, show the device's request."""
        session = self._sessions.get_session(request)
        user_code = request.query_params.get("user_code", "")
        if not user_code:
            return self._code_form(session, "")
        try:
            consent_request = await self._consents.find_device(session, user_code, now())
        except UnknownUserCode:
            return self._code_form(
                session, "No device is waiting with this code. Check the code, or start again on the device."
            )
        granted = scopes_to_grant(session, consent_request.application, consent_request.device.scopes)
        return page(
            "consent.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            action=ACTIVATE,
            application=consent_request.application,
            hidden={"user_code": consent_request.user_code},
            user_code=consent_request.user_code,
            destination="",
            scopes=[(scope.value, SCOPE_LABELS[scope.value]) for scope in granted],
            refused=sorted(set(consent_request.device.scopes) - {scope.value for scope in granted}),
            role=ROLE_LABELS[session.principal.role.value],
        )

    async def decide_device(self, request: Request) -> Response:
        """Approve or deny a device."""
        session, form = await self._form(request)
        consent_request = await self._consents.find_device(session, form.get("user_code", ""), now())
        approved = _read_decision(form)
        await self._consents.decide_device(session, consent_request, approved=approved, now=now())
        return page(
            "message.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            title="Device connected" if approved else "Access denied",
            text=f"{consent_request.application.name} is connected. You can close this page."
            if approved
            else f"{consent_request.application.name} was not given access. You can close this page.",
        )

    async def _form(self, request: Request) -> tuple[Session, dict[str, str]]:
        session = self._sessions.get_session(request)
        form = await read_form(request)
        self._sessions.check_form(request, session, form.get("form_token", ""))
        return session, form

    def _code_form(self, session: Session, error: str) -> Response:
        form_token = self._sessions.make_form_token(session)
        status = 404 if error else 200
        return page(
            "activate.html", status=status, session=session, form_token=form_token, action=ACTIVATE, error=error
        )


def _read_decision(form: dict[str, str]) -> bool:
    decision = form.get("decision", "")
    if decision not in _DECISIONS:
        raise InvalidField("decision", decision, "must be one of " + ", ".join(_DECISIONS))
    return _DECISIONS[decision]


def _allow_redirect(response: Response, consent_request: AuthorizationRequest) -> Response:
    """Allow the form's response to redirect to the application: browsers apply form-action to redirects too."""
    policy = HEADERS[_POLICY].replace(
        "form-action 'self'", f"form-action 'self' {get_origin(consent_request.redirect_uri)}"
    )
    response.headers[_POLICY] = policy
    return response
