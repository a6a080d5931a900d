"""Errors as pages, with the navigation, for browsers; programs get JSON (`rapport.api.errors`)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from rapport.capture.errors import InvalidHook, UnknownHook
from rapport.errors import (
    BodyTimeout,
    Forbidden,
    InvalidField,
    InvalidForm,
    InvalidLink,
    LastOwner,
    PayloadTooLarge,
    RapportError,
    RecorderBusy,
    StoreBusy,
    StoreUnavailable,
    Throttled,
    TooManyApplications,
    TooManyStreams,
    TooManyTokens,
    TooManyUsers,
    TooMuchUnread,
    UnknownApplication,
    UnknownCampaignActivity,
    UnknownContact,
    UnknownSession,
    UnknownToken,
    UnknownUser,
    UnknownUserCode,
)
from rapport.oauth.consent import InvalidAuthorizationRequest
from rapport.web.rendering import page
from rapport.web.sessions import SessionManager

_ALWAYS_JSON: Final = ("/v3/", "/track/", "/oauth2/")
"""Paths whose errors are always JSON, whatever the Accept header says."""

_IS_PAGE: Final = "is_page"
"""The key in the ASGI scope that marks a request for a page, whose errors are always pages."""

_log = structlog.get_logger("rapport.web")


class _ErrorText(NamedTuple):
    """The title and text of an error page; `{}` is replaced by the error's message."""

    status: int
    title: str
    text: str


_ERRORS: Final[dict[type[RapportError], _ErrorText]] = {
    Forbidden: _ErrorText(403, "Access denied", "You don't have access to this: {}."),
    InvalidForm: _ErrorText(
        403, "Form not accepted", "This form was not sent from a page of your session. Reload the page and try again."
    ),
    InvalidField: _ErrorText(400, "Invalid request", "{}."),
    BodyTimeout: _ErrorText(408, "Request timed out", "{}."),
    PayloadTooLarge: _ErrorText(413, "Form too large", "Shorten what you entered and try again: {}."),
    InvalidAuthorizationRequest: _ErrorText(
        400, "Authorization failed", "The application's request is invalid, so you weren't sent back to it: {}."
    ),
    UnknownApplication: _ErrorText(404, "Application not found", "It may have been deleted."),
    UnknownUserCode: _ErrorText(404, "Device not found", "No device is waiting with this code. It may have expired."),
    UnknownUser: _ErrorText(404, "User not found", "This account has no such user; it may have been removed."),
    UnknownSession: _ErrorText(404, "Session not found", "It has ended already."),
    InvalidLink: _ErrorText(
        404, "Link not valid", "This link was already used, or has expired. Ask an owner of the account for a new one."
    ),
    LastOwner: _ErrorText(409, "Account needs an owner", "{}."),
    TooManyUsers: _ErrorText(409, "User limit reached", "{}."),
    TooManyApplications: _ErrorText(409, "Application limit reached", "{}."),
    TooManyTokens: _ErrorText(409, "Token limit reached", "{}."),
    InvalidHook: _ErrorText(400, "Invalid hook", "{}."),
    UnknownHook: _ErrorText(404, "Hook not found", "This account has no hook with this ID. It may have been deleted."),
    UnknownContact: _ErrorText(
        404, "Contact not found", "This account has no contact with this ID. Search by email or name instead."
    ),
    UnknownCampaignActivity: _ErrorText(
        404, "Campaign not found", "This account has no campaign activity with this ID. Search by name instead."
    ),
    UnknownToken: _ErrorText(404, "Token not found", "This account has no token with this ID, or it has expired."),
    Throttled: _ErrorText(429, "Too many requests", "Wait a moment and reload the page."),
    TooManyStreams: _ErrorText(503, "Too many live connections", "Try again later."),
    RecorderBusy: _ErrorText(503, "Temporarily unavailable", "The server is busy. Try again shortly."),
    StoreBusy: _ErrorText(
        503, "Temporarily unavailable", "Too many requests from this account are waiting. Try again shortly."
    ),
    TooMuchUnread: _ErrorText(
        503, "Temporarily unavailable", "Too many large pages are being loaded. Try again shortly."
    ),
    StoreUnavailable: _ErrorText(503, "Temporarily unavailable", "The database is unavailable. Try again shortly."),
}

_NOT_FOUND: Final = _ErrorText(404, "Page not found", "There is no page at this address. Check it, or start from here:")
_METHOD_NOT_ALLOWED: Final = _ErrorText(
    405, "This address can't be opened", "It only accepts a form from another page. Start from here:"
)
_RETRY_UNAVAILABLE: Final = 1
"""Seconds after which a client may try again when the store was unavailable."""

_FAILED: Final = "The page could not be created. Give your administrator this request ID: {}."


def mark_as_page(request: Request) -> None:
    """Mark the request as one for a page, so that its errors are pages."""
    request.scope[_IS_PAGE] = True


def wants_page(scope: Scope) -> bool:
    """Return True if errors of this request should be pages: it is for a page, or its client prefers HTML to JSON."""
    if scope.get(_IS_PAGE, False):
        return True
    if f"{scope['path']}/".startswith(_ALWAYS_JSON):
        return False
    return prefers_html(Request(scope).headers.get("accept", ""))


def prefers_html(accept: str) -> bool:
    """Return True if the Accept header has HTML, and doesn't prefer JSON to it (RFC 9110, section 12.5.1)."""
    html, json = 0.0, 0.0
    for media_range in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in media_range.split(";"))
        quality = _read_quality(parameters)
        if media_type in {"text/html", "application/xhtml+xml"} and quality > json:
            html = max(html, quality)
        elif media_type == "application/json":
            json = max(json, quality)
    return html > 0 and html >= json


def _read_quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


class ErrorPages:
    """Renders error pages, with the navigation for users who are signed in."""

    def __init__(self, sessions: SessionManager) -> None:
        self._sessions = sessions

    def error_page(self, request: Request, exc: Exception) -> Response:
        """Return the page for an error, which is logged if it's the server's own."""
        headers: dict[str, str] = {}
        if isinstance(exc, HTTPException):
            error = _METHOD_NOT_ALLOWED if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED else _NOT_FOUND
            headers |= exc.headers or {}
        else:
            error = next(
                (text for error_type, text in _ERRORS.items() if isinstance(exc, error_type)),
                _ErrorText(500, "Something went wrong", _FAILED.format(request.scope["request_id"])),
            )
        if isinstance(exc, StoreUnavailable) and not isinstance(exc, StoreBusy):
            _log.warning("store unavailable", request_id=request.scope["request_id"], reason=str(exc))
        elif error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("page failed", request_id=request.scope["request_id"], exc_info=exc)
        if isinstance(exc, Throttled | RecorderBusy | StoreBusy | TooManyStreams | TooMuchUnread):
            headers["retry-after"] = str(exc.retry_after)
        elif isinstance(exc, StoreUnavailable):
            headers["retry-after"] = str(_RETRY_UNAVAILABLE)
        return self._render(request, error, str(exc), headers)

    def _render(self, request: Request, error: _ErrorText, message: str, headers: Mapping[str, str]) -> Response:
        session = self._sessions.find_session(request)
        response = page(
            "message.html",
            status=error.status,
            session=session,
            form_token="" if session is None else self._sessions.make_form_token(session),
            title=error.title,
            text=error.text.replace("{}", message.removesuffix(".")),
        )
        response.headers.update(headers)
        return response
