"""Timings of the kernels, each beside the straightforward way: pytest tests/bench --benchmark-enable

Groups compare "slicebench" with "reference" in one run, so ratios are fair though the machine is noisy. Without
--benchmark-enable each runs once and checks that both give the same answer.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from slicebench.metrics import Ranking, namf
from slicebench.statistics import SeedScores, sampled_problem
from slicebench.testing import example_problem
from slicebench_datasets._render import draw_attributes, render
from slicebench_methods.svm_directions import PAPER_CS, SVMDirections


def svm_reference(data):
    """Jain et al.'s recipe with scikit-learn's own cross-validation: every C and fold works on the features anew."""
    train, val = data.train.embeddings, data.val
    Z = (val.embeddings - train.mean(axis=0)) / train.std(axis=0, ddof=1)
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    scores = {}
    for c, rows in val.by_class():
        make = lambda C: SVC(kernel="linear", class_weight="balanced", C=C)
        target = val.correct[rows].astype(int)
        cv = [cross_val_score(make(C), Z[rows], target, cv=2, scoring="balanced_accuracy").mean() for C in PAPER_CS]
        make(PAPER_CS[int(np.argmax(cv))]).fit(Z[rows], target)
        scores[c] = max(cv)
    return np.array(list(scores.values()))


@pytest.fixture(scope="module")
def wide():
    return example_problem(n=1500, d=256)


@pytest.mark.benchmark(group="svm_directions, 3 classes of 500, d = 256")
def test_svm_slicebench(benchmark, wide):
    strength = benchmark.pedantic(lambda: SVMDirections().fit(wide.data).strength(), rounds=3)
    np.testing.assert_allclose(strength, svm_reference(wide.data), atol=0.02)


@pytest.mark.benchmark(group="svm_directions, 3 classes of 500, d = 256")
def test_svm_reference(benchmark, wide):
    assert benchmark.pedantic(lambda: svm_reference(wide.data), rounds=3).shape == (3,)


def direct_namf(h, g):
    """METRICS.md word for word."""
    area = lambda order: np.mean([g[order[:k]].mean() for k in range(1, len(g) + 1)])
    return (area(np.argsort(-h)) - g.mean()) / (area(np.argsort(~g)) - g.mean())


@pytest.fixture(scope="module")
def ranked():
    rng = np.random.default_rng(0)
    return rng.random(2000), rng.random(2000) < 0.2


@pytest.mark.benchmark(group="nAMF, n = 2000")
def test_namf_slicebench(benchmark, ranked):
    h, g = ranked
    assert benchmark(lambda: namf(Ranking.of(h, g))) == pytest.approx(direct_namf(h, g))


@pytest.mark.benchmark(group="nAMF, n = 2000")
def test_namf_reference(benchmark, ranked):
    benchmark.pedantic(direct_namf, args=ranked, rounds=3)


@pytest.fixture(scope="module")
def seeds():
    rng = np.random.default_rng(0)
    labels, minority = rng.integers(4, size=2000), rng.random(2000) < 0.2
    return [SeedScores(labels, minority, {f"m{i}": rng.random(2000) for i in range(4)})]


@pytest.mark.benchmark(group="bootstrap, 4 methods, n = 2000, 200 draws")
def test_bootstrap_slicebench(benchmark, seeds):
    assert len(benchmark(lambda: sampled_problem(seeds, 0, draws=200))) == 4


@pytest.mark.benchmark(group="bootstrap, 4 methods, n = 2000, 200 draws")
def test_bootstrap_reference(benchmark, seeds):
    """Resample and rank again, draw by draw."""
    rng, one = np.random.default_rng(0), seeds[0]

    def direct():
        for h in one.hardness.values():
            for _ in range(200):
                for rows in one.classes():
                    g = one.minority[rows]
                    drawn = np.concatenate([rng.choice(rows[part], part.sum()) for part in (g, ~g)])
                    namf(Ranking.of(h[drawn], one.minority[drawn]))

    benchmark.pedantic(direct, rounds=2)


@pytest.mark.benchmark(group="renderer, 2000 images of 32 px")
def test_render_slicebench(benchmark):
    rng = np.random.default_rng(0)
    table = draw_attributes(2000, rng, noise=0.1)
    assert benchmark(lambda: render(table, 32, rng)).shape == (2000, 32, 32, 3)


def test_easy_hard_gap(benchmark):
    """500 resamples of one class of 5,000 images."""
    from slicebench.caption_metrics import GAP_KS, easy_hard_gap

    rng = np.random.default_rng(0)
    easy, hard, correct = rng.random(5000), rng.random(5000), rng.random(5000) < 0.8
    assert benchmark(easy_hard_gap, easy, hard, correct, GAP_KS).area is not None


def test_nano_clip_encodes(benchmark):
    """2,000 images of 16 px on one thread."""
    from slicebench.encoders import make_encoder

    images = np.random.default_rng(0).integers(0, 256, size=(2000, 16, 16, 3), dtype=np.uint8)
    encoder = make_encoder("nano-clip")
    assert benchmark(encoder.encode, images).shape == (2000, 64)
