"""Routes of pages: what a handler raises becomes a page as well."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.errors import (
    Forbidden,
    InvalidField,
    RapportError,
    StoreUnavailable,
    TooManyStreams,
    TooManyTokens,
    UnknownCampaignActivity,
    UnknownContact,
    UnknownToken,
)
from rapport.web.door import SIGN_IN, SignedOut
from rapport.web.rendering import message_page

_FAILED: Final = "The page could not be made. Whoever runs this server finds the reason in its log, at request {}."

_log = structlog.get_logger("rapport.web")

Show = Callable[[Request], Awaitable[Response]]

# Status, title and text of what can't be shown; `{}` stands for the failure's own sentence.
_TOLD: Final[dict[type[RapportError], tuple[int, str, str]]] = {
    Forbidden: (403, "Not for you", "You may not see or do this: {}."),
    InvalidField: (400, "That can't be asked", "{}"),
    TooManyTokens: (409, "Not one more", "{}."),
    UnknownContact: (404, "No such contact", "This account has no contact of that id. Find it by its address or name."),
    UnknownCampaignActivity: (404, "No such campaign", "This account has no campaign activity of that id."),
    UnknownToken: (404, "No such token", "The list of this account has no such token, or has it no longer."),
    TooManyStreams: (503, "Not now", "As many pages listen here as may. Load the page again in a while."),
    StoreUnavailable: (503, "Not now", "The store can't be reached at the moment. Load the page again in a while."),
}


def shown(path: str, show: Show, *, method: str = "GET") -> Route:
    """The route of a page, or of a form."""

    async def handle(request: Request) -> Response:
        try:
            return await show(request)
        except SignedOut:
            if "hx-request" in request.headers:
                # A part of a page was asked for: the whole page goes there, not the part.
                return Response(headers={"hx-redirect": SIGN_IN, "cache-control": "no-store"})
            return RedirectResponse(SIGN_IN, status_code=303)
        except tuple(_TOLD) as problem:
            status, title, text = next(told for kind, told in _TOLD.items() if isinstance(problem, kind))
            return message_page(status=status, title=title, text=text.replace("{}", str(problem)))
        except Exception as problem:  # noqa: BLE001 - whatever it was, it is logged, and a person is told where
            request_id = request.scope["request_id"]
            _log.error("page failed", request_id=request_id, exc_info=problem)
            return message_page(status=500, title="Something is wrong here", text=_FAILED.format(request_id))

    return Route(path, handle, methods=[method])
