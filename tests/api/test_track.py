"""POST /track/v1/activities: what comes in, what is refused, and how that is told."""

import asyncio
import gzip
import json

import httpx
import pytest

from rapport.auth.scope import Scope
from tests.world import EVERY_TYPE, Caller, Server, line

TRACK = "/track/v1/activities"
NDJSON = {"content-type": "application/x-ndjson"}
GZIPPED = {**NDJSON, "content-encoding": "gzip"}


def count(caller: Caller, contact_id: str = "c1") -> int:
    return sum(len(page) for page in caller.walk(contact_id, f"tracking_activities_list={EVERY_TYPE}"))


def body(*lines: object) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in lines)


def test_ndjson_and_json_array_are_equivalent(caller: Caller) -> None:
    lines = [line(), line(time="2026-03-01T10:00:01Z")]
    assert caller.post(TRACK, content=body(*lines), headers=NDJSON).json()["accepted"] == 2
    receipt = caller.post(TRACK, json=lines).json()
    assert receipt == {"accepted": 0, "duplicate": 2, "rejected": 0, "rejections": []}


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(body(line())),
        gzip.compress(b"\n\n  \r\n") + gzip.compress(body(line())),
        gzip.compress(body(line())[:20]) + gzip.compress(body(line())[20:]),
    ],
)
def test_multi_member_gzip_is_decompressed(caller: Caller, content: bytes) -> None:
    assert caller.post(TRACK, content=content, headers=GZIPPED).json()["accepted"] == 1


def test_invalid_line_is_rejected_without_affecting_others(caller: Caller) -> None:
    content = b"\n".join(
        [body(line()), b"{broken", body(line(bounce_code="B")), body(line(time=1_700_000)), body(line(zip="1"))]
    )
    receipt = caller.post(TRACK, content=content, headers=NDJSON).json()
    assert (receipt["accepted"], receipt["duplicate"], receipt["rejected"]) == (1, 1, 3)
    assert [(each["index"], each["field"], each["value"]) for each in receipt["rejections"]] == [
        (1, "line", "{broken"),
        (3, "created_time", 1_700_000),
        (4, "zip", "1"),
    ]
    assert all(each["reason"] for each in receipt["rejections"])
    assert receipt["warnings"] == [
        {"index": 2, "field": "bounce_code", "value": "B", "action": "left out: belongs to em_bounces only"}
    ]
    assert count(caller) == 1


JSON = {"content-type": "application/json"}
TWO = body(line("a")) + b"\n" + body(line("b"))


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (body(line()), JSON, 1),
        (TWO, JSON, 2),
        (b"\xef\xbb\xbf" + TWO, NDJSON, 2),
        (b"\xef\xbb\xbf[" + TWO.replace(b"\n", b",") + b"]", JSON, 2),
        (b"[" + TWO.replace(b"\n", b",\n") + b"]", NDJSON, 2),
        (TWO, {"content-type": "text/plain; charset=utf-8"}, 2),
        (TWO, {"content-type": "application/ndjson"}, 2),
        (TWO, {"content-type": "application/jsonl"}, 2),
    ],
)
def test_body_is_read_by_its_content(caller: Caller, content: bytes, headers: dict[str, str], expected: int) -> None:
    receipt = caller.post(TRACK, content=content, headers=headers).json()
    assert (receipt["accepted"], receipt["rejected"]) == (expected, 0)


@pytest.mark.parametrize("bad", [b'{"first_name": "Ada \\ud83d"}', b"oops", b'{"contact_id": nul}', b'"\xff"'])
def test_broken_item_of_array_costs_only_itself(caller: Caller, bad: bytes) -> None:
    content = b"[" + body(line("a")) + b", " + bad + b",\n" + body(line("b")) + b"]"
    receipt = caller.post(TRACK, content=content, headers=JSON).json()
    assert (receipt["accepted"], receipt["rejected"]) == (2, 1)
    assert receipt["rejections"][0]["index"] == 1


@pytest.mark.parametrize("activity_type", ["em_sends", "em_opens"])
def test_event_id_is_told_apart_by_type_and_campaign_activity(caller: Caller, activity_type: str) -> None:
    lines = [
        line(activity_type=activity_type, event_id="1"),
        line(activity_type="em_clicks", event_id="1"),
        line(activity_type=activity_type, event_id="1", campaign_activity_id="ca-2"),
    ]
    assert caller.record(*lines)["accepted"] == 3
    assert caller.record(*lines)["duplicate"] == 3


def test_request_with_rejected_lines_only_returns_receipt(caller: Caller) -> None:
    receipt = caller.post(TRACK, json=[{}, 1, "x", None]).json()
    assert (receipt["accepted"], receipt["rejected"]) == (0, 4)


