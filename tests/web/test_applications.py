"""The page of OAuth applications: created, changed and deleted, by whom."""

import re

import httpx
import pytest

from rapport.auth.scope import Role, Scope
from tests.helpers.oauth import (
    CALLBACK,
    App,
    ask,
    code_of,
    error_of,
    hidden_fields,
    redeem,
    status_with,
    tokens_of,
)
from tests.helpers.server import Server
from tests.helpers.web import open_browser_by_link, open_browser_with_token

FORM = {
    "name": "Shop <b>",
    "redirect_uris": f"{CALLBACK}\nhttp://localhost/cb",
    "scope": ["contact_data", "offline_access"],
    "type": "confidential",
    "refresh": "rotating",
    "credentials": "",
}


def create(browser: httpx.Client, **changes: object) -> httpx.Response:
    fields = hidden_fields(browser.get("/applications"))
    return browser.post("/applications", data={**FORM, **fields, **changes})


def shown(page: httpx.Response) -> App:
    assert page.status_code == 200, page.text
    (client_id,) = re.findall(r'id="client-id"[^>]*><code>([^<]+)</code>', page.text)
    secrets = re.findall(r'id="client-secret"[^>]*><code>([^<]+)</code>', page.text)
    return App(client_id, secrets[0] if secrets else "")


def test_application_is_created_changed_and_deleted(server: Server, account: str) -> None:
    with open_browser_by_link(server, account) as browser:
        created = create(browser)
        assert "Shop &lt;b&gt;" in created.text
        app = shown(created)
        tokens = tokens_of(redeem(server, app, code_of(browser, app)))
        assert app.secret not in browser.get("/applications").text
        fields = hidden_fields(browser.get("/applications"))
        rotated = shown(browser.post(f"/applications/{app.client_id}/secret", data=fields))
        assert rotated.client_id == app.client_id
        assert error_of(redeem(server, app, code_of(browser, app))) == (401, "invalid_client")
        assert redeem(server, rotated, code_of(browser, app)).status_code == 200
        assert status_with(server, tokens["access_token"]) == 200
        assert browser.post(f"/applications/{app.client_id}/delete", data=fields).status_code == 303
        assert app.client_id not in browser.get("/applications").text
        assert status_with(server, tokens["access_token"]) == 401
        assert browser.get(ask(app)).status_code == 400
        assert browser.post(f"/applications/{app.client_id}/delete", data=fields).status_code == 404


def test_public_application_has_no_secret(server: Server, account: str) -> None:
    with open_browser_by_link(server, account) as browser:
        assert shown(create(browser, type="public")).secret == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"redirect_uris": "http://client.example.com/cb"},
        {"redirect_uris": "https://client.example.com/#x"},
        {"redirect_uris": "https://a@client.example.com/"},
        {"redirect_uris": "javascript:alert(1)"},
        {"redirect_uris": "data:text/html,x"},
        {"redirect_uris": "client.example.com"},
        {"redirect_uris": "https://"},
        {"redirect_uris": "https://client.example.com:99999/"},
        {"redirect_uris": "\n".join(f"https://client.example.com/{n}" for n in range(11))},
        {"scope": []},
        {"scope": ["everything"]},
        {"type": "secret"},
        {"type": "public", "refresh": "long-lived"},
        {"type": "public", "credentials": "owner"},
        {"credentials": "emperor"},
    ],
)
def test_invalid_application_is_rejected(server: Server, account: str, changes: dict[str, object]) -> None:
    with open_browser_by_link(server, account) as browser:
        assert create(browser, **changes).status_code == 400
        assert "No applications yet" in browser.get("/applications").text


def test_changing_applications_requires_manager_session(server: Server, account: str) -> None:
    with open_browser_by_link(server, account, Role.CAMPAIGN_CREATOR) as browser:
        assert browser.get("/applications").status_code == 403
    with open_browser_with_token(server, server.token(account, frozenset(Scope))) as browser:
        assert "sign in with a link" in browser.get("/applications").text
        assert create(browser).status_code == 403
    with open_browser_by_link(server, account, Role.MANAGER) as browser:
        assert create(browser, credentials="owner").status_code == 403
        assert create(browser, credentials="manager").status_code == 200
    with open_browser_by_link(server, account, scopes=frozenset({Scope.CONTACT_DATA})) as browser:
        assert create(browser).status_code == 403


def test_application_of_other_account_is_inaccessible(server: Server, account: str) -> None:
    with open_browser_by_link(server, f"other-{account}") as other:
        app = shown(create(other))
    with open_browser_by_link(server, account) as browser:
        assert app.client_id not in browser.get("/applications").text
        fields = hidden_fields(browser.get("/applications"))
        for action in ("secret", "delete"):
            assert browser.post(f"/applications/{app.client_id}/{action}", data=fields).status_code == 404


def test_form_of_other_session_is_rejected(server: Server, account: str) -> None:
    with open_browser_by_link(server, account) as browser, open_browser_by_link(server, account) as other:
        fields = hidden_fields(other.get("/applications"))
        assert browser.post("/applications", data={**FORM, **fields}).status_code == 403
