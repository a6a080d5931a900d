"""Dependency ranges of the wheel, compared with the locked versions that the tests use."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.helpers.repository import ROOT

CALENDAR_DATA = {"tzdata"}
"""Its major version is the year of the data, so it has no upper bound."""
OVERRIDDEN = {"aiosmtpd"}
"""Its methods are overridden, so exactly the locked version is required."""


def test_dependencies_have_lower_bound_and_next_major_as_upper_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements.lock").read_text().partition("# For tests")[0]
    locked = {name: Version(version) for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE)}
    for dependency in map(Requirement, project["dependencies"]):
        version = locked[canonicalize_name(dependency.name)]
        expected = {f">={version}"}
        if dependency.name in OVERRIDDEN:
            expected = {f"=={version}"}
        elif dependency.name not in CALENDAR_DATA:
            expected.add(f"<{version.major + 1}")
        assert {str(specifier) for specifier in dependency.specifier} == expected, dependency.name


def test_docs_do_not_install_into_system_python() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for command in re.findall(r"^pip3? install .*|`pip3? install [^`]*`", page.read_text(), re.MULTILINE):
            raise AssertionError(f"{page.name}: {command}")


def test_lock_file_names_no_registry() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text()
