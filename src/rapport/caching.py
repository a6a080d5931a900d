"""Caches that are bounded in bytes: what they hold is often text that anybody may have sent."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from sys import getsizeof
from typing import Any, Final, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
K = TypeVar("K")
V = TypeVar("V")

MAX_CACHED_TEXT: Final = 200
"""Characters in the arguments of a call whose result is kept: at most 800 bytes."""


def cache_short(maxsize: int) -> Callable[[F], F]:
    """Cache the results of calls whose first argument, a text, is short; others are computed each time."""

    def decorate(function: F) -> F:
        cached = lru_cache(maxsize)(function)

        def call(text: str | bytes | None, *args: object) -> object:
            if text is None or len(text) <= MAX_CACHED_TEXT:
                return cached(text, *args)
            return function(text, *args)

        return cast("F", call)

    return decorate


_ENTRY: Final = 300
"""Bytes of an entry of a dictionary, roughly, with the small objects that it refers to."""


class Weight:
    """Roughly how many bytes a cache holds, for its owner to empty it when it is full."""

    __slots__ = ("_bytes", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Return True if the cache should be emptied before the next entry."""
        return self._bytes > self._max_bytes

    def add(self, texts: Sequence[str | None]) -> None:
        """Count an entry that holds these texts, or these texts in addition to what an entry holds."""
        self._bytes += _ENTRY + sum(map(getsizeof, texts))

    def clear(self) -> None:
        """Begin anew, with an empty cache."""
        self._bytes = 0


class WeighedDict(dict[K, V]):
    """A cache that knows its weight. Slower than a plain dictionary where all of it is compared with something."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self.weight = Weight(max_bytes)

    def remember(self, key: K, value: V, texts: Sequence[str | None]) -> None:
        """Add an entry that holds these texts."""
        self[key] = value
        self.weight.add(texts)

    def clear(self) -> None:
        """Remove all entries."""
        super().clear()
        self.weight.clear()
