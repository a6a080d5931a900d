"""How soon is a page of use, as the browser tells? However much is behind it."""

import asyncio
import statistics
import tempfile
from typing import Final

from bench.data import activities, contact_id, fill
from bench.load import free_port, rapport, server
from bench.measure import Measure, at_most
from bench.pages import make_token
from tests.browser.chromium import chromium, of_use_after

WITHIN: Final = 1_000
"""Milliseconds within which every page must be of use."""


def measure(*, small: bool) -> list[Measure]:
    """A contact's page and a campaign's, with so many activities behind them."""
    count = 1_000 if small else 10_000
    visits = 2 if small else 11
    paths = {
        f"the page of a contact of {count:,} activities": f"/contacts/{contact_id(0)}",
        "its clicks within some time": f"/contacts/{contact_id(0)}?type=em_clicks&after=2023-11-15&before=2024-12-31",
        f"the page of one of the {count:,} activities' campaigns": "/activities/fe8c43d5-9718-4b5f-b463-000000000007",
        "what is found for a letter": "/?q=a",
    }
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data"
        asyncio.run(fill(data, activities(count, contacts=1)))
        token = make_token(data)
        with server(rapport(data, port), port), chromium() as browser:
            page = browser.new_page(base_url=f"http://127.0.0.1:{port}")
            page.request.post("/sign-in", form={"token": token})
            page.goto("/")
            return [
                at_most(
                    WITHIN,
                    question=f"{what}: of use after",
                    value=1_000 * statistics.median(of_use_after(page, path) for _ in range(visits)),
                    unit="ms",
                    yardstick="a second, in the browser, from the click on",
                )
                for what, path in paths.items()
            ]
