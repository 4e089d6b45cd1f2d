"""Gaussian problems: shares, regions, closed-form errors, and what a loss-only problem keeps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from slicebench.errors import ConfigError
from slicebench.problems.frozen import load_problem, save_problem
from slicebench_datasets._gaussian_plants import PLANTS, draw, group_dims, group_names
from slicebench_datasets.gaussian import Gaussian, bayes_error

SMALL = {"n_train": 300, "n_val": 200, "n_test": 250, "epochs": 4}


def drawn(plant, n=40_000, rate=0.2, **params):
    spec = Gaussian(plant=plant, **{"classes": 3, "d": 12, "minority": 0.2} | params)
    x, labels, groups = draw(spec, n, rate, np.random.default_rng(0))
    return spec, x, labels, groups


@pytest.mark.parametrize("plant", sorted(PLANTS))
def test_shares_names_and_shapes(plant):
    spec, x, labels, groups = drawn(plant)
    assert x.shape == (40_000, 12)
    assert np.isfinite(x).all()
    assert set(labels) == {0, 1, 2}
    assert groups.shape[1] == len(group_names(plant, spec.classes))
    assert groups.sum(axis=1).max(initial=0) <= 1
    assert abs(groups.any(axis=1).mean() - (0 if plant == "none" else 0.2)) < 0.01


@pytest.mark.parametrize("plant", ["linear", "radial", "xor", "two", "label_noise"])
def test_regions_are_regions_of_the_standard_normal(plant):
    """At the share that the region holds, the group coordinates are standard normal, and membership is a function of them."""
    _, x, _, groups = drawn(plant, minority=0.5 if plant == "xor" else 0.2, rate=0.5 if plant == "xor" else 0.2)
    z, minority = x[:, 3 : 3 + group_dims(plant, 3)], groups.any(axis=1)
    assert np.abs(z.mean(axis=0)).max() < 0.03
    assert np.abs(np.cov(z.T) - np.eye(z.shape[1])).max() < 0.05
    inside = {
        "linear": lambda: z[:, 0] > 0.8416,
        "label_noise": lambda: z[:, 0] > 0.8416,
        "radial": lambda: (z**2).sum(axis=1) < 1.0052,  # chi-squared with 3 degrees of freedom, 20 %
        "xor": lambda: z[:, 0] * z[:, 1] > 0,
        "two": lambda: z.max(axis=1) > 1.2491,  # Φ² = .8
    }[plant]()
    assert (inside == minority).mean() > 0.999


def test_two_groups_are_disjoint_ends_and_two_classes_split_by_class():
    _, x, _, groups = drawn("two")
    assert (x[groups[:, 0], 3] > 1.2).all()
    assert (x[groups[:, 1], 4] > 1.2).all()
    assert abs(groups[:, 0].mean() - groups[:, 1].mean()) < 0.01
    _, x, labels, groups = drawn("two_classes")
    assert set(labels[groups[:, 0]]) == {0, 2}
    assert set(labels[groups[:, 1]]) == {1}
    assert (x[groups[:, 1], 4] > 0.8).all()


def test_core_signal_is_attenuated_inside_only():
    _, x, labels, groups = drawn("linear", signal=3.0, attenuation=0.25)
    own = x[np.arange(len(x)), labels]
    assert abs(own[~groups[:, 0]].mean() - 3) < 0.03
    assert abs(own[groups[:, 0]].mean() - 0.75) < 0.05


def test_correlation_rare_and_label_noise_do_what_they_say():
    _, x, labels, groups = drawn("correlation", strength=4.0)
    agrees = x[:, 3:6].argmax(axis=1) == labels
    assert agrees[~groups[:, 0]].mean() > 0.98
    assert agrees[groups[:, 0]].mean() < 0.02
    _, x, labels, groups = drawn("rare", overlap=1.0, signal=6.0)
    rare = groups.any(axis=1)
    np.testing.assert_array_equal(np.nonzero(groups)[1], labels[rare])
    assert (x[rare, :3].argmax(axis=1) == (labels[rare] + 1) % 3).mean() > 0.99
    _, x, labels, groups = drawn("label_noise", signal=8.0, flip=0.4)
    flipped = x[:, :3].argmax(axis=1) != labels
    assert not flipped[~groups[:, 0]].any()
    assert abs(flipped[groups[:, 0]].mean() - 0.4) < 0.02


def test_bayes_error_against_the_closed_form_for_two_classes_and_monte_carlo_for_more():
    for signal in (0.0, 0.5, 2.0):
        assert bayes_error(signal, 2) == pytest.approx(0.5 * math.erfc(signal / 2), abs=1e-9)  # Φ(-s/√2)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200_000, 5)) + 1.5 * np.eye(5)[0]
    assert bayes_error(1.5, 5) == pytest.approx((x.argmax(axis=1) != 0).mean(), abs=0.005)


@pytest.mark.parametrize("plant", ["linear", "radial", "xor", "two"])
def test_the_base_models_errors_are_near_the_bayes_errors(plant):
    spec = Gaussian(plant=plant, n_train=4000, n_val=50, n_test=20_000, signal=2.0, attenuation=0.3)
    problem = spec.build(0)
    minority = problem.truth.minority(problem.test.ids)
    wrong = ~problem.test.correct
    assert -0.01 < wrong[~minority].mean() - bayes_error(2.0, 2) < 0.025
    assert -0.02 < wrong[minority].mean() - bayes_error(0.6, 2) < 0.03


@pytest.mark.parametrize("plant", sorted(PLANTS))
def test_builds_and_reloads(plant, tmp_path):
    problem = Gaussian(plant=plant, **SMALL).build(0)
    assert problem.family == "gaussian"
    assert problem.test.n == 250
    np.testing.assert_array_equal(problem.test.embeddings, problem.test.inputs)
    save_problem(problem, tmp_path / "frozen")
    again = load_problem(tmp_path / "frozen")
    np.testing.assert_array_equal(again.truth.groups["test"], problem.truth.groups["test"])


def test_train_minority_thins_train_alone():
    problem = Gaussian(plant="rare", train_minority=0.02, **SMALL | {"n_train": 4000, "n_test": 4000}).build(0)
    rate = {name: groups.any(axis=1).mean() for name, groups in problem.truth.groups.items()}
    assert abs(rate["train"] - 0.02) < 0.01
    assert abs(rate["test"] - 0.2) < 0.03


def test_losses_only_keeps_ids_embeddings_and_losses():
    full, bare = (Gaussian(losses_only=flag, **SMALL).build(0) for flag in (False, True))
    np.testing.assert_array_equal(bare.test.losses, full.test.losses)
    np.testing.assert_array_equal(bare.test.embeddings, full.test.embeddings)
    for split in (bare.data.train, bare.data.val, bare.test):
        assert split.labels is split.probs is split.correct is split.inputs is split.metadata is None
    assert bare.data.trainer is None
    assert bare.data.class_names == ()


def test_same_seed_same_problem_other_seed_other_rotation():
    one, two, other = (Gaussian(**SMALL).build(seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.test.embeddings, two.test.embeddings)
    np.testing.assert_array_equal(one.test.probs, two.test.probs)
    assert not np.allclose(one.test.embeddings, other.test.embeddings)


def test_mlp_and_many_classes_and_wide():
    problem = Gaussian(plant="xor", classes=7, d=40, model="mlp", **SMALL | {"n_train": 700}).build(0)
    assert problem.test.probs.shape == (250, 7)
    assert problem.test.d == 40


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"plant": "cube"}, "plant is 'cube'"),
        ({"d": 3, "plant": "radial"}, "d is 3; expected a whole number from 5"),
        ({"classes": 9, "d": 17, "plant": "correlation"}, "d is 17; expected a whole number from 18"),
        ({"classes": 1}, "classes is 1"),
        ({"classes": "two"}, "classes is 'two'; expected a whole number"),
        ({"minority": 1.5}, "minority is 1.5"),
        ({"train_minority": -0.1}, "train_minority is -0.1"),
        ({"n_val": 0}, "n_val is 0"),
        ({"model": "tree"}, "model is 'tree'"),
    ],
)
def test_impossible_parameters_are_named(params, message):
    with pytest.raises(ConfigError, match=message):
        Gaussian(**params).build(0)
