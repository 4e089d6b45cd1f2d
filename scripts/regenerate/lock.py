"""Write constraints.txt: the version and SHA-256 of every package that slicebench with all its extras installs.

    python scripts/regenerate/lock.py                           # resolve with this pip, and write
    python scripts/regenerate/lock.py --check                   # exit code 1 if the file is outdated
    python scripts/regenerate/lock.py --hold 'torch<=2.14.1'    # with an extra requirement

pip resolves in a temporary virtual environment and installs nothing there. The hashes are those of
the files for this Python and platform, so run it where they will be used: CPython 3.11, Linux,
x86_64.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import tomllib
import venv
from datetime import UTC, datetime
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FILE = ROOT / "constraints.txt"
HEADER = """\
# Every package that `pip install 'slicebench[{extras}]'` installs,
# for CPython {python} on {system} {machine}; resolved on {date} by scripts/regenerate/lock.py.
# Its use (docs/reference/reliability.md):
#     pip install --require-hashes -r constraints.txt && pip install --no-deps --no-build-isolation .
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the file differs")
    parser.add_argument(
        "--hold",
        action="append",
        default=[],
        metavar="REQUIREMENT",
        help="extra requirement to resolve with; repeatable",
    )
    arguments = parser.parse_args()
    extras = sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    pins = pinned(resolved([f"{ROOT}[{','.join(extras)}]", *arguments.hold]))
    if arguments.check:
        return differing(pins)
    header = HEADER.format(
        extras=",".join(extras),
        python=".".join(platform.python_version_tuple()[:2]),
        system=platform.system(),
        machine=platform.machine(),
        date=datetime.now(UTC).date(),
    )
    FILE.write_text(header + "\n".join(pins) + "\n")
    print(f"{FILE}: {len(pins)} packages")
    return 0


def resolved(requirements: list[str]) -> list[dict]:
    """List what pip would install into an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        report = Path(folder) / "report.json"
        command = [Path(folder) / "bin" / "python", "-m", "pip", "install", "--quiet", "--dry-run", "--report", report]
        done = subprocess.run([*command, *requirements], check=False)
        if done.returncode:
            sys.exit(done.returncode)
        return json.loads(report.read_text())["install"]


def pinned(items: list[dict]) -> list[str]:
    """Write sorted lines "name==version --hash=sha256:...", without slicebench itself."""
    found = {}
    for item in items:
        name, version = canonicalize_name(item["metadata"]["name"]), item["metadata"]["version"]
        if name != "slicebench":
            found[name] = f"{name}=={version} --hash=sha256:{item['download_info']['archive_info']['hashes']['sha256']}"
    return [found[name] for name in sorted(found)]


def differing(pins: list[str]) -> int:
    """Print the differences from the file; return 1 if there are any."""
    have = {line for line in FILE.read_text().splitlines() if line and not line.startswith("#")}
    for sign, lines in (("-", have - set(pins)), ("+", set(pins) - have)):
        for line in sorted(lines):
            print(sign, line)
    print(
        "constraints.txt is up to date"
        if have == set(pins)
        else f"{FILE.name} is out of date: python scripts/regenerate/lock.py"
    )
    return int(have != set(pins))


if __name__ == "__main__":
    sys.exit(main())
