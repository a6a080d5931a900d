"""`make screenshots`: take the pictures of the pages in the README and docs/pages.md, with sample data."""

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

from rapport.sample import first_contact_id
from tests.helpers.chromium import run_chromium
from tests.helpers.network import find_free_port

RAPPORT: Final = Path(sys.executable).with_name("rapport")
FOLDER: Final = Path("docs/screenshots")
DESK: Final = ViewportSize(width=1200, height=800)
PHONE: Final = ViewportSize(width=390, height=980)
NAME: Final = "Ada "


class Picture(NamedTuple):
    """A screenshot of the page at `path`, after typing `typed` into its search field, if any."""

    name: str
    path: str
    typed: str = ""
    size: ViewportSize = DESK
    dark: bool = False


@contextmanager
def demo(data: str) -> Iterator[str]:
    """Run `rapport demo` with the sample data, and yield the sign-in link."""
    command = [str(RAPPORT), "demo", "--data", data, "--port", str(find_free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            output = ""
            for line in process.stdout:
                output += line
                if line.startswith("Ctrl-C"):
                    break
            yield re.findall(r"http://\S+/sign-in/\S+", output)[0]
        finally:
            process.terminate()


def pictures(page: Page) -> list[Picture]:
    """Return all pictures; the campaign is the latest one."""
    contact = f"/contacts/{first_contact_id(1)}"
    page.goto("/?q=newsletter")
    campaign = page.locator("#results a").first.get_attribute("href") or ""
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
    """Take a picture in a new browser context that shares the page's session."""
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
        own.wait_for_selector(f'[data-query="{picture.typed.strip()}"]')
    file = FOLDER / f"{picture.name}.png"
    own.screenshot(path=file)
    context.close()
    subprocess.run([shutil.which("optipng") or "optipng", "-quiet", "-o4", "-strip", "all", file], check=True)


def main() -> None:
    """Take all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data, demo(f"{data}/data") as link, run_chromium() as browser:
        page = browser.new_page(base_url=link, timezone_id="Europe/Berlin")
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("#q")
        for picture in pictures(page):
            take(browser, page, picture)


if __name__ == "__main__":
    main()
