"""What an operator sees: health, metrics, logs, a clean stop."""

import json
import os
import signal
import time
from pathlib import Path

import httpx

from tests.world import Server, line

SECRETIVE = "d41d8cd9-contact-nobody-may-log"


def test_health_check_needs_no_token(server: Server) -> None:
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "alive"}
    assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready"}


def figures(server: Server) -> dict[str, float]:
    response = httpx.get(f"{server.url}/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    lines = [line.rpartition(" ") for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_metrics_are_summed_over_workers(data: str) -> None:
    with Server(data, workers=2) as server, server.caller("default") as caller:
        for number in range(20):
            # A connection each, so that both workers have their share.
            with server.caller("default") as another:
                another.record(
                    line(time=1_767_225_600_000 + number), line(activity_type="em_sends", time=1_767_225_600_000)
                )
        caller.post("/track/v1/activities", json=[{}])
        caller.page("c1", tracking_activity_type="em_opens")
        counted = figures(server)
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


def test_access_log_has_one_line_per_request_with_its_id(data: str) -> None:
    with Server(data) as server, server.caller("default") as caller:
        responses = [
            caller.post("/track/v1/activities", json=[line(SECRETIVE, email_address="ada@example.com")]),
            caller.page(SECRETIVE, tracking_activity_type="em_opens"),
            caller.page(f"{SECRETIVE}-unknown", tracking_activity_type="em_opens"),
            caller.get(f"/v3/{SECRETIVE}/none"),
            httpx.get(f"{server.url}/v3/x", headers={"authorization": f"Bearer {caller.bearer}x"}),
            caller.post("/track/v1/activities", content=f"{SECRETIVE} ada@example.com".encode()),
        ]
        server.stop()
        text = server.log.read_text()
        logged = [json.loads(each) for each in text.splitlines() if each.startswith("{")]
        by_id = {each["request_id"]: each for each in logged if each["event"] == "request"}
        for response in responses:
            told = by_id[response.headers["x-request-id"]]
            assert told["status"] == response.status_code
            assert told["milliseconds"] > 0
        assert len({response.headers["x-request-id"] for response in responses}) == len(responses)
        for secret in (SECRETIVE, "ada@example.com", caller.bearer, caller.bearer.split(".")[2]):
            assert secret not in text


def test_ctrl_c_stops_server_without_losing_accepted_activities(data: str) -> None:
    with Server(data) as server:
        with server.caller("default") as caller:
            caller.record(*(line(time=1_767_225_600_000 + number) for number in range(1_000)))
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        server.start()
        with server.caller("default") as caller:
            assert len(caller.page("c1", tracking_activity_type="em_opens").json()["tracking_activities"]) == 100


def test_workers_end_with_server(data: str) -> None:
    with Server(data) as server:
        workers = server.worker_pids()
        assert workers
        server.kill_parent()
        deadline = time.monotonic() + 5
        while any(_runs(worker) for worker in workers):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.start()


def test_killed_worker_is_replaced(data: str) -> None:
    with Server(data) as server:
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


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
