"""GCE, LfF's relative difficulty and JTT's error set against the arrays in ../shared/parity (its README has the tolerances)."""

import numpy as np
import pytest
import torch

from slicebench.models.training.losses import cross_entropy, generalised_cross_entropy
from slicebench_methods._relative_difficulty import RunningLoss, relative_difficulty


@pytest.fixture(scope="module")
def arrays(shared):
    path = shared / "parity" / "metrics.npz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with np.load(path) as file:
        return {name: file[name] for name in file.files if name.startswith(("gce", "lff", "jtt"))}


def gradient(loss_of, logits):
    z = torch.tensor(logits, requires_grad=True)
    loss_of(z).sum().backward()
    return z.grad.numpy()


def test_gce(arrays):
    q, y = float(arrays["gce_q"]), torch.tensor(arrays["gce_y"])
    got = generalised_cross_entropy(torch.tensor(arrays["gce_logits"]), y, q)
    np.testing.assert_allclose(got, arrays["gce_loss"], rtol=0, atol=1e-9)
    ours = gradient(lambda z: generalised_cross_entropy(z, y, q), arrays["gce_logits"])
    np.testing.assert_allclose(ours, arrays["gce_grad"], rtol=0, atol=1e-9)


def test_the_released_gradient_is_q_times_the_true_one(arrays):
    q, y = float(arrays["gce_q"]), torch.tensor(arrays["gce_y"])

    def released(z):
        ce = cross_entropy(z, y)
        return ce * torch.exp(-q * ce).detach() * q

    np.testing.assert_allclose(released(torch.tensor(arrays["gce_logits"])), arrays["gce_upstream_loss"], atol=1e-9)
    np.testing.assert_allclose(gradient(released, arrays["gce_logits"]), q * arrays["gce_grad"], rtol=0, atol=1e-9)


def test_relative_difficulty(arrays):
    got = relative_difficulty(arrays["lff_loss_b"], arrays["lff_loss_d"])
    np.testing.assert_allclose(got, arrays["lff_weight_raw"], rtol=0, atol=1e-6)


def test_relative_difficulty_of_running_losses(arrays):
    y, rows = torch.tensor(arrays["gce_y"]), torch.arange(len(arrays["gce_y"]))
    running = [RunningLoss(y, int(y.max()) + 1, float(arrays["lff_ema_alpha"])) for _ in range(2)]
    for update in range(3):
        for one, losses in zip(running, (arrays["lff_loss_b"], arrays["lff_loss_d"]), strict=True):
            one.update(rows, torch.tensor(losses[update]))
        got = relative_difficulty(*(one.shares(rows) for one in running))
        np.testing.assert_allclose(got, arrays["lff_weight_ema"][update], rtol=0, atol=1e-6)


class Remembered:
    """Model that gives the parity file's probabilities."""

    def __init__(self, logits):
        self.probs = torch.softmax(torch.tensor(logits), dim=1).float().numpy()

    def predict(self, inputs):
        return self.probs[inputs[:, 0].astype(int)]


def test_jtt_error_set(arrays):
    from slicebench.data.split import Split
    from slicebench_methods.early_stopping import EarlyStopping

    n = len(arrays["gce_y"])
    inputs = np.arange(n)[:, None].astype(np.float32)
    split = Split(ids=np.arange(n), embeddings=inputs, losses=np.zeros(n), labels=arrays["gce_y"], inputs=inputs)
    method = EarlyStopping()
    method.model_ = Remembered(arrays["gce_logits"])
    flagged = method.score(split).flagged
    assert np.array_equal(flagged, arrays["jtt_wrong"])
    assert np.array_equal(1 + int(arrays["jtt_up_weight"]) * flagged, arrays["jtt_copies"])
