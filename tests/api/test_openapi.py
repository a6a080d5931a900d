"""The OpenAPI document: complete, and true of every response."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import msgspec
import pytest

from rapport.auth.scope import Scope
from rapport.instant import parse_instant
from rapport.recording.activity_codec import Context
from rapport.recording.decoding import decode_activity
from tests.helpers.api import ALL_ACTIVITY_TYPES, ApiClient, make_line, tracking_path
from tests.helpers.openapi import get_openapi
from tests.helpers.server import Server

HERE = Path(__file__).parent


def test_openapi_document_is_published(server: Server) -> None:
    response = httpx.get(f"{server.url}/schema/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == get_openapi()


@pytest.mark.parametrize("path", get_openapi()["paths"])
def test_every_operation_documents_parameters_and_responses(path: str) -> None:
    for operation in get_openapi()["paths"][path].values():
        assert {"operationId", "summary", "tags", "responses", "security"} <= operation.keys()
        for parameter in operation.get("parameters", ()):
            assert parameter["description"]
            assert parameter["schema"]
        if operation["security"]:
            assert {"401", "429", "503"} <= operation["responses"].keys()
            assert ("403" in operation["responses"]) == bool(operation["security"][0]["token"])
        for response in operation["responses"].values():
            for content in response.get("content", {}).values():
                assert "example" in content or "examples" in content


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": get_openapi()["components"]}


@pytest.mark.parametrize("path", get_openapi()["paths"])
def test_every_example_matches_its_schema(path: str) -> None:
    for operation in get_openapi()["paths"][path].values():
        contents = [
            content for response in operation["responses"].values() for content in response.get("content", {}).values()
        ]
        contents += operation.get("requestBody", {}).get("content", {}).values()
        for content in contents:
            examples = (
                [content["example"]] if "example" in content else [e["value"] for e in content["examples"].values()]
            )
            for example in examples:
                jsonschema.validate(example, resolve(content["schema"]))


def test_example_line_is_accepted() -> None:
    content = get_openapi()["paths"]["/track/v1/activities"]["post"]["requestBody"]["content"]
    (example,) = content["application/json"]["example"]
    decode_activity(msgspec.json.encode(example), Context(parse_instant("2026-01-01T00:00:00Z")))


def test_activity_details_response_matches_schema(client: ApiClient) -> None:
    client.record(*(make_line(time=1_767_225_600_000 + number, campaign_activity_name="A") for number in range(3)))
    operation = get_openapi()["paths"]["/v3/reports/contact_reports/{contact_id}/activity_details"]["get"]
    schema = resolve(operation["responses"]["200"]["content"]["application/json"]["schema"])
    for query in (f"{ALL_ACTIVITY_TYPES}&limit=2", ALL_ACTIVITY_TYPES, "em_sends"):
        response = client.get(f"/v3/reports/contact_reports/c1/activity_details?tracking_activities_list={query}")
        jsonschema.validate(response.json(), schema)


@pytest.mark.parametrize("report", ["sends", "opens", "clicks", "forwards", "optouts", "bounces"])
def test_tracking_report_response_matches_schema(client: ApiClient, report: str) -> None:
    who = {"email_address": "ada@example.com", "first_name": "Ada"}
    client.record(
        *(make_line(activity_type=f"em_{report}", time=1_767_225_600_000 + number, **who) for number in range(3))
    )
    operation = get_openapi()["paths"][tracking_path("{campaign_activity_id}", report)]["get"]
    schema = resolve(operation["responses"]["200"]["content"]["application/json"]["schema"])
    for query in ("limit=2", "limit=3", "created_before=2020-01-01"):
        jsonschema.validate(client.get(f"{tracking_path('ca-1', report)}?{query}").json(), schema)


@pytest.mark.slow
def test_schemathesis_finds_no_undocumented_response(server: Server, engine: str, tmp_path: Path) -> None:
    # Parsing is the same on every engine, so random values are tried on one only; on the others, each parameter
    # gets its boundary values.
    phases = "examples,coverage,fuzzing,stateful" if engine == "sqlite" else "examples,coverage"
    with server.client("fuzzed", frozenset(Scope)) as client:
        client.record(
            *(make_line("aa9ff7b0-478d-11e6-8059-00163e3c8e19", time=1_767_225_600_000 + n) for n in range(30))
        )
        campaign_activity_id = "71600990-908b-11e6-907f-00166bff25"
        client.record(
            *(
                make_line(activity_type=activity_type, campaign_activity_id=campaign_activity_id)
                for activity_type in ALL_ACTIVITY_TYPES.split(",")[:6]
            )
        )
        fuzz = [str(Path(sys.executable).with_name("st")), "--config-file", str(HERE / "schemathesis.toml"), "run"]
        fuzzed = subprocess.run(
            [
                *(*fuzz, f"{server.url}/schema/openapi.json", "--phases", phases),
                *("--header", f"Authorization: Bearer {client.token}"),
            ],
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(HERE)},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert fuzzed.returncode == 0, fuzzed.stdout[-8_000:] + fuzzed.stderr[-2_000:]
