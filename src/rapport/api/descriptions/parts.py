"""What descriptions of operations are made of: answers, failures, parameters."""

from typing import Any, Final, TypeAlias

from rapport.api.body import JSON
from rapport.api.problems import INTERNAL, Problem, problem_of
from rapport.errors import Forbidden, InvalidToken, QuotaExceeded, RapportError, Throttled

Json: TypeAlias = dict[str, Any]

EXAMPLE_CONTACT: Final = "aa9ff7b0-478d-11e6-8059-00163e3c8e19"
EXAMPLE_CAMPAIGN: Final = "8987dc1a-48ef-433a-b836-7ca4f9aa3481"
EXAMPLE_CAMPAIGN_ACTIVITY: Final = "71600990-908b-11e6-907f-00166bff25"


def schema(name: str) -> Json:
    """The shape of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def answer(description: str, shape: Json, example: object, media_type: str = JSON) -> Json:
    """A good answer, with an example of it."""
    return {"description": description, "content": {media_type: {"schema": shape, "example": example}}}


def problems(*kinds: type[RapportError], path: str = "") -> Json:
    """The answers of `path` for these failures, and those that every operation may give."""
    by_status: dict[str, list[Problem]] = {}
    for problem in (*(problem_of(kind, path) for kind in kinds), INTERNAL):
        by_status.setdefault(str(problem.status), []).append(problem)
    return {status: _problem_answer(problems) for status, problems in sorted(by_status.items())}


def _problem_answer(problems: list[Problem]) -> Json:
    body = schema("ErrorBody")
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
    404: "The account has no such contact, or campaign activity.",
    408: "The body stopped coming, or came too slowly.",
    413: "The body is larger than a request may be.",
    415: "The body is of a kind that isn't taken.",
    429: "The client asks too often.",
    500: "An internal failure; the log has it under the answer's x-request-id.",
    503: "Not now. Nothing was acknowledged; try again after as many seconds as Retry-After says.",
}

AUTHORISED: Final = (InvalidToken, Forbidden, Throttled, QuotaExceeded)


def limit_parameter(most: int, pattern: str, unsaid: int | None = None) -> Json:
    """How many items a page has: a text, as the vendor has it."""
    return {
        "name": "limit",
        "in": "query",
        "description": f"How many items a page has, 1 to {most}.",
        "required": False,
        "schema": {"type": "string", "pattern": pattern, "default": str(unsaid or most)},
        "example": "20",
    }


NEXT_PARAMETER: Final[Json] = {
    "name": "next",
    "in": "query",
    "description": "The cursor that `_links.next.href` carries; it stands for all other parameters. "
    "`cursor` is taken for it.",
    "required": False,
    "schema": {"type": "string"},
}


def time_parameter(name: str, description: str, *, required: bool = False) -> Json:
    """A time, in every form that clients send."""
    return {
        "name": name,
        "in": "query",
        "description": f"{description} A date means its midnight in UTC.",
        "required": required,
        "schema": {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]},
        "example": "2017-04-01T00:00:00-0500",
    }
