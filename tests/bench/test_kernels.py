"""Timings of the kernels, each beside the straightforward way: pytest tests/bench --benchmark-enable

Groups compare "slicebench" with "reference" in one run, so ratios are fair though the machine is noisy. Without
--benchmark-enable each runs once and checks that both give the same answer.
"""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.metrics.ranking import Ranking, namf
from slicebench_datasets._render import draw_attributes, render


def direct_namf(h, g):
    """Compute the metric by its definition, word for word."""
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


@pytest.mark.benchmark(group="renderer, 2000 images of 32 px")
def test_render_slicebench(benchmark):
    rng = np.random.default_rng(0)
    table = draw_attributes(2000, rng, noise=0.1)
    assert benchmark(lambda: render(table, 32, rng)).shape == (2000, 32, 32, 3)


def test_easy_hard_gap(benchmark):
    """500 resamples of one class of 5,000 images."""
    from slicebench.metrics.captions import GAP_KS, easy_hard_gap

    rng = np.random.default_rng(0)
    easy, hard, correct = rng.random(5000), rng.random(5000), rng.random(5000) < 0.8
    assert benchmark(easy_hard_gap, easy, hard, correct, GAP_KS).area is not None


def test_nano_clip_encodes(benchmark):
    """2,000 images of 16 px on one thread."""
    from slicebench.models.encoders.encoder import make_encoder

    images = np.random.default_rng(0).integers(0, 256, size=(2000, 16, 16, 3), dtype=np.uint8)
    encoder = make_encoder("nano-clip")
    assert benchmark(encoder.encode, images).shape == (2000, 64)
