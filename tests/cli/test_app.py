"""`rapport app`: applications from the command line."""

from tests.cli.command import rapport

CALLBACK = "https://client.example.com/callback"


def test_applications_are_created_listed_changed_and_deleted(data: str) -> None:
    created = rapport("app", "create", "shop", "--redirect-uri", CALLBACK, "--data", data).stdout
    values = dict(line.split("\t") for line in created.splitlines())
    assert values.keys() == {"client_id", "client_secret"}
    head, row = rapport("app", "list", "--data", data).stdout.splitlines()
    columns = dict(zip(head.split("\t"), row.split("\t"), strict=True))
    assert columns["client_id"] == values["client_id"]
    assert (columns["name"], columns["type"], columns["refresh"]) == ("shop", "confidential", "rotating")
    assert (columns["client_credentials"], columns["redirect_uris"]) == ("off", CALLBACK)
    assert columns["scopes"] == "account_read campaign_data contact_data offline_access"
    assert values["client_secret"] not in row
    rotated = rapport("app", "rotate-secret", values["client_id"], "--data", data).stdout.strip()
    assert rotated not in {"", values["client_secret"]}
    assert "Deleted the application" in rapport("app", "delete", values["client_id"], "--data", data).stdout
    assert rapport("app", "list", "--data", data).stdout.splitlines() == [head]


def test_a_public_application_has_no_secret(data: str) -> None:
    created = rapport("app", "create", "ctct", "--public", "--data", data).stdout
    assert "client_secret" not in created
    client_id = created.split()[1]
    assert "is public" in rapport("app", "rotate-secret", client_id, "--data", data, code=1).stderr


def test_what_is_wrong_is_told(data: str) -> None:
    assert "unknown scope" in rapport("app", "create", "x", "--scope", "everything", "--data", data, code=2).stderr
    told = rapport("app", "create", "x", "--redirect-uri", "http://example.com/", "--data", data, code=1).stderr
    assert "must begin with https://" in told
    told = rapport("app", "create", "x", "--public", "--refresh", "long-lived", "--data", data, code=1).stderr
    assert "must be rotating" in told
    assert "there is no application nobody" in rapport("app", "delete", "nobody", "--data", data, code=1).stderr
    other = rapport("app", "create", "x", "--account", "other", "--data", data).stdout.split()[1]
    assert f"there is no application {other}" in rapport("app", "delete", other, "--data", data, code=1).stderr
