"""Architectures take the images they say they take; normalisation and initialisation are what the docstrings say."""

import numpy as np
import pytest
import torch

from slicebench.errors import ConfigError, DataError
from slicebench.models.training import Recipe
from slicebench.models.training.examples import array_from, tensor_of
from slicebench.models.training.networks import Normalise, build

RNG = np.random.default_rng(0)


def recipe(arch, **more):
    return Recipe(**{"arch": arch, "epochs": 2, "batch_size": 8, "peak_lr": 0.1, "peak_epoch": 1, "width": 4} | more)


@pytest.mark.parametrize("side", [8, 13, 16, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_cnn(side, channels):
    network = build(recipe("small_cnn"), (channels, side, side), 5)
    x = torch.zeros(6, channels, side, side, dtype=torch.uint8)
    assert network(x).shape == (6, 5)
    assert network.latent(x).shape == (6, 16)
    assert network.head.in_features == 16


@pytest.mark.parametrize(
    ("arch", "shape", "h"),
    [
        ("linear", (7,), 7),
        ("mlp", (7,), 4),
        ("mlp", (3, 8, 8), 4),
        ("resnet18_cifar", (3, 32, 32), 512),
        ("resnet18", (3, 64, 64), 512),
        ("resnet18", (1, 64, 64), 512),
    ],
)
def test_latent_width(arch, shape, h):
    network = build(recipe(arch), shape, 3).eval()
    x = torch.zeros(2, *shape)
    assert network.latent(x).shape == (2, h)
    assert network(x).shape == (2, 3)
    torch.testing.assert_close(network.head(network.latent(x)), network(x))


def test_resnet_for_small_images_keeps_resolution():
    network = build(recipe("resnet18_cifar"), (3, 32, 32), 2)
    assert network.features.conv1.stride == (1, 1)
    assert isinstance(network.features.maxpool, torch.nn.Identity)


def test_images_only():
    with pytest.raises(ConfigError, match="takes images"):
        build(recipe("small_cnn"), (7,), 2)


def test_initialisation_comes_from_the_seed_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = build(recipe("small_cnn", seed=1), (3, 8, 8), 2)
    assert torch.equal(torch.rand(3), expected), "the global random state was disturbed"
    second = build(recipe("small_cnn", seed=1), (3, 8, 8), 2)
    other = build(recipe("small_cnn", seed=2), (3, 8, 8), 2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.head.weight, other.head.weight)


def test_normalise_equals_scaling_to_the_unit_interval_first():
    images = RNG.integers(0, 256, (700, 5, 4, 3)).astype(np.uint8)
    layer = Normalise(3)
    layer.learn(lambda: [tensor_of(images)])
    scaled = images / 255
    expected = (scaled - scaled.mean(axis=(0, 1, 2))) / scaled.std(axis=(0, 1, 2))
    np.testing.assert_allclose(layer(tensor_of(images)).numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_normalise_survives_a_constant_column():
    x = np.column_stack([RNG.normal(size=50), np.full(50, 0.1)]).astype(np.float32)
    layer = Normalise(2)
    layer.learn(lambda: torch.tensor(x).split(3))
    np.testing.assert_allclose(layer(torch.tensor(x))[:, 1].numpy(), 0, atol=1e-6)


@pytest.mark.parametrize(
    "bad",
    [
        ["a text", "another"],
        np.zeros((2, 3, 3)),
        np.zeros(4),
        np.array([[1.0, np.nan]]),
        np.zeros((2, 3, 3, 3, 1), np.uint8),
    ],
)
def test_other_inputs_are_refused(bad):
    with pytest.raises(DataError, match="inputs"):
        array_from(bad)


def test_a_list_of_images_is_as_good_as_an_array():
    images = RNG.integers(0, 256, (4, 5, 5)).astype(np.uint8)
    assert np.array_equal(array_from(list(images)), images)
    assert tensor_of(images).shape == (4, 1, 5, 5)
