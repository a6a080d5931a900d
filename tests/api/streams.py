"""Listening to a stream, as programs do."""

import contextlib
import socket
import struct
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

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.id = ""
        self._events = self._read(answer.iter_lines())

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
    with client.stream("GET", path, headers=headers, timeout=httpx.Timeout(20)) as answer:
        assert answer.status_code == httpx.codes.OK, answer.read()
        listened = Listening(answer)
        listened.begin()
        yield listened


def listening_by_http2(port: int, *tokens: str) -> socket.socket:
    """A connection with a stream for each of the tokens on it."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    asked = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, b"")
    for number, token in enumerate(tokens):
        # GET, http, :path, :authority and authorization, by their places in the table of HPACK.
        fields = b"\x82\x86\x04" + _text(STREAM) + b"\x01" + _text("x") + b"\x0f\x08" + _text(f"Bearer {token}")
        asked += _frame(1, 1 + 2 * number, fields, flags=5)
    connection.sendall(asked)
    return connection


def _frame(kind: int, stream: int, content: bytes, flags: int = 0) -> bytes:
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


def _text(text: str) -> bytes:
    rest = len(text) - 127
    if rest < 0:
        return bytes([len(text)]) + text.encode()
    length = [127]
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes([*length, rest]) + text.encode()
