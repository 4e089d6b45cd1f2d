"""Points on the arc to a direction, retrieval, and accuracy on what is decoded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicebench.data.split import Split
from slicebench.errors import ConfigError, DataError, PluginError
from slicebench.models.synthesis import decoder as decoding
from slicebench.models.synthesis.decoder import (
    Decoded,
    Decoder,
    RetrievalDecoder,
    decoded_accuracy,
    decoded_points,
    make_decoder,
    slerp,
)


def unit(x):
    return x / np.linalg.norm(x)


def pool(n=60, d=8, seed=0, *, labels=True, inputs=None):
    rng = np.random.default_rng(seed)
    return Split(
        ids=[f"p{i}" for i in range(n)],
        embeddings=rng.normal(size=(n, d)),
        losses=np.zeros(n),
        labels=np.arange(n) % 3 if labels else None,
        inputs=np.arange(n, dtype=np.uint8)[:, None, None] + np.zeros((n, 4, 4), np.uint8)
        if inputs is None
        else inputs,
    )


def decoded(values, labels=None):
    values = np.asarray(values, dtype=np.uint8)
    images = values[:, None, None] + np.zeros((len(values), 4, 4), np.uint8)
    return Decoded(images=images, labels=labels, texts=[str(v) for v in values])


class Parity:
    """Class 1 for images of an odd value."""

    def predict(self, inputs):
        return np.eye(2, dtype=np.float32)[inputs[:, 0, 0] % 2]


@pytest.mark.parametrize("angle", [1e-12, 1e-7, 1e-3, 1.0, np.pi / 2, 3.0, np.pi - 1e-5])
def test_slerp_walks_the_arc_at_even_speed(angle):
    a, b = np.array([1.0, 0, 0]), np.array([np.cos(angle), np.sin(angle), 0])
    t = np.linspace(0, 1, 7)
    points = slerp(3 * a, 0.2 * b, t)
    np.testing.assert_allclose(np.arctan2(points[:, 1], points[:, 0]), t * angle, atol=1e-10, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)


def test_slerp_of_equal_vectors_and_of_one_fraction():
    a = np.random.default_rng(0).normal(size=512).astype(np.float32)
    np.testing.assert_allclose(slerp(a, a, [0, 0.3, 1]), np.tile(unit(a.astype(float)), (3, 1)), atol=1e-7)
    b = np.random.default_rng(1).normal(size=512)
    assert slerp(a, b, 0.5).shape == (512,)
    np.testing.assert_allclose(slerp(a, b, 0.5), unit(unit(a.astype(float)) + unit(b)))
    np.testing.assert_allclose(slerp(a, b, [0.2]), slerp(b, a, [0.8]))


@pytest.mark.parametrize(
    ("a", "b", "t", "message"),
    [
        ([1, 0], [-2, 0], 0.5, "opposite: the arc between them is not unique"),
        ([1, 0], [0, 0], 0.5, "b is the zero vector"),
        ([1, 0], [1, 0, 0], 0.5, "a has 2 dimensions, b has 3"),
        ([1, 0], [np.nan, 0], 0.5, "b is nan"),
        ([1, 0], [0, 1], 1.5, "t is 1.5"),
        ([1, 0], [0, 1], [0.5, np.nan], "t is"),
        ([1, 0], [0, 1], [[0.5]], "t is"),
    ],
)
def test_slerp_says_what_it_cannot_do(a, b, t, message):
    with pytest.raises(DataError, match=message):
        slerp(np.array(a, dtype=float), np.array(b, dtype=float), t)


def test_decoded_points_go_from_the_reference_to_either_side():
    rng = np.random.default_rng(0)
    r, w = rng.normal(size=(2, 16))
    hard, easy = decoded_points(r, w, [0, 0.4, 1])
    np.testing.assert_allclose(hard[0], unit(r))
    np.testing.assert_allclose(easy[0], unit(r))
    np.testing.assert_allclose(hard[2], unit(w))
    np.testing.assert_allclose(easy[2], -unit(w))
    assert hard[1] @ unit(w) > unit(r) @ unit(w) > easy[1] @ unit(w)
    assert decoded_points(r, w, 0.5)[0].shape == (1, 16)


@pytest.mark.parametrize("c", [0, 2])
def test_retrieval_is_exact(c):
    split, points = pool(), np.random.default_rng(1).normal(size=(12, 8))
    found = RetrievalDecoder(split).decode(points, c)
    left = [i for i in range(split.n) if split.labels[i] == c]
    expected = []
    for p in points:
        best = max(left, key=lambda i: unit(p) @ unit(split.embeddings[i].astype(float)))
        left.remove(best)
        expected.append(best)
    assert found.texts == tuple(f"p{i}" for i in expected)
    np.testing.assert_array_equal(found.labels, c)
    np.testing.assert_array_equal(found.images[:, 0, 0], expected)


def test_an_image_is_given_once_per_call():
    split = pool(6)
    point = np.repeat(split.embeddings[3:4], 2, axis=0)
    first = RetrievalDecoder(split).decode(point, 0)
    assert set(first.texts) == {"p0", "p3"}
    assert first.texts[0] == "p3"
    assert RetrievalDecoder(split).decode(point, 0).texts == first.texts


def test_without_labels_every_image_is_of_the_class():
    found = RetrievalDecoder(pool(6, labels=False)).decode(pool(6).embeddings[::-1], 7)
    assert found.texts == ("p5", "p4", "p3", "p2", "p1", "p0")
    assert found.labels is None


def test_retrieval_says_what_it_cannot_do():
    decoder = RetrievalDecoder(pool(6))
    with pytest.raises(DataError, match="3 points, but class 1 has 2 images"):
        decoder.decode(np.ones((3, 8)), 1)
    with pytest.raises(DataError, match="1 points, but class 5 has 0 images"):
        decoder.decode(np.ones((1, 8)), 5)
    with pytest.raises(DataError, match="points have 3 columns, but the images' embeddings have 8"):
        decoder.decode(np.ones((1, 3)), 0)
    with pytest.raises(DataError, match="inputs are of dtype float64"):
        RetrievalDecoder(pool(6, inputs=np.zeros((6, 4, 4)))).decode(np.ones((1, 8)), 0)
    without = Split(ids=["a"], embeddings=np.ones((1, 2)), losses=np.zeros(1))
    with pytest.raises(DataError, match="has no inputs"):
        RetrievalDecoder(without)


def test_accuracy_on_hard_and_easy_images():
    hard, easy = decoded([0, 1, 2, 3], np.array([1, 1, 1, 1])), decoded([1, 3, 5, 6], np.array([1, 1, 1, 1]))
    assert decoded_accuracy(Parity(), hard, easy) == (0.5, 0.75)
    assert decoded_accuracy(Parity(), decoded([0, 1, 2, 3]), easy, class_index=0) == (0.5, 0.75)
    with pytest.raises(DataError, match="give the class to assume"):
        decoded_accuracy(Parity(), hard, decoded([1]))
    with pytest.raises(DataError, match="no decoded images"):
        decoded_accuracy(Parity(), hard, decoded([]))


def test_decoded_checks_what_decoders_return():
    with pytest.raises(DataError, match="dtype float64"):
        Decoded(images=np.zeros((1, 4, 4)), labels=None, texts=("a",))
    with pytest.raises(DataError, match=r"shape \(4, 4\)"):
        Decoded(images=np.zeros((4, 4), np.uint8), labels=None, texts=("a",) * 4)
    with pytest.raises(DataError, match="2 texts for 1 decoded images"):
        Decoded(images=np.zeros((1, 4, 4), np.uint8), labels=None, texts=("a", "b"))
    with pytest.raises(DataError, match="labels of decoded images has 2 rows"):
        decoded([1], np.array([0, 1]))


class Filed(Decoder):
    argument_help = "FILE"

    @classmethod
    def for_problem(cls, problem, argument=None):
        made = cls()
        made.argument = argument
        return made


def test_decoders_by_name(problem, monkeypatch):
    known = {"retrieval": RetrievalDecoder, "filed": Filed}
    monkeypatch.setattr(decoding.DECODERS, "load", known.__getitem__)
    assert make_decoder("filed:a:b", problem).argument == "a:b"
    assert make_decoder("retrieval", problem).split is problem.data.pool
    without = replace(problem, data=replace(problem.data, pool=None))
    assert make_decoder("retrieval", without).split is problem.test
    with pytest.raises(ConfigError, match="'retrieval' takes no argument, got"):
        make_decoder("retrieval:x", problem)
    with pytest.raises(ConfigError, match="needs an argument: filed:FILE"):
        make_decoder("filed", problem)


def test_unknown_and_unfinished_decoders(problem):
    with pytest.raises(PluginError, match=r"slicebench\.decoders has no plugin named 'crystal ball'"):
        make_decoder("crystal ball", problem)
    with pytest.raises(NotImplementedError, match="Decoder has no decode"):
        Decoder().decode(np.ones((1, 2)), 0)
    with pytest.raises(NotImplementedError, match="Decoder has no for_problem"):
        Decoder.for_problem(problem)
