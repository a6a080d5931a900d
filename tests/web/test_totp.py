"""Signing in with an authenticator app: set up, codes used once, guesses limited, lost phones."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pyotp
import pytest

from rapport.people import sign_in as sign_in_module
from rapport.web.sessions import COOKIE
from tests.helpers.command import run_rapport
from tests.helpers.people import OTHER_PASSWORD, PASSWORD, accept, get_user_ids, open_browser_of_user, sign_in, submit
from tests.helpers.server import Server

pytestmark = pytest.mark.slow


class Phone:
    """An authenticator app that shows each code once: the server accepts the ones before and after now, too."""

    def __init__(self, secret: str) -> None:
        self._totp = pyotp.TOTP(secret)
        self._step = 0
        self.recovery_codes: list[str] = []

    def next_code(self) -> str:
        if (ending := 30 - time.time() % 30) < 5:
            # The server must not see it in the step after the next.
            time.sleep(ending)
        now = int(time.time()) // 30
        self._step = max(now - 1, self._step + 1)
        while self._step > int(time.time()) // 30 + 1:
            time.sleep(0.5)
        return self._totp.generate_otp(self._step)


def read_fields(text: str) -> dict[str, str]:
    main = text[text.index("<main") :]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', main))


def set_up(browser: httpx.Client) -> Phone:
    page = browser.get("/profile/totp")
    assert "<svg" in page.text
    fields = read_fields(page.text)
    phone = Phone(fields["secret"])
    form = {**fields, "current_password": PASSWORD}
    assert browser.post("/profile/totp", data={**form, "code": "000000"}).status_code == 400
    assert browser.post("/profile/totp", data={**form, "current_password": "x", "code": "0"}).status_code == 400
    shown = browser.post("/profile/totp", data={**form, "code": phone.next_code()})
    assert shown.status_code == 200
    phone.recovery_codes = read_codes(shown)
    return phone


def read_codes(shown: httpx.Response) -> list[str]:
    codes = re.findall(r"\b(?:[A-Z2-9]{4}-){3}[A-Z2-9]{4}\b", shown.text)
    assert len(set(codes)) == 10
    return codes


def enter(browser: httpx.Client, challenge: httpx.Response, code: str) -> httpx.Response:
    return browser.post("/sign-in/code", data={**read_fields(challenge.text), "code": code})


def test_password_alone_signs_nobody_in(server: Server, account: str) -> None:
    ada = f"ada@{account}.example.com"
    with open_browser_of_user(server, account, ada) as owner, httpx.Client(base_url=server.url) as browser:
        phone = set_up(owner)
        challenge = sign_in(browser, ada, next="/account?days=7")
        assert challenge.status_code == 200
        assert COOKIE not in browser.cookies
        assert enter(browser, challenge, "123456").status_code == 401
        code = phone.next_code()
        response = enter(browser, challenge, code)
        assert (response.status_code, response.headers["location"]) == (303, "/account?days=7")
        assert browser.get("/profile").status_code == 200
        # A code that somebody has watched is of no use.
        with httpx.Client(base_url=server.url) as thief:
            assert enter(thief, sign_in(thief, ada), code).status_code == 401
        # Nor is a challenge, after the password has changed, or one that isn't the server's.
        fields = {"current_password": PASSWORD, "password": OTHER_PASSWORD, "repeated": OTHER_PASSWORD}
        assert submit(owner, "/profile", "/profile/password", **fields).status_code == 303
        code = phone.next_code()
        assert enter(browser, challenge, code).status_code == 401
        forged = browser.post("/sign-in/code", data={"challenge": "x" * 80, "code": code})
        assert forged.status_code == 401
        assert enter(browser, sign_in(browser, ada, OTHER_PASSWORD), code).status_code == 303


def test_guessing_codes_is_limited(server: Server, account: str) -> None:
    ada = f"ada@{account}.example.com"
    with open_browser_of_user(server, account, ada) as owner, httpx.Client(base_url=server.url) as browser:
        phone = set_up(owner)
        challenge = sign_in(browser, ada)
        statuses = [enter(browser, challenge, f"{number:06}").status_code for number in range(12)]
        assert statuses == [401] * sign_in_module.MAX_ATTEMPTS + [429] * 2
        assert enter(browser, sign_in(browser, ada), phone.next_code()).status_code == 429


def test_recovery_code_signs_in_once(server: Server, account: str) -> None:
    ada = f"ada@{account}.example.com"
    with open_browser_of_user(server, account, ada) as owner, httpx.Client(base_url=server.url) as browser:
        first, second, *_ = set_up(owner).recovery_codes
        # It stays valid for five minutes.
        challenge = sign_in(browser, ada)
        assert "You have 10 unused recovery codes" in owner.get("/profile").text
        assert first not in owner.get("/profile").text
        assert enter(browser, challenge, first[:-1] + ("A" if first[-1] != "A" else "B")).status_code == 401
        assert enter(browser, challenge, first.lower().replace("-", " ")).status_code == 303
        assert enter(browser, challenge, first).status_code == 401
        assert "You have 9 unused recovery codes" in owner.get("/profile").text
        path = "/profile/totp/recovery-codes"
        assert submit(owner, "/profile", path, current_password="x").status_code == 400  # noqa: S106
        renewed = read_codes(submit(owner, "/profile", path, current_password=PASSWORD))
        assert enter(browser, challenge, second).status_code == 401
        with ThreadPoolExecutor(4) as threads:
            responses = threads.map(lambda _: enter(browser, challenge, renewed[0]), range(4))
            assert sorted(response.status_code for response in responses) == [303, 401, 401, 401]
        assert submit(owner, "/profile", "/profile/totp/remove", current_password=PASSWORD).status_code == 303
        set_up(owner)
        assert enter(browser, challenge, renewed[1]).status_code == 401


@pytest.mark.parametrize("way", ["profile", "owner", "command"])
def test_app_is_removed(server: Server, account: str, way: str) -> None:
    ada = f"ada@{account}.example.com"
    with open_browser_of_user(server, account, ada) as owner, httpx.Client(base_url=server.url) as browser:
        set_up(owner)
        assert "Enter a code" in sign_in(browser, ada).text
        if way == "profile":
            assert submit(owner, "/profile", "/profile/totp/remove", current_password="x").status_code == 400  # noqa: S106
            assert submit(owner, "/profile", "/profile/totp/remove", current_password=PASSWORD).status_code == 303
        elif way == "owner":
            assert submit(owner, "/people", f"/people/{get_user_ids(owner)[ada]}/totp").status_code == 303
        else:
            run_rapport("user", "reset-totp", ada, "--account", account, "--data", server.data)
        assert sign_in(browser, ada).status_code == 303


def test_new_password_by_link_needs_a_code_too(server: Server, account: str) -> None:
    ada = f"ada@{account}.example.com"
    with open_browser_of_user(server, account, ada) as owner, httpx.Client(base_url=server.url) as browser:
        phone = set_up(owner)
        options = ("--account", account, "--data", server.data, "--port", str(server.port))
        link = run_rapport("user", "link", ada, *options).stdout.strip().removeprefix(server.url)
        challenge = accept(browser, link, OTHER_PASSWORD)
        assert (challenge.status_code, COOKIE in browser.cookies) == (200, False)
        assert enter(browser, challenge, phone.next_code()).status_code == 303


def test_secret_of_another_session_is_rejected(server: Server, account: str) -> None:
    """Nobody can be made to set up an app whose secret somebody else knows."""
    ada = f"ada@{account}.example.com"
    with open_browser_of_user(server, account, ada) as browser, httpx.Client(base_url=server.url) as attacker:
        assert sign_in(attacker, ada).status_code == 303
        planted = read_fields(attacker.get("/profile/totp").text)
        own = read_fields(browser.get("/profile/totp").text)
        code = Phone(planted["secret"]).next_code()
        form = {**planted, "form_token": own["form_token"], "current_password": PASSWORD, "code": code}
        assert browser.post("/profile/totp", data=form).status_code == 403
        assert sign_in(attacker, ada).status_code == 303
