"""Listening to a stream, as programs do."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import httpx

STREAM = "/track/v1/stream"


class Event(NamedTuple):
    """An event as it is dispatched, and the position behind it."""

    name: str
    data: str
    id: str


class Listening:
    """An open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.id = ""
        self._events = self._read(response.iter_lines())

    def _read(self, lines: Iterator[str]) -> Iterator[Event]:
        name, data = "", list[str]()
        for line in lines:
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                self.id = value
            elif not line:
                # As a browser does it: what has no data moves on the position, and is no event.
                yield Event(name, "\n".join(data), self.id)
                name, data = "", []

    def begin(self) -> None:
        """Wait until it has begun."""
        assert not next(self._events).data

    def next(self, count: int = 1) -> list[Event]:
        """The next events; waits for them."""
        found: list[Event] = []
        while len(found) < count:
            event = next(self._events)
            if event.data:
                found.append(event)
        return found

    def rest(self) -> list[Event]:
        """All until the stream ends."""
        return [event for event in self._events if event.data]


@contextlib.contextmanager
def listening(client: httpx.Client, path: str = STREAM, last_id: str | None = None) -> Iterator[Listening]:
    """An open stream, which has begun."""
    headers = {} if last_id is None else {"last-event-id": last_id}
    with client.stream("GET", path, headers=headers, timeout=httpx.Timeout(20)) as response:
        assert response.status_code == httpx.codes.OK, response.read()
        listened = Listening(response)
        listened.begin()
        yield listened
