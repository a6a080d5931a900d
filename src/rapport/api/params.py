"""Request parameters. The same object parses a parameter and describes it in the OpenAPI document.

Clients encode a value in many ways: repeated, joined by commas, with brackets after the name, `1` for `true`. See
`rapport.api.query`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from starlette.requests import Request

from rapport.activity import TYPES, ActivityType, is_id
from rapport.api.query import MAX_EXCERPT_LENGTH, Query, get_list, get_single, get_time
from rapport.errors import InvalidField, NotFound, RapportError
from rapport.instant import MAX_INSTANT, MIN_INSTANT, Instant
from rapport.store.contacts import InstantRange
from rapport.url_paths import quote_id, restore_marks, split_ids

T = TypeVar("T")
Json: TypeAlias = dict[str, Any]

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


class QueryParam(ABC, Generic[T]):
    """A query parameter that is read as a `T`."""

    errors: tuple[type[RapportError], ...] = (InvalidField,)

    def __init__(self, name: str, description: str) -> None:
        self.name = name
        self.description = description

    @abstractmethod
    def get(self, query: Query) -> T:
        """Return its value, or its default if it wasn't sent. Raises InvalidField."""

    @abstractmethod
    def schema(self) -> Json:
        """Return the part of its OpenAPI parameter object that depends on its type: schema, style and example."""

    def describe(self) -> list[Json]:
        """Return its OpenAPI parameter object."""
        return [
            {
                "name": self.name,
                "in": "query",
                "description": self.description,
                "required": False,
                **self.schema(),
            }
        ]


class Text(QueryParam[T | None]):
    """A single value, parsed by a function that raises ValueError with what is allowed."""

    def __init__(self, name: str, description: str, parse: Callable[[str], T], schema: Json, example: object) -> None:
        super().__init__(name, description)
        self._parse = parse
        self._schema = schema
        self._example = example

    def get(self, query: Query) -> T | None:
        text = get_single(query, self.name)
        if text is None:
            return None
        try:
            return self._parse(text)
        except ValueError as exc:
            raise InvalidField(self.name, text, str(exc)) from None

    def schema(self) -> Json:
        return {"schema": self._schema, "example": self._example}


class Choices(QueryParam[tuple[T, ...]]):
    """A list of values from a fixed set, without duplicates, in the order in which they were sent."""

    def __init__(
        self, name: str, description: str, choices: Mapping[str, T], *, noun: str, example: list[str] | None = None
    ) -> None:
        super().__init__(name, description)
        self._choices = choices
        self._noun = noun
        self._example = example

    def get(self, query: Query) -> tuple[T, ...]:
        return tuple(dict.fromkeys(self._choice(item) for item in get_list(query, self.name)))

    def _choice(self, item: str) -> T:
        if item not in self._choices:
            shown = item[:MAX_EXCERPT_LENGTH]
            raise InvalidField(
                self.name, item, f"unknown {self._noun} {shown!r}; expected one of {', '.join(self._choices)}"
            )
        return self._choices[item]

    def schema(self) -> Json:
        array = {"type": "array", "items": {"type": "string", "enum": list(self._choices)}}
        example = {} if self._example is None else {"example": self._example}
        return {"style": "form", "explode": True, "schema": array, **example}


class ActivityTypes:
    """Activity types, by either of the names that Constant Contact has published for the parameter."""

    errors: tuple[type[RapportError], ...] = (InvalidField,)
    names: Final = ("tracking_activity_type", "tracking_activities_list")

    def __init__(self, description: str, *, required: bool) -> None:
        self._description = description
        self._required = required
        self._choices = {name: Choices(name, description, TYPES, noun="activity type") for name in self.names}

    def get(self, query: Query, default: tuple[ActivityType, ...] = ()) -> tuple[ActivityType, ...]:
        """Return the types, sorted and without duplicates; `default` if none are sent. Raises InvalidField."""
        sent = [name for name in self.names if get_list(query, name)]
        if len(sent) > 1:
            raise InvalidField(sent[0], query[sent[0]][0], f"must not be sent together with {sent[1]}")
        if sent:
            return tuple(sorted(self._choices[sent[0]].get(query)))
        if self._required and not default:
            first, second = self.names
            raise InvalidField(first, None, f"is required (or {second}); expected any of {', '.join(TYPES)}")
        return default

    def describe(self) -> list[Json]:
        """Return the OpenAPI parameter objects of both names."""
        first, second = self.names
        rule = "Exactly one of this and `{}` is required." if self._required else "`{}` is accepted as well."
        described = []
        for name, other in ((first, second), (second, first)):
            (parameter,) = self._choices[name].describe()
            parameter["description"] = f"{self._description} {rule.format(other)} Repeat it, or join values by commas."
            parameter["example"] = ["em_sends", "em_opens"]
            if self._required:
                parameter["schema"]["minItems"] = 1
            described.append(parameter)
        return described if self._required else described[:1]


