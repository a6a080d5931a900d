"""Measure in a browser how soon pages are usable, however much data there is."""

import asyncio
import statistics
import tempfile
from typing import Final

from bench.data import activities, contact_id, fill_store
from bench.load import find_free_port, rapport, server
from bench.measure import Measurement, expect_max
from bench.pages import sign_token
from tests.helpers.chromium import measure_page_load, run_chromium

MAX_MILLISECONDS: Final = 1_000
"""The target: milliseconds until a page is usable."""


def measure(*, small: bool) -> list[Measurement]:
    """Measure the pages of a contact and a campaign with many activities, and a search."""
    count = 1_000 if small else 10_000
    visits = 2 if small else 11
    paths = {
        f"page of a contact with {count:,} activities": f"/contacts/{contact_id(0)}",
        "its clicks in a period": f"/contacts/{contact_id(0)}?type=em_clicks&after=2023-11-15&before=2024-12-31",
        "page of one of their campaign activities": "/activities/fe8c43d5-9718-4b5f-b463-000000000007",
        "search for one letter": "/?q=a",
    }
    port = find_free_port()
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data"
        asyncio.run(fill_store(data, activities(count, contacts=1)))
        token = sign_token(data)
        with server(rapport(data, port), port), run_chromium() as browser:
            page = browser.new_page(base_url=f"http://127.0.0.1:{port}")
            page.request.post("/sign-in", form={"token": token})
            page.goto("/")
            return [
                expect_max(
                    MAX_MILLISECONDS,
                    name=f"{what}: usable after",
                    value=1_000 * statistics.median(measure_page_load(page, path) for _ in range(visits)),
                    unit="ms",
                    baseline="a second after the click, in the browser",
                )
                for what, path in paths.items()
            ]
