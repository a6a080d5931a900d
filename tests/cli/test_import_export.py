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
from rapport.sample import generate_sample
from tests.helpers.api import make_line
from tests.helpers.command import run_rapport
from tests.helpers.server import ENVIRONMENT, RAPPORT

pytestmark = pytest.mark.slow


def encode_lines(*items: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


@pytest.fixture(scope="module")
def sample_lines() -> bytes:
    """A sample of about 60,000 lines."""
    return b"".join(encode_activity(activity) + b"\n" for activity in generate_sample(2_000, seed=3))


def test_repeated_import_records_nothing_new(location: str, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(encode_lines(make_line(), make_line(activity_type="em_sends")))
    assert (
        run_rapport("import", str(file), "--data", location).stdout == f"{file}: 2 accepted, 0 duplicate, 0 rejected\n"
    )
    assert (
        run_rapport("import", str(file), "--data", location).stdout == f"{file}: 0 accepted, 2 duplicate, 0 rejected\n"
    )


def test_rejected_lines_are_written_beside_file_and_exit_code_is_1(location: str, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(
        encode_lines(make_line())
        + b"{oops\n"
        + encode_lines(make_line(activity_type="em_reads"), make_line(time="2026-03-01T11:00:00Z"))
    )
    output = run_rapport("import", str(file), "--data", location, code=1).stdout
    assert output == f"{file}: 2 accepted, 0 duplicate, 2 rejected; see {file}.rejected.ndjson\n"
    rejected = [json.loads(splitline) for splitline in Path(f"{file}.rejected.ndjson").read_text().splitlines()]
    assert [(line["line"], line["field"], line["value"]) for line in rejected] == [
        (2, "line", "{oops"),
        (3, "tracking_activity_type", "em_reads"),
    ]
    assert json.loads(rejected[1]["text"])["tracking_activity_type"] == "em_reads"

    file.write_bytes(encode_lines(make_line()))
    run_rapport("import", str(file), "--data", location)
    assert not Path(f"{file}.rejected.ndjson").exists()


def test_import_accepts_every_format_and_stdin(location: str, tmp_path: Path) -> None:
    one, two = encode_lines(make_line(time=1_767_225_600_000)), encode_lines(make_line(time=1_767_225_600_001))
    table = b"contact_id,campaign_activity_id,tracking_activity_type,created_time\nc1,ca-1,em_opens,1767225600002\n"
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(one))
    (tmp_path / "b.csv").write_bytes(table)
    output = run_rapport("import", "a.ndjson.gz", "b.csv", "-", "--data", location, stdin=two, folder=tmp_path).stdout
    assert output.splitlines()[-1] == "all: 3 accepted, 0 duplicate, 0 rejected"
    exported = run_rapport("export", "c1", "--data", location).stdout.splitlines()
    assert [json.loads(line)["created_time"][-4:] for line in exported] == ["002Z", "001Z", "000Z"]


def test_rejected_lines_of_stdin_are_written_to_current_folder(location: str, tmp_path: Path) -> None:
    run_rapport("import", "-", "--data", location, stdin=b"{}\n", folder=tmp_path, code=1)
    assert (next(tmp_path.glob("stdin-*.rejected.ndjson"))).read_text().count("\n") == 1


def test_unreadable_file_does_not_stop_others(location: str, tmp_path: Path) -> None:
    (tmp_path / "good.ndjson").write_bytes(encode_lines(make_line()))
    (tmp_path / "torn.ndjson.gz").write_bytes(
        gzip.compress(encode_lines(make_line(activity_type="em_sends")) * 500)[:-9]
    )
    process = run_rapport(
        "import", "none.ndjson", "torn.ndjson.gz", "good.ndjson", "--data", location, folder=tmp_path, code=1
    )
    assert "none.ndjson: No such file" in process.stderr
    assert "torn.ndjson.gz: can't be read to the end" in process.stderr
    assert process.stdout.splitlines()[-1].startswith("all: 2 accepted")


def test_imports_of_accounts_are_isolated(location: str, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(encode_lines(make_line()))
    run_rapport("import", str(file), "--data", location, "--account", "one")
    run_rapport("import", str(file), "--data", location, "--account", "two")
    run_rapport("export", "c1", "--data", location, code=1)
    assert run_rapport("export", "c1", "--data", location, "--account", "two").stdout.count("\n") == 1


def test_export_round_trips_through_import(location: str, tmp_path: Path, sample_lines: bytes) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(sample_lines[: sample_lines.index(b"\n", 200_000) + 1])
    run_rapport("import", str(file), "--data", location)
    contact = json.loads(sample_lines.splitlines()[0])["contact_id"]
    exported = run_rapport("export", contact, "--data", location).stdout
    assert exported.count("\n") > 100

    again = run_rapport("import", "-", "--data", location, stdin=exported.encode()).stdout
    assert again.startswith("-: 0 accepted")
    elsewhere = str(tmp_path / "elsewhere")
    run_rapport("import", "-", "--data", elsewhere, "--create", stdin=exported.encode())
    assert run_rapport("export", contact, "--data", elsewhere).stdout == exported


def test_killed_import_can_be_repeated(location: str, tmp_path: Path, sample_lines: bytes) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(sample_lines)
    whole = sample_lines.count(b"\n")
    for pause in (0.5, 0.9, 1.3):
        # Part of that is its start; wherever it is interrupted, nothing may be lost or duplicated.
        killed = subprocess.Popen([RAPPORT, "import", str(file), "--data", location], stdout=subprocess.DEVNULL)
        time.sleep(pause)
        killed.kill()
        killed.wait()
    output = run_rapport("import", str(file), "--data", location).stdout
    accepted, duplicate, _ = (int(word) for word in output.split() if word.isdigit())
    assert accepted + duplicate == whole
    assert run_rapport("import", str(file), "--data", location).stdout.startswith(
        f"{file}: 0 accepted, {whole} duplicate"
    )


def test_interrupted_import_says_how_to_resume(location: str, tmp_path: Path, sample_lines: bytes) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(sample_lines * 3)
    with subprocess.Popen([RAPPORT, "import", str(file), "--data", location], stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        assert running.stderr.readline().startswith(b"rapport: using the data in ")
        running.send_signal(signal.SIGINT)
        _, received = running.communicate(timeout=30)
    assert running.returncode == 130
    assert b"Run the same command again to continue" in received


def test_progress_is_shown_on_terminal(location: str, tmp_path: Path, sample_lines: bytes) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(sample_lines)
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [RAPPORT, "import", str(file), "--data", location],
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
            # Linux raises an error when the other end is closed.
            pass
    os.close(terminal)
    assert running.returncode == 0
    assert b"MB" in shown
    assert b"accepted" in shown


@pytest.mark.parametrize(
    ("data_type", "line", "shown"),
    [
        ("activities", make_line("c1", "em_opens", "2026-01-01T00:00:00Z"), '"em_opens"'),
        ("contacts", {"contact_id": "c1", "first_name": "Ada"}, '"Ada"'),
        ("campaigns", {"campaign_id": "spring"}, "campaign spring"),
        ("lists", {"list_id": "l1", "name": "News"}, "list l1: News"),
        ("tags", {"tag_id": "t1", "name": "VIP"}, "tag t1: VIP"),
        ("custom_fields", {"custom_field_id": "f1", "label": "Size"}, "custom field f1: Size"),
    ],
)
def test_preview_shows_data_of_every_type(tmp_path: Path, data_type: str, line: dict[str, Any], shown: str) -> None:
    file = tmp_path / "file.ndjson"
    file.write_bytes(encode_lines(line))
    output = run_rapport("import", str(file), "--type", data_type, "--preview").stdout
    assert shown in output
    assert "nothing was recorded" in output


def test_contacts_and_campaigns_are_imported_from_csv_and_ndjson(location: str, tmp_path: Path) -> None:
    (tmp_path / "contacts.ndjson").write_bytes(
        encode_lines({"contact_id": "c1", "first_name": "Ada"}, {"first_name": "Nobody"})
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
    contacts = ("import", "contacts.ndjson", "contacts.csv", "--type", "contacts", "--data", location)
    output = run_rapport(*contacts, folder=tmp_path, code=1).stdout
    assert output.splitlines()[:2] == [
        "contacts.ndjson: 1 accepted, 0 duplicate, 1 rejected; see contacts.ndjson.rejected.ndjson",
        "contacts.csv: 1 accepted, 0 duplicate, 0 rejected",
    ]
    campaigns = ("import", "campaigns.csv", "--type", "campaigns", "--data", location)
    assert run_rapport(*campaigns, folder=tmp_path).stdout == "campaigns.csv: 2 accepted, 1 duplicate, 0 rejected\n"
    assert run_rapport("export", "c2", "--type", "contacts", "--data", location).stdout.startswith(
        '{"contact_id":"c2",'
    )


def test_contact_export_round_trips_through_import(location: str, tmp_path: Path) -> None:
    updates = [
        {
            "contact_id": "c1",
            "updated_at": "2026-01-01T00:00:00.000Z",
            "first_name": "Ada",
            "created_at": 1_700_000_000_000,
        },
        {"contact_id": "c1", "updated_at": "2026-02-01T00:00:00.000Z", "email_address": "ada@example.com"},
    ]
    run_rapport("import", "-", "--type", "contacts", "--data", location, stdin=encode_lines(*updates))
    exported = run_rapport("export", "c1", "--type", "contacts", "--data", location).stdout
    assert json.loads(exported.splitlines()[0])["first_name"] == "Ada"
    copy = str(tmp_path / "copy")
    run_rapport("import", "-", "--type", "contacts", "--data", copy, "--create", stdin=exported.encode())
    assert run_rapport("export", "c1", "--type", "contacts", "--data", copy).stdout == exported
    run_rapport("export", "nobody", "--type", "contacts", "--data", location, code=1)