class Flag(QueryParam[bool]):
    """A boolean in any of its spellings."""

    def __init__(self, name: str, description: str, *, default: bool) -> None:
        super().__init__(name, f"{description} `1` and `0` are accepted as well.")
        self._default = default

    def get(self, query: Query) -> bool:
        text = get_single(query, self.name)
        if text is None:
            return self._default
        value = _BOOLEANS.get(text.lower())
        if value is None:
            raise InvalidField(self.name, text, f"must be true or false, not {text[:MAX_EXCERPT_LENGTH]!r}")
        return value

    def schema(self) -> Json:
        return {"schema": {"type": "boolean", "default": self._default}}


class Limit(QueryParam[int]):
    """The maximum number of items on a page: from 1 to `maximum`, at most 1,000."""

    def __init__(self, items: str, maximum: int, default: int | None = None, *, as_text: bool = True) -> None:
        super().__init__("limit", f"The maximum number of {items} on a page, from 1 to {maximum}.")
        self._maximum = maximum
        self._default = default or maximum
        self._as_text = as_text

    def get(self, query: Query) -> int:
        text = get_single(query, self.name)
        if text is None:
            return self._default
        if _NUMBER.fullmatch(text) is None or int(text) > self._maximum:
            raise InvalidField(
                self.name, text, f"must be a whole number from 1 to {self._maximum}, not {text[:MAX_EXCERPT_LENGTH]!r}"
            )
        return int(text)

    def schema(self) -> Json:
        if not self._as_text:
            return {"schema": {"type": "integer", "minimum": 1, "maximum": self._maximum, "default": self._default}}
        # Constant Contact publishes some of them as strings; generated clients rely on it.
        return {
            "schema": {"type": "string", "pattern": _up_to(self._maximum), "default": str(self._default)},
            "example": "20",
        }


def _up_to(maximum: int) -> str:
    """Return the pattern of the whole numbers from 1 to 100, 500 or 1,000."""
    return {
        100: "^([1-9][0-9]?|100)$",
        500: "^([1-9][0-9]?|[1-4][0-9][0-9]|500)$",
        1_000: "^([1-9][0-9]{0,2}|1000)$",
    }[maximum]


class Bounds(NamedTuple):
    """The bounds of a time as they were sent; None for a missing one."""

    after: Instant | None
    before: Instant | None


class TimeRange(QueryParam[InstantRange | None]):
    """Two parameters that bound a time, both inclusive; None if neither is sent."""

    def __init__(self, after: str, before: str, subject: str) -> None:
        super().__init__(after, f"Only {subject} at this time or later.")
        self._before = before
        self._before_description = f"Only {subject} at this time or earlier."

    def get(self, query: Query) -> InstantRange | None:
        first, last = self.get_bounds(query)
        if first is None and last is None:
            return None
        return InstantRange(MIN_INSTANT if first is None else first, MAX_INSTANT if last is None else last)

    def get_bounds(self, query: Query) -> Bounds:
        """Return both bounds as they were sent. Raises InvalidField, also if the first is later than the second."""
        bounds = Bounds(get_time(query, self.name), get_time(query, self._before))
        if (MIN_INSTANT if bounds.after is None else bounds.after) > (
            MAX_INSTANT if bounds.before is None else bounds.before
        ):
            raise InvalidField(self.name, get_single(query, self.name), f"must not be later than {self._before}")
        return bounds

    def schema(self) -> Json:
        return _TIME_SCHEMA

    def describe(self) -> list[Json]:
        return [
            *describe_time(self.name, self.description),
            *describe_time(self._before, self._before_description),
        ]


