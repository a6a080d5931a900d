"""The store that a command uses: it is printed, and created only with --create."""

import json
import os
from pathlib import Path

import pytest

from rapport.errors import DataNotFound
from rapport.settings import Settings
from rapport.store.engines import format_location, open_store
from tests.helpers.api import make_line
from tests.helpers.command import run_rapport
from tests.helpers.loop import run_async
from tests.helpers.server import Server

pytestmark = pytest.mark.slow

COMMANDS = {
    "token create": ["token", "create"],
    "token list": ["token", "list"],
    "token revoke": ["token", "revoke", "none"],
    "import": ["import", "-"],
    "export": ["export", "c1"],
    "erase": ["erase", "c1", "--yes"],
    "migrate": ["migrate"],
    "backup": ["backup", "copy"],
    "check": ["check"],
    "sign-in": ["sign-in"],
    "keys list": ["keys", "list"],
    "keys rotate": ["keys", "rotate"],
}
CREATING = [["token", "create"], ["import", "-"], ["migrate"]]
NEW = "a new, empty store was created"


def store_exists(location: str) -> bool:
    async def look() -> None:
        async with open_store(Settings(data=location), create=False):
            pass

    try:
        run_async(look())
    except DataNotFound:
        return False
    return True


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_command_in_wrong_folder_creates_nothing(tmp_path: Path, command: list[str]) -> None:
    refused = run_rapport(*command, folder=tmp_path, stdin=b"", code=1)
    assert f"Error: there is no data in {tmp_path}/data: " in refused.stderr
    assert "rapport import --create" in refused.stderr
    assert refused.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", CREATING, ids=" ".join)
def test_store_is_created_only_with_create(missing_location: str, command: list[str]) -> None:
    run_rapport(*command, "--data", missing_location, stdin=b"", code=1)
    assert not store_exists(missing_location)
    assert NEW in run_rapport(*command, "--data", missing_location, "--create", stdin=b"").stderr
    assert store_exists(missing_location)
    for create in ([], ["--create"]):
        assert NEW not in run_rapport(*command, "--data", missing_location, *create, stdin=b"").stderr


def test_copy_target_is_created_only_with_create(location: str, tmp_path: Path) -> None:
    run_rapport("import", "-", "--data", location, stdin=json.dumps(make_line()).encode())
    target = tmp_path / "target"
    refused = run_rapport("copy", "--from", location, "--to", str(target), code=1).stderr
    assert f"there is no data in {target}: check --to, or add --create" in refused
    assert not target.exists()
    copied = run_rapport("copy", "--from", location, "--to", str(target), "--create")
    assert f"using the data in {format_location(location)}\n" in copied.stderr
    assert f"using the data in {target}\n" in copied.stderr
    assert "1 activities are the same in both" in copied.stdout


def test_serve_creates_store_and_prints_path(missing_location: str) -> None:
    with Server(missing_location) as server:
        log = server.log.read_text()
    assert f"using the data in {format_location(missing_location)}\n" in log
    assert NEW in log


@pytest.mark.parametrize("name", COMMANDS)
def test_command_prints_absolute_path_to_stderr(tmp_path: Path, name: str) -> None:
    run_rapport("import", "-", "--create", folder=tmp_path, stdin=json.dumps(make_line()).encode())
    (tmp_path / "elsewhere").mkdir()
    result = run_rapport(
        *COMMANDS[name],
        *("--data", "../data"),
        folder=tmp_path / "elsewhere",
        stdin=b"",
        code=1 if name == "token revoke" else 0,
    )
    assert result.stderr.startswith(f"rapport: using the data in {tmp_path}/data\n")
    assert "rapport:" not in result.stdout


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:secret@db/rapport", "postgresql://ada@db/rapport"),
        ("postgres://ada:se@cret@db:5432/rapport", "postgres://ada@db:5432/rapport"),
        ("postgresql://ada:secret@one,two/rapport?target_session_attrs=any", "postgresql://ada@one,two/rapport"),
        ("postgresql://ada:se?cret@db/rapport", "postgresql://ada@db/rapport"),
        ("postgresql://ada:se#cret@db/rapport", "postgresql://ada@db/rapport"),
        ("postgresql://ada:se/cret@db/rapport", "postgresql://ada@db/rapport"),
        ("postgresql://db/rapport?user=ada&password=secret", "postgresql://db/rapport"),
        ("postgresql://ada@db/rapport?application_name=a@b", "postgresql://ada@db/rapport"),
        ("postgresql:///rapport", "postgresql:///rapport"),
    ],
)
def test_database_location_omits_password(url: str, shown: str) -> None:
    assert format_location(url) == shown


def test_database_password_is_not_printed() -> None:
    refused = run_rapport("check", "--data", "postgresql://ada:secret@127.0.0.1:1/none", code=1)
    assert "using the data in postgresql://ada@127.0.0.1:1/none" in refused.stderr
    assert "secret" not in refused.stdout + refused.stderr


def test_directory_readable_by_others_is_reported_and_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    created = run_rapport("token", "create", "--create", "--data", str(folder))
    assert f"others can list the files in {folder}: chmod 700" in created.stderr
    assert folder.stat().st_mode & 0o777 == 0o755
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    folder.chmod(0o750)
    assert "others can list" not in run_rapport("token", "create", "--data", str(folder)).stderr


def test_new_directory_is_private_to_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        created = run_rapport("token", "create", "--create", "--data", str(tmp_path / "data"))
    finally:
        os.umask(before)
    assert "others can list" not in created.stderr
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
