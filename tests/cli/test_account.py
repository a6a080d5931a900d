"""`rapport account`: details that the account summary shows, and deletion that leaves nothing of the account."""

import time
from pathlib import Path

import httpx
import pytest

from rapport.auth.scope import Role, Scope
from rapport.settings import Settings
from rapport.store.engines import open_store
from tests.helpers.activities import make_activity, record
from tests.helpers.api import make_line
from tests.helpers.command import run_rapport
from tests.helpers.loop import run_async
from tests.helpers.oauth import code_of, create_app, redeem, refresh, tokens_of
from tests.helpers.people import add_user, invite, open_browser_of_user, sign_in
from tests.helpers.server import Server
from tests.helpers.sql import fetch_all

pytestmark = pytest.mark.slow

DETAILS = {
    "--organization-name": "Ada's Shop",
    "--contact-email": "ada@example.com",
    "--first-name": "Ada",
    "--last-name": "Lovelace",
    "--phone": "+1 508 111 1212",
    "--country-code": "US",
    "--time-zone-id": "US/Eastern",
}
OPTIONS = [text for option in DETAILS.items() for text in option]


def test_summary_shows_details(server: Server, account: str) -> None:
    data = ("--data", server.data)
    created = run_rapport("account", "create", account, *data, *OPTIONS)
    assert created.stdout == f"Created the account {account}.\n"
    with server.client(account, frozenset({Scope.ACCOUNT_READ})) as client:
        assert client.get("/v3/account/summary").json() == {
            "encoded_account_id": account,
            "organization_name": "Ada's Shop",
            "contact_email": "ada@example.com",
            "contact_phone": "+1 508 111 1212",
            "country_code": "US",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "time_zone_id": "US/Eastern",
        }
        assert client.get("/v3/account/emails").json()[0]["email_address"] == "ada@example.com"
        run_rapport("account", "rename", account, "The Corner Shop", *data)
        run_rapport("account", "update", account, "--phone", "", "--country-code", "DE", *data)
        summary = client.get("/v3/account/summary").json()
        assert summary["organization_name"] == "The Corner Shop"
        assert summary["country_code"] == "DE"
        assert "contact_phone" not in summary
    lines = run_rapport("account", "list", *data).stdout.splitlines()
    (line,) = [line for line in lines if line.startswith(account)]
    assert line.split("\t") == [
        *(account, "0", "The Corner Shop", "ada@example.com", "Ada", "Lovelace", "", "DE", "US/Eastern"),
        *[""] * 7,
    ]


def test_physical_address_is_shown_once_it_is_set(server: Server, account: str) -> None:
    address = {
        "address_line1": "123 Maple Street",
        "address_line2": "Unit 1",
        "city": "Boston",
        "state_code": "MA",
        "postal_code": "02451",
        "country_code": "US",
    }
    run_rapport("account", "create", account, "--data", server.data)
    with server.client(account, frozenset({Scope.ACCOUNT_READ})) as client:
        empty = {"address_line1": "", "city": "", "country_code": ""}
        assert client.get("/v3/account/summary/physical_address").json() == empty
        assert "physical_address" not in client.get("/v3/account/summary?extra_fields=physical_address").json()
        options = [text for name, value in address.items() for text in (f"--{name.replace('_', '-')}", value)]
        run_rapport("account", "update", account, "--data", server.data, *options)
        assert client.get("/v3/account/summary/physical_address").json() == address
        summary = client.get("/v3/account/summary?extra_fields=physical_address").json()
        assert summary["physical_address"] == address
        assert summary["state_code"] == "MA"
        assert "physical_address" not in client.get("/v3/account/summary").json()
    moved = ["--country-code", "DE", "--state-code", "", "--state-name", "Bayern"]
    refused = run_rapport("account", "update", account, "--data", server.data, *moved[:2], code=1).stderr
    assert "state_code" in refused
    run_rapport("account", "update", account, "--data", server.data, *moved)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--country-code", "us", "two capital letters"),
        ("--contact-email", "ada", "name@domain"),
        ("--time-zone-id", "Mars/Olympus", "US/Eastern"),
        ("--phone", "1" * 26, "at most 25"),
        ("--first-name", "a\tb", "printable"),
        ("--address-line1", "x" * 81, "at most 80"),
        ("--state-code", "Massachusetts", "two capital letters"),
        ("--state-code", "MA", "country_code US or CA"),
    ],
)
def test_invalid_detail_is_rejected(tmp_path: Path, option: str, value: str, reason: str) -> None:
    error = run_rapport("account", "create", "shop", option, value, "--data", str(tmp_path), "--create", code=1).stderr
    assert option.removeprefix("--").replace("-", "_") in error
    assert reason in error


