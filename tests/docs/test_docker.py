"""The Dockerfile and compose.yaml, as far as they can be checked without Docker."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.helpers.repository import ROOT, copy_repository
from tests.helpers.server import ENVIRONMENT, Server

BINARIES = Path(sys.executable).parent
INSTALLED = "/opt/rapport"
ARCHITECTURES = ("x86_64", "aarch64")


class Instruction(NamedTuple):
    """An instruction of the Dockerfile, and the number of the stage it is in, counted from 1."""

    stage: int
    name: str
    arguments: str


def read_instructions() -> Iterator[Instruction]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    stage = 0
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        name, _, arguments = line.partition(" ")
        stage += name == "FROM"
        yield Instruction(stage, name, arguments.strip())


def find_arguments(name: str, stage: int) -> list[str]:
    return [
        instruction.arguments
        for instruction in read_instructions()
        if (instruction.name, instruction.stage) == (name, stage)
    ]


def read_environment() -> dict[str, str]:
    """Return the environment variables that the image sets."""
    pairs = (pair.partition("=") for arguments in find_arguments("ENV", 2) for pair in shlex.split(arguments))
    return {name: value for name, _, value in pairs}


def create_build_context(folder: Path) -> Path:
    """Copy the files that .dockerignore includes; it excludes everything else."""
    clone, context = folder / "clone", folder / "context"
    copy_repository(clone)
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert patterns[0] == "*"
    for pattern in patterns[1:]:
        if pattern.startswith("!"):
            target = context / pattern[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            source = clone / pattern[1:]
            shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    return context


def replay_copy(arguments: str, context: Path, workdir: Path) -> None:
    *sources, target = arguments.split()
    for source in sources:
        destination = workdir / target
        if target.endswith("/"):
            destination /= Path(source).name
        destination.parent.mkdir(parents=True, exist_ok=True)
        if (context / source).is_dir():
            shutil.copytree(context / source, destination)
        else:
            shutil.copy2(context / source, destination)


@pytest.mark.slow
def test_docker_build_stage_installs_healthy_server(tmp_path: Path) -> None:
    context, workdir, installed = create_build_context(tmp_path), tmp_path / "build", tmp_path / "opt"
    workdir.mkdir()
    for instruction in read_instructions():
        if instruction.stage != 1:
            continue
        if instruction.name == "COPY":
            replay_copy(instruction.arguments, context, workdir)
        elif instruction.name == "RUN":
            command = instruction.arguments.replace(INSTALLED, str(installed))
            subprocess.run(["sh", "-c", command], cwd=workdir, check=True)
    assert find_arguments("COPY", 2) == [f"--from=build {INSTALLED} {INSTALLED}"]
    shutil.rmtree(workdir)
    assert find_arguments("ENTRYPOINT", 2) == ['["rapport"]']
    assert find_arguments("CMD", 2) == ['["serve"]']
    rapport = installed / "bin" / "rapport"
    version = subprocess.run([rapport, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert re.search(r"version \d", version)

    (health,) = find_arguments("HEALTHCHECK", 2)
    command = [part.replace(INSTALLED, str(installed)) for part in json.loads(health[health.index("[") :])]
    server = Server(str(tmp_path / "data"), command=str(rapport))
    environment = {**ENVIRONMENT, "RAPPORT_PORT": str(server.port)}
    with server:
        subprocess.run(command, env=environment, check=True)
    assert subprocess.run(command, env=environment, check=False, capture_output=True).returncode == 1


def test_image_does_not_run_as_root() -> None:
    (user,) = find_arguments("USER", 2)
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    data = read_environment()["RAPPORT_DATA"]
    assert find_arguments("VOLUME", 2) == [data]
    (setup,) = find_arguments("RUN", 2)
    uid, gid = user.split(":")
    for expected in (f"--uid {uid}", f"--gid {gid}", f"--mode=0700 {data}"):
        assert expected in setup


@pytest.mark.slow
def test_every_dependency_has_wheels_for_both_architectures(tmp_path: Path) -> None:
    (image, *_) = find_arguments("FROM", 1)
    version = re.match(r"python:(\d+\.\d+)-slim ", image)
    assert version is not None
    run = tmp_path / "run.lock"
    run.write_text((ROOT / "requirements.lock").read_text().partition("# For tests")[0])
    for architecture in ARCHITECTURES:
        platforms = [
            argument
            for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")
            for argument in ("--platform", f"{tag}_{architecture}")
        ]
        downloaded = subprocess.run(
            [
                *(BINARIES / "python", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
                *("--only-binary=:all:", "--implementation", "cp", "--python-version", version[1], *platforms),
                *("--requirement", run, "--dest", tmp_path / architecture),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert downloaded.returncode == 0, downloaded.stderr


def test_dockerfile_passes_hadolint() -> None:
    linted = subprocess.run([BINARIES / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")


def test_compose_file_matches_schema() -> None:
    checked = subprocess.run(
        [BINARIES / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def read_services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return services


def test_compose_profiles_publish_on_loopback_only() -> None:
    services = read_services()
    profiles = {name: service["profiles"] for name, service in services.items()}
    assert profiles == {
        "rapport": ["sqlite"],
        "rapport-postgresql": ["postgresql"],
        "postgresql": ["postgresql"],
    }
    assert services["rapport"]["volumes"] == [f"data:{read_environment()['RAPPORT_DATA']}"]
    assert services["rapport-postgresql"]["depends_on"] == {"postgresql": {"condition": "service_healthy"}}
    url = services["rapport-postgresql"]["environment"]["RAPPORT_DATA"]
    postgresql = services["postgresql"]["environment"]
    assert url == f"postgresql://{postgresql['POSTGRES_USER']}@postgresql/{postgresql['POSTGRES_DB']}"
    for name in ("rapport", "rapport-postgresql"):
        assert services[name]["ports"] == ["127.0.0.1:8080:8080"]
        assert services[name]["cap_drop"] == ["ALL"]
    for service in services.values():
        # Official images, without a registry.
        assert re.fullmatch(r"[a-z]+(:\d+)?", service["image"])


@pytest.mark.parametrize("page", ["docker", "upgrade"])
def test_docker_commands_in_docs_use_existing_names(page: str) -> None:
    services = read_services()
    profiles = {profile for service in services.values() for profile in service["profiles"]}
    text = (ROOT / "docs" / f"{page}.md").read_text()
    commands = "".join(re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)).splitlines()
    assert commands
    assert set(re.findall(r"COMPOSE_PROFILES=(\w+)", text)) <= profiles
    for command in commands:
        assert command.startswith(("docker compose ", "docker build", "docker run ", "export ", "git ")), command
        for service in re.findall(r"^docker compose (?:exec(?: --no-TTY)?|logs|stop|cp) ([a-z-]+)", command):
            assert service in services, command
