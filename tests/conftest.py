"""Fixtures shared by the tests; the cache never leaves the test's own folder."""

from __future__ import annotations

import gc
from pathlib import Path
from types import ModuleType

import pytest

collect_ignore = ["plugin"]  # a package of its own, as `slicebench new` makes it
SHARED = Path(__file__).resolve().parents[2] / "shared"


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
    """Board of the committed leaderboard: half a minute, once."""
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
