"""`rapport copy`: everything, from any engine to any other, again and again."""

import json
import re
from pathlib import Path

import httpx
import pytest

from rapport.activity import ActivityType
from tests.cli.command import rapport
from tests.world import Server, details, line


@pytest.fixture
def filled(tmp_path: Path) -> str:
    """A data directory with two accounts, names that changed, and every type of activity."""
    data = str(tmp_path / "filled")
    activity_types = [activity_type.name.lower() for activity_type in ActivityType]
    lines = [
        line(
            f"c{number % 40}",
            activity_types[number % 10],
            f"2026-03-01T10:{number % 60:02}:{number // 60:02}Z",
            first_name="A",
        )
        for number in range(900)
    ]
    lines += [
        line("c1", time="2026-03-02T10:00:00Z", campaign_activity_name="Old", campaign_id="k"),
        line("c2", time="2026-03-09T10:00:00Z", campaign_activity_name="New", email_address="new@example.com"),
        line("c2", time="2026-03-20T10:00:00Z"),
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    rapport("import", "-", "--data", data, "--create", given=content)
    rapport("import", "-", "--data", data, "--account", "other", given=content[:2_000].rpartition(b"\n")[0])
    return data


def exported(data: str, contact_id: str, account: str = "default") -> str:
    return rapport("export", contact_id, "--data", data, "--account", account).stdout


def test_copy_to_other_engine_and_back_keeps_everything(filled: str, data: str, tmp_path: Path) -> None:
    token = rapport("token", "--data", filled).stdout.strip()
    revoked = rapport("token", "--data", filled, "--name", "lost").stdout.strip()
    (token_id,) = re.findall(r"^(\w+)\tlost\t", rapport("tokens", "list", "--data", filled).stdout, re.MULTILINE)
    rapport("tokens", "revoke", token_id, "--data", filled)
    back = str(tmp_path / "back")
    first = rapport("copy", "--from", filled, "--to", data).stdout
    second = rapport("copy", "--from", data, "--to", back, "--create").stdout
    assert "2 accounts" in first
    assert "(0 contacts were there already)" in first
    assert first.rpartition("digest")[2] == second.rpartition("digest")[2]
    for contact_id in ("c1", "c2", "c39"):
        assert exported(filled, contact_id) == exported(data, contact_id) == exported(back, contact_id)
    assert exported(filled, "c1", "other") == exported(data, "c1", "other")
    # A later statement is told from an earlier one in the copy as well.
    late = json.dumps(line("c1", time="2026-03-05T10:00:00Z", campaign_activity_name="Between")).encode()
    for each in (filled, data, back):
        rapport("import", "-", "--data", each, given=late)
    assert exported(filled, "c1") == exported(data, "c1") == exported(back, "c1")
    assert '"campaign_activity_name":"New"' in exported(back, "c1")
    with Server(data) as server:
        for each, status in ((token, 200), (revoked, 401)):
            response = httpx.get(
                server.url + details("c1"),
                params={"tracking_activity_type": "em_opens"},
                headers={"authorization": f"Bearer {each}"},
            )
            assert response.status_code == status


def test_repeated_copy_adds_new_activities(filled: str, data: str) -> None:
    rapport("copy", "--from", filled, "--to", data)
    rapport("import", "-", "--data", filled, given=json.dumps(line("c7", time="2026-04-01T10:00:00Z")).encode())
    told = rapport("copy", "--from", filled, "--to", data).stdout
    assert exported(filled, "c7") == exported(data, "c7")
    contacts = int(told.split(" contacts")[0].rpartition(" ")[2])
    assert f"({contacts - 1} contacts were there already)" in told


def test_copy_refuses_target_with_other_data(filled: str, data: str) -> None:
    rapport("import", "-", "--data", data, given=json.dumps(line("c3", time="2026-04-01T10:00:00Z")).encode())
    told = rapport("copy", "--from", filled, "--to", data, code=1).stderr
    assert "contact c3 of account default differs" in told
    assert "empty target" in told


def test_copy_does_not_create_missing_source(tmp_path: Path) -> None:
    told = rapport("copy", "--from", str(tmp_path / "none"), "--to", str(tmp_path / "target"), code=1).stderr
    assert "there is no data in" in told
    assert not (tmp_path / "none").exists()
