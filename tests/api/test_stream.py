"""The event stream: each activity arrives once, within a second, at authorized clients."""

import contextlib
import json
import socket
import time
from pathlib import Path

import pytest

from rapport.auth.keys import load_keys
from rapport.auth.scope import Role, Scope
from rapport.auth.token import Principal, sign_token
from rapport.auth.token_registry import create_token_id
from rapport.cli.command import now
from rapport.instant import Instant, iso
from rapport.settings import Settings
from rapport.store.engines import open_store
from rapport.store.feed import MAX_KEYS_PER_BATCH
from tests.helpers.api import ApiClient, make_line
from tests.helpers.command import run_rapport
from tests.helpers.server import Server
from tests.helpers.streams import STREAM_PATH, Event, StreamClient, open_stream


def format_time(number: int) -> str:
    return iso(Instant(1_767_225_600_000 + number))


def get_activities(events: list[Event]) -> list[dict[str, object]]:
    assert {event.name for event in events} <= {"activity"}
    return [json.loads(event.data) for event in events]


def test_recorded_activity_is_streamed_in_import_format(client: ApiClient) -> None:
    who = {"email_address": "ada@example.com", "first_name": "Ada"}
    click = make_line(
        "ada", "em_clicks", **who, link_url="https://example.com/", device_type="mobile", campaign_activity_name="March"
    )
    with open_stream(client) as stream:
        headers = stream.response.headers
        assert headers["content-type"] == "text/event-stream"
        assert "no-store" in headers["cache-control"]
        assert headers["x-accel-buffering"] == "no"
        assert "content-length" not in headers
        client.record(click)
        recorded = time.monotonic()
        assert get_activities(stream.next()) == [click]
        assert time.monotonic() - recorded < 1
        # Profile fields that the line doesn't contain are filled in.
        client.record(make_line("ada", "em_opens"), click)
        assert get_activities(stream.next()) == [make_line("ada", "em_opens", campaign_activity_name="March", **who)]


@pytest.mark.slow
def test_activity_recorded_by_other_process_is_streamed(server: Server, account: str, client: ApiClient) -> None:
    lines = [make_line(f"c{number}", time=format_time(number)) for number in range(3)]
    lines_sent = "\n".join(map(json.dumps, lines)).encode()
    with open_stream(client) as stream:
        run_rapport("import", "-", "--data", server.data, "--account", account, stdin=lines_sent)
        recorded = time.monotonic()
        assert [activity["contact_id"] for activity in get_activities(stream.next(3))] == ["c0", "c1", "c2"]
        assert time.monotonic() - recorded < 1


def test_reconnecting_client_resumes_after_last_event_id(client: ApiClient) -> None:
    with open_stream(client) as stream:
        begun = stream.id
        client.record(*(make_line(f"c{number}", time=format_time(number)) for number in range(5)))
        received = stream.next(3)
    client.record(make_line("c5", time=format_time(5)))
    for events, rest in ((received[-1].id, "345"), (received[0].id, "12345"), (begun, "012345")):
        with open_stream(client, last_id=events) as stream:
            assert [activity["contact_id"] for activity in get_activities(stream.next(len(rest)))] == [
                f"c{number}" for number in rest
            ]
            client.record(make_line("later", time=format_time(int(rest[0]))))
            assert [activity["contact_id"] for activity in get_activities(stream.next())] == ["later"]


@pytest.mark.parametrize("position", ["x", "99999999999999", "1:1:@999999999", "é"])
def test_unknown_last_event_id_gives_gap_event(client: ApiClient, position: str) -> None:
    with client.stream("GET", STREAM_PATH, headers=[(b"last-event-id", position.encode())]) as response:
        stream = StreamClient(response)
        (gap,) = stream.next()
        assert (gap.name, json.loads(gap.data)) == ("gap", {"activities": None, "by_type": None})
        client.record(make_line())
        assert len(get_activities(stream.next())) == 1


def test_stream_is_filtered_by_activity_type(client: ApiClient) -> None:
    activity_types = ("em_sends", "em_opens", "em_clicks", "em_optouts", "em_bounces")
    for query in (
        "tracking_activity_type=em_opens&tracking_activity_type=em_optouts",
        "tracking_activity_type=em_optouts,%20em_opens,",
        "tracking_activities_list=em_opens,em_optouts",
    ):
        with open_stream(client, f"{STREAM_PATH}?{query}") as stream:
            contact = f"c{len(query)}"
            client.record(
                *(
                    make_line(contact, activity_type, time=format_time(number))
                    for number, activity_type in enumerate(activity_types)
                )
            )
            assert [activity["tracking_activity_type"] for activity in get_activities(stream.next(2))] == [
                "em_opens",
                "em_optouts",
            ]
    for bad in ("tracking_activity_type=em_open", f"{query}&tracking_activity_type=em_sends"):
        response = client.get(f"{STREAM_PATH}?{bad}")
        assert (response.status_code, response.json()[0]["error_key"]) == (400, "contacts.api.validation.error")
    assert client.head(STREAM_PATH).headers["content-type"] == "text/event-stream"


