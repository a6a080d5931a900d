"""Health checks, metrics, logs and shutdown."""

import json
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.helpers.api import make_line
from tests.helpers.server import Server

SECRETIVE = "d41d8cd9-contact-nobody-may-log"


def test_health_check_needs_no_token(server: Server) -> None:
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "alive"}
    assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready"}


def read_metrics(server: Server) -> dict[str, float]:
    response = httpx.get(f"{server.url}/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    lines = [line.rpartition(" ") for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.mark.slow
def test_metrics_are_summed_over_workers(location: str) -> None:
    with Server(location, workers=2) as server, server.client("default") as client:
        for number in range(20):
            # A connection per request, so that both workers get some.
            with server.client("default") as another:
                another.record(
                    make_line(time=1_767_225_600_000 + number),
                    make_line(activity_type="em_sends", time=1_767_225_600_000),
                )
        client.post("/track/v1/activities", json=[{}])
        client.page("c1", tracking_activity_type="em_opens")
        counted = read_metrics(server)
        assert counted['rapport_activities_recorded_total{type="em_opens"}'] == 20
        assert counted['rapport_activities_recorded_total{type="em_sends"}'] == 1
        assert counted["rapport_activities_duplicate_total"] == 19
        assert counted["rapport_activities_rejected_total"] == 1
        assert counted["rapport_activities_waiting"] == 0
        assert counted["rapport_commit_seconds_count"] == 20
        assert counted["rapport_commit_activities_sum"] == 40
        route = "/v3/reports/contact_reports/{contact_id}/activity_details"
        assert counted[f'rapport_request_seconds_count{{route="{route}",status="200"}}'] == 1
        assert counted['rapport_request_seconds_count{route="/track/v1/activities",status="200"}'] == 21


@pytest.mark.slow
def test_access_log_has_one_line_per_request_with_its_id(location: str) -> None:
    with Server(location) as server, server.client("default") as client:
        responses = [
            client.post("/track/v1/activities", json=[make_line(SECRETIVE, email_address="ada@example.com")]),
            client.page(SECRETIVE, tracking_activity_type="em_opens"),
            client.page(f"{SECRETIVE}-unknown", tracking_activity_type="em_opens"),
            client.get(f"/v3/{SECRETIVE}/none"),
            httpx.get(f"{server.url}/v3/x", headers={"authorization": f"Bearer {client.token}x"}),
            client.post("/track/v1/activities", content=f"{SECRETIVE} ada@example.com".encode()),
        ]
        server.stop()
        text = server.log.read_text()
        logged = [json.loads(splitline) for splitline in text.splitlines() if splitline.startswith("{")]
        by_id = {entry["request_id"]: entry for entry in logged if entry["event"] == "request"}
        for response in responses:
            received = by_id[response.headers["x-request-id"]]
            assert received["status"] == response.status_code
            assert received["milliseconds"] > 0
        assert len({response.headers["x-request-id"] for response in responses}) == len(responses)
        for secret in (SECRETIVE, "ada@example.com", client.token, client.token.split(".")[2]):
            assert secret not in text


@pytest.mark.slow
def test_ctrl_c_stops_server_without_losing_accepted_activities(location: str) -> None:
    with Server(location) as server:
        with server.client("default") as client:
            client.record(*(make_line(time=1_767_225_600_000 + number) for number in range(1_000)))
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        server.start()
        with server.client("default") as client:
            assert len(client.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]) == 100


@pytest.mark.slow
def test_worker_that_gets_ctrl_c_first_waits_for_its_parent(location: str) -> None:
    with Server(location) as server:
        workers = server.worker_pids()
        for worker in workers:
            os.kill(worker, signal.SIGINT)
        for _ in range(20):
            assert httpx.get(f"{server.url}/healthz").status_code == 200
            time.sleep(0.05)
        assert server.worker_pids() == workers
        assert server.stop() == 0


@pytest.mark.slow
def test_workers_end_with_server(location: str) -> None:
    with Server(location) as server:
        workers = server.worker_pids()
        assert workers
        server.kill_parent()
        deadline = time.monotonic() + 5
        while any(_is_running(worker) for worker in workers):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.start()


@pytest.mark.slow
def test_killed_worker_is_replaced(location: str) -> None:
    with Server(location) as server:
        (worker,) = server.worker_pids()
        os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + 15
        while True:
            try:
                assert httpx.get(f"{server.url}/readyz").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
