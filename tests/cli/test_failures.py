"""What goes wrong is told in a sentence that helps, and never as a traceback."""

from pathlib import Path

import pytest

from tests.cli.command import rapport


def refused(data: str) -> str:
    told = rapport("serve", "--data", data, code=1).stderr
    assert "\nError: " in told
    assert "Traceback" not in told
    return told


def test_serve_reports_unusable_data(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "can't be used" in refused(str(tmp_path / "file"))
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "rapport.db").write_bytes(b"torn" * 2_048)
    assert "not a database" in refused(str(tmp_path / "torn"))


@pytest.mark.parametrize("keys", ["{oops", '{"signing":[],"sealing":""}', '{"signing":[{"jwk":{}}],"sealing":""}'])
def test_serve_reports_damaged_keys(tmp_path: Path, keys: str) -> None:
    rapport("token", "--data", str(tmp_path), "--create")
    (tmp_path / "signing-keys.secret.json").write_text(keys)
    assert "from a backup" in refused(str(tmp_path))


@pytest.mark.parametrize("server", ["a b:c:d", "u@127.0.0.1:1", "u@127.0.0.1:99999"])
def test_serve_reports_missing_database(server: str) -> None:
    assert "the database" in refused(f"postgresql://{server}/x")


def test_import_of_missing_file_prints_no_receipt(tmp_path: Path) -> None:
    told = rapport("import", "--create", "none.ndjson", folder=tmp_path, code=1)
    assert "none.ndjson: No such file" in told.stderr
    assert told.stdout == ""


def test_module_in_current_folder_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit(3)")
    (tmp_path / "a.ndjson").write_bytes(b"")
    assert "0 accepted" in rapport("import", "--create", "a.ndjson", folder=tmp_path).stdout


def test_misspelled_name_gets_suggestion(tmp_path: Path) -> None:
    assert "Did you mean import?" in rapport("impotr", code=2).stderr
    told = rapport("token", "--create", folder=tmp_path, environment={"RAPPORT_LIMTIS": "off"}).stderr
    assert "Did you mean RAPPORT_LIMITS?" in told
    assert "must name one" in rapport("token", "--scope", "", folder=tmp_path, code=2).stderr


def test_command_summaries_are_not_truncated() -> None:
    assert "..." not in rapport("--help").stdout.partition("Commands:")[2]
