"""Map exceptions to HTTP error responses, in one table.

Constant Contact's services return an array of one error, its gateway a single object; clients rely on that.
See docs/compatibility.md#error-bodies-and-keys.
"""

from typing import Final, NamedTuple

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

from rapport.api.responses import json_response
from rapport.auth.rate_limits import Quota
from rapport.errors import (
    AddressConflict,
    BodyTimeout,
    Forbidden,
    InvalidCursor,
    InvalidField,
    InvalidToken,
    MalformedBody,
    MalformedCampaignActivityId,
    MalformedContactId,
    PayloadTooLarge,
    QuotaExceeded,
    RapportError,
    RecorderBusy,
    StoreBusy,
    StoreUnavailable,
    Throttled,
    TooManyBodies,
    TooManyStreams,
    TooMuchUnread,
    UnknownCampaign,
    UnknownCampaignActivity,
    UnknownContact,
    UnknownResource,
    UnsupportedMediaType,
)

_log = structlog.get_logger("rapport.api")


class ErrorSpec(NamedTuple):
    """The response of an error: status, key and message, None for the exception's own message."""

    status: int
    error_key: str
    message: str | None
    as_array: bool


class ErrorBody(msgspec.Struct):
    """An error: alone, or in an array of one."""

    error_key: str
    error_message: str


UNAVAILABLE: Final = ErrorSpec(
    503, "service_unavailable", "Service unavailable. Nothing was recorded; retry later.", False
)
INTERNAL: Final = ErrorSpec(500, "internal_error", "There was a problem with our internal service.", True)

_CAMPAIGN_ACTIVITY_NOT_FOUND: Final = "reportingsvc.not_found.invalid_path_param.campaign_activity_id"

ERRORS: Final[dict[type[RapportError], ErrorSpec]] = {
    InvalidToken: ErrorSpec(401, "unauthorized", "Unauthorized", False),
    Forbidden: ErrorSpec(403, "access_denied", None, False),
    Throttled: ErrorSpec(429, "throttled", "Too Many Requests", False),
    QuotaExceeded: ErrorSpec(429, "quota_exceeded", "Limit Exceeded", False),
    InvalidField: ErrorSpec(400, "contacts.api.validation.error", None, True),
    InvalidCursor: ErrorSpec(400, "contacts.api.validation.error", None, True),
    MalformedBody: ErrorSpec(400, "contacts.api.validation.error", None, True),
    AddressConflict: ErrorSpec(409, "contacts.api.conflict", None, True),
    UnknownContact: ErrorSpec(404, "contacts.api.not_found", "The requested resource was not found.", True),
    UnknownResource: ErrorSpec(404, "contacts.api.not_found", "The requested resource was not found.", True),
    MalformedContactId: ErrorSpec(404, "contacts.api.not_found", None, True),
    UnknownCampaignActivity: ErrorSpec(
        404, _CAMPAIGN_ACTIVITY_NOT_FOUND, "The requested campaign activity was not found.", True
    ),
    UnknownCampaign: ErrorSpec(404, "reportingsvc.not_found.invalid_path_param.campaign_ids.", None, True),
    MalformedCampaignActivityId: ErrorSpec(404, _CAMPAIGN_ACTIVITY_NOT_FOUND, None, True),
    BodyTimeout: ErrorSpec(408, "request_timeout", None, False),
    PayloadTooLarge: ErrorSpec(413, "payload_too_large", None, False),
    UnsupportedMediaType: ErrorSpec(415, "unsupported_media_type", None, False),
    RecorderBusy: UNAVAILABLE,
    StoreUnavailable: UNAVAILABLE,
    TooManyStreams: UNAVAILABLE,
    TooManyBodies: UNAVAILABLE,
    TooMuchUnread: UNAVAILABLE,
}

