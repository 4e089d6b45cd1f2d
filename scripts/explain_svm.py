"""Why svm_directions is, or is not, ahead of confidence on a suite: python scripts/explain_svm.py [--suite quick]

Reads the problems that `slicebench run` has cached and prints, per problem and as means over seeds and classes:

- probe: nAMF of a logistic regression *trained on the truth* (5-fold, same whitened embeddings): what a line can find at most
- strength: the SVM's cross-validated balanced accuracy (0.5 = the errors point nowhere)
- rho: rank correlation of the SVM's hardness with 1 - confidence (1 = it says the same)
- errors: wrong validation examples per class, from which the SVM learns
"""

from __future__ import annotations

import argparse

import numpy as np

from slicebench.frozen import load_problem
from slicebench.metrics import Ranking, namf
from slicebench.problem import Problem
from slicebench.registry import METHODS
from slicebench.runner import frozen_folder
from slicebench.suite import Filters, load_suite, plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="quick")
    cells = plan(load_suite(parser.parse_args().suite), Filters(methods=("svm_directions",)))
    found: dict[str, list[list[float]]] = {}
    for cell in cells:
        found.setdefault(cell.problem.name, []).append(explain(load_problem(frozen_folder(cell.problem))))
    print(f"{'problem':24}{'probe':>8}{'strength':>10}{'rho':>8}{'errors':>8}")
    for name, rows in found.items():
        probe, strength, rho, errors = np.mean(rows, axis=0)
        print(f"{name:24}{probe:8.2f}{strength:10.2f}{rho:8.2f}{errors:8.0f}")


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
