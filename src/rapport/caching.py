"""Caches that are bounded in bytes, because clients decide how long the cached texts are."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from sys import getsizeof
from typing import Any, Final, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
K = TypeVar("K")
V = TypeVar("V")

MAX_CACHED_TEXT: Final = 200
"""The maximum number of characters of a text that is cached: at most 800 bytes."""


def cache_short(maxsize: int) -> Callable[[F], F]:
    """Return a decorator that caches results of calls whose first argument, a text, is short."""

    def decorate(function: F) -> F:
        cached = lru_cache(maxsize)(function)

        def call(text: str | bytes | None, *args: object) -> object:
            if text is None or len(text) <= MAX_CACHED_TEXT:
                return cached(text, *args)
            return function(text, *args)

        return cast("F", call)

    return decorate


_ENTRY: Final = 300
"""The approximate size of a dictionary entry in bytes, with the small objects that it refers to."""


class Weight:
    """The approximate size of a cache, whose owner empties it when it is full."""

    __slots__ = ("_bytes", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Return True if the cache should be emptied before the next entry."""
        return self._bytes > self._max_bytes

    def add(self, texts: Sequence[str | None]) -> None:
        """Count a new entry with these texts, or these texts added to an entry."""
        self._bytes += _ENTRY + sum(map(getsizeof, texts))

    def clear(self) -> None:
        """Reset the size after emptying the cache."""
        self._bytes = 0


class WeighedDict(dict[K, V]):
    """A cache that knows its approximate size."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self.weight = Weight(max_bytes)

    def remember(self, key: K, value: V, texts: Sequence[str | None]) -> None:
        """Add an entry that contains these texts."""
        self[key] = value
        self.weight.add(texts)

    def clear(self) -> None:
        """Remove all entries."""
        super().clear()
        self.weight.clear()