def test_stream_excludes_other_accounts_and_erased_contacts(server: Server, account: str, client: ApiClient) -> None:
    with server.client(f"{account}-other") as other, open_stream(other) as stream:
        begun = stream.id
        client.record(make_line("mine"))
        other.record(make_line("ada", time=format_time(1)), make_line("bob", time=format_time(2)))
        assert [activity["contact_id"] for activity in get_activities(stream.next(2))] == ["ada", "bob"]
        assert other.delete("/track/v1/contacts/ada").status_code == 204
        with open_stream(other, last_id=begun) as again:
            assert [activity["contact_id"] for activity in get_activities(again.next())] == ["bob"]


def test_gap_event_counts_omitted_activities_of_large_request(client: ApiClient) -> None:
    activity_types = ("em_sends", "em_opens")
    lines = [
        make_line(f"c{number % 50}", activity_types[number % 2], time=format_time(number))
        for number in range(MAX_KEYS_PER_BATCH + 400)
    ]
    with open_stream(client) as stream, open_stream(client, f"{STREAM_PATH}?tracking_activity_type=em_sends") as sends:
        begun = stream.id
        client.record(*lines)
        (gap, *events) = stream.next(MAX_KEYS_PER_BATCH + 1)
        counts = json.loads(gap.data)
        assert (gap.name, counts["activities"], sum(counts["by_type"].values())) == ("gap", 400, 400)
        received = get_activities(events)
        assert all(event in lines for event in received)
        expected = counts["by_type"].get("em_sends", 0)
        kept = sum(event["tracking_activity_type"] == "em_sends" for event in received)
        assert expected + kept == len(lines) // 2
        first = sends.next()[0]
        assert (first.name == "gap") is (expected > 0)
    # After some of its events, the gap isn't repeated.
    with open_stream(client, last_id=events[-3].id) as stream:
        assert get_activities(stream.next(2)) == received[-2:]
    with open_stream(client, last_id=begun) as stream:
        again, first = stream.next(2)
        assert [item[:2] for item in (again, first)] == [item[:2] for item in (gap, events[0])]


@pytest.mark.slow
async def test_stream_ends_when_token_expires(server: Server, account: str) -> None:
    async def made() -> str:
        principal = Principal(account, account, "tests", Role.OWNER, frozenset(Scope))
        async with open_store(Settings(data=server.data)) as store:
            keys = await load_keys(store.secrets)
        expires = Instant(now() + 2_500)
        return sign_token(
            keys,
            principal,
            issuer="rapport",
            audience="rapport",
            now=now(),
            expires=expires,
            token_id=create_token_id(),
        )

    began = time.monotonic()
    with ApiClient(server.url, await made()) as client, open_stream(client) as stream:
        assert stream.rest() == []
        assert time.monotonic() - began < 6
        assert client.get(STREAM_PATH).status_code == 401


def test_http_connection_carries_one_stream_only(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        assert connection.recv(100)[:10] in {b"", b"HTTP/1.1 4"}


@pytest.mark.slow
def test_streams_are_limited_and_do_not_delay_shutdown(location: str) -> None:
    with Server(location, environment={"RAPPORT_MAX_STREAMS": "4"}) as server, server.client("default") as client:
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(open_stream(client)) for _ in range(2)]
            response = client.get(STREAM_PATH)
            assert (response.status_code, response.json()["error_key"]) == (503, "service_unavailable")
            assert int(response.headers["retry-after"]) > 0
            client.record(make_line())
            assert [len(get_activities(stream.next())) for stream in streams] == [1, 1]
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 8
            assert [stream.rest() for stream in streams] == [[], []]
        assert '"event":"stopped"' in server.log.read_text()


@pytest.mark.slow
def test_slow_stream_client_does_not_prevent_shutdown(tmp_path: Path) -> None:
    with Server(str(tmp_path / "data")) as server, server.client("default") as client:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect(("127.0.0.1", server.port))
            deaf.sendall(
                f"GET {STREAM_PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {client.token}\r\n\r\n".encode()
            )
            assert deaf.recv(9) == b"HTTP/1.1 "
            for first in range(0, 12_000, 1_000):
                numbers = range(first, first + 1_000)
                client.record(
                    *(make_line(time=format_time(number), campaign_activity_name="x" * 512) for number in numbers)
                )
            assert server.stop() == 0
        server.start()
        assert client.get("/v3/reports/summary_reports/email_campaign_summaries").status_code == 200


def test_streamed_activities_can_be_imported(client: ApiClient, tmp_path: Path) -> None:
    client.record(make_line("c1", "em_clicks", url_id="7", email_address="c1@example.com"))
    with open_stream(client) as stream:
        client.record(make_line("c1", "em_clicks", time=format_time(9), url_id="8"))
        (event,) = stream.next()
    run_rapport("import", "-", "--data", str(tmp_path / "copy"), "--create", stdin=event.data.encode())
