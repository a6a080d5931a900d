"""Rate limits."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from rapport.auth.rate_limits import VENDOR_DAILY_QUOTA, GenerousRateLimiter
from rapport.errors import Throttled
from rapport.instant import Instant
from rapport.settings import Settings
from rapport.store.engines import create_store
from tests.helpers.api import details_path
from tests.helpers.server import Server

ASKED = f"{details_path('nobody')}?tracking_activity_type=em_opens"


def wait_for_next_second() -> None:
    time.sleep(1.02 - time.time() % 1)


def get_statuses(server: Server, token: str, requests: int) -> list[int]:
    headers = {"authorization": f"Bearer {token}"}

    def ask(_: int) -> int:
        return httpx.get(server.url + ASKED, headers=headers).status_code

    with ThreadPoolExecutor(requests) as threads:
        return sorted(threads.map(ask, range(requests)))


@pytest.mark.slow
def test_constant_contact_limits_apply_per_client_over_all_workers(location: str) -> None:
    with Server(location, environment={"RAPPORT_LIMITS": "constant-contact"}, workers=2) as server:
        tokens = {client: server.token("default", client=client) for client in ("one", "two")}
        again = server.token("another", client="one")
        wait_for_next_second()
        assert get_statuses(server, tokens["one"], 8) == [404] * 4 + [429] * 4
        assert get_statuses(server, again, 1) == [429]
        assert get_statuses(server, tokens["two"], 5) == [404] * 4 + [429]
        wait_for_next_second()
        assert get_statuses(server, tokens["one"], 1) == [404]


@pytest.mark.slow
async def test_rate_limit_and_quota_errors_differ_and_have_retry_after(location: str) -> None:
    store = create_store(Settings(data=location))
    await store.open()
    now = Instant(time.time_ns() // 1_000_000)
    for _ in range(VENDOR_DAILY_QUOTA):
        await store.rate_limits.count_request("busy", now, VENDOR_DAILY_QUOTA)
    await store.close()
    with Server(location, environment={"RAPPORT_LIMITS": "constant-contact"}) as server:
        headers = {client: {"authorization": f"Bearer {server.token('default', client=client)}"} for client in "ab"}
        headers["busy"] = {"authorization": f"Bearer {server.token('default', client='busy')}"}
        over = httpx.get(server.url + ASKED, headers=headers["busy"])
        assert (over.status_code, over.json()["error_key"]) == (429, "quota_exceeded")
        assert over.json()["error_message"] == "Limit Exceeded"
        assert 0 < int(over.headers["retry-after"]) <= 86_401
        assert (over.headers["ratelimit-limit"], over.headers["ratelimit-remaining"]) == ("10000", "0")
        assert over.headers["ratelimit-reset"] == over.headers["retry-after"]

        wait_for_next_second()
        responses = [httpx.get(server.url + ASKED, headers=headers["a"]) for _ in range(5)]
        assert responses[-1].json() == {"error_key": "throttled", "error_message": "Too Many Requests"}
        assert responses[-1].headers["retry-after"] == "1"
        assert [responses[-1].headers[f"ratelimit-{name}"] for name in ("limit", "remaining", "reset")] == [
            "4",
            "0",
            "1",
        ]
        # Also on responses that are errors of another kind, such as this 404.
        assert [response.headers["ratelimit-remaining"] for response in responses[:4]] == [
            *("9999", "9998", "9997", "9996")
        ]
        assert {response.headers["ratelimit-limit"] for response in responses[:4]} == {"10000"}


@pytest.mark.slow
def test_rate_limit_is_checked_after_scope_and_before_parameters(location: str) -> None:
    with Server(location, environment={"RAPPORT_LIMITS": "constant-contact"}) as server:
        reader = {"authorization": f"Bearer {server.token('default', client='c')}"}
        scopeless = {"authorization": f"Bearer {server.token('default', frozenset(), client='c')}"}
        wait_for_next_second()
        responses = [httpx.get(server.url + details_path("x"), headers=reader).status_code for _ in range(5)]
        assert responses == [400] * 4 + [429]
        assert httpx.get(server.url + details_path("x"), headers=scopeless).status_code == 403


async def test_default_limiter_stops_runaway_client_only() -> None:
    limiter = GenerousRateLimiter(per_second=50)
    admitted = 0
    try:
        while True:
            await limiter.acquire("runaway")
            admitted += 1
    except Throttled:
        await limiter.acquire("somebody else")
    assert 50 <= (admitted) <= 60
