"""The same seed gives the same bytes, whatever the jobs and threads; test_faults.py holds it for a small run by default."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from slicebench.plugins.registry import METHODS
from slicebench.runs.store import load_run
from tests.support.run_content import content

if TYPE_CHECKING:
    from pathlib import Path

PROBLEMS = """
[[problems]]
name = "gaussian-linear"
dataset = "gaussian"
params = { plant = "linear", n_train = 600, n_val = 600, n_test = 600 }
[[problems]]
name = "digits"
dataset = "colored_digits"
[[problems]]
name = "scenes"
dataset = "scenes"
params = { n_train = 600, n_val = 500, n_test = 500 }
"""
LAST_BITS = {"domino", "error_mlp", "kmeans_errors"}
"""Methods whose results may change with the number of threads of a worker (`--threads`): docs/reference/reliability.md."""


def run(folder: Path, name: str, *options: str, **environment: str) -> dict[str, object]:
    """What a run of every method on three problems, with a cache of its own, leaves behind."""
    suite = folder / "suite.toml"
    suite.write_text(f'name = "all"\nseeds = [0]\nmethods = {METHODS.names()}\n{PROBLEMS}'.replace("'", '"'))
    words = [
        sys.executable,
        "-m",
        "slicebench",
        "run",
        "--suite",
        str(suite),
        "--out",
        str(folder / name),
        *options,
    ]
    about = {**os.environ, "SLICEBENCH_CACHE": str(folder / f"cache-{name}"), **environment}
    done = subprocess.run(words, env=about, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return content(folder / name)


@pytest.mark.slow
def test_every_method_repeats_to_the_byte(tmp_path):
    one = run(tmp_path, "one", "--jobs", "1", OMP_NUM_THREADS="1", PYTHONHASHSEED="1")
    other = run(tmp_path, "other", "--jobs", "2", OMP_NUM_THREADS="2", PYTHONHASHSEED="2")
    assert one == other
    assert {record.status for record in load_run(tmp_path / "one").records.values()} <= {"ok", "skipped"}
    threads = run(tmp_path, "threads", "--jobs", "1", "--threads", "2")
    changed = {name.rpartition("/")[2].rpartition("-")[0] for name in one if one[name] != threads[name]}
    assert changed <= LAST_BITS


@pytest.mark.slow
def test_a_page_repeats_to_the_byte(tmp_path):
    run(tmp_path, "run", "--method", "confidence", "--method", "domino")
    pages = []
    for number in "12":
        page = tmp_path / f"{number}.html"
        words = [sys.executable, "-m", "slicebench", "report", str(tmp_path / "run"), "--html", str(page)]
        about = {
            **os.environ,
            "SLICEBENCH_CACHE": str(tmp_path / "cache-run"),
            "OMP_NUM_THREADS": number,
            "PYTHONHASHSEED": number,
        }
        subprocess.run(words, env=about, check=True, capture_output=True)
        pages.append(page.read_bytes())
    assert pages[0] == pages[1]
