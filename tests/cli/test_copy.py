"""`rapport copy`, from each engine to the other."""

import json
import re
from pathlib import Path

import httpx
import pytest

from rapport.activity import ActivityType
from tests.helpers.api import details_path, make_line
from tests.helpers.command import run_rapport
from tests.helpers.server import Server

pytestmark = pytest.mark.slow


@pytest.fixture
def filled_store(tmp_path: Path) -> str:
    """A data directory with two accounts, changed names, and every activity type."""
    data = str(tmp_path / "filled")
    activity_types = [activity_type.name.lower() for activity_type in ActivityType]
    lines = [
        make_line(
            f"c{number % 40}",
            activity_types[number % 10],
            f"2026-03-01T10:{number % 60:02}:{number // 60:02}Z",
            first_name="A",
        )
        for number in range(900)
    ]
    lines += [
        make_line("c1", time="2026-03-02T10:00:00Z", campaign_activity_name="Old", campaign_id="k"),
        make_line("c2", time="2026-03-09T10:00:00Z", campaign_activity_name="New", email_address="new@example.com"),
        make_line("c2", time="2026-03-20T10:00:00Z"),
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    run_rapport("import", "-", "--data", data, "--create", stdin=content)
    run_rapport("import", "-", "--data", data, "--account", "other", stdin=content[:2_000].rpartition(b"\n")[0])
    return data


def export_contact(location: str, contact_id: str, account: str = "default") -> str:
    return run_rapport("export", contact_id, "--data", location, "--account", account).stdout


def test_copy_to_other_engine_and_back_keeps_everything(filled_store: str, location: str, tmp_path: Path) -> None:
    token = run_rapport("token", "create", "--data", filled_store).stdout.strip()
    revoked = run_rapport("token", "create", "--data", filled_store, "--name", "lost").stdout.strip()
    (token_id,) = re.findall(
        r"^(\w+)\tlost\t", run_rapport("token", "list", "--data", filled_store).stdout, re.MULTILINE
    )
    run_rapport("token", "revoke", token_id, "--data", filled_store)
    back = str(tmp_path / "back")
    first = run_rapport("copy", "--from", filled_store, "--to", location).stdout
    second = run_rapport("copy", "--from", location, "--to", back, "--create").stdout
    assert "2 accounts" in first
    assert "(0 contacts were there already)" in first
    assert first.rpartition("digest")[2] == second.rpartition("digest")[2]
    for contact_id in ("c1", "c2", "c39"):
        assert (
            export_contact(filled_store, contact_id)
            == export_contact(location, contact_id)
            == export_contact(back, contact_id)
        )
    assert export_contact(filled_store, "c1", "other") == export_contact(location, "c1", "other")
    # The copy also knows which update is later.
    late = json.dumps(make_line("c1", time="2026-03-05T10:00:00Z", campaign_activity_name="Between")).encode()
    for store_location in (filled_store, location, back):
        run_rapport("import", "-", "--data", store_location, stdin=late)
    assert export_contact(filled_store, "c1") == export_contact(location, "c1") == export_contact(back, "c1")
    assert '"campaign_activity_name":"New"' in export_contact(back, "c1")
    with Server(location) as server:
        for store_location, status in ((token, 200), (revoked, 401)):
            response = httpx.get(
                server.url + details_path("c1"),
                params={"tracking_activity_type": "em_opens"},
                headers={"authorization": f"Bearer {store_location}"},
            )
            assert response.status_code == status


def test_repeated_copy_adds_new_activities(filled_store: str, location: str) -> None:
    run_rapport("copy", "--from", filled_store, "--to", location)
    run_rapport(
        "import", "-", "--data", filled_store, stdin=json.dumps(make_line("c7", time="2026-04-01T10:00:00Z")).encode()
    )
    output = run_rapport("copy", "--from", filled_store, "--to", location).stdout
    assert export_contact(filled_store, "c7") == export_contact(location, "c7")
    contacts = int(output.split(" contacts")[0].rpartition(" ")[2])
    assert f"({contacts - 1} contacts were there already)" in output


def test_copy_refuses_target_with_other_data(filled_store: str, location: str) -> None:
    run_rapport(
        "import", "-", "--data", location, stdin=json.dumps(make_line("c3", time="2026-04-01T10:00:00Z")).encode()
    )
    error = run_rapport("copy", "--from", filled_store, "--to", location, code=1).stderr
    assert "contact c3 of account default differs" in error
    assert "empty target" in error


def test_copy_does_not_create_missing_source(tmp_path: Path) -> None:
    error = run_rapport("copy", "--from", str(tmp_path / "none"), "--to", str(tmp_path / "target"), code=1).stderr
    assert "there is no data in" in error
    assert not (tmp_path / "none").exists()
