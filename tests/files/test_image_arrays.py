"""Images are decoded once, in a stream, and what cannot be decoded is named."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from slicebench.errors import StorageError
from slicebench.files.image_arrays import ImageFiles, ParquetImages, decoded, mapped
from tests.support.local_data import cells, encoded, hf_parquet, pictures, write_image


@pytest.fixture
def files(tmp_path):
    images = pictures(7, side=20)
    for i, image in enumerate(images):
        write_image(tmp_path / f"{i}.png", image)
    return images, ImageFiles(tmp_path, [f"{i}.png" for i in range(7)])


def test_files_come_back_as_they_are_in_the_order_asked_for(files):
    images, source = files
    np.testing.assert_array_equal(decoded(source), images)
    turned = ImageFiles(source.folder, source.names[::-1])
    np.testing.assert_array_equal(decoded(turned), images[::-1])
    assert isinstance(decoded(source), np.memmap)
    assert not decoded(source).flags.writeable


def test_decoded_once_and_again_when_a_file_changes(files, own_cache, monkeypatch):
    images, source = files
    decoded(source)
    monkeypatch.setattr("slicebench.files.image_arrays._decode", None)  # whoever decodes now fails
    np.testing.assert_array_equal(decoded(source), images)
    monkeypatch.undo()
    os.environ["SLICEBENCH_CACHE"] = str(own_cache)
    write_image(source.folder / "3.png", images[0])
    np.testing.assert_array_equal(decoded(source)[3], images[0])


def test_resized_to_the_middle_square_and_grey(tmp_path):
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = 200  # the middle square
    write_image(tmp_path / "wide.jpg", wide)
    found = decoded(ImageFiles(tmp_path, ["wide.jpg"]), side=8)
    assert found.shape == (1, 8, 8, 3)
    assert found[0, :, 2:6].min() > 150
    assert decoded(ImageFiles(tmp_path, ["wide.jpg"]), side=8, mode="L").shape == (1, 8, 8)


def test_a_large_jpeg_is_the_same_as_by_hand(tmp_path):
    image = Image.fromarray(pictures(1, side=30)[0]).resize((300, 300), Image.Resampling.BICUBIC)
    image.save(tmp_path / "big.jpg", quality=95)
    found = decoded(ImageFiles(tmp_path, ["big.jpg"]), side=30)[0].astype(int)
    by_hand = np.asarray(Image.open(tmp_path / "big.jpg").resize((30, 30), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(found - by_hand).mean() < 6


def test_parquet_rows_over_several_files(tmp_path):
    images = pictures(9)
    hf_parquet(tmp_path / "train-0.parquet", {"img": cells(images[:4])}, {})
    hf_parquet(tmp_path / "train-1.parquet", {"img": [encoded(image) for image in images[4:]]}, {})
    paths = sorted(tmp_path.glob("*.parquet"))
    rows = np.array([8, 0, 5, 0])
    np.testing.assert_array_equal(decoded(ParquetImages(paths, "img", rows)), images[rows])
    with pytest.raises(StorageError, match="1 of 2 images are missing from the files"):
        decoded(ParquetImages(paths, "img", np.array([1, 9])))


def test_what_is_wrong_is_named(files, tmp_path):
    images, source = files
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:200])
    with pytest.raises(StorageError, match=r"2\.png cannot be decoded as an image"):
        decoded(source)
    write_image(tmp_path / "2.png", images[2][:15])
    with pytest.raises(
        StorageError, match=r"2\.png has shape \(15, 20, 3\), but .*0\.png has \(20, 20, 3\); set a side"
    ):
        decoded(source)
    (tmp_path / "2.png").unlink()
    with pytest.raises(StorageError, match=r"2\.png \(image 2 of 7\): No such file"):
        decoded(source)
    with pytest.raises(StorageError, match="there are no images"):
        decoded(ImageFiles(tmp_path, []))


def test_an_interrupted_decoding_leaves_nothing_behind(files, own_cache, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("slicebench.files.image_arrays._decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        decoded(files[1])
    assert not [p for p in (own_cache / "images").iterdir() if p.is_file()]


def test_chunks_must_fill_every_place():
    image = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    with pytest.raises(StorageError, match="thinking: 1 of 3 images are missing from the files"):
        mapped("a" * 32, 3, "thinking", lambda: iter([([0], "x", image), ([2], "y", image)]))
    with pytest.raises(StorageError, match="y has shape "):
        mapped("b" * 32, 2, "thinking", lambda: iter([([0], "x", image), ([1], "y", image[:, 1:])]))