class RequiredTime(QueryParam[Instant]):
    """A time that must be sent."""

    def __init__(self, name: str, description: str, *, unless_cursor: bool = False) -> None:
        super().__init__(name, f"{description} Required unless `next` is sent." if unless_cursor else description)
        self._required = not unless_cursor

    def get(self, query: Query) -> Instant:
        time = get_time(query, self.name)
        if time is None:
            raise InvalidField(self.name, None, "is required: a date or an ISO 8601 time with its offset")
        return time

    def schema(self) -> Json:
        return _TIME_SCHEMA

    def describe(self) -> list[Json]:
        return describe_time(self.name, self.description, required=self._required)


_TIME_SCHEMA: Final[Json] = {
    "schema": {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]},
    "example": "2017-04-01T00:00:00-0500",
}


def describe_time(name: str, description: str, *, required: bool = False) -> list[Json]:
    """Return the OpenAPI parameter object of a time."""
    return [
        {
            "name": name,
            "in": "query",
            "description": f"{description} A date means midnight UTC.",
            "required": required,
            **_TIME_SCHEMA,
        }
    ]


class Cursor(QueryParam[str | None]):
    """The cursor of a page, which replaces all other parameters, by either name; an empty `cursor` counts as none."""

    def __init__(self, name: str = "next") -> None:
        alias = "cursor" if name == "next" else "next"
        super().__init__(
            name,
            "The cursor from `_links.next.href` of the previous page. It replaces all other parameters. "
            f"`{alias}` is accepted as well.",
        )

    def get(self, query: Query) -> str | None:
        return get_single(query, "next") if "next" in query else get_single(query, "cursor") or None

    def schema(self) -> Json:
        return {"schema": {"type": "string"}}


class PathId:
    """An id in the path. A malformed id gets the given 404, like an unknown one."""

    def __init__(self, name: str, description: str, example: str, malformed: type[NotFound]) -> None:
        self.name = name
        self.description = description
        self.errors: tuple[type[RapportError], ...] = (malformed,)
        self._example = example
        self._malformed = malformed

    def get(self, request: Request) -> str:
        """Return the id. Raises the error for malformed ids."""
        value = self.get_raw(request)
        if not is_id(value):
            raise self._malformed(value[:MAX_EXCERPT_LENGTH])
        return value

    def get_raw(self, request: Request) -> str:
        """Return the value in the path without validating it."""
        return restore_marks(request.path_params[self.name])

    def get_segment(self, request: Request) -> str:
        """Return the value as a path segment in canonical encoding."""
        return quote_id(self.get_raw(request))

    def describe(self) -> list[Json]:
        """Return its OpenAPI parameter object."""
        return [
            {
                "name": self.name,
                "in": "path",
                "description": self.description,
                "required": True,
                "schema": {"$ref": "#/components/schemas/Id"},
                "example": self._example,
            }
        ]


class PathIds:
    """Several ids in the path, joined by commas."""

    errors: tuple[type[RapportError], ...] = (InvalidField,)

    def __init__(self, name: str, maximum: int, example: str) -> None:
        self.name = name
        self._maximum = maximum
        self._example = example

    def get(self, request: Request) -> list[str]:
        """Return the ids, which may be malformed. An encoded comma is part of an id. Raises InvalidField."""
        return self._check(split_ids(request.path_params[self.name]))

    def get_split(self, request: Request) -> list[str]:
        """Return the ids, with encoded commas as separators too, as some clients send them. Raises InvalidField."""
        return self._check(split_ids(restore_marks(request.path_params[self.name])))

    def _check(self, ids: list[str]) -> list[str]:
        if not 0 < len(ids) <= self._maximum:
            raise InvalidField(self.name, len(ids), f"must be 1 to {self._maximum} ids, joined by commas")
        return ids

    def describe(self) -> list[Json]:
        """Return its OpenAPI parameter object."""
        return [
            {
                "name": self.name,
                "in": "path",
                "description": f"Up to {self._maximum} ids, joined by commas.",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
                "example": self._example,
            }
        ]


class Header:
    """A request header."""

    errors: tuple[type[RapportError], ...] = ()

    def __init__(self, name: str, description: str) -> None:
        self.name = name
        self._description = description

    def get(self, request: Request) -> str | None:
        """Return its value, or None if it is missing or empty."""
        return request.headers.get(self.name) or None

    def describe(self) -> list[Json]:
        """Return its OpenAPI parameter object."""
        return [
            {
                "name": self.name,
                "in": "header",
                "description": self._description,
                "required": False,
                "schema": {"type": "string"},
            }
        ]
