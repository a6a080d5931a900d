"""`rapport app`: applications from the command line."""

import pytest

from tests.helpers.command import run_rapport

pytestmark = pytest.mark.slow

CALLBACK = "https://client.example.com/callback"


def test_commands_create_list_change_and_delete_applications(location: str) -> None:
    created = run_rapport("app", "create", "shop", "--redirect-uri", CALLBACK, "--data", location).stdout
    values = dict(line.split("\t") for line in created.splitlines())
    assert values.keys() == {"client_id", "client_secret"}
    head, row = run_rapport("app", "list", "--data", location).stdout.splitlines()
    columns = dict(zip(head.split("\t"), row.split("\t"), strict=True))
    assert columns["client_id"] == values["client_id"]
    assert (columns["name"], columns["type"], columns["refresh"]) == ("shop", "confidential", "rotating")
    assert (columns["client_credentials"], columns["redirect_uris"]) == ("off", CALLBACK)
    assert columns["scopes"] == "account_read campaign_data contact_data offline_access"
    assert values["client_secret"] not in row
    rotated = run_rapport("app", "rotate-secret", values["client_id"], "--data", location).stdout.strip()
    assert rotated not in {"", values["client_secret"]}
    assert "Deleted the application" in run_rapport("app", "delete", values["client_id"], "--data", location).stdout
    assert run_rapport("app", "list", "--data", location).stdout.splitlines() == [head]


def test_public_application_has_no_secret(location: str) -> None:
    created = run_rapport("app", "create", "ctct", "--public", "--data", location).stdout
    assert "client_secret" not in created
    client_id = created.split()[1]
    assert "is public" in run_rapport("app", "rotate-secret", client_id, "--data", location, code=1).stderr


def test_invalid_input_is_reported(location: str) -> None:
    assert (
        "unknown scope" in run_rapport("app", "create", "x", "--scope", "everything", "--data", location, code=2).stderr
    )
    error = run_rapport(
        "app", "create", "x", "--redirect-uri", "http://example.com/", "--data", location, code=1
    ).stderr
    assert "must begin with https://" in error
    error = run_rapport("app", "create", "x", "--public", "--refresh", "long-lived", "--data", location, code=1).stderr
    assert "must be rotating" in error
    assert "no application nobody" in run_rapport("app", "delete", "nobody", "--data", location, code=1).stderr
    other = run_rapport("app", "create", "x", "--account", "other", "--data", location).stdout.split()[1]
    assert f"no application {other}" in run_rapport("app", "delete", other, "--data", location, code=1).stderr
