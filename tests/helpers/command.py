"""Run the `rapport` command."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.helpers.server import ENVIRONMENT, RAPPORT


def run_rapport(
    *arguments: str,
    stdin: bytes | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    code: int = 0,
) -> subprocess.CompletedProcess[str]:
    """Run `rapport` with the arguments and check its exit code."""
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
