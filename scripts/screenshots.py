"""`make screenshots`: pictures of the pages with sample data, as the README and docs/pages.md show them."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import Browser, Page, ViewportSize

from rapport.sample import star
from tests.browser.chromium import chromium
from tests.network import free_port

RAPPORT: Final = Path(sys.executable).with_name("rapport")
FOLDER: Final = Path("docs/screenshots")
DESK: Final = ViewportSize(width=1200, height=800)
PHONE: Final = ViewportSize(width=390, height=980)
NAME: Final = "Ada "


class Picture(NamedTuple):
    """What is shown on it, and how: by `path`, or by what is typed into the field of the page to find on."""

    name: str
    path: str
    typed: str = ""
    size: ViewportSize = DESK
    dark: bool = False


@contextmanager
def demo(data: str) -> Iterator[str]:
    """`rapport demo` with its sample, and the link that signs in."""
    command = [str(RAPPORT), "demo", "--data", data, "--port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            told = ""
            for line in process.stdout:
                told += line
                if line.startswith("Ctrl-C"):
                    break
            yield re.findall(r"http://\S+/sign-in/\S+", told)[0]
        finally:
            process.terminate()


def pictures(page: Page) -> list[Picture]:
    """All of them; the campaign is the latest mailing."""
    contact = f"/contacts/{star(1)}"
    page.goto("/?q=newsletter")
    campaign = page.locator("#found a").first.get_attribute("href") or ""
    return [
        Picture("find", "/", typed=NAME),
        Picture("contact", contact),
        Picture("contact-dark", f"{contact}?type=em_clicks&type=em_opens", dark=True),
        Picture("campaign", campaign),
        Picture("account", "/account?days=365"),
        Picture("connect", "/connect"),
        Picture("phone", contact, size=PHONE),
    ]


def take(browser: Browser, page: Page, picture: Picture) -> None:
    """Take a picture in a window of its own, signed in as the page is."""
    context = browser.new_context(
        base_url=page.url,
        viewport=picture.size,
        color_scheme="dark" if picture.dark else "light",
        timezone_id="Europe/Berlin",
        locale="en-GB",
        storage_state=page.context.storage_state(),
    )
    own = context.new_page()
    own.goto(picture.path)
    if picture.typed:
        own.keyboard.type(picture.typed)
        own.wait_for_selector(f'[data-found="{picture.typed.strip()}"]')
    file = FOLDER / f"{picture.name}.png"
    own.screenshot(path=file)
    context.close()
    subprocess.run([shutil.which("optipng") or "optipng", "-quiet", "-o4", "-strip", "all", file], check=True)


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data, demo(f"{data}/data") as link, chromium() as browser:
        page = browser.new_page(base_url=link, timezone_id="Europe/Berlin")
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("#q")
        for picture in pictures(page):
            take(browser, page, picture)


if __name__ == "__main__":
    main()
