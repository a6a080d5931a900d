"""A client of the event stream."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import httpx

STREAM_PATH = "/track/v1/stream"


class Event(NamedTuple):
    """A received event, and the last event id after it."""

    name: str
    data: str
    id: str


class StreamClient:
    """An open event stream."""

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
                # As in browsers, an event without data only changes the last event id.
                yield Event(name, "\n".join(data), self.id)
                name, data = "", []

    def begin(self) -> None:
        """Wait for the first, empty event."""
        assert not next(self._events).data

    def next(self, count: int = 1) -> list[Event]:
        """Wait for the next events and return them."""
        events: list[Event] = []
        while len(events) < count:
            event = next(self._events)
            if event.data:
                events.append(event)
        return events

    def rest(self) -> list[Event]:
        """Return all events until the stream ends."""
        return [event for event in self._events if event.data]


@contextlib.contextmanager
def open_stream(client: httpx.Client, path: str = STREAM_PATH, last_id: str | None = None) -> Iterator[StreamClient]:
    """Open a stream and wait for its first event."""
    headers = {} if last_id is None else {"last-event-id": last_id}
    with client.stream("GET", path, headers=headers, timeout=httpx.Timeout(20)) as response:
        assert response.status_code == httpx.codes.OK, response.read()
        stream = StreamClient(response)
        stream.begin()
        yield stream
