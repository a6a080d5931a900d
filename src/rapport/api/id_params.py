"""A query parameter with several ids."""

from rapport.activity import ID_ALLOWED, is_id
from rapport.api.params import Json, QueryParam
from rapport.api.query import MAX_EXCERPT_LENGTH, Query, get_list
from rapport.errors import InvalidField


class Ids(QueryParam[tuple[str, ...] | None]):
    """Several ids, repeated or joined by commas; None if it isn't sent."""

    def __init__(self, name: str, description: str, maximum: int, example: str) -> None:
        super().__init__(name, f"{description} Up to {maximum} ids, separated by commas.")
        self._maximum = maximum
        self._example = example

    def get(self, query: Query) -> tuple[str, ...] | None:
        if self.name not in query:
            return None
        ids = tuple(dict.fromkeys(get_list(query, self.name)))
        malformed = next((item for item in ids if not is_id(item)), None)
        if malformed is not None:
            raise InvalidField(self.name, malformed[:MAX_EXCERPT_LENGTH], f"contains an invalid id: an id {ID_ALLOWED}")
        if not 0 < len(ids) <= self._maximum:
            raise InvalidField(self.name, len(ids), f"must be 1 to {self._maximum} ids, separated by commas")
        return ids

    def schema(self) -> Json:
        return {"schema": {"type": "string", "minLength": 1}, "example": self._example}
