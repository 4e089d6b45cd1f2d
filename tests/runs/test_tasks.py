"""Tasks of studies: each is stored the moment it ends, what fails costs only itself, and nothing starts without need."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest

from slicebench.runs.plan import plan
from slicebench.runs.suite import parse_suite
from slicebench.runs.tasks import WITH_TORCH, Limits, may_need_torch, own_methods, run_missing
from tests.support.paths import HOSTILE, ROOT


@pytest.fixture
def problems(monkeypatch):
    """One that can be built, and one that cannot."""
    monkeypatch.syspath_prepend(str(HOSTILE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HOSTILE), str(ROOT), os.environ.get("PYTHONPATH", "")]))
    head = 'name = "x"\nseeds = [0]\nmethods = ["random"]\n'
    text = "".join(f'[[problems]]\nname = "{name}"\ndataset = "{name}"\n' for name in ("tiny", "unbuildable"))
    return {cell.problem.dataset: cell.problem for cell in plan(parse_suite(head + text, "x"))}


def test_each_result_is_stored_before_it_is_told_and_what_fails_says_why(problems):
    said, stored = [], {}
    wanted = {"41": None, "9": problems["tiny"], "x": problems["tiny"], "7": problems["unbuildable"]}
    run_missing(
        list(wanted),
        lambda task: partial(int, task),
        store=lambda task, result: (stored.setdefault(task, result), said.append(("stored", task))),
        failed=lambda task, reason: f"{task}: {reason}",
        problem=lambda task: wanted[task],
        limits=Limits(jobs=1),
        on_progress=lambda *event: said.append(event),
    )
    assert (stored["41"], stored["9"]) == (41, 9)
    assert stored["x"].startswith("x: ValueError: invalid literal")
    assert stored["7"].startswith("7: the problem could not be built: ")
    assert [what for _, _, what in said[:2]] == ["building tiny s0", "building unbuildable s0"]
    assert said[2:] == [event for i, task in enumerate(stored, 1) for event in (("stored", task), (i, 4, task))]


def test_nothing_missing_starts_no_worker(monkeypatch):
    monkeypatch.setattr("slicebench.runs.tasks.local_executor", pytest.fail)
    run_missing([], partial, store=pytest.fail, failed=pytest.fail, limits=Limits(), on_progress=pytest.fail)


def test_an_interrupt_keeps_what_is_stored_and_is_raised():
    stored = []

    def store(task, result):
        stored.append(result)
        if len(stored) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_missing(
            range(4),
            lambda task: partial(int, task),
            store=store,
            failed=lambda _, reason: reason,
            limits=Limits(jobs=1),
            on_progress=lambda *_: None,
        )
    assert len(set(stored)) == 2  # whichever of them ended first


def test_only_the_methods_that_are_said_to_import_torch_do(tmp_path, monkeypatch):
    """A server without torch forks their cells much faster; a method that is not listed would import it in every cell."""
    monkeypatch.setenv("SLICEBENCH_CACHE", str(tmp_path))
    code = (
        "import sys\n"
        "from slicebench import METHODS, evaluate\n"
        "from slicebench.testing import example_problem\n"
        f"for name in {sorted(own_methods().keys() - WITH_TORCH - {'domino_reference', 'sliceline'})}:\n"
        "    evaluate(METHODS.load(name)(), example_problem(n=300))\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-800:]


def test_torch_is_wanted_by_what_trains_or_is_not_ours_or_not_built(tmp_path, monkeypatch):
    monkeypatch.setenv("SLICEBENCH_CACHE", str(tmp_path))
    text = 'name = "x"\nseeds = [0]\nmethods = ["random"]\n[[problems]]\nname = "g"\ndataset = "gaussian"\n'
    (cell,) = plan(parse_suite(text, "x"))
    assert may_need_torch([cell]), "it is to be built"
    monkeypatch.setattr("slicebench.runs.tasks.find_built", lambda _: True)
    assert not may_need_torch([cell])
    assert may_need_torch([cell, replace(cell, method="lff")])
    assert may_need_torch([replace(cell, method="somebody_elses")])
