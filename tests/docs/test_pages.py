"""The shell blocks of the docs, run in order, and their output, compared with what the docs show.

An `sh` block is run in a terminal; `rapport serve` keeps running there, and the following blocks are run in another
terminal, as the pages say. A `json` or `text` block right after it is its standard output. Blocks without a language
are about make and git, and covered by test_demo; `sql` is covered by test_sql; `shell` needs a cluster, and is covered
by tests/cluster; `console` needs Docker, and is checked against compose.yaml by test_docker.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.helpers.network import find_free_port
from tests.helpers.repository import copy_repository
from tests.helpers.server import ENVIRONMENT

DOCS = Path(__file__).parents[2] / "docs"
BINARIES = Path(sys.executable).parent
PAGES = sorted(DOCS.glob("*.md"))
RUN_ELSEWHERE = {"", "console", "ini", "ndjson", "python", "shell", "sql"}


class Block(NamedTuple):
    language: str
    text: str


def read_blocks(page: Path) -> list[Block]:
    results = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(*block) for block in results]


def read_steps(page: Path) -> Iterator[tuple[str, Block | None]]:
    """Yield each shell block with the output shown for it."""
    results = [block for block in read_blocks(page) if block.language not in RUN_ELSEWHERE]
    for block, following in zip_longest(results, results[1:]):
        if block.language == "sh":
            yield block.text, following if following is not None and following.language != "sh" else None


class Terminal:
    """A terminal with a shell, which keeps its variables from block to block."""

    def __init__(self, folder: Path, environment: Mapping[str, str], port: int) -> None:
        self._port = port
        self._shell = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, text: str) -> str:
        """Run the block and return its output."""
        # The shell would wait for the rest of an incomplete command for ever.
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)
        self._type(text + "\nprintf '\\n\\x1e\\n'\n")
        assert self._shell.stdout is not None
        printed = []
        for line in self._shell.stdout:
            if line == "\x1e\n":
                return "".join(printed)
            printed.append(line)
        raise AssertionError(f"the shell ended with {self._shell.wait()} in: {text}")

    def serve(self, text: str) -> None:
        """Run a block that starts a server, and wait until it is ready. The terminal is busy from then on."""
        self._type(text)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{self._port}/readyz").status_code == httpx.codes.OK:
                    return
            assert time.monotonic() < deadline, f"no server after: {text}"
            assert self._shell.poll() is None, f"the shell ended in: {text}"
            time.sleep(0.05)

    def close(self) -> None:
        """Press Ctrl-C and close the window."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._shell.communicate(timeout=30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)

    def _type(self, text: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(text.replace("8080", str(self._port)))
        self._shell.stdin.flush()


class Reader:
    """A reader who follows a page and opens terminals as it says."""

    def __init__(self, page: Path, home: Path) -> None:
        self._port = find_free_port()
        self._home = home
        self._environment = {name: value for name, value in ENVIRONMENT.items() if name != "RAPPORT_DATA"}
        self._environment |= {"HOME": str(home), "RAPPORT_PORT": str(self._port), "RAPPORT_LOG": "quiet"}
        if page.stem == "quick-start":
            # It begins with a clone and `make demo`, which test_demo covers, and sets PATH itself.
            copy_repository(home / "rapport")
            (home / "rapport" / ".venv").symlink_to(BINARIES.parent)
            others = [folder for folder in os.environ["PATH"].split(":") if Path(folder) != BINARIES]
            self._environment["PATH"] = ":".join(others)
            assert shutil.which("rapport", path=self._environment["PATH"]) is None
        else:
            self._environment["PATH"] = f"{BINARIES}:{os.environ['PATH']}"
        self._terminals = [self.open_terminal()]

    def open_terminal(self) -> Terminal:
        """Open a new terminal in the home directory."""
        return Terminal(self._home, self._environment, self._port)

    def run(self, text: str) -> str:
        """Run the block in the current terminal."""
        if not text.startswith("rapport serve"):
            return self._terminals[-1].run(text)
        self._terminals[-1].serve(text)
        self._terminals.append(self.open_terminal())
        return ""

    def close(self) -> None:
        """Close all terminals."""
        for terminal in reversed(self._terminals):
            terminal.close()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_shell_blocks_of_page_print_documented_output(page: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    reader = Reader(page, home)
    try:
        for text, response in read_steps(page):
            printed = reader.run(text)
            if response is None:
                continue
            if response.language == "json":
                assert json.loads(printed) == json.loads(response.text), text
            else:
                assert printed.rstrip("\n") == response.text.rstrip("\n"), text
    finally:
        reader.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_run_or_compared(page: Path) -> None:
    for block in read_blocks(page):
        assert block.language in {"sh", "json", "text", *RUN_ELSEWHERE}
        if not block.language:
            assert re.match(r"(make|git) ", block.text)


@pytest.mark.parametrize("page", [*PAGES, DOCS.parent / "README.md"], ids=lambda page: page.stem)
def test_links_have_targets(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)|src=\"([^\":]+)\"", page.read_text()):
        assert (page.parent / "".join(target)).exists(), target
