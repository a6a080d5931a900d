"""The stream: whatever is recorded anywhere is heard within a second, once, by whoever may."""

import asyncio
import contextlib
import json
import socket
import time
from pathlib import Path

import pytest

from rapport.auth.keys import load_keys
from rapport.auth.register import new_token_id
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal, make_token
from rapport.cli.command import now
from rapport.instant import Instant, iso
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.feed import MAX_KEYS_PER_BATCH
from tests.api.streams import STREAM, Event, Listening, listening
from tests.cli.command import rapport
from tests.world import Caller, Server, line


def at(number: int) -> str:
    return iso(Instant(1_767_225_600_000 + number))


def told(events: list[Event]) -> list[dict[str, object]]:
    assert {event.name for event in events} <= {"activity"}
    return [json.loads(event.data) for event in events]


def test_recorded_activity_is_streamed_in_import_format(caller: Caller) -> None:
    who = {"email_address": "ada@example.com", "first_name": "Ada"}
    click = line(
        "ada", "em_clicks", **who, link_url="https://example.com/", device_type="mobile", campaign_activity_name="March"
    )
    with listening(caller) as stream:
        headers = stream.response.headers
        assert headers["content-type"] == "text/event-stream"
        assert "no-store" in headers["cache-control"]
        assert headers["x-accel-buffering"] == "no"
        assert "content-length" not in headers
        caller.record(click)
        recorded = time.monotonic()
        assert told(stream.next()) == [click]
        assert time.monotonic() - recorded < 1
        # What the line doesn't say of the contact is what is known of it.
        caller.record(line("ada", "em_opens"), click)
        assert told(stream.next()) == [line("ada", "em_opens", campaign_activity_name="March", **who)]


def test_activity_recorded_by_other_process_is_streamed(server: Server, account: str, caller: Caller) -> None:
    lines = [line(f"c{number}", time=at(number)) for number in range(3)]
    given = "\n".join(map(json.dumps, lines)).encode()
    with listening(caller) as stream:
        rapport("import", "-", "--data", server.data, "--account", account, given=given)
        recorded = time.monotonic()
        assert [each["contact_id"] for each in told(stream.next(3))] == ["c0", "c1", "c2"]
        assert time.monotonic() - recorded < 1


def test_reconnecting_client_resumes_after_last_event_id(caller: Caller) -> None:
    with listening(caller) as stream:
        begun = stream.id
        caller.record(*(line(f"c{number}", time=at(number)) for number in range(5)))
        heard = stream.next(3)
    caller.record(line("c5", time=at(5)))
    for events, rest in ((heard[-1].id, "345"), (heard[0].id, "12345"), (begun, "012345")):
        with listening(caller, last_id=events) as stream:
            assert [each["contact_id"] for each in told(stream.next(len(rest)))] == [f"c{number}" for number in rest]
            caller.record(line("later", time=at(int(rest[0]))))
            assert [each["contact_id"] for each in told(stream.next())] == ["later"]


@pytest.mark.parametrize("position", ["x", "99999999999999", "1:1:@999999999", "é"])
def test_unknown_last_event_id_gives_gap_event(caller: Caller, position: str) -> None:
    with caller.stream("GET", STREAM, headers=[(b"last-event-id", position.encode())]) as response:
        stream = Listening(response)
        (gap,) = stream.next()
        assert (gap.name, json.loads(gap.data)) == ("gap", {"activities": None, "by_type": None})
        caller.record(line())
        assert len(told(stream.next())) == 1


def test_stream_is_filtered_by_activity_type(caller: Caller) -> None:
    activity_types = ("em_sends", "em_opens", "em_clicks", "em_optouts", "em_bounces")
    for query in (
        "tracking_activity_type=em_opens&tracking_activity_type=em_optouts",
        "tracking_activity_type=em_optouts,%20em_opens,",
        "tracking_activities_list=em_opens,em_optouts",
    ):
        with listening(caller, f"{STREAM}?{query}") as stream:
            contact = f"c{len(query)}"
            caller.record(
                *(line(contact, activity_type, time=at(number)) for number, activity_type in enumerate(activity_types))
            )
            assert [each["tracking_activity_type"] for each in told(stream.next(2))] == ["em_opens", "em_optouts"]
    for bad in ("tracking_activity_type=em_open", f"{query}&tracking_activity_type=em_sends"):
        response = caller.get(f"{STREAM}?{bad}")
        assert (response.status_code, response.json()[0]["error_key"]) == (400, "contacts.api.validation.error")
    assert caller.head(STREAM).headers["content-type"] == "text/event-stream"


