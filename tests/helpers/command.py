"""Run the `rapport` command, in this process, which is faster, or in one of its own."""

import asyncio
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from subprocess import CompletedProcess
from typing import TextIO
from unittest.mock import patch

from rapport.cli.main import rapport
from tests.helpers.server import ENVIRONMENT, RAPPORT


def run_rapport(
    *arguments: str,
    stdin: bytes = b"",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    code: int = 0,
) -> CompletedProcess[str]:
    """Run a command other than `serve` and `demo` in this process and check its exit code."""

    def run() -> CompletedProcess[str]:
        with ExitStack() as stack:
            if folder is not None:
                stack.enter_context(chdir(folder))
            stack.enter_context(patch.dict(os.environ, {**ENVIRONMENT, **(environment or {})}, clear=True))
            stack.enter_context(patch.object(sys, "stdin", stack.enter_context(_open_pipe(stdin))))
            # Files of the operating system, because commands use the descriptors of their streams.
            stdout, stderr = (stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in range(2))
            stack.enter_context(redirect_stdout(stdout))
            stack.enter_context(redirect_stderr(stderr))
            exit_code = _call(arguments)
            stdout.seek(0)
            stderr.seek(0)
            return CompletedProcess(arguments, exit_code, stdout.read(), stderr.read())

    return _check(_without_event_loop(run), code)


def run_rapport_process(
    *arguments: str,
    stdin: bytes | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    code: int = 0,
) -> CompletedProcess[str]:
    """Run a command in a process of its own and check its exit code."""
    process = subprocess.run(
        [RAPPORT, *arguments],
        input=stdin,
        cwd=folder,
        env={**ENVIRONMENT, **(environment or {})},
        capture_output=True,
        check=False,
        timeout=120,
    )
    return _check(
        CompletedProcess(process.args, process.returncode, process.stdout.decode(), process.stderr.decode()), code
    )


def _check(process: CompletedProcess[str], code: int) -> CompletedProcess[str]:
    assert process.returncode == code, (process.stdout, process.stderr)
    return process


def _call(arguments: tuple[str, ...]) -> int:
    try:
        rapport.main(list(arguments), prog_name="rapport")
    except SystemExit as exc:
        return int(exc.code or 0)
    return 0


@contextmanager
def _open_pipe(content: bytes) -> Iterator[TextIO]:
    """Open a pipe from which the content is read."""
    source, target = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), open(target, "wb") as file:  # noqa: PTH123 - a file descriptor
            file.write(content)

    with ThreadPoolExecutor(1) as executor:
        writing = executor.submit(write)
        with io.TextIOWrapper(open(source, "rb"), encoding="utf-8") as stream:  # noqa: PTH123 - a file descriptor
            yield stream
        writing.result()


def _without_event_loop(run: Callable[[], CompletedProcess[str]]) -> CompletedProcess[str]:
    """Call the function, in a thread of its own if this one runs an event loop, because commands run theirs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(run).result()
