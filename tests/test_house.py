"""The house itself: which way its imports point, how large its rooms are, and that nothing in it is left unsaid."""

import ast
import functools
import re
from pathlib import Path

from rapport.app import build
from rapport.settings import Settings, sentences, variable
from tests.openapi import description

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "rapport"
FILES = sorted(SOURCE.rglob("*.py"))

WORDS = {"", "activity", "caching", "catalogue", "disconnects", "errors", "instant", "settings"}
INSTRUMENTS = {"logs", "metrics"}

# Which room may import which, besides itself and the words; data flows one way.
ARROWS: dict[str, set[str]] = {
    "store": set(),
    "capture": set(),
    "recording": {"store", "worker", *INSTRUMENTS},
    "reporting": {"store"},
    "auth": {"store"},
    "event_stream": {"reporting", "worker"},
    "pacing": {"worker"},
    "web": {"event_stream", "pacing", "recording", "reporting", "auth", "store"},
    "api": {"event_stream", "pacing", "recording", "reporting", "auth", "web", "store", *INSTRUMENTS},
    "cli": {"recording", "auth", "store", "sample", "worker"},
    "app": {"reporting", "api", "recording", "auth", "web", "store", "worker", *INSTRUMENTS},
    "sample": set(),
    "worker": set(),
    "logs": set(),
    "metrics": set(),
    **{word: set() for word in WORDS},
}


def room(module: str) -> str:
    """The room of `rapport.room.…`; the package itself is ''."""
    return [*module.split("."), ""][1]


def module_of(file: Path) -> str:
    return ".".join(("rapport", *file.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


@functools.cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def imports(tree: ast.AST) -> list[tuple[str, ast.stmt]]:
    found: list[tuple[str, ast.stmt]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", node))
            # `from rapport import metrics` names a room by its alias.
            found += [(f"{node.module}.{alias.name}", node) for alias in node.names if node.module == "rapport"]
    return found


def own(found: list[tuple[str, ast.stmt]]) -> set[str]:
    return {name for name, _ in found if name.split(".")[0] == "rapport"}


def test_imports_point_one_way() -> None:
    for file in FILES:
        here = room(module_of(file))
        allowed = {here, *WORDS, *ARROWS[here]}
        names = {room(name) for name in own(imports(tree_of(file)))}
        assert names - {"__version__"} <= allowed, file


def test_no_modules_import_each_other_in_a_circle() -> None:
    edges = {module_of(file): own(imports(tree_of(file))) for file in FILES}
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, f"a circle: {' → '.join([*above, module])}"
        if module in done or module not in edges:
            return
        for other in edges[module]:
            visit(other, (*above, module))
        done.add(module)

    for module in edges:
        visit(module, ())


def test_nothing_is_imported_inside_a_function() -> None:
    for file in FILES:
        at_the_top = {id(node) for node in tree_of(file).body}
        inside = [node.lineno for _, node in imports(tree_of(file)) if id(node) not in at_the_top]
        assert inside == [], file


def test_files_and_functions_fit() -> None:
    for file in FILES:
        assert file.read_text().count("\n") <= 400, file
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, (file, node.name)


def test_only_the_settings_read_the_environment() -> None:
    for file in FILES:
        read = re.findall(r"os\.(?:environ\.get|getenv)|os\.environ\[[^\]]*\](?! =)", file.read_text())
        assert not [each for each in read if "SHARED_FOLDER" not in each and file.name != "settings.py"], file


def test_every_setting_has_one_line_in_the_docs() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    assert rows == [variable(name) for name in sentences()]


OF_PAGES = ("/account", "/schema", "/static/", "/sign-", "/connect", "/contacts/", "/activities/", "/live")
"""What people look at; tests/web says who may."""


def test_every_route_is_described_and_nothing_else_is() -> None:
    watched = build(Settings(data="/nonexistent"))
    served = {path for path in watched.paths if not path.startswith(OF_PAGES)}
    assert (served - {"/"}) | {"/schema/openapi.json"} == set(description()["paths"])
