"""Explain why svm_directions is or is not better than confidence in a run: python scripts/use/explain_svm.py runs/quick

Reads the run folder and the problems that the run has cached and prints, per problem and as means over seeds and classes:

- difference: nAMF of svm_directions minus confidence, with the 95 % interval of the paired bootstrap
- probe: nAMF of a logistic regression *trained on the truth* (5-fold, same whitened embeddings), a
  bound for linear methods
- strength: the SVM's cross-validated balanced accuracy (0.5 = the errors have no direction)
- rho: rank correlation of the SVM's hardness with 1 - confidence (1 = same ranking)
- errors: misclassified validation examples per class, from which the SVM learns
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slicebench.metrics.ranking import Ranking, namf
from slicebench.metrics.statistics import interval_of_mean
from slicebench.plugins.registry import METHODS
from slicebench.problems.cache import frozen_folder
from slicebench.problems.frozen import load_problem
from slicebench.results.standings import sampled_cells
from slicebench.runs.outcomes import RunOutcomes
from slicebench.runs.plan import Filters, plan
from slicebench.runs.store import Run, load_run

if TYPE_CHECKING:
    from slicebench.data.problem import Problem


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = load_run(parser.parse_args().run)
    cells = plan(run.suite, Filters(methods=("svm_directions",)))
    found: dict[str, list[list[float]]] = {}
    for cell in cells:
        found.setdefault(cell.problem.name, []).append(explain(load_problem(frozen_folder(cell.problem))))
    print(f"{'problem':24}{'difference':>20}{'probe':>8}{'strength':>10}{'rho':>8}{'errors':>8}")
    for name, rows in found.items():
        probe, strength, rho, errors = np.mean(rows, axis=0)
        print(f"{name:24}{difference(run, name):>20}{probe:8.2f}{strength:10.2f}{rho:8.2f}{errors:8.0f}")


def difference(run: Run, problem: str) -> str:
    cells = sampled_cells(RunOutcomes(run.store, run.cells), problem)
    apart = interval_of_mean([cells["svm_directions"] - cells["confidence"]])
    return f"{apart.mean:.2f} [{apart.low:.2f}, {apart.high:.2f}]"


def explain(problem: Problem) -> list[float]:
    from scipy.stats import spearmanr
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    test, val = problem.test, problem.data.val
    svm = METHODS.load("svm_directions")().fit(problem.data)
    hardness = svm.score(test).hardness
    doubt = METHODS.load("confidence")().fit(problem.data).score(test).hardness
    g = problem.truth.minority(test.ids)
    Z = (test.embeddings - svm.whiten_mean_) / svm.whiten_std_
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    probe, rho = [], []
    for _, rows in test.by_class():
        if 0 < g[rows].sum() < len(rows):
            logistic = LogisticRegression(C=10, max_iter=1000)
            said = cross_val_predict(logistic, Z[rows], g[rows], cv=5, method="decision_function")
            probe.append(namf(Ranking.of(said, g[rows])))
            rho.append(spearmanr(hardness[rows], doubt[rows]).statistic)
    assert val.correct is not None
    errors = [int((~val.correct[rows]).sum()) for _, rows in val.by_class()]
    return [float(np.mean(x)) for x in (probe, np.nanmean(svm.strength()), rho, errors)]


if __name__ == "__main__":
    main()
