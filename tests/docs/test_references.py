"""References lead to documents that a reader of this repository can open."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "bench", "docs", "examples", "scripts")
SUFFIXES = {".html", ".js", ".md", ".py", ".sql", ".toml", ".yaml", ".yml"}

OUTSIDE = re.compile(
    r"\b(?:contract|choices?|design|issue|finding)s?,? (?:#|section |choices? )?\d+(?:\.\d+)*\b|\.\./shared\b",
    re.IGNORECASE,
)
"""A numbered reference to a document that isn't in the repository."""

LINK = re.compile(r"(?:docs/|\]\()([\w-]+\.md)?#([\w-]+)")
"""A page under `docs/` with an anchor, anywhere; and the target of a Markdown link, with or without a page."""


def list_text_files() -> Iterator[Path]:
    """Yield every text file that we write."""
    yield from ROOT.glob("*.md")
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and not {"vendor", "node_modules"} & set(path.parts):
                yield path


@cache
def list_anchors(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    results: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        number = 0
        anchor = slug
        while anchor in results:
            number += 1
            anchor = f"{slug}-{number}"
        results.add(anchor)
    return frozenset(results)


def list_links(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the page and the anchor of every link in a file."""
    for page, anchor in LINK.findall(path.read_text()):
        if page:
            yield ROOT / "docs" / page, anchor
        elif path.suffix == ".md":
            yield path, anchor


@pytest.mark.parametrize("number", ["3.2", "32"])
@pytest.mark.parametrize(
    "document", ["contract", "choice", "choices", "design", "contract, choice", "issue #", "Finding"]
)
def test_numbered_references_to_other_documents_are_recognized(document: str, number: str) -> None:
    assert OUTSIDE.search(f"Return the page ({document} {number}).".replace("# ", "#"))


def test_no_file_references_document_outside_repository() -> None:
    references = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in list_text_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (match := OUTSIDE.search(line))
    ]
    assert not references


def test_every_anchor_exists() -> None:
    checked = [(path, page, anchor) for path in list_text_files() for page, anchor in list_links(path)]
    assert len(checked) > 20
    missing = [
        f"{path.relative_to(ROOT)}: {page.name}#{anchor}"
        for path, page, anchor in checked
        if not page.exists() or anchor not in list_anchors(page)
    ]
    assert not missing


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_every_named_link_is_defined_and_used(page: Path) -> None:
    """A label such as `[rate limits]` without a definition would appear as it is, in brackets."""
    text = re.sub(r"^```.*?^```$|`[^`]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    definitions = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", text, re.MULTILINE))
    text = re.sub(r"^\[[^\]]+\]: \S+$", "", text, flags=re.MULTILINE)
    labels = {" ".join(label.split()) for label in re.findall(r"\[([^\]]+)\](?!\(|\[)", text)}
    assert labels == definitions.keys()


def test_tests_named_in_docs_exist() -> None:
    files = list((ROOT / "tests").rglob("*.py"))
    known = {path.stem for path in files} | {path.name for path in files}
    for path in files:
        known.update(re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))
    named = {
        (page.name, name)
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
        for name in re.findall(r"`(test_\w+)`", page.read_text())
    }
    assert not {(page, name) for page, name in named if name not in known}
