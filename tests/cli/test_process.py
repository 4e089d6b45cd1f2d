"""The process of the command line: odd streams, no working directory, SIGTERM, folders that vanish. Never a traceback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.support.paths import HOSTILE, ROOT

SUITE = """
name = "small"
seeds = [0]
methods = ["gentle", "random"]
[[problems]]
name = "first"
dataset = "tiny"
"""
SCRIPT = """
from pathlib import Path
from slicebench.runs.plan import plan
from slicebench.runs.runner import run
from slicebench.runs.suite import load_suite
suite = load_suite("small.toml")
run(suite, plan(suite), out=Path("unguarded"))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a suite and a finished run of it."""
    folder = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(str(p) for p in (HOSTILE, ROOT)))
        patch.setenv("SLICEBENCH_CACHE", str(folder / "cache"))
        (folder / "small.toml").write_text(SUITE)
        (folder / "hangs.toml").write_text(SUITE.replace("random", "hangs"))
        (folder / "slow.toml").write_text(SUITE.replace("[0]", "[0, 1, 2, 3]").replace("random", "slow"))
        done = shell(folder, "slicebench run --suite small.toml --jobs 1 --out done")
        assert done.returncode == 0, done.stderr
        yield folder


def shell(folder, line):
    program = f'slicebench() {{ "{sys.executable}" -m slicebench "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", program + line], cwd=folder, capture_output=True, text=True, timeout=100, check=False,
        errors="replace",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("PYTHONIOENCODING=ascii slicebench show done", 0, ""),
        ("PYTHONIOENCODING=latin-1 slicebench show done", 0, ""),
        ("PYTHONIOENCODING=latin-1 slicebench list methods", 0, ""),
        ("slicebench show done >&-", 0, ""),
        ("slicebench show done <&- >&- 2>&-", 0, ""),
        ("slicebench run --suite small.toml --out done --force --jobs 1 2>&-", 0, ""),
        ("slicebench run --suite small.toml --out done --force --jobs 1 2>/dev/full", 0, ""),
        ("slicebench show done >/dev/full", 2, "cannot write to <stdout>: No space left on device"),
        ("slicebench show done --json >/dev/full", 2, "cannot write to <stdout>: No space left on device"),
        ("slicebench --help >/dev/full", 2, "cannot write to <stdout>: No space left on device"),
        ("PYTHONIOENCODING=ascii slicebench list >/dev/full", 2, "No space left on device"),
        ("slicebench show nowhere 2>/dev/full", 2, ""),
        ("mkdir gone; cd gone; rmdir ../gone; slicebench show $OLDPWD/done", 0, ""),
        ("mkdir gone; cd gone; rmdir ../gone; slicebench run --suite $OLDPWD/small.toml --out $OLDPWD/done --force", 2,
         "slicebench: the working directory was deleted"),
        ("PYTHONPATH= slicebench report done --html page.html", 0, "page.html"),
    ],
)  # fmt: skip
def test_odd_streams_and_places_give_no_traceback(place, line, code, says):
    done = shell(place, line)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.returncode == code, done.stderr
    assert says in done.stderr


def test_a_script_needs_no_guard(place):
    (place / "script.py").write_text(SCRIPT)
    done = shell(place, f'"{sys.executable}" script.py')
    assert (done.returncode, done.stderr) == (0, "")


def started(place, *arguments):
    """A run in the background that has recorded its first cell; what it says is read later."""
    command = [sys.executable, "-m", "slicebench", "run", "--jobs", "1", *arguments]
    running = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, until = place / arguments[-1], time.monotonic() + 60
    while not list(out.glob("records/*/gentle-*.json")):
        assert running.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    return running


def test_sigterm_ends_the_workers_keeps_results_and_gives_143(place):
    running = started(place, "--suite", "hangs.toml", "--out", "ended")
    running.send_signal(signal.SIGTERM)
    said, errors = running.communicate(timeout=60)
    assert running.returncode == 143
    assert "1 cells are missing; run the same command again" in errors
    assert not any(word in said + errors for word in ("Traceback", "resource_tracker", "leaked"))


def test_a_run_folder_that_is_deleted_meanwhile_is_written_again(place):
    running = started(place, "--suite", "slow.toml", "--out", "vanishing")
    moved = place / "vanishing.moved"  # in one step, where a deletion could meet a file being written
    (place / "vanishing").rename(moved)
    shutil.rmtree(moved)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors
    assert "were deleted during the run; these cells run again" in errors
    assert len(list(place.glob("vanishing/records/*/[gs]*-*.json"))) == 8
    assert shell(place, "slicebench show vanishing").returncode == 0
