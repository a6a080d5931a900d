"""`rapport merge` and `rapport import --type merges`."""

import json
from pathlib import Path

import pytest

from tests.helpers.api import make_line
from tests.helpers.command import run_rapport

pytestmark = pytest.mark.slow


def test_merge_moves_activities(tmp_path: Path) -> None:
    lines = [make_line("-5"), make_line("42"), make_line("-5", time="2026-03-02T10:00:00Z")]
    (tmp_path / "all.ndjson").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    run_rapport("import", "--create", "all.ndjson", folder=tmp_path)
    output = run_rapport("merge", "-5", "42", folder=tmp_path).stdout
    assert output == "Merged contact -5 into 42: 1 activities moved, 1 duplicate.\n"
    assert run_rapport("merge", "42", "-5", folder=tmp_path).stdout == "42 and -5 are one contact already: 42.\n"
    assert len(run_rapport("export", "42", folder=tmp_path).stdout.splitlines()) == 2
    assert "must be the id of another contact" in run_rapport("merge", "42", "42", folder=tmp_path, code=1).stderr
    assert run_rapport("check", folder=tmp_path).returncode == 0


def test_merges_are_imported(tmp_path: Path) -> None:
    (tmp_path / "merges.csv").write_text("contact_id,merged_into\nold,42\nolder,old\nolder,old\nx,x\n", "utf-8")
    output = run_rapport("import", "--create", "--type", "merges", "merges.csv", folder=tmp_path, code=1).stdout
    assert output.startswith("merges.csv: 2 accepted, 1 duplicate, 1 rejected")
