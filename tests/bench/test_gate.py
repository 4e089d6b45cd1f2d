"""Methods on a golden problem, each round beside the reference workload: what `slicebench check --timings` judges.

pytest tests/bench/test_gate.py --benchmark-enable --benchmark-json=bench.json
slicebench check --timings bench.json
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest

from slicebench.models.training import ModelTrainer
from slicebench.plugins.registry import METHODS
from slicebench.problems.frozen import load_problem
from slicebench.results.leaderboard.timing import fit_and_score, reference_workload
from tests.support.paths import ROOT

GOLDEN = ROOT / "leaderboard" / "problems" / "uci-sentiment.s0"
TIMED = [name for name in METHODS.names() if name not in ("oracle", "random")]


@pytest.fixture(scope="module")
def problem():
    """The golden problem with a trainer that keeps no models: every round trains."""
    found = load_problem(GOLDEN)
    train = found.data.train
    trainer = ModelTrainer(found.data.trainer.recipe, train.inputs, train.labels, len(found.data.class_names))
    return replace(found, data=replace(found.data, trainer=trainer))


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.benchmark(group="methods on uci-sentiment, in units of the reference workload")
def test_method(benchmark, name, problem):
    method, beside = METHODS.load(name)(), []
    reason = method.supports(problem.data)
    if reason is not None:
        pytest.skip(reason)
    rounds = 9
    benchmark.pedantic(
        lambda: fit_and_score(method, problem),
        setup=lambda: beside.append(reference_workload()),
        rounds=rounds,
        warmup_rounds=1,
    )
    if benchmark.enabled:
        benchmark.extra_info["method"] = name
        benchmark.extra_info["ratio"] = median(benchmark.stats.stats.data) / median(beside)
        assert len(beside) >= rounds
