"""`rapport import` and `rapport export`."""

import gzip
import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from rapport.recording.activity_codec import encode_activity
from rapport.sample import sample
from tests.cli.command import rapport
from tests.world import ENVIRONMENT, RAPPORT, line


def lines(*items: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


@pytest.fixture(scope="module")
def sampled() -> bytes:
    """A sample of some sixty thousand lines."""
    return b"".join(encode_activity(activity) + b"\n" for activity in sample(2_000, seed=3))


def test_a_file_is_recorded_once_however_often_it_is_imported(data: str, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(lines(line(), line(activity_type="em_sends")))
    assert rapport("import", str(file), "--data", data).stdout == f"{file}: 2 accepted, 0 duplicate, 0 rejected\n"
    assert rapport("import", str(file), "--data", data).stdout == f"{file}: 0 accepted, 2 duplicate, 0 rejected\n"


def test_rejected_lines_go_to_a_file_beside_it_and_the_exit_code_is_1(data: str, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(
        lines(line()) + b"{oops\n" + lines(line(activity_type="em_reads"), line(time="2026-03-01T11:00:00Z"))
    )
    told = rapport("import", str(file), "--data", data, code=1).stdout
    assert told == f"{file}: 2 accepted, 0 duplicate, 2 rejected; see {file}.rejected.ndjson\n"
    rejected = [json.loads(each) for each in Path(f"{file}.rejected.ndjson").read_text().splitlines()]
    assert [(each["line"], each["field"], each["value"]) for each in rejected] == [
        (2, "line", "{oops"),
        (3, "tracking_activity_type", "em_reads"),
    ]
    assert json.loads(rejected[1]["text"])["tracking_activity_type"] == "em_reads"

    file.write_bytes(lines(line()))
    rapport("import", str(file), "--data", data)
    assert not Path(f"{file}.rejected.ndjson").exists()


def test_every_form_and_standard_input_are_taken(data: str, tmp_path: Path) -> None:
    one, two = lines(line(time=1_767_225_600_000)), lines(line(time=1_767_225_600_001))
    table = b"contact_id,campaign_activity_id,tracking_activity_type,created_time\nc1,ca-1,em_opens,1767225600002\n"
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(one))
    (tmp_path / "b.csv").write_bytes(table)
    told = rapport("import", "a.ndjson.gz", "b.csv", "-", "--data", data, given=two, folder=tmp_path).stdout
    assert told.splitlines()[-1] == "all: 3 accepted, 0 duplicate, 0 rejected"
    exported = rapport("export", "c1", "--data", data).stdout.splitlines()
    assert [json.loads(each)["created_time"][-4:] for each in exported] == ["002Z", "001Z", "000Z"]


def test_rejected_lines_of_standard_input_go_to_the_folder_one_is_in(data: str, tmp_path: Path) -> None:
    rapport("import", "-", "--data", data, given=b"{}\n", folder=tmp_path, code=1)
    assert (next(tmp_path.glob("stdin-*.rejected.ndjson"))).read_text().count("\n") == 1


def test_a_file_that_cannot_be_read_stops_no_other(data: str, tmp_path: Path) -> None:
    (tmp_path / "good.ndjson").write_bytes(lines(line()))
    (tmp_path / "torn.ndjson.gz").write_bytes(gzip.compress(lines(line(activity_type="em_sends")) * 500)[:-9])
    told = rapport("import", "none.ndjson", "torn.ndjson.gz", "good.ndjson", "--data", data, folder=tmp_path, code=1)
    assert "none.ndjson: No such file" in told.stderr
    assert "torn.ndjson.gz: can't be read to the end" in told.stderr
    assert told.stdout.splitlines()[-1].startswith("all: 2 accepted")


def test_accounts_are_kept_apart(data: str, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(lines(line()))
    rapport("import", str(file), "--data", data, "--account", "one")
    rapport("import", str(file), "--data", data, "--account", "two")
    rapport("export", "c1", "--data", data, code=1)
    assert rapport("export", "c1", "--data", data, "--account", "two").stdout.count("\n") == 1


def test_an_export_is_imported_again_unchanged(data: str, tmp_path: Path, sampled: bytes) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(sampled[: sampled.index(b"\n", 200_000) + 1])
    rapport("import", str(file), "--data", data)
    contact = json.loads(sampled.splitlines()[0])["contact_id"]
    exported = rapport("export", contact, "--data", data).stdout
    assert exported.count("\n") > 100

    again = rapport("import", "-", "--data", data, given=exported.encode()).stdout
    assert again.startswith("-: 0 accepted")
    elsewhere = str(tmp_path / "elsewhere")
    rapport("import", "-", "--data", elsewhere, "--create", given=exported.encode())
    assert rapport("export", contact, "--data", elsewhere).stdout == exported


def test_an_import_that_was_killed_is_simply_begun_again(data: str, tmp_path: Path, sampled: bytes) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(sampled)
    whole = sampled.count(b"\n")
    for pause in (0.5, 0.9, 1.3):
        # Its own start takes a part of that; wherever it is hit, nothing may be lost or doubled.
        killed = subprocess.Popen([RAPPORT, "import", str(file), "--data", data], stdout=subprocess.DEVNULL)
        time.sleep(pause)
        killed.kill()
        killed.wait()
    told = rapport("import", str(file), "--data", data).stdout
    accepted, duplicate, _ = (int(word) for word in told.split() if word.isdigit())
    assert accepted + duplicate == whole
    assert rapport("import", str(file), "--data", data).stdout.startswith(f"{file}: 0 accepted, {whole} duplicate")


def test_ctrl_c_says_how_to_go_on(data: str, tmp_path: Path, sampled: bytes) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(sampled * 3)
    with subprocess.Popen([RAPPORT, "import", str(file), "--data", data], stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        assert running.stderr.readline().startswith(b"rapport: using the data in ")
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=30)
    assert running.returncode == 130
    assert b"start the same import again" in told


def test_a_terminal_sees_progress(data: str, tmp_path: Path, sampled: bytes) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(sampled)
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [RAPPORT, "import", str(file), "--data", data],
        stderr=end,
        stdout=subprocess.PIPE,
        env={**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "150"},
    ) as running:
        os.close(end)
        shown = b""
        try:
            while chunk := os.read(terminal, 4_096):
                shown += chunk
        except OSError:
            # The other end is closed: Linux says so with an error.
            pass
    os.close(terminal)
    assert running.returncode == 0
    assert b"MB" in shown
    assert b"accepted" in shown


def test_contacts_and_campaigns_are_imported_in_both_forms(data: str, tmp_path: Path) -> None:
    (tmp_path / "contacts.ndjson").write_bytes(
        lines({"contact_id": "c1", "first_name": "Ada"}, {"first_name": "Nobody"})
    )
    (tmp_path / "contacts.csv").write_text(
        "contact_id,permission_to_send,created_at\nc2,explicit,2026-01-01T00:00:00Z\n"
    )
    (tmp_path / "campaigns.csv").write_text(
        "campaign_id,campaign_name,campaign_activity_id,subject,link_url\n"
        "k1,Spring,a1,Spring is here,https://example.com/1\n"
        "k1,Spring,a1,Spring is here,https://example.com/2\n"
        "k1,Spring,,,\n"
    )
    contacts = ("import", "contacts.ndjson", "contacts.csv", "--what", "contacts", "--data", data)
    told = rapport(*contacts, folder=tmp_path, code=1).stdout
    assert told.splitlines()[:2] == [
        "contacts.ndjson: 1 accepted, 0 duplicate, 1 rejected; see contacts.ndjson.rejected.ndjson",
        "contacts.csv: 1 accepted, 0 duplicate, 0 rejected",
    ]
    campaigns = ("import", "campaigns.csv", "--what", "campaigns", "--data", data)
    assert rapport(*campaigns, folder=tmp_path).stdout == "campaigns.csv: 2 accepted, 1 duplicate, 0 rejected\n"
    assert rapport("export", "c2", "--what", "contact", "--data", data).stdout.startswith('{"contact_id":"c2",')


def test_what_is_stated_of_a_contact_is_exported_and_imported_again(data: str, tmp_path: Path) -> None:
    stated = [
        {
            "contact_id": "c1",
            "updated_at": "2026-01-01T00:00:00.000Z",
            "first_name": "Ada",
            "created_at": 1_700_000_000_000,
        },
        {"contact_id": "c1", "updated_at": "2026-02-01T00:00:00.000Z", "email_address": "ada@example.com"},
    ]
    rapport("import", "-", "--what", "contacts", "--data", data, given=lines(*stated))
    exported = rapport("export", "c1", "--what", "contact", "--data", data).stdout
    assert json.loads(exported.splitlines()[0])["first_name"] == "Ada"
    copy = str(tmp_path / "copy")
    rapport("import", "-", "--what", "contacts", "--data", copy, "--create", given=exported.encode())
    assert rapport("export", "c1", "--what", "contact", "--data", copy).stdout == exported
    rapport("export", "nobody", "--what", "contact", "--data", data, code=1)
