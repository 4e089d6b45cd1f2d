"""Twenty trials each: what is worsened fails the gate, what is refactored does not, on built problems, in both modes.

`svm_directions` iterates, and a sum in another order moves its solution by up to libsvm's tolerance, or its C where two score
alike: it is judged by its nAMF. `confidence` is one subtraction and must repeat.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicebench.evaluation.cell import evaluate
from slicebench.evaluation.record import TestTruth
from slicebench.plugins.registry import DATASETS
from slicebench.results.leaderboard.gate import check_scores
from slicebench.results.leaderboard.settings import load_tolerances
from slicebench.results.leaderboard.store import LeaderboardStore, write_outcomes
from slicebench.runs.suite import load_suite
from slicebench_methods import svm_directions
from slicebench_methods.confidence import Confidence
from slicebench_methods.svm_directions import SVMDirections
from tests.support.memory_outcomes import MemoryOutcomes, suite_of
from tests.support.paths import ROOT

LEADERBOARD = ROOT / "leaderboard"
TRIALS = 20
SEEDS = range(300, 306)


class WorseSVM(SVMDirections):
    """Both sides weigh what they are worth: the class weights are gone."""

    def fit(self, data):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(svm_directions, "_fitted_svc", unweighted)
            return super().fit(data)


class OtherSVM(SVMDirections):
    """The same, computed in another way: features in another order, whitening in another expression."""

    def _preprocess(self, X):
        Z = X / self.whiten_std_ - self.whiten_mean_ / self.whiten_std_
        return super()._preprocess(Z * self.whiten_std_ + self.whiten_mean_)

    def _fit_class(self, c, Z, correct):
        order = np.random.default_rng(c).permutation(Z.shape[1])
        back = np.argsort(order)
        super()._fit_class(c, np.ascontiguousarray(Z[:, order]), correct)
        self.directions_[c] = self.directions_[c][back]


def unweighted(C, gram, target):
    from sklearn.svm import SVC

    return SVC(kernel="precomputed", C=C).fit(gram, target)


class WorseConfidence(Confidence):
    """Doubts what the model itself is unsure of, right or wrong."""

    def score(self, split):
        return replace(super().score(split), hardness=1 - split.probs.max(axis=1).astype(np.float64))


class OtherConfidence(Confidence):
    """The same in other steps, but for the last bits."""

    def score(self, split):
        p = np.take_along_axis(split.probs.astype(np.float64), split.labels[:, None], axis=1)[:, 0]
        return replace(super().score(split), hardness=-(p - 0.5) + 0.5)


VARIANTS = {
    "svm_directions": (SVMDirections, WorseSVM, OtherSVM),
    "confidence": (Confidence, WorseConfidence, OtherConfidence),
}


@pytest.fixture(scope="module")
def scored():
    """Hardness of all variants on the golden suite's built problems, with the truth."""
    found = {}
    files = {problem.name for problem in load_suite("real").problems}
    for spec in (problem for problem in load_suite("golden").problems if problem.name not in files):
        adapter = DATASETS.load(spec.dataset)(**spec.params)
        for seed in SEEDS:
            problem = adapter.build(seed)
            truth = TestTruth(problem.test.ids, problem.test.labels, problem.truth.minority(problem.test.ids))
            variants = [cls for own in VARIANTS.values() for cls in own]
            found[spec.name, seed] = truth, {cls: evaluate(cls(), problem).scores.hardness for cls in variants}
    return found


def outcomes(scored, method, cls, seeds):
    """Cells of one variant, under the method's own name."""
    made = MemoryOutcomes()
    for (name, seed), (truth, scores) in scored.items():
        if seed in seeds:
            made.add(name, seeds.index(seed), method, truth, scores[cls])
    return made


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("method", VARIANTS)
def test_forty_verdicts(scored, method, tmp_path):
    original, *others = VARIANTS[method]
    tolerances = load_tolerances(LEADERBOARD)
    names, wrong = tuple(dict.fromkeys(name for name, _ in scored)), []
    for trial in range(TRIALS):
        seeds = np.random.default_rng(trial).choice(list(SEEDS), 3, replace=False).tolist()
        folder = tmp_path / str(trial)
        baseline = outcomes(scored, method, original, seeds)
        write_outcomes(
            baseline, suite_of("golden", names, (method,), (0, 1, 2)), folder, with_hardness=tolerances.exact
        )
        for cls, expected in zip(others, ({"fail"}, {"pass", "warn"}), strict=True):
            (verdict,) = check_scores(outcomes(scored, method, cls, seeds), LeaderboardStore(folder), tolerances)
            print(trial, cls.__name__, verdict.status, verdict.why, verdict.difference)
            if verdict.status not in expected:
                wrong.append((trial, cls.__name__, replace(verdict, moved=())))
    assert wrong == []
