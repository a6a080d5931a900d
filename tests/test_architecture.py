"""Rules about the source that neither Ruff nor import-linter can express."""

import ast
import re
from pathlib import Path

import pytest

from rapport.app import build
from rapport.settings import Settings, format_value, setting_help, variable_name
from tests.helpers.openapi import get_openapi

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "rapport"
FILES = sorted(SOURCE.rglob("*.py"))

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

PAGE_PATHS = (
    *("/account", "/activate", "/activities/", "/applications", "/connect", "/contacts/", "/forgotten-password"),
    *("/hooks", "/in/", "/invitations/", "/live", "/people", "/profile", "/schema", "/sign-", "/static/"),
)
"""Beginnings of the paths of pages; tests/web checks who may see them."""

every_file = pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(SOURCE)) for file in FILES])


@every_file
def test_file_and_its_functions_are_short(file: Path) -> None:
    source = file.read_text()
    assert source.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


@every_file
def test_only_settings_read_environment(file: Path) -> None:
    reads = re.findall(r"os\.(?:environ\.get|getenv)|os\.environ\[[^\]]*\](?! =)", file.read_text())
    assert not [read for read in reads if "SHARED_FOLDER" not in read and file.name != "settings.py"]


def test_settings_page_has_help_text_and_default_of_every_setting() -> None:
    rows = []
    for name, text in setting_help().items():
        default = format_value(getattr(Settings(), name))
        rows.append(
            f"| `{variable_name(name)}` | {f'`{default}`' if default else ''} | {text} |".replace("|  |", "| |")
        )
    table = "\n".join(["| Variable | Default | Description |", "|---|---|---|", *rows])
    assert table in (ROOT / "docs" / "settings.md").read_text(), f"docs/settings.md should contain:\n{table}"


def test_openapi_document_describes_every_api_route() -> None:
    application = build(Settings(data="/nonexistent"))
    served = {path for path in application.paths if not path.startswith(PAGE_PATHS)}
    assert (served - {"/"}) | {"/schema/openapi.json"} == set(get_openapi()["paths"])
