"""Debian's Chromium, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM: Final = "/usr/bin/chromium"

_OPTIONS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""Start as any user, also as root, without background traffic."""

_WAIT_UNTIL_USABLE: Final = """
    () => new Promise((resolve) => {
        const soon = () => requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
        if (document.readyState === "complete") soon();
        else addEventListener("load", soon);
    })
"""
"""Resolves when all scripts have run, a frame has been drawn and the page is idle."""


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Run a headless browser. Meanwhile, its thread can't run an event loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


def measure_page_load(page: Page, path: str) -> float:
    """Open a page and return the seconds until it was drawn and idle, as measured by the browser."""
    page.goto(path, wait_until="commit")
    return float(page.evaluate(_WAIT_UNTIL_USABLE)) / 1_000