STATUS_DESCRIPTIONS: Final = {
    400: "A parameter or the body is invalid; the message names it and says what is allowed.",
    401: "The token is missing, invalid, expired or revoked.",
    403: "The token lacks the scope, or its user's role the privilege.",
    404: "The account has no such resource.",
    408: "The body stopped arriving, or arrived too slowly.",
    409: "A value that must be unique is used by another resource.",
    413: "The body is larger than a request may be.",
    415: "The media type of the body is not supported.",
    429: "Too many requests.",
    500: "Internal error. The server's log has the details under the response's x-request-id.",
    503: "Temporarily unavailable. Nothing was recorded; retry after the number of seconds in Retry-After.",
}
"""Descriptions of the statuses in the OpenAPI document."""

_REPORTS: Final = "/v3/reports/"
_CONTACT_REPORTS: Final = "/v3/reports/contact_reports/"
_REPORT_KEYS: Final = {"contacts.api.validation.error": "reportingsvc.validation.error"}
"""Keys that differ in reports other than those on contacts, which Constant Contact serves from another service."""

_ROUTER_ERRORS: Final = {
    404: ErrorSpec(404, "not_found", "Not found.", False),
    405: ErrorSpec(405, "method_not_allowed", "Method not allowed.", False),
}

_RETRY_AFTER_SECONDS: Final = 1


def encode_error(spec: ErrorSpec, message: str) -> bytes:
    """Return the JSON of an error."""
    body = ErrorBody(spec.error_key, message)
    return msgspec.json.encode([body] if spec.as_array else body)


def has_error_spec(error: type[RapportError]) -> bool:
    """Return True if the table has a response for exceptions of this class. Any other is an internal error."""
    return any(known in ERRORS for known in error.__mro__)


def error_spec(error: type[RapportError], path: str) -> ErrorSpec:
    """Return the response for exceptions of this class at `path`."""
    spec = next(ERRORS[known] for known in error.__mro__ if known in ERRORS)
    if path.startswith(_REPORTS) and not path.startswith(_CONTACT_REPORTS):
        return spec._replace(error_key=_REPORT_KEYS.get(spec.error_key, spec.error_key))
    return spec


def error_response(exc: RapportError, path: str, request_id: str) -> Response:
    """Return the response for one of our own exceptions."""
    spec = error_spec(type(exc), path)
    headers = {}
    if isinstance(exc, InvalidToken):
        _log.info("token refused", request_id=request_id, reason=str(exc))
        headers["www-authenticate"] = "Bearer"
    elif isinstance(exc, Forbidden) and exc.scope is not None:
        headers["www-authenticate"] = f'Bearer error="insufficient_scope", scope="{exc.scope}"'
    elif isinstance(exc, Throttled | RecorderBusy | StoreBusy | TooManyStreams | TooManyBodies | TooMuchUnread):
        headers["retry-after"] = str(exc.retry_after)
        if isinstance(exc, Throttled) and exc.limit is not None:
            headers |= {
                "ratelimit-limit": str(exc.limit),
                "ratelimit-remaining": "0",
                "ratelimit-reset": str(exc.retry_after),
            }
    elif isinstance(exc, BodyTimeout):
        # The rest of the body would be read as the next request.
        headers["connection"] = "close"
    elif isinstance(exc, StoreUnavailable):
        _log.warning("store unavailable", request_id=request_id, reason=str(exc))
        headers["retry-after"] = str(_RETRY_AFTER_SECONDS)
    return json_response(encode_error(spec, spec.message or str(exc)), spec.status, headers)


def quota_headers(quota: Quota | None) -> list[tuple[bytes, bytes]]:
    """Return the RateLimit headers for the rest of a client's daily quota; none if there is no exact quota."""
    if quota is None:
        return []
    return [
        (f"ratelimit-{name}".encode(), str(value).encode())
        for name, value in (("limit", quota.limit), ("remaining", quota.remaining), ("reset", quota.reset))
    ]


def router_error_response(exc: HTTPException) -> Response:
    """Return the response for an unknown path or method."""
    spec = _ROUTER_ERRORS[exc.status_code]
    return json_response(encode_error(spec, spec.message or ""), spec.status, exc.headers)


def internal_error_response() -> Response:
    """Return the response for an unexpected exception, which is in the log."""
    return json_response(encode_error(INTERNAL, INTERNAL.message or ""), INTERNAL.status)
