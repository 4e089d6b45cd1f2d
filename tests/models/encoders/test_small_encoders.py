"""Encoders: found by name, fitted on train alone, deterministic."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError, PluginError
from slicebench.models.encoders.encoder import ENCODERS, Encoder, make_encoder
from slicebench.models.encoders.pixels_pca import PixelsPCA


def images(n=80, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size=(n, 6, 6, 3), dtype=np.uint8)


def test_unknown_name_offers_near_ones():
    with pytest.raises(PluginError, match="did you mean 'pixels-pca'"):
        make_encoder("pixel-pca")


@pytest.mark.parametrize("name", ENCODERS.names())
def test_every_name_loads(name):
    kind = ENCODERS.load(name)
    assert issubclass(kind, Encoder)
    assert kind.argument_help or make_encoder(name).argument is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("open_clip", "needs an argument: open_clip:ARCH/PRETRAINED"),
        ("identity:3", "encoder 'identity' takes no argument, got '3'"),
        ("pixels-pca:many", "expected a number of components"),
        ("pixels-pca:0", "expected a number of components"),
    ],
)
def test_wrong_arguments_are_told(name, message):
    with pytest.raises(ConfigError, match=message):
        make_encoder(name)


def test_an_encoder_without_text_tower_says_what_has_one():
    assert not make_encoder("identity").reads_captions()
    with pytest.raises(DataError, match="nano-clip"):
        make_encoder("identity").encode_texts(["a cat"])


def test_pixels_pca_is_the_projection_on_the_train_components():
    train, other = images(), images(seed=1)
    encoder = PixelsPCA("5").fit(train, None)
    flat = train.reshape(80, -1) / 255.0
    _, _, axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    expected = (other.reshape(80, -1) / 255.0 - flat.mean(axis=0)) @ axes[:5].T
    np.testing.assert_allclose(np.abs(encoder.encode(other)), np.abs(expected), atol=1e-4)
    assert encoder.encode(other).dtype == np.float32


def test_pixels_pca_keeps_no_more_components_than_the_data_have():
    assert PixelsPCA().fit(images(10), None).encode(images(3)).shape == (3, 10)


def test_pixels_pca_is_deterministic_on_large_inputs():
    large = np.random.default_rng(0).integers(0, 256, size=(300, 24, 24, 3), dtype=np.uint8)
    one, two = (PixelsPCA().fit(large, None).encode(large) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_identity_takes_vectors_only():
    assert make_encoder("identity").encode(np.eye(3)).dtype == np.float32
    with pytest.raises(DataError, match="expected vectors"):
        make_encoder("identity").encode(images())


def test_own_latent_is_the_models_penultimate_layer():
    class Model:
        def latent(self, inputs):
            return np.full((len(inputs), 2), 7, dtype=np.float32)

    assert (make_encoder("own-latent").fit(images(), Model()).encode(images(4)) == np.full((4, 2), 7)).all()
