"""Images: decoding beside the plain loop, streaming beside training from memory. `pytest tests/bench --benchmark-enable`."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from slicebench.files.image_arrays import ImageFiles, decoded
from slicebench.models.training import ModelTrainer, Recipe
from tests.support.local_data import pictures


@pytest.fixture(scope="module")
def jpegs(tmp_path_factory):
    """500 JPEGs of CelebA's size."""
    folder = tmp_path_factory.mktemp("jpegs")
    for i, image in enumerate(pictures(500, side=27)):
        Image.fromarray(image).resize((178, 218), Image.Resampling.BICUBIC).save(folder / f"{i}.jpg", quality=90)
    return ImageFiles(folder, [f"{i}.jpg" for i in range(500)])


@pytest.mark.benchmark(group="decode 500 JPEGs of 178 x 218 to 75")
def test_decoded(benchmark, jpegs, own_cache):
    def fresh():
        for file in (own_cache / "images").glob("*.npy"):
            file.unlink()
        return decoded(jpegs, side=75)

    assert benchmark(fresh).shape == (500, 75, 75, 3)


@pytest.mark.benchmark(group="decode 500 JPEGs of 178 x 218 to 75")
def test_the_plain_loop(benchmark, jpegs):
    def loop():
        out = np.empty((500, 75, 75, 3), dtype=np.uint8)
        for i, name in enumerate(jpegs.names):
            with Image.open(jpegs.folder / name) as image:
                square = image.convert("RGB").resize((75, 92), Image.Resampling.BILINEAR).crop((0, 8, 75, 83))
                out[i] = np.asarray(square)
        return out

    assert benchmark(loop).shape == (500, 75, 75, 3)


@pytest.mark.benchmark(group="an epoch of 4,000 images of 32 px")
@pytest.mark.parametrize("held", [True, False], ids=["from memory", "from disk"])
def test_training(benchmark, tmp_path, monkeypatch, held):
    np.save(tmp_path / "images.npy", pictures(4000))
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    monkeypatch.setattr("slicebench.models.training.examples.HELD_BYTES", 2**40 if held else 0)
    recipe = Recipe(arch="small_cnn", width=8, epochs=1, batch_size=100, peak_lr=0.1, peak_epoch=1)
    labels = np.arange(4000) % 10
    benchmark.pedantic(lambda: ModelTrainer(recipe, images, labels, 10).fit(), rounds=2, warmup_rounds=1)
