"""What each operation takes and answers, for the published description: one entry a route and method."""

from typing import Any, Final, TypeAlias

import msgspec

from rapport.activity import TYPE_NAMES
from rapport.api.body import JSON, MOST_BYTES, MOST_LINES, NDJSON
from rapport.api.health import HEALTHZ, METRICS, READYZ
from rapport.api.jwks import JWKS
from rapport.api.parameters import MOST_ROWS
from rapport.api.problems import INTERNAL, PROBLEMS, Problem
from rapport.api.track import ACTIVITIES
from rapport.api.v3.contact_reports import ACTIVITY_DETAILS
from rapport.auth.scope import Privilege, Scope
from rapport.errors import (
    Forbidden,
    InvalidField,
    InvalidToken,
    MalformedBody,
    QuotaExceeded,
    RapportError,
    StoreUnavailable,
    Throttled,
    TooLarge,
    UnknownContact,
    UnsupportedMediaType,
)
from rapport.web.pages import TRY

Json: TypeAlias = dict[str, Any]

OPENAPI: Final = "/schema/openapi.json"

EXAMPLE_CONTACT: Final = "aa9ff7b0-478d-11e6-8059-00163e3c8e19"

_EXAMPLE_PAGE: Final[Json] = {
    "tracking_activities": [
        {
            "contact_id": EXAMPLE_CONTACT,
            "campaign_activity_id": "71600990-908b-11e6-907f-00166bff25",
            "campaign_activity_name": "April Newsletter",
            "created_time": "2017-04-02T05:11:34.000Z",
            "tracking_activity_type": "em_clicks",
            "tracking_activities_list": "em_clicks",
        },
        {
            "contact_id": EXAMPLE_CONTACT,
            "campaign_activity_id": "71600990-908b-11e6-907f-00166bff25",
            "campaign_activity_name": "April Newsletter",
            "created_time": "2017-04-02T04:08:00.000Z",
            "tracking_activity_type": "em_sends",
            "tracking_activities_list": "em_sends",
        },
    ],
    "_links": {
        "next": {"href": f"/v3/reports/contact_reports/{EXAMPLE_CONTACT}/activity_details?next=uM3cVx0GkN5yQw8B2rT1"}
    },
}

_EXAMPLE_LINE: Final[Json] = {
    "contact_id": EXAMPLE_CONTACT,
    "campaign_activity_id": "71600990-908b-11e6-907f-00166bff25",
    "tracking_activity_type": "em_clicks",
    "created_time": "2017-04-02T05:11:34.000Z",
    "campaign_activity_name": "April Newsletter",
    "email_address": "ada@example.com",
    "link_url": "https://shop.example.com/spring",
    "device_type": "mobile",
}


def _schema(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: Json, example: object, media_type: str = JSON) -> Json:
    return {"description": description, "content": {media_type: {"schema": schema, "example": example}}}


def _problems(*kinds: type[RapportError]) -> Json:
    """The answers for these failures, and those that every operation may give."""
    by_status: dict[str, list[Problem]] = {}
    for problem in (*(PROBLEMS[kind] for kind in kinds), INTERNAL):
        by_status.setdefault(str(problem.status), []).append(problem)
    return {status: _problem_answer(problems) for status, problems in sorted(by_status.items())}


def _problem_answer(problems: list[Problem]) -> Json:
    body = _schema("ErrorBody")
    examples = {}
    for problem in problems:
        shown = {"error_key": problem.error_key, "error_message": problem.message or PROBLEM_MEANINGS[problem.status]}
        examples[problem.error_key] = {"value": [shown] if problem.as_array else shown}
    as_array = problems[0].as_array
    return {
        "description": PROBLEM_MEANINGS[problems[0].status],
        "content": {
            JSON: {
                "schema": {"type": "array", "items": body, "minItems": 1} if as_array else body,
                "examples": examples,
            }
        },
    }


PROBLEM_MEANINGS: Final = {
    400: "A parameter or the body can't be taken; the message names which, and what is allowed.",
    401: "There is no token, or it is not good here.",
    403: "The token lacks the scope, or its user's role the privilege.",
    404: "The account has no such contact.",
    413: "The body is larger than a request may be.",
    415: "The body is of a kind that isn't taken.",
    429: "The client asks too often.",
    500: "An internal failure; the log has it under the answer's x-request-id.",
    503: "Not now. Nothing was acknowledged; try again after as many seconds as Retry-After says.",
}

_AUTHORISED: Final = (InvalidToken, Forbidden, Throttled, QuotaExceeded)


def _types_parameter(name: str, description: str, other: str) -> Json:
    return {
        "name": name,
        "in": "query",
        "description": f"{description} Exactly one of this and `{other}` is required. Both are taken repeated, joined "
        "by commas, or mixed.",
        "required": False,
        "style": "form",
        "explode": True,
        "schema": {"type": "array", "items": {"type": "string", "enum": list(TYPE_NAMES)}, "minItems": 1},
        "example": ["em_sends", "em_opens"],
    }


def _time_parameter(name: str, description: str) -> Json:
    return {
        "name": name,
        "in": "query",
        "description": f"{description} Rapport's own, the vendor has none. A date means its midnight in UTC.",
        "required": False,
        "schema": {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]},
        "example": "2017-04-01T00:00:00-0500",
    }


