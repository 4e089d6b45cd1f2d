"""Outcomes made in memory, for tests of what reads them."""

from __future__ import annotations

import numpy as np

from slicebench.evaluation.record import BaseModelSummary, Cost, ProblemFacts, Record, TestTruth
from slicebench.metrics.ranking import Ranking, namf
from slicebench.runs.suite import ProblemSpec, Suite

FACTS = ProblemFacts(modality="vector", how="as told", groups=("g",), class_names=("c",))


class MemoryOutcomes:
    """What `slicebench.runs.outcomes.Outcomes` asks for; cells are added with `add`."""

    def __init__(self):
        self.records, self.truths, self.scores = {}, {}, {}

    def facts(self, problem):
        return FACTS

    def truth(self, problem, seed):
        return self.truths[problem, seed]

    def hardness(self, slot):
        return self.scores[slot]

    def add(self, problem, seed, method, truth, hardness, **record):
        """A finished cell, or with hardness None one that failed."""
        slot = (problem, seed, method)
        self.truths[problem, seed] = truth
        outcome = {"status": "failed", "reason": "it broke"}
        if hardness is not None:
            self.scores[slot] = np.asarray(hardness, dtype=float)
            value = namf(Ranking.of(self.scores[slot], truth.minority)) if truth.minority.any() else None
            outcome = {
                "status": "ok",
                "metrics": {"namf": value},
                "cost": Cost(fit_s=1, score_s=1, cpu_s=1, peak_rss_mb=1),
            }
        n = len(truth.labels)
        model = BaseModelSummary(
            accuracy=0.9, minority_accuracy=0.5, majority_accuracy=0.95, minority_rate=0.3, n_test=n, n_classes=1
        )
        about = {
            "base_model": model,
            "family": "f",
            "dataset": "d",
            "dataset_version": "1",
            "dataset_params": {},
            "encoder": "e",
        }
        about |= {
            "method_version": "1",
            "method_params": {},
            "code_version": "0",
            "hardware": "h",
            "date": "2026-01-01",
        }
        self.records[slot] = Record(problem=problem, seed=seed, method=method, **(about | outcome | record))


def truth_of(rng, n=400, rate=0.3):
    ids = np.array([f"{i}-{rng.integers(1e9)}" for i in range(n)])
    return TestTruth(ids, np.zeros(n, dtype=np.int64), rng.random(n) < rate)


def suite_of(name, problems, methods, seeds=(0, 1)):
    specs = tuple(ProblemSpec(name=p, dataset="gaussian") for p in problems)
    return Suite(name=name, seeds=seeds, methods=methods, problems=specs, unit="problem")


def synthetic(shifts, problems=("p", "q", "r"), seeds=(0, 1), seed=0):
    """Methods that shift the minority's hardness by so much, on the same noise; and their suite."""
    found, rng = MemoryOutcomes(), np.random.default_rng(seed)
    for problem in problems:
        for s in seeds:
            truth = truth_of(rng)
            noise = rng.normal(size=len(truth.ids))
            for method, shift in shifts.items():
                found.add(problem, s, method, truth, noise + shift * truth.minority)
    return found, suite_of("small", problems, tuple(shifts), seeds)
