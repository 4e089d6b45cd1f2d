"""Frozen problems on a shelf stand in for the data: found by what they are, never by their folder's name."""

from __future__ import annotations

import shutil

import pytest

from slicebench.errors import StorageError
from slicebench.plugins.registry import DATASETS
from slicebench.problems.cache import frozen_folder
from slicebench.problems.shelf import freeze, shelved
from slicebench.runs.plan import plan
from slicebench.runs.runner import run
from slicebench.runs.suite import parse_suite
from slicebench.runs.tasks import Limits

SUITE = """
name = "shelf-test"
seeds = [0, 1]
methods = ["confidence", "svm_directions", "early_stopping"]
[[problems]]
name = "shift"
dataset = "gaussian"
params = { plant = "linear", n_train = 300, n_val = 200, n_test = 200, epochs = 2 }
[[problems]]
name = "pictures"
dataset = "scenes"
params = { side = 12, n_train = 200, n_val = 150, n_test = 150, epochs = 1, encoder = "pixels-pca:8" }
"""


@pytest.fixture
def suite():
    return parse_suite(SUITE, "here")


@pytest.fixture
def problems(suite):
    return list({cell.problem.identity: cell.problem for cell in plan(suite)}.values())


def test_frozen_once_and_found_by_identity(problems, tmp_path):
    first = [freeze(problem, tmp_path / "shelf") for problem in problems]
    again = [freeze(problem, tmp_path / "shelf") for problem in problems]
    assert [kept.written for kept in first + again] == [True] * 4 + [False] * 4
    assert first[0].folder.name == "shift.s0"
    assert sum(kept.size for kept in first) < 600_000
    assert not list((tmp_path / "shelf").glob("pictures.*/data/*.inputs.npy"))
    (tmp_path / "shelf" / "shift.s0").rename(tmp_path / "shelf" / "anything")
    found = shelved(tmp_path / "shelf")
    assert found[problems[0].identity].name == "anything"
    assert set(found) == {problem.identity for problem in problems}


def test_another_problem_in_its_place_is_told(problems, tmp_path):
    freeze(problems[0], tmp_path)
    (tmp_path / "shift.s0").rename(tmp_path / "shift.s1")
    with pytest.raises(StorageError, match=r"shift\.s1 holds another problem or version; delete it"):
        freeze(problems[1], tmp_path)


def test_a_run_takes_what_is_there_and_builds_the_rest(suite, problems, tmp_path, monkeypatch):
    freeze(problems[0], tmp_path / "shelf")
    freeze(problems[2], tmp_path / "shelf")
    for problem in problems:
        shutil.rmtree(frozen_folder(problem), ignore_errors=True)
    outcome = run(suite, plan(suite), out=tmp_path / "run", limits=Limits(jobs=1), problems=tmp_path / "shelf")
    states = {str(cell): record.status for cell, record in outcome.records}
    assert [frozen_folder(problem).exists() for problem in problems] == [False, True, False, True]
    assert states["pictures s0 early_stopping"] == "skipped"  # its images are not on the shelf
    assert states["pictures s1 early_stopping"] == "ok"
    assert {state for name, state in states.items() if "early" not in name} == {"ok"}
    full = run(suite, plan(suite), out=tmp_path / "full", limits=Limits(jobs=1))
    for (cell, with_shelf), (_, without) in zip(outcome.records, full.records, strict=True):
        if with_shelf.status == "ok":
            assert with_shelf.metrics == pytest.approx(without.metrics, abs=1e-6), str(cell)


def test_the_shelf_makes_the_data_unnecessary(tmp_path, monkeypatch):
    """The folder of the data is gone when the suite runs."""
    from tests.datasets.test_digits import rng, write_idx
    from tests.support.local_data import TINY

    root = tmp_path / "data" / "mnist"
    root.mkdir(parents=True)
    for prefix, n in (("train", 300), ("t10k", 100)):
        write_idx(root / f"{prefix}-images-idx3-ubyte", rng(n).integers(0, 256, size=(n, 28, 28)))
        write_idx(root / f"{prefix}-labels-idx1-ubyte", rng(n).integers(10, size=n))
    monkeypatch.setenv("SLICEBENCH_DATA", str(tmp_path / "data"))
    params = {"n_train": 150, "n_val": 100, "n_test": 80, "recipe": TINY, "encoder": "pixels-pca:4"}
    recipe = ", ".join(f"{key} = {value!r}" for key, value in TINY.items())
    text = f"""
name = "digits"
seeds = [0]
methods = ["confidence", "domino"]
[[problems]]
name = "mnist"
dataset = "colored_mnist"
params = {{ n_train = 150, n_val = 100, n_test = 80, encoder = "pixels-pca:4", recipe = {{ {recipe} }} }}
"""
    suite = parse_suite(text.replace("'", '"'), "here")
    assert DATASETS.load("colored_mnist")(**params).check() is None
    freeze(plan(suite)[0].problem, tmp_path / "shelf")
    shutil.rmtree(frozen_folder(plan(suite)[0].problem))
    shutil.rmtree(tmp_path / "data")
    with_shelf = run(suite, plan(suite), out=tmp_path / "run", limits=Limits(jobs=1), problems=tmp_path / "shelf")
    assert [record.status for _, record in with_shelf.records] == ["ok", "ok"]
    without = run(suite, plan(suite), out=tmp_path / "other", limits=Limits(jobs=1))
    assert all("there is no folder" in record.reason for _, record in without.failed)
    assert len(without.failed) == 2


def test_an_empty_or_damaged_shelf_is_told(problems, suite, tmp_path):
    with pytest.raises(StorageError, match=r"holds no frozen problems; expected folders with a problem\.json"):
        run(suite, plan(suite), out=tmp_path / "run", problems=tmp_path)
    kept = freeze(problems[0], tmp_path)
    (kept.folder / "problem.json").write_text("{}")
    with pytest.raises(StorageError, match=r"problem\.json is not a problem description"):
        shelved(tmp_path)