def test_unknown_and_existing_accounts_are_named(location: str) -> None:
    run_rapport("account", "create", "shop", "--data", location)
    assert "exists already" in run_rapport("account", "create", "shop", "--data", location, code=1).stderr
    for command in (("rename", "x", "y"), ("update", "x", "--phone", "1"), ("delete", "x", "--yes")):
        error = run_rapport("account", *command, "--data", location, code=1).stderr
        assert "there is no account 'x'; expected one of" in error
    assert "shop" in error
    assert "name at least one" in run_rapport("account", "update", "shop", "--data", location, code=2).stderr


def test_deletion_is_confirmed_by_the_id(location: str) -> None:
    run_rapport("account", "create", "shop", "--data", location)
    for typed in (b"", b"y\n", b"shop2\n"):
        run_rapport("account", "delete", "shop", "--data", location, stdin=typed, code=1)
    assert "shop" in run_rapport("account", "list", "--data", location).stdout
    assert "Deleted" in run_rapport("account", "delete", "shop", "--data", location, stdin=b"shop\n").stdout
    assert "shop" not in run_rapport("account", "list", "--data", location).stdout
    assert "was deleted" in run_rapport("account", "create", "shop", "--data", location, code=1).stderr


def list_tables(location: str) -> list[str]:
    sqlite = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    postgresql = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema"
    return [name for (name,) in fetch_all(location, postgresql if location.startswith("postgresql:") else sqlite)]


def read_everything(location: str) -> dict[str, list[str]]:
    """Return the rows of all tables as text."""
    tables = list_tables(location)
    return {table: [repr(row) for row in fetch_all(location, f"SELECT * FROM {table}")] for table in tables}  # noqa: S608


def test_deleted_account_leaves_nothing_and_others_stay(location: str) -> None:
    async def fill() -> None:
        async with open_store(Settings(data=location)) as store:
            for account in ("kept", "gone"):
                await record(
                    store,
                    *(
                        make_activity(
                            f"{account}-{number}", after=number, campaign_activity_id=f"{account}-m{number % 3}"
                        )
                        for number in range(20)
                    ),
                    account=account,
                )
                assert await store.erasure.erase(account, f"{account}-3")

    run_async(fill())
    lists = b'{"list_id": "gone-list", "name": "gone"}\n'
    run_rapport("import", "-", "--type", "lists", "--account", "gone", "--data", location, stdin=lists)
    run_rapport("account", "update", "gone", "--first-name", "gone-name", "--data", location)
    run_rapport("user", "invite", "gone@example.com", "--account", "gone", "--data", location)
    run_rapport(
        "app", "create", "gone-app", "--account", "gone", "--redirect-uri", "https://x.example", "--data", location
    )
    run_rapport("token", "create", "--name", "gone-token", "--account", "gone", "--data", location)
    before = run_rapport("export", "kept-1", "--account", "kept", "--data", location).stdout
    output = run_rapport("account", "delete", "gone", "--yes", "--data", location).stdout
    assert output == "Deleted the account gone with 19 contacts.\n"
    left = {table: [row for row in rows if "gone" in row] for table, rows in read_everything(location).items()}
    # The list of revocations names the account, so that its tokens stay invalid.
    left.pop("secret", None)
    assert {table: rows for table, rows in left.items() if rows} == {}
    counts = {table: len(rows) for table, rows in read_everything(location).items()}
    assert counts["contact"] == 19
    assert counts["erased_contact"] == 1
    assert counts["campaign_activity"] == 3
    assert run_rapport("export", "kept-1", "--account", "kept", "--data", location).stdout == before
    assert "match" in run_rapport("check", "--data", location).stdout


def test_deletion_ends_all_access_to_a_running_server(server: Server, account: str) -> None:
    address = f"ada@{account}.example.com"
    app = create_app(server, account)
    with (
        server.client(account, frozenset(Scope), Role.OWNER) as client,
        open_browser_of_user(server, account, address) as browser,
    ):
        client.record(make_line("c-1"))
        link = invite(server, account, f"bob@{account}.example.com")
        tokens = tokens_of(redeem(server, app, code_of(browser, app)))
        add_user(server, f"{account}-2", address)
        run_rapport("account", "delete", account, "--yes", "--data", server.data)
        time.sleep(1)
        assert client.get("/v3/contacts").status_code == 401
        assert client.post("/track/v1/activities", json=[make_line("c-2")]).status_code == 401
        assert browser.get("/profile").status_code == 303
        assert browser.get(link).status_code == 404
        assert sign_in(browser, address, account=account).status_code == 401
        assert refresh(server, app, tokens["refresh_token"]).status_code in {400, 401}
    with httpx.Client(base_url=server.url) as other:
        assert sign_in(other, address).status_code == 303
