"""Vendored files are those that vendor/ documents, byte for byte."""

import json
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "vendor"
SHIPPED = ROOT / "src" / "rapport" / "web" / "static" / "vendor"


def test_vendored_files_match_pinned_packages() -> None:
    recorded = json.loads((VENDOR / "shipped.json").read_text())
    locked = json.loads((VENDOR / "package-lock.json").read_text())["packages"]
    expected = json.loads((VENDOR / "package.json").read_text())["dependencies"]
    assert {file.name for file in SHIPPED.iterdir()} == set(recorded)
    for name, of in recorded.items():
        lock = locked[f"node_modules/{of['package']}"]
        assert (expected[of["package"]], lock["version"]) == (of["version"], of["version"])
        assert lock["integrity"].startswith("sha512-")
        content = (SHIPPED / name).read_bytes()
        assert sha256(content).hexdigest() == of["sha256"]
        assert content.startswith(f"/*! {of['package']} {of['version']} | {of['license']} | ".encode())
