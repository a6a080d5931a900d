"""Users: invite, join, sign in, change and remove, on the pages and by command."""

import re
import time

import httpx
import pytest

from rapport.auth.scope import Role, Scope
from tests.helpers.command import run_rapport
from tests.helpers.oauth import ask, code_of, create_app, decide, redeem, refresh, status_with, tokens_of
from tests.helpers.people import (
    OTHER_PASSWORD,
    PASSWORD,
    accept,
    add_user,
    get_user_ids,
    invite,
    open_browser_of_user,
    sign_in,
    submit,
)
from tests.helpers.server import Server
from tests.helpers.web import get_form_token, open_browser, open_browser_by_link

pytestmark = pytest.mark.slow

ADA, BOB = "ada@example.com", "bob@example.com"
NOTICED_WITHIN = 3.5
"""Seconds after which a server notices what another process has revoked."""


def open_link(text: str) -> str:
    (link,) = re.findall(r"http://[^/]+(/invitations/[\w-]+)<", text)
    return str(link)


def is_signed_in(browser: httpx.Client) -> bool:
    return browser.get("/profile").status_code == 200


def address_for(account: str, name: str = "ada") -> str:
    """Return an address that no other test uses."""
    return f"{name}@{account}.example.com"


def test_invited_user_joins_and_signs_in(server: Server, account: str) -> None:
    ada, bob = address_for(account), address_for(account, "bob")
    with open_browser_of_user(server, account, ada) as owner, httpx.Client(base_url=server.url) as guest:
        response = submit(owner, "/people", "/people", email_address=f" {bob.upper()} ", role="manager")
        link = open_link(response.text)
        for _ in range(2):
            page = guest.get(link)
            assert page.status_code == 200
            assert bob.upper() in page.text
        assert "Invited" in owner.get("/people").text
        assert sign_in(guest, bob).status_code == 401
        joined = accept(guest, link)
        assert (joined.status_code, joined.headers["location"]) == (303, "/")
        assert is_signed_in(guest)
        assert "manager of the account" in guest.get("/profile").text
        assert submit(guest, "/profile", "/sign-out").status_code == 303
        assert not is_signed_in(guest)
        response = sign_in(guest, f" {bob} ", next="/account?days=7")
        assert (response.status_code, response.headers["location"]) == (303, "/account?days=7")


def test_only_owners_manage_users(server: Server, account: str) -> None:
    ada, bob = address_for(account), address_for(account, "bob")
    with (
        open_browser_of_user(server, account, ada) as owner,
        open_browser_of_user(server, account, bob, Role.MANAGER) as manager,
    ):
        bob_id = get_user_ids(owner)[bob]
        assert "/people" not in manager.get("/profile").text
        assert manager.get("/people").status_code == 403
        for path in ("/people", f"/people/{bob_id}/role", f"/people/{bob_id}/remove", f"/people/{bob_id}/link"):
            assert submit(manager, "/profile", path, email_address="eve@example.com", role="owner").status_code == 403
    with open_browser(server, account) as with_token:
        assert with_token.get("/people").status_code == 403
    with open_browser_by_link(server, account) as operator:
        assert operator.get("/people").status_code == 200


@pytest.mark.parametrize("role", Role)
def test_role_bounds_pages_and_consent(server: Server, account: str, role: Role) -> None:
    app = create_app(server, account, scopes=frozenset(Scope))
    with open_browser_of_user(server, account, address_for(account), role) as browser:
        is_creator = role is Role.CAMPAIGN_CREATOR
        assert browser.get("/account").status_code == (403 if is_creator else 200)
        assert browser.get("/applications").status_code == (403 if is_creator else 200)
        requested = ask(app, scope=" ".join(scope.value for scope in Scope))
        tokens = tokens_of(redeem(server, app, decide(browser, requested)["code"]))
        granted = set(tokens["scope"].split())
        assert granted == (
            {"contact_data", "campaign_data", "offline_access"} if is_creator else {scope.value for scope in Scope}
        )
        assert status_with(server, tokens["access_token"]) == (403 if is_creator else 200)


