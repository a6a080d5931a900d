"""Variants of a URL on every route: bracketed lists, redundant slashes, unusual characters."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from rapport.api.query import flatten_lists
from rapport.auth.scope import Scope
from tests.helpers.api import ApiClient, make_line
from tests.helpers.openapi import get_openapi
from tests.helpers.server import Server

pytestmark = pytest.mark.slow

CAMPAIGN, CAMPAIGN_ACTIVITY = "c-1", "ca-1"
IDS = {
    "contact_id": "c1",
    "campaign_id": CAMPAIGN,
    "campaign_activity_id": CAMPAIGN_ACTIVITY,
    "campaign_ids": CAMPAIGN,
    "campaign_activity_ids": CAMPAIGN_ACTIVITY,
}
UNKNOWN_ID = "07936f78-662a-11eb-af0a-fa163e56c9b0"
"""Value of other ids: nothing of their kind is recorded."""
TEXTS = {"email": "ada@example.com", "contacts_filter": "ada", "url_id": "17", "next": "x", "cursor": "x"}
"""Values of parameters whose examples don't match the recorded data."""
CHANGING = re.compile(r'"(?:updated_at|stats_updated|last_refresh_time)": ?"[^"]*"|(next|cursor)=[A-Za-z0-9_-]+')
NUL_AND_SURROGATES = ["%00", "a%00b", "%ED%A0%80", "a%ED%BF%BFb", "%FF", "%EF%BF%BF"]


class Operation(NamedTuple):
    """A route of the OpenAPI document, and values for its parameters."""

    method: str
    path: str
    parameters: dict[str, list[str]]
    required: dict[str, str]