def test_empty_request_returns_empty_receipt(caller: Caller) -> None:
    assert caller.post(TRACK, content=b"", headers=NDJSON).json()["accepted"] == 0
    assert caller.post(TRACK, json=[]).json()["accepted"] == 0


def test_response_items_are_accepted_as_lines(caller: Caller, server: Server, account: str) -> None:
    caller.record(
        line(campaign_activity_name="March"), line(activity_type="p_contact_add", time="2026-03-02T10:00:00Z")
    )
    items = caller.page("c1", tracking_activities_list=EVERY_TYPE).json()["tracking_activities"]
    assert caller.post(TRACK, json=items).json()["duplicate"] == 2
    with server.caller(f"{account}-new") as elsewhere:
        assert elsewhere.post(TRACK, json=items).json()["accepted"] == 2
        assert elsewhere.page("c1", tracking_activities_list=EVERY_TYPE).json()["tracking_activities"] == items


def test_repeated_event_id_is_recorded_once(caller: Caller) -> None:
    caller.record(line(event_id="e-1"))
    again = caller.record(
        line(event_id="e-1", time="2026-03-01T10:00:00.500Z"), line(event_id="e-2"), line("c2", event_id="e-1")
    )
    assert (again["accepted"], again["duplicate"]) == (2, 1)
    assert count(caller) == 2


def test_repeated_activity_in_request_is_recorded_once(caller: Caller) -> None:
    receipt = caller.record(line(), line(), line(event_id="e"), line(event_id="e"))
    assert (receipt["accepted"], receipt["duplicate"]) == (2, 2)


def test_simultaneous_clicks_on_two_links_are_two_activities(caller: Caller) -> None:
    receipt = caller.record(
        line(activity_type="em_clicks", link_url="https://example.com/a"),
        line(activity_type="em_clicks", link_url="https://example.com/b"),
        line(activity_type="em_clicks", link_url="https://example.com/a", device_type="mobile"),
    )
    assert (receipt["accepted"], receipt["duplicate"]) == (2, 1)


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{}", {}, 415),
        (b"{}", {"content-type": "text/csv"}, 415),
        (b"{}", {**NDJSON, "content-encoding": "br"}, 415),
        (b"{", {"content-type": "application/json"}, 400),
        (b"[", {"content-type": "application/json"}, 400),
        (b"[{}] x", {"content-type": "application/json"}, 400),
        (b"no gzip", GZIPPED, 400),
        (gzip.compress(body(line()))[:-4], GZIPPED, 400),
        (b"x" * (16 * 1024 * 1024 + 1), NDJSON, 413),
        (gzip.compress(b"\n" * (16 * 1024 * 1024 + 1)), GZIPPED, 413),
        (b"{}\n" * 10_001, NDJSON, 413),
        (b"[" + b"{}," * 10_000 + b"{}]", {"content-type": "application/json"}, 413),
    ],
)
def test_invalid_body_is_rejected_as_a_whole(
    caller: Caller, content: bytes, headers: dict[str, str], status: int
) -> None:
    response = caller.post(TRACK, content=content, headers=headers)
    assert response.status_code == status
    problem = response.json()
    assert (problem[0] if status == 400 else problem)["error_message"]


def test_oversized_chunked_body_is_rejected(caller: Caller) -> None:
    response = caller.post(TRACK, content=(b"x" * 1_000_000 for _ in range(20)), headers=NDJSON)
    assert response.status_code == 413


def test_request_of_10_000_lines_is_accepted(caller: Caller) -> None:
    lines = [line(f"c{number % 50}", time=1_767_225_600_000 + number) for number in range(10_000)]
    assert caller.record(*lines)["accepted"] == 10_000
    assert count(caller, "c7") == 200


def test_recording_requires_activity_write_scope(server: Server, account: str) -> None:
    with server.caller(account, frozenset({Scope.CONTACT_DATA})) as reader:
        response = reader.post(TRACK, json=[line()])
    assert response.status_code == 403
    assert response.json()["error_key"] == "access_denied"


def test_concurrent_requests_are_all_recorded(server: Server, account: str) -> None:
    headers = {"authorization": f"Bearer {server.token(account)}"}

    async def send() -> list[int]:
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(base_url=server.url, headers=headers, limits=limits, timeout=60) as client:
            times = range(1_767_225_600_000, 1_767_225_600_500)
            responses = await asyncio.gather(*(client.post(TRACK, json=[line(time=time)]) for time in times))
        return [response.json()["accepted"] for response in responses]

    assert asyncio.run(send()) == [1] * 500
    with server.caller(account) as caller:
        assert count(caller) == 500