def test_changed_password_ends_sessions_tokens_and_grants(server: Server, account: str) -> None:
    ada = address_for(account)
    app = create_app(server, account)
    with (
        open_browser_of_user(server, account, ada) as browser,
        httpx.Client(base_url=server.url) as other,
    ):
        assert sign_in(other, ada).status_code == 303
        tokens = tokens_of(redeem(server, app, code_of(browser, app)))
        assert status_with(server, tokens["access_token"]) == 200
        cookie = dict(browser.cookies)
        new = OTHER_PASSWORD
        fields = {"current_password": PASSWORD, "password": new, "repeated": new}
        assert (
            submit(browser, "/profile", "/profile/password", **{**fields, "current_password": "x"}).status_code == 400
        )
        assert submit(browser, "/profile", "/profile/password", **{**fields, "repeated": "x"}).status_code == 400
        assert is_signed_in(other)
        assert submit(browser, "/profile", "/profile/password", **fields).status_code == 303
        assert is_signed_in(browser)
        assert not is_signed_in(other)
        assert httpx.get(f"{server.url}/profile", cookies=cookie).status_code == 303
        assert status_with(server, tokens["access_token"]) == 401
        assert refresh(server, app, tokens["refresh_token"]).status_code == 400
        assert sign_in(other, ada).status_code == 401
        assert sign_in(other, ada, new).status_code == 303


@pytest.mark.parametrize("action", ["remove", "role"])
def test_removed_or_demoted_user_loses_access(server: Server, account: str, action: str) -> None:
    ada, bob = address_for(account), address_for(account, "bob")
    app = create_app(server, account)
    with (
        open_browser_of_user(server, account, ada) as owner,
        open_browser_of_user(server, account, bob, Role.MANAGER) as browser,
    ):
        tokens = tokens_of(redeem(server, app, code_of(browser, app)))
        user_id = get_user_ids(owner)[bob]
        assert submit(owner, "/people", f"/people/{user_id}/{action}", role="campaign_creator").status_code == 303
        assert not is_signed_in(browser)
        assert status_with(server, tokens["access_token"]) == 401
        assert refresh(server, app, tokens["refresh_token"]).status_code == 400
        response = sign_in(browser, bob)
        if action == "remove":
            assert response.status_code == 401
            assert bob not in owner.get("/people").text
        else:
            assert (response.status_code, response.headers["location"]) == (303, "/connect")


def test_token_that_a_user_created_ends_with_the_user(server: Server, account: str) -> None:
    ada, bob = address_for(account), address_for(account, "bob")
    with open_browser_of_user(server, account, ada) as owner, open_browser_of_user(server, account, bob) as browser:
        fields = {"name": "shop", "role": "owner", "scope": "contact_data", "lifetime": "1", "nonce": "n" * 16}
        page = submit(browser, "/connect", "/connect/tokens", **fields)
        (token,) = re.findall(r"eyJ[\w.-]+", page.text)[:1]
        assert status_with(server, token) == 200
        assert submit(owner, "/people", f"/people/{get_user_ids(owner)[bob]}/remove").status_code == 303
        assert status_with(server, token) == 401


def test_last_owner_cannot_be_removed_or_demoted(server: Server, account: str) -> None:
    ada, bob = address_for(account), address_for(account, "bob")
    with open_browser_of_user(server, account, ada) as owner:
        invite(server, account, bob)
        user_id = get_user_ids(owner)[ada]
        for action in ("remove", "role"):
            response = submit(owner, "/people", f"/people/{user_id}/{action}", role="manager")
            assert response.status_code == 409
            assert "make another user an owner first" in response.text
        assert is_signed_in(owner)


def test_sessions_are_listed_and_ended(server: Server, account: str) -> None:
    ada, bob = address_for(account), address_for(account, "bob")
    with (
        open_browser_of_user(server, account, ada) as owner,
        httpx.Client(base_url=server.url, headers={"user-agent": "Bob's phone"}) as phone,
        open_browser_by_link(server, account) as operator,
    ):
        add_user(server, account, bob, Role.MANAGER)
        assert sign_in(phone, bob).status_code == 303
        text = owner.get("/people").text
        assert "Bob&#39;s phone" in text
        assert "Sign-in link" in text
        (session_id,) = re.findall(r"Bob&#39;s phone.*?/people/sessions/([\w-]+)/end", text, re.DOTALL)
        # Bob's own page has his sessions only, and he can end no others.
        own = phone.get("/profile").text
        assert "This session" in own
        assert "Sign-in link" not in own
        (other,) = set(re.findall(r"Sign-in link.*?/people/sessions/([\w-]+)/end", text, re.DOTALL))
        assert submit(phone, "/profile", f"/profile/sessions/{other}/end").status_code == 404
        assert is_signed_in(operator)
        assert submit(owner, "/people", f"/people/sessions/{session_id}/end").status_code == 303
        assert not is_signed_in(phone)
        assert "Bob&#39;s phone" not in owner.get("/people").text
        assert submit(operator, "/profile", "/sign-out").status_code == 303
        assert "Sign-in link" not in owner.get("/people").text


