"""Debian's Chromium, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM: Final = "/usr/bin/chromium"

_QUIET: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""Nothing but what is asked for, also as root."""

_OF_USE: Final = """
    () => new Promise((resolve) => {
        const soon = () => requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
        if (document.readyState === "complete") soon();
        else addEventListener("load", soon);
    })
"""
"""All scripts have run, a frame was shown, and nothing keeps the page from what is done next."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window. While it runs, its thread can run no event loop of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(_QUIET))
        try:
            yield browser
        finally:
            browser.close()


def of_use_after(page: Page, path: str) -> float:
    """Go to a page; the seconds from then until it was shown and answers, as the browser tells."""
    page.goto(path, wait_until="commit")
    return float(page.evaluate(_OF_USE)) / 1_000
