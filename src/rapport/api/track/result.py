"""Decode the items of a request body, and report which were accepted, rejected or changed."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec
from starlette.responses import Response

from rapport import metrics
from rapport.api.responses import encode_response
from rapport.errors import InvalidField
from rapport.instant import Instant
from rapport.recording.activity_codec import Context, FieldWarning, Rejection, excerpt, rejection_from

T = TypeVar("T")


class ImportResult(msgspec.Struct, omit_defaults=True):
    """The number of accepted, duplicate and rejected items. `index` counts items from 0.

    `warnings` lists what was changed or left out in accepted items.
    """

    accepted: int
    duplicate: int
    rejected: int
    rejections: list[Rejection]
    warnings: list[FieldWarning] = []


class ResultBuilder:
    """The rejections and warnings of a request's items, collected while they are decoded."""

    def __init__(self) -> None:
        self.context = Context(Instant(time.time_ns() // 1_000_000), self._warn)
        self.rejections: list[Rejection] = []
        self.warnings: list[FieldWarning] = []
        self._index = 0
        self._warnings_before = 0

    def begin(self, index: int) -> None:
        """Start an item: warnings that follow are about it."""
        self._index = index
        self._warnings_before = len(self.warnings)

    def reject(self, exc: InvalidField) -> None:
        """Reject the item, and drop the warnings about its fields."""
        del self.warnings[self._warnings_before :]
        self.rejections.append(rejection_from(self._index, exc))

    def response(self, accepted: int, duplicate: int) -> Response:
        """Return the response with the result of the request."""
        metrics.REJECTED.inc(len(self.rejections))
        return encode_response(ImportResult(accepted, duplicate, len(self.rejections), self.rejections, self.warnings))

    def _warn(self, field: str, value: object, action: str) -> None:
        self.warnings.append(FieldWarning(index=self._index, field=field, value=excerpt(value), action=action))


def decode_items(
    lines: Sequence[bytes | msgspec.Raw],
    start: int,
    decode: Callable[[bytes | msgspec.Raw, Context], T],
    results: ResultBuilder,
) -> Iterator[T]:
    """Yield the decoded items of a slice that begins at index `start`, and reject the invalid ones."""
    for index, line in enumerate(lines, start):
        results.begin(index)
        try:
            yield decode(line, results.context)
        except InvalidField as exc:
            results.reject(exc)
