import numpy as np
import pytest
import torch

from slicebench.errors import ConfigError, DataError, TrainingError
from slicebench.models.training import ModelTrainer, Recipe
from slicebench.models.training.head import fine_tuned


@pytest.fixture(scope="module", params=["ce", "bce"])
def model(request):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    recipe = Recipe(arch="mlp", epochs=3, batch_size=20, peak_lr=0.1, peak_epoch=1, loss=request.param)
    return ModelTrainer(recipe, x, y, 2).fit(), x, y


def test_only_the_head_moves(model):
    base, x, y = model
    before = {name: value.clone() for name, value in base.network.state_dict().items()}
    tuned = fine_tuned(base, x, 1 - y, epochs=5, rate=0.5, seed=0)
    for name, value in tuned.network.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith("head")
    assert all(torch.equal(value, before[name]) for name, value in base.network.state_dict().items())
    assert np.array_equal(tuned.latent(x), base.latent(x))
    assert tuned.seconds > base.seconds


def test_it_learns_what_it_is_shown(model):
    base, x, _ = model
    other = (x[:, 1] > 0).astype(np.int64)
    tuned = fine_tuned(base, x, other, epochs=30, rate=0.1, seed=0)
    assert (tuned.classify(x) == other).mean() > (base.classify(x) == other).mean() + 0.1


def test_the_seed_decides(model):
    base, x, y = model
    one, same, other = (fine_tuned(base, x, y, epochs=2, rate=0.1, seed=seed).predict(x) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_what_cannot_be_used_is_refused(model):
    base, x, y = model
    for bad in ({"epochs": 0, "rate": 0.1}, {"epochs": 1, "rate": 0.0}, {"epochs": 1, "rate": float("nan")}):
        with pytest.raises(ConfigError, match="epochs is"):
            fine_tuned(base, x, y, seed=0, **bad)
    with pytest.raises(DataError, match="the model was trained on"):
        fine_tuned(base, x[:, :3], y, epochs=1, rate=0.1, seed=0)
    with pytest.raises(TrainingError, match="diverged"):
        fine_tuned(base, x, y, epochs=3, rate=1e30, seed=0)
