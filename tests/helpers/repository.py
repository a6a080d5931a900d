"""Copies of the repository."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def copy_repository(folder: Path) -> None:
    """Copy all files that git tracks or would add to `folder`."""
    folder.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    packed = subprocess.run(
        ["tar", "--create", "--files-from", "-"], cwd=ROOT, input=listed.stdout, capture_output=True, check=True
    )
    subprocess.run(["tar", "--extract"], cwd=folder, input=packed.stdout, check=True)
