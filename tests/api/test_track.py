"""POST /track/v1/activities."""

import asyncio
import gzip
import json

import httpx
import pytest

from rapport.auth.scope import Scope
from tests.helpers.api import ALL_ACTIVITY_TYPES, ApiClient, make_line
from tests.helpers.server import Server

TRACK = "/track/v1/activities"
NDJSON = {"content-type": "application/x-ndjson"}
GZIPPED = {**NDJSON, "content-encoding": "gzip"}


def count_activities(client: ApiClient, contact_id: str = "c1") -> int:
    return sum(len(page) for page in client.walk(contact_id, f"tracking_activities_list={ALL_ACTIVITY_TYPES}"))


def encode_lines(*lines: object) -> bytes:
    return b"\n".join(json.dumps(line).encode() for line in lines)


def test_ndjson_and_json_array_are_equivalent(client: ApiClient) -> None:
    lines = [make_line(), make_line(time="2026-03-01T10:00:01Z")]
    assert client.post(TRACK, content=encode_lines(*lines), headers=NDJSON).json()["accepted"] == 2
    receipt = client.post(TRACK, json=lines).json()
    assert receipt == {"accepted": 0, "duplicate": 2, "rejected": 0, "rejections": []}


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(encode_lines(make_line())),
        gzip.compress(b"\n\n  \r\n") + gzip.compress(encode_lines(make_line())),
        gzip.compress(encode_lines(make_line())[:20]) + gzip.compress(encode_lines(make_line())[20:]),
    ],
)
def test_multi_member_gzip_is_decompressed(client: ApiClient, content: bytes) -> None:
    assert client.post(TRACK, content=content, headers=GZIPPED).json()["accepted"] == 1


def test_invalid_line_is_rejected_without_affecting_others(client: ApiClient) -> None:
    content = b"\n".join(
        [
            encode_lines(make_line()),
            b"{broken",
            encode_lines(make_line(bounce_code="B")),
            encode_lines(make_line(time=1_700_000)),
            encode_lines(make_line(zip="1")),
        ]
    )
    receipt = client.post(TRACK, content=content, headers=NDJSON).json()
    assert (receipt["accepted"], receipt["duplicate"], receipt["rejected"]) == (1, 1, 3)
    assert [(rejection["index"], rejection["field"], rejection["value"]) for rejection in receipt["rejections"]] == [
        (1, "line", "{broken"),
        (3, "created_time", 1_700_000),
        (4, "zip", "1"),
    ]
    assert all(rejection["reason"] for rejection in receipt["rejections"])
    assert receipt["warnings"] == [
        {"index": 2, "field": "bounce_code", "value": "B", "action": "left out: belongs to em_bounces only"}
    ]
    assert count_activities(client) == 1


JSON = {"content-type": "application/json"}
TWO = encode_lines(make_line("a")) + b"\n" + encode_lines(make_line("b"))


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (encode_lines(make_line()), JSON, 1),
        (TWO, JSON, 2),
        (b"\xef\xbb\xbf" + TWO, NDJSON, 2),
        (b"\xef\xbb\xbf[" + TWO.replace(b"\n", b",") + b"]", JSON, 2),
        (b"[" + TWO.replace(b"\n", b",\n") + b"]", NDJSON, 2),
        (TWO, {"content-type": "text/plain; charset=utf-8"}, 2),
        (TWO, {"content-type": "application/ndjson"}, 2),
        (TWO, {"content-type": "application/jsonl"}, 2),
    ],
)
def test_body_is_read_by_its_content(client: ApiClient, content: bytes, headers: dict[str, str], expected: int) -> None:
    receipt = client.post(TRACK, content=content, headers=headers).json()
    assert (receipt["accepted"], receipt["rejected"]) == (expected, 0)


@pytest.mark.parametrize("bad", [b'{"first_name": "Ada \\ud83d"}', b"oops", b'{"contact_id": nul}', b'"\xff"'])
def test_invalid_array_item_is_rejected_alone(client: ApiClient, bad: bytes) -> None:
    content = b"[" + encode_lines(make_line("a")) + b", " + bad + b",\n" + encode_lines(make_line("b")) + b"]"
    receipt = client.post(TRACK, content=content, headers=JSON).json()
    assert (receipt["accepted"], receipt["rejected"]) == (2, 1)
    assert receipt["rejections"][0]["index"] == 1


@pytest.mark.parametrize("activity_type", ["em_sends", "em_opens"])
def test_event_id_is_told_apart_by_type_and_campaign_activity(client: ApiClient, activity_type: str) -> None:
    lines = [
        make_line(activity_type=activity_type, event_id="1"),
        make_line(activity_type="em_clicks", event_id="1"),
        make_line(activity_type=activity_type, event_id="1", campaign_activity_id="ca-2"),
    ]
    assert client.record(*lines)["accepted"] == 3
    assert client.record(*lines)["duplicate"] == 3


