"""Images are decoded once, in a stream, and what cannot be decoded is named."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from slicebench.errors import StorageError
from slicebench.files.image_arrays import ImageFiles, ParquetImages, decoded, mapped, shown_size
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
    def interrupted(*_, **__):
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


def test_ordinary_images_are_the_same_shown_or_not(tmp_path):
    pixels = pictures(1, side=20)[0]
    Image.fromarray(pixels).save(tmp_path / "rgb.png")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    Image.fromarray(pixels).resize((90, 60)).save(tmp_path / "rgb.jpg")
    for name in ("rgb.png", "grey.png", "rgb.jpg"):
        for mode in ("RGB", "L"):
            source = ImageFiles(tmp_path, [name])
            np.testing.assert_array_equal(
                decoded(source, side=16, mode=mode), decoded(source, side=16, mode=mode, shown=True)
            )


def shown(image, tmp_path, name="x.png", **how):
    image.save(tmp_path / name, **how)
    return decoded(ImageFiles(tmp_path, [name]), shown=True)[0]


def test_what_is_shown_differs_in_the_cache(tmp_path):
    clear = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    assert shown(clear, tmp_path).min() == 255
    assert decoded(ImageFiles(tmp_path, ["x.png"])).max() == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_are_white(tmp_path, mode):
    image = Image.new("RGBA", (4, 2), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 2, 2))
    found = shown(image.convert(mode) if mode != "P" else image.quantize(), tmp_path)
    assert found[..., 0].tolist() == [[255, 255, 0, 0]] * 2


def test_a_palette_and_cmyk_become_colours(tmp_path):
    red = Image.new("RGB", (2, 2), (255, 0, 0))
    assert shown(red.quantize(), tmp_path).tolist() == [[[255, 0, 0]] * 2] * 2
    cmyk = shown(red.convert("CMYK"), tmp_path, "x.tif")
    assert cmyk.tolist() == [[[255, 0, 0]] * 2] * 2


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 3)), (6, (0, 1)), (8, (3, 0))])
@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_exif_says_what_is_upright(tmp_path, orientation, corner, name):
    image = Image.new("L", (4, 2))
    image.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = shown(image, tmp_path, name, exif=exif)[..., 0]
    assert np.argwhere(found == 255).tolist() == [[*corner]]
    with Image.open(tmp_path / name) as opened:
        assert shown_size(opened) == found.shape[::-1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 65535, 32768]], np.uint16), [0, 255, 128]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 51, 255]], np.float32), [0, 51, 255]),
        (np.array([[-1, 0, 1]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, 0, 1000]], np.float32), [0, 0, 255]),
        (np.array([[0, 0, 0]], np.float32), [0, 0, 0]),
        (np.array([[7, 200, 0]], np.int32), [7, 200, 0]),
        (np.array([[0, 65535, 257]], np.int32), [0, 255, 1]),
        (np.array([[-100000, 0, 100000]], np.int32), [0, 128, 255]),
    ],
)
def test_more_bits_become_eight(tmp_path, values, expected):
    assert shown(Image.fromarray(values), tmp_path, "x.tif")[0, :, 0].tolist() == expected


def test_damaged_exif_is_none(tmp_path):
    Image.new("L", (4, 2)).save(tmp_path / "x.jpg", exif=b"Exif\0\0broken")
    assert decoded(ImageFiles(tmp_path, ["x.jpg"]), shown=True).shape == (1, 2, 4, 3)
