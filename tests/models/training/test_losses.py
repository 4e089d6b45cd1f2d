"""Losses and their gradients against formulas, differences and SciPy."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax

from slicebench.errors import ConfigError
from slicebench.models.training import true_class_loss
from slicebench.models.training.losses import generalised_cross_entropy, per_example

RNG = np.random.default_rng(3)
LOGITS = RNG.normal(scale=3, size=(50, 4))
LABELS = RNG.integers(0, 4, 50)
Z, Y = torch.tensor(LOGITS), torch.tensor(LABELS)
LOG_P = log_softmax(LOGITS, axis=1)[np.arange(50), LABELS]


def test_cross_entropy():
    np.testing.assert_allclose(per_example("ce", Z, Y, 0.7), -LOG_P, atol=1e-12)


@pytest.mark.parametrize("q", [0.1, 0.7, 1.0])
def test_gce_value(q):
    np.testing.assert_allclose(per_example("gce", Z, Y, q), (1 - np.exp(LOG_P) ** q) / q, atol=1e-12)


def test_gce_tends_to_cross_entropy():
    np.testing.assert_allclose(generalised_cross_entropy(Z, Y, 1e-7), -LOG_P, rtol=1e-4)


def test_gce_gradient_is_the_true_one():
    """The gradient is not multiplied by q, as it is in LfF's released code."""
    assert torch.autograd.gradcheck(lambda z: generalised_cross_entropy(z, Y, 0.7), Z.clone().requires_grad_())
    z = Z.clone().requires_grad_()
    generalised_cross_entropy(z, Y, 0.7).sum().backward()
    p = softmax(LOGITS, axis=1)
    expected = np.exp(LOG_P)[:, None] ** 0.7 * (p - np.eye(4)[LABELS])
    np.testing.assert_allclose(z.grad, expected, atol=1e-12)


def test_gce_stays_finite_for_hopeless_examples():
    z = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = generalised_cross_entropy(z, torch.tensor([1]), 0.7)
    loss.sum().backward()
    assert loss.item() == pytest.approx(1 / 0.7)
    assert torch.isfinite(z.grad).all()


def test_binary_cross_entropy():
    z, y = RNG.normal(scale=4, size=30), RNG.integers(0, 2, 30)
    got = per_example("bce", torch.tensor(z)[:, None], torch.tensor(y), 0.7)
    np.testing.assert_allclose(got, -np.log(np.where(y == 1, expit(z), expit(-z))), atol=1e-12)


def test_unknown_loss():
    with pytest.raises(ConfigError, match="'hinge'"):
        per_example("hinge", Z, Y, 0.7)


def test_true_class_loss_orders_where_float32_probabilities_tie():
    probs = softmax(np.array([[20.0, 0], [25, 0], [0, 1], [-300, 0]], dtype=np.float32), axis=1)
    assert probs[0, 0] == probs[1, 0] == 1
    loss = true_class_loss(probs, np.zeros(4, dtype=np.int64))
    np.testing.assert_allclose(loss[:3], [2.06e-9, 1.39e-11, np.log1p(np.e)], rtol=1e-2)
    assert np.isfinite(loss).all()
    assert loss.argsort().tolist() == [1, 0, 2, 3]
