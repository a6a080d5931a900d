"""From what went wrong to what the caller is told: the only table of it.

The service's own answers are an array of one, those that a gateway gives are a single object; clients rely on it.
See docs/compatibility.md#error-bodies-and-keys.
"""

from typing import Final, NamedTuple

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

from rapport.api.answers import json_answer
from rapport.errors import (
    BodyTimeout,
    Forbidden,
    InvalidCursor,
    InvalidField,
    InvalidToken,
    MalformedBody,
    MalformedCampaignActivityId,
    MalformedContactId,
    QuotaExceeded,
    RapportError,
    RecorderBusy,
    StoreBusy,
    StoreUnavailable,
    Throttled,
    TooLarge,
    TooManyBodies,
    TooManyStreams,
    TooMuchUnread,
    UnknownCampaign,
    UnknownCampaignActivity,
    UnknownContact,
    UnsupportedMediaType,
)

_log = structlog.get_logger("rapport.api")


class Problem(NamedTuple):
    """What a caller is told: the status, the key, and a sentence; None for the error's own."""

    status: int
    error_key: str
    message: str | None
    as_array: bool


class ErrorBody(msgspec.Struct):
    """A problem's body, alone or in an array of one."""

    error_key: str
    error_message: str


UNAVAILABLE: Final = Problem(503, "service_unavailable", "Not now: nothing was acknowledged, please try again.", False)
INTERNAL: Final = Problem(500, "internal_error", "There was a problem with our internal service.", True)

_CAMPAIGN_ACTIVITY_NOT_FOUND: Final = "reportingsvc.not_found.invalid_path_param.campaign_activity_id"

PROBLEMS: Final[dict[type[RapportError], Problem]] = {
    InvalidToken: Problem(401, "unauthorized", "Unauthorized", False),
    Forbidden: Problem(403, "access_denied", None, False),
    Throttled: Problem(429, "throttled", "Too Many Requests", False),
    QuotaExceeded: Problem(429, "quota_exceeded", "Limit Exceeded", False),
    InvalidField: Problem(400, "contacts.api.validation.error", None, True),
    InvalidCursor: Problem(400, "contacts.api.validation.error", None, True),
    MalformedBody: Problem(400, "contacts.api.validation.error", None, True),
    UnknownContact: Problem(404, "contacts.api.not_found", "The requested resource was not found.", True),
    MalformedContactId: Problem(404, "contacts.api.not_found", None, True),
    UnknownCampaignActivity: Problem(
        404, _CAMPAIGN_ACTIVITY_NOT_FOUND, "The requested campaign activity was not found.", True
    ),
    UnknownCampaign: Problem(404, "reportingsvc.not_found.invalid_path_param.campaign_ids.", None, True),
    MalformedCampaignActivityId: Problem(404, _CAMPAIGN_ACTIVITY_NOT_FOUND, None, True),
    BodyTimeout: Problem(408, "request_timeout", None, False),
    TooLarge: Problem(413, "payload_too_large", None, False),
    UnsupportedMediaType: Problem(415, "unsupported_media_type", None, False),
    RecorderBusy: UNAVAILABLE,
    StoreUnavailable: UNAVAILABLE,
    TooManyStreams: UNAVAILABLE,
    TooManyBodies: UNAVAILABLE,
    TooMuchUnread: UNAVAILABLE,
}

REPORTS: Final = "/v3/reports/"
KEYS_OF_REPORTS: Final = {"contacts.api.validation.error": "reportingsvc.validation.error"}
"""What keys are called under `REPORTS`, but for those on contacts: another service answers there
(docs/compatibility.md#error-bodies-and-keys)."""

_ON_CONTACTS: Final = f"{REPORTS}contact_reports/"

_OF_THE_ROUTER: Final = {
    404: Problem(404, "not_found", "There is no such route.", False),
    405: Problem(405, "method_not_allowed", "This method is not allowed here.", False),
}

_RETRY_UNAVAILABLE: Final = 1


def body_of(problem: Problem, message: str) -> bytes:
    """The JSON of a problem."""
    body = ErrorBody(problem.error_key, message)
    return msgspec.json.encode([body] if problem.as_array else body)


def is_answered(kind: type[RapportError]) -> bool:
    """Return True if callers get an answer of its own for such a failure. Any other is an internal one."""
    return any(known in PROBLEMS for known in kind.__mro__)


def problem_of(kind: type[RapportError], path: str) -> Problem:
    """What whoever asked for `path` is told of such a failure."""
    problem = next(PROBLEMS[known] for known in kind.__mro__ if known in PROBLEMS)
    if path.startswith(REPORTS) and not path.startswith(_ON_CONTACTS):
        return problem._replace(error_key=KEYS_OF_REPORTS.get(problem.error_key, problem.error_key))
    return problem


def answer_for(error: RapportError, path: str, request_id: str) -> Response:
    """The answer for a failure of ours."""
    problem = problem_of(type(error), path)
    headers = {}
    if isinstance(error, InvalidToken):
        _log.info("token refused", request_id=request_id, reason=str(error))
        headers["www-authenticate"] = "Bearer"
    elif isinstance(error, Forbidden) and error.scope is not None:
        headers["www-authenticate"] = f'Bearer error="insufficient_scope", scope="{error.scope}"'
    elif isinstance(error, Throttled | RecorderBusy | StoreBusy | TooManyStreams | TooManyBodies | TooMuchUnread):
        headers["retry-after"] = str(error.retry_after)
    elif isinstance(error, BodyTimeout):
        # The rest of the body would be read as the next request.
        headers["connection"] = "close"
    elif isinstance(error, StoreUnavailable):
        _log.warning("store unavailable", request_id=request_id, reason=str(error))
        headers["retry-after"] = str(_RETRY_UNAVAILABLE)
    return json_answer(body_of(problem, problem.message or str(error)), problem.status, headers)


def answer_of_router(error: HTTPException) -> Response:
    """The answer for a route or a method that there is not."""
    problem = _OF_THE_ROUTER[error.status_code]
    return json_answer(body_of(problem, problem.message or ""), problem.status, error.headers)


def answer_internal() -> Response:
    """The answer for what nobody foresaw. What it was is in the log."""
    return json_answer(body_of(INTERNAL, INTERNAL.message or ""), INTERNAL.status)