def test_link_of_owner_sets_another_password(server: Server, account: str) -> None:
    ada, bob = address_for(account), address_for(account, "bob")
    with open_browser_of_user(server, account, ada) as owner, open_browser_of_user(server, account, bob) as browser:
        first = open_link(submit(owner, "/people", f"/people/{get_user_ids(owner)[bob]}/link").text)
        link = open_link(submit(owner, "/people", f"/people/{get_user_ids(owner)[bob]}/link").text)
        assert browser.get(first).status_code == 404
        assert "Set a new password" in browser.get(link).text
        assert is_signed_in(browser)
        with httpx.Client(base_url=server.url) as stranger:
            assert accept(stranger, link, OTHER_PASSWORD).status_code == 303
        assert not is_signed_in(browser)
        assert sign_in(browser, bob).status_code == 401
        assert sign_in(browser, bob, OTHER_PASSWORD).status_code == 303


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaa", "x" * 257])
def test_weak_password_is_rejected(server: Server, account: str, password: str) -> None:
    link = invite(server, account, address_for(account))
    with httpx.Client(base_url=server.url) as browser:
        response = accept(browser, link, password)
        assert response.status_code == 400
        assert 'role="alert"' in response.text
        assert accept(browser, link, address_for(account) + "1").status_code == 400
        assert browser.post(link, data={"password": PASSWORD, "repeated": "x"}).status_code == 400
        assert accept(browser, link).status_code == 303


def test_user_of_two_accounts_names_the_account(server: Server, account: str) -> None:
    ada = address_for(account)
    add_user(server, account, ada)
    add_user(server, f"{account}-2", ada, password=OTHER_PASSWORD)
    with httpx.Client(base_url=server.url) as browser:
        assert sign_in(browser, ada).status_code == 401
        assert sign_in(browser, ada, account=f"{account}-2").status_code == 401
        assert sign_in(browser, ada, account=account).status_code == 303
        assert f"account {account}<" in browser.get("/profile").text


def test_commands_manage_users(server: Server, account: str) -> None:
    ada, bob = address_for(account), address_for(account, "bob")
    options = ("--data", server.data, "--account", account)
    run_rapport("user", "invite", ada, *options[:2], "--account", account, code=2)
    add_user(server, account, ada)
    link = run_rapport("user", "invite", bob, "--port", str(server.port), *options).stdout.strip()
    with httpx.Client(base_url=server.url) as browser:
        assert accept(browser, link.removeprefix(server.url)).status_code == 303
        listed = run_rapport("user", "list", *options).stdout.splitlines()
        assert [line.split("\t")[:3] for line in listed[1:]] == [[ada, "owner", "joined"], [bob, "manager", "joined"]]
        sessions = run_rapport("user", "sessions", *options).stdout.splitlines()[1:]
        session_id = next(line.split("\t")[0] for line in sessions if bob in line)
        run_rapport("user", "sign-out", session_id, *options)
        time.sleep(NOTICED_WITHIN)
        assert not is_signed_in(browser)
        assert sign_in(browser, bob).status_code == 303
        run_rapport("user", "role", bob, "owner", *options)
        time.sleep(NOTICED_WITHIN)
        assert not is_signed_in(browser)
        assert sign_in(browser, bob).status_code == 303
        run_rapport("user", "remove", bob, *options)
        time.sleep(NOTICED_WITHIN)
        assert not is_signed_in(browser)
    assert "only owner" in run_rapport("user", "remove", ada, *options, code=1).stderr
    assert "there is no user" in run_rapport("user", "remove", bob, *options, code=1).stderr
    assert "name@domain" in run_rapport("user", "invite", "nobody", *options, code=1).stderr


def test_form_token_is_required(server: Server, account: str) -> None:
    with open_browser_of_user(server, account, address_for(account)) as owner:
        assert get_form_token(owner.get("/people"))
        assert owner.post("/people", data={"email_address": BOB, "role": "owner"}).status_code == 403
        assert BOB not in owner.get("/people").text
