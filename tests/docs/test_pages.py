"""Nothing in the docs that was not run: the shell blocks of a page, one after the other, and the answers they show.

A block `sh` is run; `rapport serve` stays running while the page goes on. A block `json` or `text` right after it is
what it prints on standard output. Blocks without a language are about make and git, and are tried by test_demo; `sql`
is asked by test_sql; `shell` needs a cluster, and is tried by tests/cluster where there is one.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.world import ENVIRONMENT, Server

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
RUN_ELSEWHERE = {"", "ini", "ndjson", "python", "shell", "sql"}


class Block(NamedTuple):
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(*each) for each in found]


def steps(page: Path) -> Iterator[tuple[str, Block | None]]:
    """Each shell block, and the answer shown for it."""
    found = [block for block in blocks(page) if block.language not in RUN_ELSEWHERE]
    for block, following in zip_longest(found, found[1:]):
        if block.language == "sh":
            yield block.text, following if following is not None and following.language != "sh" else None


class Shell:
    """One shell for a whole page: a variable that one block sets is there in the next."""

    def __init__(self, folder: Path, port: int) -> None:
        binaries = Path(sys.executable).parent
        environment = {**ENVIRONMENT, "PATH": f"{binaries}:{os.environ['PATH']}", "RAPPORT_PORT": str(port)}
        self._shell = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail"],
            cwd=folder,
            env={name: value for name, value in environment.items() if name != "RAPPORT_DATA"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._port = port

    def run(self, text: str) -> str:
        """What the block prints."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(text.replace("8080", str(self._port)) + "\nprintf '\\n\\x1e\\n'\n")
        self._shell.stdin.flush()
        told = []
        for line in self._shell.stdout:
            if line == "\x1e\n":
                return "".join(told)
            told.append(line)
        raise AssertionError(f"the shell ended with {self._shell.wait()} in: {text}")

    def close(self) -> None:
        self._shell.communicate(timeout=30)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_says_happens(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    server = Server(str(folder / "data"))
    shell = Shell(folder, server.port)
    try:
        for text, answer in steps(page):
            if text.startswith("rapport serve"):
                server.start()
                continue
            told = shell.run(text)
            if answer is None:
                continue
            if answer.language == "json":
                assert json.loads(told) == json.loads(answer.text), text
            else:
                assert told.rstrip("\n") == answer.text.rstrip("\n"), text
    finally:
        shell.close()
        server.stop()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_run_or_an_answer(page: Path) -> None:
    for block in blocks(page):
        assert block.language in {"sh", "json", "text", *RUN_ELSEWHERE}
        if not block.language:
            assert re.match(r"(make|git) ", block.text)


@pytest.mark.parametrize("page", [*PAGES, DOCS.parent / "README.md"], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)|src=\"([^\":]+)\"", page.read_text()):
        assert (page.parent / "".join(target)).exists(), target