_ACTIVITY_DETAILS: Final[Json] = {
    "tags": ["Contacts Reporting"],
    "operationId": "getContactTracking",
    "summary": "What did this contact do?",
    "description": "Every activity of the given types, one item each, newest first. Follow `_links.next.href` until "
    "the answer has none: what comes in meanwhile neither repeats nor hides anything.",
    "parameters": [
        {
            "name": "contact_id",
            "in": "path",
            "description": "The contact.",
            "required": True,
            "schema": _schema("Id"),
            "example": EXAMPLE_CONTACT,
        },
        _types_parameter("tracking_activity_type", "The types of activity, as an array.", "tracking_activities_list"),
        _types_parameter("tracking_activities_list", "The types of activity, as a list.", "tracking_activity_type"),
        {
            "name": "include_campaign_activity_names",
            "in": "query",
            "description": "Whether items say the names of their campaign activities; `1` and `0` are taken as well.",
            "required": False,
            "schema": {"type": "boolean", "default": True},
        },
        {
            "name": "limit",
            "in": "query",
            "description": f"How many items a page has, 1 to {MOST_ROWS}.",
            "required": False,
            "schema": {"type": "string", "pattern": "^([1-9][0-9]?|100)$", "default": str(MOST_ROWS)},
            "example": "20",
        },
        _time_parameter("created_after", "Only what happened then or later."),
        _time_parameter("created_before", "Only what happened then or earlier."),
        {
            "name": "next",
            "in": "query",
            "description": "The cursor that `_links.next.href` carries; it stands for all other parameters. "
            "`cursor` is taken for it.",
            "required": False,
            "schema": {"type": "string"},
        },
    ],
    "responses": {
        "200": _json("A page.", _schema("TrackingActivitiesPage"), _EXAMPLE_PAGE),
        **_problems(InvalidField, *_AUTHORISED, UnknownContact, StoreUnavailable),
    },
    "security": [{"token": [Scope.CONTACT_DATA.value]}],
    "x-authorization-privileges": [Privilege.REPORTS.value],
}

_RECORD_ACTIVITIES: Final[Json] = {
    "tags": ["Recording"],
    "operationId": "recordActivities",
    "summary": "Record what contacts did",
    "description": f"Up to {MOST_LINES} activities and {MOST_BYTES // 1024 // 1024} MiB, also as gzip. The answer "
    "comes when all that is accepted is durable. A line that can't be taken is named in the receipt and spoils no "
    "other. Sending the same activity again changes nothing.",
    "requestBody": {
        "required": True,
        "content": {
            NDJSON: {
                "schema": {"type": "string", "description": "One Activity a line."},
                "example": msgspec.json.encode(_EXAMPLE_LINE).decode() + "\n",
            },
            JSON: {"schema": {"type": "array", "items": _schema("Activity")}, "example": [_EXAMPLE_LINE]},
        },
    },
    "responses": {
        "200": _json(
            "The receipt.",
            _schema("Receipt"),
            {
                "accepted": 1,
                "duplicate": 0,
                "rejected": 1,
                "rejections": [
                    {"index": 1, "field": "created_time", "value": "1970-01-20", "reason": "must not be before 1990"}
                ],
            },
        ),
        **_problems(MalformedBody, *_AUTHORISED, TooLarge, UnsupportedMediaType, StoreUnavailable),
    },
    "security": [{"token": [Scope.ACTIVITY_WRITE.value]}],
}


def _open(tag: str, operation: str, summary: str, answer: Json, *problems: type[RapportError]) -> Json:
    """An operation that needs no token."""
    responses = {"200": answer, **_problems(*problems)}
    return {"tags": [tag], "operationId": operation, "summary": summary, "responses": responses, "security": []}


_STATUS: Final = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
_PLAIN: Final = {"type": "string"}
_OBJECT: Final = {"type": "object"}

OPERATIONS: Final[Json] = {
    ACTIVITY_DETAILS.replace(":path", ""): {"get": _ACTIVITY_DETAILS},
    ACTIVITIES: {"post": _RECORD_ACTIVITIES},
    HEALTHZ: {"get": _open("Operating", "alive", "Is it alive?", _json("Yes.", _STATUS, {"status": "alive"}))},
    READYZ: {
        "get": _open(
            "Operating",
            "ready",
            "Can it read and write?",
            _json("Yes.", _STATUS, {"status": "ready"}),
            StoreUnavailable,
        )
    },
    METRICS: {
        "get": _open(
            "Operating",
            "metrics",
            "How is it doing?",
            _json("All figures, for Prometheus.", _PLAIN, "rapport_activities_duplicate_total 0.0\n", "text/plain"),
        )
    },
    JWKS: {
        "get": _open(
            "Tokens",
            "keys",
            "The public keys that verify tokens",
            _json("A JWKS (RFC 7517).", _OBJECT, {"keys": []}, "application/jwk-set+json"),
            StoreUnavailable,
        )
    },
    OPENAPI: {
        "get": _open("Tokens", "description", "This description", _json("OpenAPI 3.1.", _OBJECT, {"openapi": "3.1.0"}))
    },
    TRY: {"get": _open("Operating", "tryPage", "A page to try all this on", _json("HTML.", _PLAIN, "", "text/html"))},
}
