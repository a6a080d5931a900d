"""Run the `rapport` command."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, nullcontext
from pathlib import Path

from click.testing import CliRunner, Result

from rapport.cli.main import rapport
from tests.helpers.server import ENVIRONMENT, RAPPORT

_WITHOUT = {name: None for name in os.environ if name not in ENVIRONMENT}


def run_rapport(
    *arguments: str,
    stdin: bytes | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    code: int = 0,
) -> Result:
    """Run `rapport` in this process, which saves starting another, and check its exit code."""

    def run() -> Result:
        with nullcontext() if folder is None else chdir(folder):
            return CliRunner(env={**_WITHOUT, **(environment or {})}).invoke(
                rapport, arguments, input=stdin, prog_name="rapport", catch_exceptions=False
            )

    result = _without_event_loop(run)
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def run_rapport_process(
    *arguments: str,
    stdin: bytes | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    code: int = 0,
) -> subprocess.CompletedProcess[str]:
    """Run `rapport` in a process of its own and check its exit code."""
    process = subprocess.run(
        [RAPPORT, *arguments],
        input=stdin,
        cwd=folder,
        env={**ENVIRONMENT, **(environment or {})},
        capture_output=True,
        check=False,
        timeout=120,
    )
    completed = subprocess.CompletedProcess(
        process.args, process.returncode, process.stdout.decode(), process.stderr.decode()
    )
    assert completed.returncode == code, (completed.stdout, completed.stderr)
    return completed


def _without_event_loop(run: Callable[[], Result]) -> Result:
    """Call the function, in a thread of its own if this one runs an event loop, because commands run theirs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(run).result()
