"""Recipes refuse what cannot be trained, in words, and survive JSON; the schedule is a triangle."""

import numpy as np
import pytest
from pydantic import ValidationError

from slicebench.errors import ConfigError
from slicebench.models.training import Recipe
from slicebench.models.training.descent import triangular

GOOD = {"arch": "mlp", "epochs": 30, "batch_size": 512, "peak_lr": 0.02, "peak_epoch": 2}


def test_json_round_trip():
    recipe = Recipe(**GOOD, loss="gce", q=0.5, seed=7, width=9)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert Recipe.model_validate(recipe.model_dump()) == recipe


def test_defaults_are_the_papers():
    recipe = Recipe(**GOOD)
    assert (recipe.momentum, recipe.weight_decay, recipe.q, recipe.loss) == (0.9, 5e-4, 0.7, "ce")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arch": "resnet"}, ["arch", "'resnet'", "small_cnn"]),
        ({"epochs": 0}, ["epochs", "0", "greater than or equal to 1"]),
        ({"batch_size": 3}, ["batch_size", "4"]),
        ({"peak_lr": float("nan")}, ["peak_lr", "nan"]),
        ({"q": 0}, ["q is 0", "greater than 0"]),
        ({"loss": "mse"}, ["loss", "'mse'", "bce"]),
        ({"peak_epoch": 31}, ["peak_epoch", "31", "30 epochs"]),
        ({"learning_rate": 1}, ["learning_rate", "not a parameter", "peak_lr"]),
    ],
)
def test_bad_values_are_named(change, words):
    for make, error_type in ((lambda v: Recipe(**v), ConfigError), (Recipe.model_validate, ValidationError)):
        with pytest.raises(error_type) as error:
            make(GOOD | change)
        assert all(word in str(error.value) for word in words), str(error.value)


def test_missing_values_are_all_named():
    with pytest.raises(ConfigError, match=r"epochs is missing; batch_size is missing"):
        Recipe(arch="mlp", peak_lr=0.1, peak_epoch=1)


def test_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Recipe(**GOOD).seed = 3


def test_but_changes_what_is_given_and_checks_it():
    recipe = Recipe(**GOOD)
    assert recipe.but(loss="gce", q=None, seed=0) == Recipe(**GOOD, loss="gce")
    with pytest.raises(ConfigError, match="q is 2"):
        recipe.but(q=2)


@pytest.mark.parametrize(("epochs", "peak"), [(30, 2), (15, 2.5), (4, 0), (4, 4)])
def test_triangle(epochs, peak):
    x = np.linspace(0, epochs, 601)
    got = [triangular(e, epochs=epochs, peak_epoch=peak, peak_lr=0.3) for e in x]
    knots = {0: ([0, epochs], [0.3, 0]), epochs: ([0, epochs], [0, 0.3])}.get(peak, ([0, peak, epochs], [0, 0.3, 0]))
    np.testing.assert_allclose(got, np.interp(x, *knots), atol=1e-12)
