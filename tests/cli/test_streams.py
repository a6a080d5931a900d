"""Closed streams, full disks, unreadable files: each ends a command with a sentence, never with a traceback."""

import json
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.helpers.api import make_line
from tests.helpers.command import run_rapport, run_rapport_process
from tests.helpers.network import find_free_port
from tests.helpers.server import ENVIRONMENT, RAPPORT

pytestmark = pytest.mark.slow

PRINTING = {
    "token create": ["token", "create"],
    "token list": ["token", "list"],
    "import": ["import", "a.ndjson"],
    "export": ["export", "c1"],
    "erase": ["erase", "c1", "--yes"],
    "migrate": ["migrate"],
    "backup": ["backup", "copy"],
    "check": ["check"],
    "sign-in": ["sign-in"],
    "keys list": ["keys", "list"],
    "keys rotate": ["keys", "rotate"],
    "copy": ["copy", "--from", "data", "--to", "target", "--create"],
    "demo": ["demo", "--contacts", "1", "--data", "demo"],
}


def run_in_shell(
    folder: Path, *arguments: str, redirection: str, unbuffered: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `rapport` in a shell, with redirections or a pipe."""
    return subprocess.run(
        ["bash", "-c", f"{shlex.join([RAPPORT, *arguments])} {redirection}"],
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def assert_sentence(result: subprocess.CompletedProcess[str], sentence: str, code: int = 1) -> None:
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert "Exception" not in result.stderr
    assert sentence in result.stderr, result.stderr


@pytest.fixture(scope="module")
def original_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    (folder / "a.ndjson").write_text(json.dumps(make_line()) + "\n")
    run_rapport("import", "--create", "a.ndjson", folder=folder)
    return folder


@pytest.fixture
def folder(original_folder: Path, tmp_path: Path) -> Path:
    """A folder with a store in ./data."""
    return shutil.copytree(original_folder, tmp_path, dirs_exist_ok=True)


def test_import_reports_closed_stdin(folder: Path) -> None:
    assert_sentence(run_in_shell(folder, "import", "-", redirection="<&-"), "Error: -: standard input is closed")


def test_import_reports_write_only_stdin(folder: Path) -> None:
    assert_sentence(
        run_in_shell(folder, "import", "-", redirection="0>unreadable"), "Error: -: can't be read to the end"
    )


def test_erase_without_terminal_requires_yes(folder: Path) -> None:
    assert_sentence(run_in_shell(folder, "erase", "c1", redirection="<&-"), "add --yes", code=2)
    assert_sentence(run_in_shell(folder, "erase", "c1", redirection="</dev/null"), "Aborted")
    assert "em_opens" in run_rapport("export", "c1", folder=folder).stdout


@pytest.mark.parametrize("name", PRINTING)
def test_closed_stdout_is_reported(folder: Path, name: str) -> None:
    assert_sentence(run_in_shell(folder, *PRINTING[name], redirection=">&-"), "Error: standard output is closed")
    # Since it couldn't be reported, it wasn't done.
    assert "em_opens" in run_rapport("export", "c1", folder=folder).stdout


@pytest.mark.parametrize("name", [name for name in PRINTING if name != "demo"])
def test_full_disk_on_stdout_is_reported(folder: Path, name: str) -> None:
    result = run_in_shell(folder, *PRINTING[name], redirection=">/dev/full")
    assert_sentence(result, "Error: the output can't be written: No space left on device")


def test_full_disk_on_unbuffered_stdout_is_reported(folder: Path) -> None:
    result = run_in_shell(folder, "token", "create", redirection=">/dev/full", unbuffered="1")
    assert_sentence(result, "Error: the output can't be written: No space left on device")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["import", "--help"]], ids=" ".join)
def test_full_disk_on_help_is_reported(tmp_path: Path, arguments: list[str]) -> None:
    assert_sentence(run_in_shell(tmp_path, *arguments, redirection=">/dev/full"), "No space left on device")


def test_closed_pipe_ends_export_quietly(folder: Path) -> None:
    lines = "\n".join(json.dumps(make_line(time=1_767_225_600_000 + number)) for number in range(20_000))
    run_rapport("import", "-", folder=folder, stdin=lines.encode())
    result = run_in_shell(folder, "export", "c1", redirection="| head -n 1")
    assert result.returncode == 0
    assert result.stdout.count("\n") == 1
    assert result.stderr == f"rapport: using the data in {folder}/data\n"


def test_closed_streams_do_not_damage_database(folder: Path) -> None:
    port = find_free_port()
    command = [RAPPORT, "serve", "--port", str(port)]
    with subprocess.Popen(["bash", "-c", f"exec {shlex.join(command)} <&- >&- 2>&-"], cwd=folder) as server:
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == httpx.codes.OK:
                    break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                assert server.poll() is None
                time.sleep(0.05)
        server.terminate()
        assert server.wait(30) == 0
    assert run_rapport("check", folder=folder).stdout == "All counters match.\n"


def test_full_disk_on_rejected_lines_is_reported(folder: Path) -> None:
    (folder / "b.ndjson").write_text("{oops}\n" * 60_000)
    result = subprocess.run(
        ["bash", "-c", f"ulimit -f 2048; exec {RAPPORT} import b.ndjson"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert_sentence(result, "Error: b.ndjson: can't write rejected lines to b.ndjson.rejected.ndjson: File too")


def test_full_disk_on_database_is_reported(folder: Path) -> None:
    lines = "\n".join(json.dumps(make_line(f"c{number}")) for number in range(30_000))
    result = subprocess.run(
        ["bash", "-c", f"ulimit -f 1024; exec {RAPPORT} import -"],
        cwd=folder,
        input=lines,
        capture_output=True,
        text=True,
        check=False,
    )
    assert_sentence(result, "Error: the database can't be used now")
    assert run_rapport("check", folder=folder).stdout == "All counters match.\n"


def test_rejected_lines_are_readable_by_owner_only(folder: Path) -> None:
    (folder / "b.ndjson").write_text("{oops}\n")
    before = os.umask(0)
    try:
        run_rapport("import", "b.ndjson", folder=folder, code=1)
    finally:
        os.umask(before)
    rejected = folder / "b.ndjson.rejected.ndjson"
    assert rejected.stat().st_mode & 0o777 == 0o600


def test_rejected_lines_replace_symlink_and_keep_its_target(folder: Path) -> None:
    (folder / "b.ndjson").write_text("{oops}\n")
    (folder / "target").write_text("precious")
    (folder / "b.ndjson.rejected.ndjson").symlink_to("target")
    run_rapport("import", "b.ndjson", folder=folder, code=1)
    assert (folder / "target").read_text() == "precious"
    assert "oops" in (folder / "b.ndjson.rejected.ndjson").read_text()


@pytest.mark.parametrize("what", ["activities", "contacts", "campaigns"])
def test_unreadable_files_are_reported(folder: Path, what: str) -> None:
    (folder / "folder.ndjson").mkdir()
    (folder / "loop.ndjson").symlink_to("loop.ndjson")
    for name, reason in (
        ("folder.ndjson", "Is a directory"),
        ("none.ndjson", "No such file or directory"),
        ("a.ndjson/b.ndjson", "Not a directory"),
        ("loop.ndjson", "Too many levels of symbolic links"),
        ("x" * 300 + ".ndjson", "File name too long"),
        ("a.txt", "No such file or directory"),
    ):
        assert_sentence(
            run_in_shell(folder, "import", name, "--type", what, redirection=""), f"Error: {name}: {reason}"
        )


def test_directory_with_name_of_rejected_lines_is_reported(folder: Path) -> None:
    (folder / "a.ndjson.rejected.ndjson").mkdir()
    assert_sentence(run_in_shell(folder, "import", "a.ndjson", redirection=""), "can't write rejected lines")


@pytest.mark.parametrize("command", ["token", "check", "serve", "import"])
def test_data_that_is_not_a_directory_is_reported(folder: Path, command: str) -> None:
    (folder / "other" / "rapport.db").mkdir(parents=True)
    arguments = {
        "token": ["token", "create"],
        "import": ["import", "a.ndjson"],
        "serve": ["serve", "--port", str(find_free_port())],
    }
    for data, reason in (
        ("a.ndjson", "there is no data in" if command != "serve" else "can't be used: File exists"),
        ("other", "can't be used: Is a directory"),
        ("x" * 300, "File name too long"),
    ):
        assert_sentence(
            run_in_shell(folder, *arguments.get(command, [command]), "--data", data, redirection=""), reason
        )


def test_unprintable_names_are_escaped(folder: Path) -> None:
    name = os.fsencode("x").replace(b"x", b"caf\xe9.ndjson")
    (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_text("{oops}\n")
    result = subprocess.run([RAPPORT, "import", name], cwd=folder, capture_output=True, check=False)
    assert (result.returncode, result.stdout) == (
        1,
        b"caf\\udce9.ndjson: 0 accepted, 0 duplicate, 1 rejected; see caf\\udce9.ndjson.rejected.ndjson\n",
    )
    environment = {"PYTHONIOENCODING": "ascii"}
    assert "Usage" in run_rapport_process("import", "--help", folder=folder, environment=environment).stdout