def list_operations() -> Iterator[Operation]:
    for path, item in get_openapi()["paths"].items():
        for verb, operation in item.items():
            # The stream doesn't end.
            method = "head" if path == "/track/v1/stream" else verb
            filled = re.sub(r"{(\w+)}", lambda name: IDS.get(name[1], UNKNOWN_ID), path)
            params = [parameter for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
            values = {param["name"]: get_values(param) for param in params}
            required = {param["name"]: values[param["name"]][0] for param in params if param["required"]}
            if path.endswith("activity_details"):
                required = {"tracking_activity_type": "em_opens"}
            yield Operation(method.upper(), filled, values, required)


def get_values(parameter: dict[str, Any]) -> list[str]:
    shape = parameter["schema"]
    allowed = shape.get("items", shape).get("enum")
    if allowed:
        return [str(value) for value in allowed[:2]]
    if parameter["name"] in TEXTS:
        return [TEXTS[parameter["name"]]]
    if shape.get("type") == "boolean":
        return ["true"]
    return [str(parameter.get("example", shape.get("default", "20")))]


OPERATIONS = list(list_operations())
READING = [operation for operation in OPERATIONS if operation.method in {"GET", "HEAD"}]


@pytest.fixture(scope="module")
def reader(server: Server) -> Iterator[ApiClient]:
    """A client with all scopes, in an account with data of every kind."""
    with server.client("addresses", frozenset(Scope)) as client:
        activity_types = ["em_sends", "em_opens", "em_clicks", "em_bounces", "em_optouts", "em_forwards"]
        more = {
            "em_clicks": {"link_url": "https://shop.example.com/", "url_id": "17"},
            "em_bounces": {"bounce_code": "B"},
        }
        for contact_id in ("c1", "c2"):
            client.record(
                *(
                    make_line(
                        contact_id,
                        activity_type,
                        campaign_id=CAMPAIGN,
                        email_address="ada@example.com",
                        **more.get(activity_type, {}),
                    )
                    for activity_type in activity_types
                ),
                make_line(contact_id, "em_bounces", time="2026-03-01T10:00:01Z", bounce_code="Z"),
            )
        yield client


def send_request(client: ApiClient, operation: Operation, query: str, path: str | None = None) -> tuple[int, str]:
    """Return the status and the parts of the response that don't vary."""
    others = "&".join(f"{name}={quote(value)}" for name, value in operation.required.items() if name not in query)
    address = f"{path or operation.path}?{'&'.join(filter(None, [others, query]))}"
    response = client.request(operation.method, address)
    return response.status_code, "" if operation.path == "/metrics" else CHANGING.sub("", response.text)


SPELLINGS = [
    ("{}[]", "{}[]"),
    ("{}[0]", "{}[1]"),
    ("{}[1]", "{}[0]"),
    ("{}%5B%5D", "{}%5B%5D"),
    ("{}%5b0%5d", "{}%5B1%5D"),
    ("{}[%30]", "{}[a]"),
    ("{}", "{}[]"),
    ("{}[0][]", "{}[0][]"),
]


@pytest.mark.parametrize("operation", READING, ids=lambda each: each.path)
def test_bracketed_lists_equal_repeated_parameters(reader: ApiClient, operation: Operation) -> None:
    for name, values in operation.parameters.items():
        first, second = quote(values[0]), quote(values[-1])
        once = send_request(reader, operation, f"{name}={first}")
        twice = send_request(reader, operation, f"{name}={first}&{name}={second}")
        assert once[0] < 500
        assert once[0] != 200 or twice[0] == 200 or "more than once" in twice[1], (name, twice)
        for one, another in SPELLINGS:
            assert send_request(reader, operation, f"{one.format(name)}={first}") == once, (name, one)
            spelt = f"{one.format(name)}={first}&{another.format(name)}={second}"
            assert send_request(reader, operation, spelt) == twice, spelt


def test_bracketed_list_filters(reader: ApiClient) -> None:
    bounces = f"/v3/reports/email_reports/{CAMPAIGN_ACTIVITY}/tracking/bounces"
    for query, count in (
        ("", 4),
        ("bounce_code[0]=B", 2),
        ("bounce_code[0]=B&bounce_code[1]=Z", 4),
        ("bounce_code[]=X", 0),
    ):
        assert len(reader.get(f"{bounces}?{query}").json()["tracking_activities"]) == count, query
    assert reader.get("/v3/contacts?limit[0]=1&limit[1]=2").json()[0]["error_message"] == (
        "limit: must not be sent more than once"
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_redundant_slashes_of_api_path_are_ignored(reader: ApiClient, operation: Operation) -> None:
    query = "&".join(f"{name}={quote(value)}" for name, value in operation.required.items())
    if operation.method == "DELETE":
        # It works only once for each contact.
        path = f"{operation.path.rpartition('/')[0]}/{operation.path.split('/')[1]}-slash"
        reader.record(make_line(path.rpartition("/")[2]))
        assert reader.delete(f"{path}/").status_code == 204
        assert send_request(reader, operation, "", f"{path}/") == send_request(reader, operation, "", path)
        return
    plain = send_request(reader, operation, query)
    assert plain[0] < 500
    for path in (f"{operation.path}/", f"{operation.path}//", re.sub("^/v3/", "/v3//", operation.path)):
        assert send_request(reader, operation, query, path) == plain


def test_trailing_slash_of_page_path_is_ignored(server: Server) -> None:
    for path in ("/sign-in", "/", "/account", "/contacts/c1", "/static/style.css", "/connect"):
        plain, slashed = (httpx.get(f"{server.url}{variant}") for variant in (path, f"{path}/"))
        assert (slashed.status_code, slashed.text) == (plain.status_code, plain.text), path


def test_encoded_slash_is_part_of_id(reader: ApiClient) -> None:
    query = "tracking_activity_type=em_opens"
    for contact_id in ("c1%2F", "c1%2F%2f", "c1/x"):
        path = f"/v3/reports/contact_reports/{contact_id}/activity_details"
        assert reader.get(f"{path}?{query}").json()[0]["error_key"] == "contacts.api.not_found"
    assert reader.delete("/track/v1/contacts/c1%2F").json()[0]["error_key"] == "contacts.api.not_found"
    assert reader.get("/v3/contacts/c1").status_code == 200


def test_brackets_without_list_parameter_are_kept() -> None:
    for query in (b"", b"a=1", b"a=[1]", b"[]=1", b"[0=1", b"a]=1", b"%5B%5D=1", b"a=%5B%5D", b"a%5=1"):
        assert flatten_lists(query) == query
    assert flatten_lists(b"a[]=[]&b=2&c%5B1%5d=%5B&d[") == b"a=[]&b=2&c=%5B&d["


def list_unusual_paths(operation: Operation) -> Iterator[tuple[str, str]]:
    for odd in NUL_AND_SURROGATES:
        for name in operation.parameters:
            yield operation.path, f"{name}={odd}"
            yield operation.path, f"{name}{odd}={odd}"
        for value in set(IDS.values()):
            if f"/{value}" in operation.path:
                yield operation.path.replace(f"/{value}", f"/{odd}", 1), ""
                yield operation.path.replace(f"/{value}", f"/{value}{odd}", 1), ""


EXPECTED: dict[tuple[str, str, str], int] = {}
"""Statuses of the first engine, which the others must return too."""


@pytest.mark.parametrize("operation", READING, ids=lambda each: each.path)
def test_nul_and_surrogates_get_same_response_on_every_engine(reader: ApiClient, operation: Operation) -> None:
    for path, query in list_unusual_paths(operation):
        status, text = send_request(reader, operation, query, path)
        assert status < 500, (path, query, text)
        key = operation.path, path, query
        assert EXPECTED.setdefault(key, status) == status, key


EXTREMES = [
    "0001-01-01T00:00:00%2B14:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59.9999Z",
    "9999-12-31",
    "0000-01-01",
    "10000-01-01",
]


@pytest.mark.slow
@pytest.mark.parametrize("operation", READING, ids=lambda each: each.path)
def test_extreme_times_return_200_or_400(reader: ApiClient, operation: Operation) -> None:
    times = [name for name in operation.parameters if re.search("after|before|start|end", name)]
    for name in times:
        for other in times:
            for extreme in EXTREMES:
                for another in EXTREMES if other != name else [""]:
                    query = f"{name}={extreme}" + (f"&{other}={another}" if another else "")
                    status, text = send_request(reader, operation, query)
                    assert status in {200, 400, 404}, (query, text)


def test_time_outside_calendar_after_offset_is_rejected(reader: ApiClient) -> None:
    refused = reader.get("/v3/contacts?created_before=0001-01-01T00:00:00%2B14:00")
    assert refused.status_code == 400
    assert refused.json()[0]["error_message"] == (
        "created_before: must be from 0001-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z, "
        "not '0001-01-01T00:00:00+14:00'"
    )


def test_path_with_control_characters_is_rejected(reader: ApiClient) -> None:
    refused = reader.get("/v3/contacts?email=a%00b")
    assert refused.status_code == 400
    assert refused.json()[0]["error_message"] == "email: must be an email address without control characters"