def test_request_with_rejected_lines_only_returns_receipt(client: ApiClient) -> None:
    receipt = client.post(TRACK, json=[{}, 1, "x", None]).json()
    assert (receipt["accepted"], receipt["rejected"]) == (0, 4)


def test_empty_request_returns_empty_receipt(client: ApiClient) -> None:
    assert client.post(TRACK, content=b"", headers=NDJSON).json()["accepted"] == 0
    assert client.post(TRACK, json=[]).json()["accepted"] == 0


def test_response_items_are_accepted_as_lines(client: ApiClient, server: Server, account: str) -> None:
    client.record(
        make_line(campaign_activity_name="March"), make_line(activity_type="p_contact_add", time="2026-03-02T10:00:00Z")
    )
    items = client.page("c1", tracking_activities_list=ALL_ACTIVITY_TYPES).json()["tracking_activities"]
    assert client.post(TRACK, json=items).json()["duplicate"] == 2
    with server.client(f"{account}-new") as elsewhere:
        assert elsewhere.post(TRACK, json=items).json()["accepted"] == 2
        assert elsewhere.page("c1", tracking_activities_list=ALL_ACTIVITY_TYPES).json()["tracking_activities"] == items


def test_repeated_event_id_is_recorded_once(client: ApiClient) -> None:
    client.record(make_line(event_id="e-1"))
    again = client.record(
        make_line(event_id="e-1", time="2026-03-01T10:00:00.500Z"),
        make_line(event_id="e-2"),
        make_line("c2", event_id="e-1"),
    )
    assert (again["accepted"], again["duplicate"]) == (2, 1)
    assert count_activities(client) == 2


def test_repeated_activity_in_request_is_recorded_once(client: ApiClient) -> None:
    receipt = client.record(make_line(), make_line(), make_line(event_id="e"), make_line(event_id="e"))
    assert (receipt["accepted"], receipt["duplicate"]) == (2, 2)


def test_simultaneous_clicks_on_two_links_are_two_activities(client: ApiClient) -> None:
    receipt = client.record(
        make_line(activity_type="em_clicks", link_url="https://example.com/a"),
        make_line(activity_type="em_clicks", link_url="https://example.com/b"),
        make_line(activity_type="em_clicks", link_url="https://example.com/a", device_type="mobile"),
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
        (gzip.compress(encode_lines(make_line()))[:-4], GZIPPED, 400),
        (b"x" * (16 * 1024 * 1024 + 1), NDJSON, 413),
        (gzip.compress(b"\n" * (16 * 1024 * 1024 + 1)), GZIPPED, 413),
        (b"{}\n" * 10_001, NDJSON, 413),
        (b"[" + b"{}," * 10_000 + b"{}]", {"content-type": "application/json"}, 413),
    ],
)
def test_invalid_body_is_rejected_as_a_whole(
    client: ApiClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    response = client.post(TRACK, content=content, headers=headers)
    assert response.status_code == status
    error = response.json()
    assert (error[0] if status == 400 else error)["error_message"]


def test_oversized_chunked_body_is_rejected(client: ApiClient) -> None:
    response = client.post(TRACK, content=(b"x" * 1_000_000 for _ in range(20)), headers=NDJSON)
    assert response.status_code == 413


def test_request_of_10_000_lines_is_accepted(client: ApiClient) -> None:
    lines = [make_line(f"c{number % 50}", time=1_767_225_600_000 + number) for number in range(10_000)]
    assert client.record(*lines)["accepted"] == 10_000
    assert count_activities(client, "c7") == 200


def test_recording_requires_activity_write_scope(server: Server, account: str) -> None:
    with server.client(account, frozenset({Scope.CONTACT_DATA})) as reader:
        response = reader.post(TRACK, json=[make_line()])
    assert response.status_code == 403
    assert response.json()["error_key"] == "access_denied"


@pytest.mark.slow
async def test_concurrent_requests_are_all_recorded(server: Server, account: str) -> None:
    headers = {"authorization": f"Bearer {server.token(account)}"}

    async def send() -> list[int]:
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(base_url=server.url, headers=headers, limits=limits, timeout=60) as client:
            times = range(1_767_225_600_000, 1_767_225_600_200)
            responses = await asyncio.gather(*(client.post(TRACK, json=[make_line(time=time)]) for time in times))
        return [response.json()["accepted"] for response in responses]

    assert (await send()) == [1] * 200
    with server.client(account) as client:
        assert count_activities(client) == 200
