"""Users see which applications they allowed, and revoke them, but not those that others allowed."""

import pytest

from rapport.auth.scope import Role
from rapport.web.labels import SCOPE_LABELS
from tests.helpers.oauth import code_of, create_app, error_of, redeem, refresh, status_with, tokens_of
from tests.helpers.people import open_browser_of_user, submit
from tests.helpers.server import Server
from tests.helpers.web import open_browser_by_link

pytestmark = pytest.mark.slow


def test_user_revokes_an_application(server: Server, account: str) -> None:
    app, other_app = create_app(server, account), create_app(server, account)
    path = f"/profile/applications/{app.client_id}/revoke"
    with (
        open_browser_of_user(server, account, f"ada@{account}.example.com") as ada,
        open_browser_of_user(server, account, f"bob@{account}.example.com", Role.MANAGER) as bob,
        open_browser_by_link(server, account) as guest,
    ):
        assert "You let no application act for you" in ada.get("/profile").text
        first, second = (tokens_of(redeem(server, app, code_of(ada, app))) for _ in range(2))
        kept = tokens_of(redeem(server, other_app, code_of(ada, other_app)))
        others = [tokens_of(redeem(server, app, code_of(browser, app))) for browser in (bob, guest)]
        profile = ada.get("/profile").text
        assert profile.count(f'action="{path}"') == 1
        assert SCOPE_LABELS["contact_data"] in profile
        assert ada.post(path, data={"form_token": "x"}).status_code == 403
        assert submit(ada, "/profile", path).headers["location"] == "/profile#applications"
        for tokens in (first, second):
            assert status_with(server, tokens["access_token"]) == 401
            assert error_of(refresh(server, app, tokens["refresh_token"])) == (400, "invalid_grant")
        assert path not in ada.get("/profile").text
        assert submit(ada, "/profile", path).status_code == 404
        for tokens, client in ((kept, other_app), *((tokens, app) for tokens in others)):
            assert status_with(server, tokens["access_token"]) == 200
            assert refresh(server, client, tokens["refresh_token"]).status_code == 200
        for browser in (bob, guest):
            assert path in browser.get("/profile").text


def test_application_of_another_account_cannot_be_revoked(server: Server, account: str) -> None:
    app = create_app(server, account)
    with (
        open_browser_by_link(server, account) as browser,
        open_browser_by_link(server, f"{account}-2") as stranger,
    ):
        tokens = tokens_of(redeem(server, app, code_of(browser, app)))
        assert submit(stranger, "/profile", f"/profile/applications/{app.client_id}/revoke").status_code == 404
        assert status_with(server, tokens["access_token"]) == 200
