"""constraints.txt: a version and a hash of every package, no address, and in agreement with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.paths import ROOT

PIN = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)*)==(\S+) --hash=sha256:([0-9a-f]{64})")
TARGET = {
    "extra": "",
    "python_version": "3.11",
    "python_full_version": "3.11.7",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
AGAIN = "python scripts/regenerate/lock.py"


@pytest.fixture(scope="module")
def lines():
    return [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]


@pytest.fixture(scope="module")
def pins(lines):
    return {found[1]: Version(found[2]) for line in lines if (found := PIN.fullmatch(line))}


def lacking(requirement: str, pins: dict[str, Version]) -> str:
    """What is wrong with a requirement, in words; empty if a version that it allows is pinned, or it is for another platform."""
    wanted = Requirement(requirement)
    name = canonicalize_name(wanted.name)
    if name == "slicebench" or (wanted.marker is not None and not wanted.marker.evaluate(TARGET)):
        return ""
    if name not in pins:
        return f"{requirement} is not pinned"
    allowed = wanted.specifier.contains(pins[name], prereleases=True)
    return "" if allowed else f"{name} is pinned to {pins[name]}, and {requirement} is asked for"


def test_every_line_is_a_version_and_a_hash(lines, pins):
    assert len(pins) == len(lines) > 100
    assert list(pins) == sorted(pins)


def test_there_is_no_address():
    text = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"://|\bfile:|\bindex|\.whl|\.org|\.com", text)


def test_every_direct_dependency_is_pinned_within_its_range(pins):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["project"]["dependencies"],
        *(one for extra in project["project"]["optional-dependencies"].values() for one in extra),
        *project["build-system"]["requires"],
    ]
    assert [said for one in asked if (said := lacking(one, pins))] == [], AGAIN


def test_what_the_pinned_packages_need_is_pinned_too(pins):
    """As far as they are installed here in the pinned version, which tells what they need without asking a registry."""
    seen, wrong = 0, []
    for name, version in pins.items():
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if Version(found.version) == version:
            seen += 1
            wrong += [f"{name}: {said}" for one in found.requires or () if (said := lacking(one, pins))]
    assert wrong == [], AGAIN
    assert seen


def test_a_missing_and_a_wrong_pin_are_seen(pins):
    assert lacking("no-such-package>=1", pins) == "no-such-package>=1 is not pinned"
    assert "is asked for" in lacking("numpy<1", pins)
    assert lacking("numpy<1; sys_platform == 'win32'", pins) == ""