def test_stream_excludes_other_accounts_and_erased_contacts(server: Server, account: str, caller: Caller) -> None:
    with server.caller(f"{account}-other") as other, listening(other) as stream:
        begun = stream.id
        caller.record(line("mine"))
        other.record(line("ada", time=at(1)), line("bob", time=at(2)))
        assert [each["contact_id"] for each in told(stream.next(2))] == ["ada", "bob"]
        assert other.delete("/track/v1/contacts/ada").status_code == 204
        with listening(other, last_id=begun) as again:
            assert [each["contact_id"] for each in told(again.next())] == ["bob"]


def test_gap_event_counts_omitted_activities_of_large_request(caller: Caller) -> None:
    activity_types = ("em_sends", "em_opens")
    lines = [
        line(f"c{number % 50}", activity_types[number % 2], time=at(number))
        for number in range(MAX_KEYS_PER_BATCH + 400)
    ]
    with listening(caller) as stream, listening(caller, f"{STREAM}?tracking_activity_type=em_sends") as sends:
        begun = stream.id
        caller.record(*lines)
        (gap, *events) = stream.next(MAX_KEYS_PER_BATCH + 1)
        counts = json.loads(gap.data)
        assert (gap.name, counts["activities"], sum(counts["by_type"].values())) == ("gap", 400, 400)
        heard = told(events)
        assert all(each in lines for each in heard)
        expected = counts["by_type"].get("em_sends", 0)
        kept = sum(each["tracking_activity_type"] == "em_sends" for each in heard)
        assert expected + kept == len(lines) // 2
        first = sends.next()[0]
        assert (first.name == "gap") is (expected > 0)
    # Behind some of it, it isn't told again that there was more.
    with listening(caller, last_id=events[-3].id) as stream:
        assert told(stream.next(2)) == heard[-2:]
    with listening(caller, last_id=begun) as stream:
        again, first = stream.next(2)
        assert [each[:2] for each in (again, first)] == [each[:2] for each in (gap, events[0])]


def test_stream_ends_when_token_expires(server: Server, account: str) -> None:
    async def made() -> str:
        principal = Principal(account, account, "tests", Role.OWNER, frozenset(Scope))
        async with open_store(Settings(data=server.data)) as store:
            keys = await load_keys(store.secrets)
        expires = Instant(now() + 2_500)
        return make_token(
            keys, principal, issuer="rapport", audience="rapport", now=now(), expires=expires, token_id=new_token_id()
        )

    began = time.monotonic()
    with Caller(server.url, asyncio.run(made())) as caller, listening(caller) as stream:
        assert stream.rest() == []
        assert time.monotonic() - began < 6
        assert caller.get(STREAM).status_code == 401


def test_http_connection_carries_one_stream_only(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        assert connection.recv(100)[:10] in {b"", b"HTTP/1.1 4"}


def test_streams_are_limited_and_do_not_delay_shutdown(data: str) -> None:
    with Server(data, environment={"RAPPORT_STREAMS": "4"}) as server, server.caller("default") as caller:
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(listening(caller)) for _ in range(2)]
            response = caller.get(STREAM)
            assert (response.status_code, response.json()["error_key"]) == (503, "service_unavailable")
            assert int(response.headers["retry-after"]) > 0
            caller.record(line())
            assert [len(told(stream.next())) for stream in streams] == [1, 1]
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 8
            assert [stream.rest() for stream in streams] == [[], []]
        assert '"event":"stopped"' in server.log.read_text()


def test_slow_stream_client_is_disconnected(tmp_path: Path) -> None:
    with Server(str(tmp_path / "data")) as server, server.caller("default") as caller:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect(("127.0.0.1", server.port))
            deaf.sendall(f"GET {STREAM} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {caller.bearer}\r\n\r\n".encode())
            assert deaf.recv(9) == b"HTTP/1.1 "
            for first in range(0, 12_000, 1_000):
                numbers = range(first, first + 1_000)
                caller.record(*(line(time=at(number), campaign_activity_name="x" * 512) for number in numbers))
            assert server.stop() == 0
        assert '"event":"stopped"' in server.log.read_text()


def test_streamed_activities_can_be_imported(caller: Caller, tmp_path: Path) -> None:
    caller.record(line("c1", "em_clicks", url_id="7", email_address="c1@example.com"))
    with listening(caller) as stream:
        caller.record(line("c1", "em_clicks", time=at(9), url_id="8"))
        (event,) = stream.next()
    rapport("import", "-", "--data", str(tmp_path / "copy"), "--create", given=event.data.encode())
