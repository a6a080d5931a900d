"""The command, run as people run it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.world import ENVIRONMENT, RAPPORT


def rapport(
    *arguments: str,
    given: bytes | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    code: int = 0,
) -> subprocess.CompletedProcess[str]:
    """Run `rapport` with the arguments; it must end with the exit code."""
    ran = subprocess.run(
        [RAPPORT, *arguments],
        input=given,
        cwd=folder,
        env={**ENVIRONMENT, **(environment or {})},
        capture_output=True,
        check=False,
        timeout=120,
    )
    told = subprocess.CompletedProcess(ran.args, ran.returncode, ran.stdout.decode(), ran.stderr.decode())
    assert told.returncode == code, (told.stdout, told.stderr)
    return told
