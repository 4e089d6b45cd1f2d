"""Fixtures shared by the tests; the cache never leaves the test's own folder."""

from __future__ import annotations

import gc
import signal
from pathlib import Path
from types import ModuleType

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts
    signal.signal(signal.SIGINT, signal.default_int_handler)

collect_ignore = ["plugin"]  # a package of its own, as `slicebench new` makes it
SHARED = Path(__file__).resolve().parents[2] / "shared"


LONGEST = (
    "runs/test_hostile.py", "runs/test_quick_suite.py", "project/test_docs.py", "project/test_pages.py",
    "runs/test_dask.py", "cli/test_cli.py", "datasets/test_packs.py",
    "project/test_readme.py", "project/test_site.py", "studies/controls/test_run.py", "test_testing.py",
    "results/test_leaderboard.py", "studies/sweep/test_sweep.py", "runs/test_runner.py",
    "datasets/test_people_and_xrays.py", "cli/test_select.py", "datasets/test_squad.py",
    "studies/interventions/test_run.py", "studies/sweep/test_monotone.py", "plugins/test_scaffold.py",
    "files/test_locations.py", "models/encoders/test_pretrained.py", "runs/test_faults.py",
    "studies/controls/test_replicates.py",
)  # fmt: skip
"""Files of 20 s and more, the longest first, so that no worker is left with one of them at the end."""


def pytest_collection_modifyitems(items):
    """Run the longest files first; the order within a file stays."""
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SLICEBENCH_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    """Tables are as wide as for a pipe, whatever runs the tests: xdist says COLUMNS=80 to its workers."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the shared data are not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def problem():
    from slicebench.testing import example_problem

    return example_problem()


@pytest.fixture(scope="session")
def committed_board():
    """Board of the committed leaderboard: half a minute, once in each worker of xdist that needs it."""
    from slicebench.results.leaderboard.build import leaderboard_board

    return leaderboard_board(Path(__file__).parents[1] / "leaderboard")


def walk(*roots):
    """Everything that objects refer to, directly or not; modules and classes are the world, not the argument."""
    seen, todo = {}, list(roots)
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, ModuleType | type):
            continue
        seen[id(item)] = item
        if callable(item) and hasattr(item, "__globals__"):
            todo += [cell.cell_contents for cell in item.__closure__ or ()]
            continue
        todo += gc.get_referents(item)
    return seen


@pytest.fixture(scope="session")
def reachable():
    """Function that gives everything that objects refer to, by id."""
    return walk
