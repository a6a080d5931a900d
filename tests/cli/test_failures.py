"""Failures are reported in a helpful sentence, never as a traceback."""

from pathlib import Path

import pytest

from tests.helpers.command import run_rapport_process

pytestmark = pytest.mark.slow


def serve_and_fail(location: str) -> str:
    error = run_rapport_process("serve", "--data", location, code=1).stderr
    assert "\nError: " in error
    assert "Traceback" not in error
    return error


def test_serve_reports_unusable_data(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "can't be used" in serve_and_fail(str(tmp_path / "file"))
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "rapport.db").write_bytes(b"torn" * 2_048)
    assert "not a database" in serve_and_fail(str(tmp_path / "torn"))


@pytest.mark.parametrize("keys", ["{oops", '{"signing":[],"sealing":""}', '{"signing":[{"jwk":{}}],"sealing":""}'])
def test_serve_reports_damaged_keys(tmp_path: Path, keys: str) -> None:
    run_rapport_process("token", "create", "--data", str(tmp_path), "--create")
    (tmp_path / "signing-keys.secret.json").write_text(keys)
    assert "from a backup" in serve_and_fail(str(tmp_path))


@pytest.mark.parametrize("server", ["a b:c:d", "u@127.0.0.1:1", "u@127.0.0.1:99999"])
def test_serve_reports_missing_database(server: str) -> None:
    assert "the database" in serve_and_fail(f"postgresql://{server}/x")


def test_import_of_missing_file_prints_no_receipt(tmp_path: Path) -> None:
    process = run_rapport_process("import", "--create", "none.ndjson", folder=tmp_path, code=1)
    assert "none.ndjson: No such file" in process.stderr
    assert process.stdout == ""


def test_module_in_current_folder_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit(3)")
    (tmp_path / "a.ndjson").write_bytes(b"")
    assert "0 accepted" in run_rapport_process("import", "--create", "a.ndjson", folder=tmp_path).stdout


def test_misspelled_name_gets_suggestion(tmp_path: Path) -> None:
    assert "Did you mean import?" in run_rapport_process("impotr", code=2).stderr
    error = run_rapport_process(
        "token", "create", "--create", folder=tmp_path, environment={"RAPPORT_LIMTIS": "off"}
    ).stderr
    assert "Did you mean RAPPORT_LIMITS?" in error
    assert "at least one of" in run_rapport_process("token", "create", "--scope", "", folder=tmp_path, code=2).stderr
