"""The frozen problems of leaderboard/problems: small, free to hand on, without raw data of others, and run as the README says."""

from __future__ import annotations

import pytest

from slicebench.evaluation.cell import evaluate
from slicebench.plugins.registry import METHODS
from slicebench.problems.frozen import load_header, load_problem
from slicebench.problems.shelf import shelved
from slicebench.runs.plan import Filters, on_shelf, plan
from slicebench.runs.runner import run
from slicebench.runs.suite import load_suite
from slicebench.runs.tasks import Limits
from tests.support.paths import ROOT

SHELF = ROOT / "leaderboard" / "problems"
FOLDERS = sorted(path.parent for path in SHELF.glob("*/problem.json"))
GENERATED = {p.name for p in load_suite("golden").problems} - {p.name for p in load_suite("real").problems}
REAL = [folder for folder in FOLDERS if folder.name.split(".")[0] not in GENERATED]
FREE = ("Apache-2.0", "CC BY 4.0", "CC BY-SA 3.0")


def test_together_the_real_ones_are_at_most_20_megabytes_and_the_others_15():
    sizes = {folder: sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) for folder in FOLDERS}
    real = sum(sizes[folder] for folder in REAL)
    assert real <= 20e6
    assert sum(sizes.values()) - real <= 15e6


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_raw_data_and_a_licence_that_allows_it(folder):
    assert load_header(folder).provenance["licence"].startswith(FREE)
    kinds = {path.name.split(".", 1)[1] for path in (folder / "data").iterdir()}
    assert folder not in REAL or kinds <= {"safetensors"}, "neither texts nor images"


def test_every_problem_of_the_gate_is_frozen():
    planned = {(cell.problem.name, cell.problem.seed) for cell in plan(load_suite("golden"))}
    assert planned == {(header.name, header.seed) for header in map(load_header, FOLDERS)}
    assert on_shelf(plan(load_suite("golden")), SHELF)[1] == []


def test_they_are_the_suites_own():
    suites = (load_suite("real"), load_suite("golden"))
    planned = {cell.problem.identity: str(cell.problem) for suite in suites for cell in plan(suite)}
    for identity, folder in shelved(SHELF).items():
        assert planned.get(identity, "no problem of the suite").replace(" s", ".s") == folder.name


@pytest.mark.parametrize("folder", FOLDERS[::2], ids=lambda folder: folder.name)
def test_the_ends_of_the_scale(folder):
    problem = load_problem(folder)
    assert evaluate(METHODS.load("oracle")(), problem).record.metrics["namf"] == 1.0
    assert problem.provenance.planted_rate > 0.05


def test_the_readmes_command(tmp_path):
    suite, shelf = load_suite("real"), shelved(SHELF)
    filters = Filters(methods=("confidence", "early_stopping"), problems=("bias-madlibs", "uci-sentiment"), seeds=(0,))
    cells = [cell for cell in plan(suite, filters) if cell.problem.identity in shelf]
    assert len(cells) == 4
    outcome = run(suite, cells, out=tmp_path, limits=Limits(jobs=1), problems=SHELF)
    assert [record.status for _, record in outcome.records] == ["ok"] * 4, "models of texts are trained from embeddings"
