"""Attacks on sign-in: guessed links, tampered cookies, floods of sign-outs."""

import asyncio
import secrets
from pathlib import Path

import httpx
import pytest

from rapport.auth import ended_sessions
from rapport.auth.scope import Scope
from rapport.web.sessions import COOKIE
from tests.helpers.attacks import LARGE
from tests.helpers.cost import measure_cost
from tests.helpers.server import Server
from tests.helpers.web import create_sign_in_link, get_form_token

pytestmark = pytest.mark.slow

GUESSES = 500
SIGN_OUTS = 700 if LARGE else 100


async def test_concurrent_uses_of_sign_in_link_sign_in_once(server: Server, account: str) -> None:
    link = create_sign_in_link(server, account)

    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        await asyncio.gather(*(client.request(method, link) for method in ["HEAD", "GET"] * 20))
        responses = await asyncio.gather(*(client.post(link) for _ in range(20)))
    assert (sorted(response.status_code for response in responses)) == [303] + [401] * 19


def test_guessed_links_and_tampered_cookies_are_rejected(server: Server, account: str) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client, measure_cost(server):
        assert client.post(create_sign_in_link(server, account)).status_code == 303
        cookie = client.cookies[COOKIE]
        with httpx.Client(base_url=server.url, timeout=60) as attacker:
            for number in range(GUESSES):
                assert attacker.post(f"/sign-in/{secrets.token_urlsafe(32)}").status_code == 401
                place = number % len(cookie)
                changed = cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :]
                response = attacker.get("/connect", headers={"cookie": f"{COOKIE}={changed}"})
                # The last character may have unused bits.
                assert response.status_code == 303 or place == len(cookie) - 1
        assert client.get("/connect").status_code == 200


def test_flood_of_sign_outs_stays_small_and_ends_sessions(tmp_path: Path) -> None:
    """The list of ended sessions stays bounded, and no ended session becomes valid again."""
    with Server(str(tmp_path / "data")) as server:
        token = server.token("default", frozenset(Scope))
        other = server.token("other", frozenset(Scope))
        cookies = []
        with (
            httpx.Client(base_url=server.url, timeout=60) as client,
            httpx.Client(base_url=server.url, timeout=60) as bystander,
            measure_cost(server) as cost,
        ):
            assert bystander.post("/sign-in", data={"token": other}).status_code == 303
            for _ in range(SIGN_OUTS):
                assert client.post("/sign-in", data={"token": token}).status_code == 303
                cookies.append(client.cookies[COOKIE])
                form = {"form_token": get_form_token(client.get("/connect"))}
                assert client.post("/sign-out", data=form).status_code == 303
            for cookie in cookies:
                response = httpx.get(f"{server.url}/connect", headers={"cookie": f"{COOKIE}={cookie}"})
                assert response.status_code == 303
            assert bystander.get("/connect").status_code == 200
            # Later sessions are not ended.
            assert client.post("/sign-in", data={"token": token}).status_code == 303
            assert client.get("/connect").status_code == 200
        size = (tmp_path / "data" / "ended-sessions.secret.json").stat().st_size
        print(f"{SIGN_OUTS} sign-outs: the list has {size:,} bytes")
        assert size < ended_sessions.MAX_LISTED * 200
        assert cost.failures == 0
