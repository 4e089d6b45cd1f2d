"""Images in cells are read as they are shown, and simple properties of them are metadata."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slicebench import discover
from slicebench.data.columns import Columns
from slicebench.data.schema import schema_of
from slicebench.discovery.reading.images import read_images
from slicebench.discovery.reading.inputs import read_inputs
from slicebench.errors import DataError
from tests.support.local_data import pictures


def encoded(image, kind="PNG", **how):
    out = io.BytesIO()
    image.save(out, format=kind, **how)
    return out.getvalue()


def read(cells, root):
    return read_images(cells, "column 'image' of the table", root)


def test_cells_of_every_form(tmp_path):
    pixels = pictures(7, side=20)
    ready = [Image.fromarray(one) for one in pixels]
    for i, image in enumerate(ready):
        image.save(tmp_path / f"{i}.png")
    forms = {
        "paths": [f"{i}.png" for i in range(7)],
        "Path": [tmp_path / f"{i}.png" for i in range(7)],
        "bytes": [encoded(image) for image in ready],
        "dicts": [{"bytes": encoded(image), "path": None} for image in ready],
        "dicts of paths": [{"bytes": None, "path": f"{i}.png"} for i in range(7)],
        "pictures": ready,
        "arrays": [*pixels],
    }
    forms["mixed"] = [forms[name][i] for i, name in enumerate(forms)]
    for name, cells in forms.items():
        found = read(cells, tmp_path)
        np.testing.assert_array_equal(found.pixels, pixels, err_msg=name)
        assert found.sizes.tolist() == [[20, 20]] * 7
        assert found.notes == ()


def test_what_is_no_image_is_named(tmp_path):
    whole = encoded(Image.new("RGB", (4, 4)))
    cases = (
        (b"no", "row 1 cannot be read"),
        (3.0, "holds float at row 1; expected paths"),
        ("gone.png", r"no file .*gone.png' \(row 1\); .*image_root=FOLDER"),
    )
    for bad, said in cases:
        with pytest.raises(DataError, match=said):
            read([whole, bad], tmp_path)
    with pytest.raises(DataError, match="holds NoneType at row 0"):
        read([{"bytes": None, "path": None}], tmp_path)


def test_sideways_images_are_of_the_size_that_is_shown(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.new("RGB", (60, 20))
    found = read([encoded(wide, "JPEG", exif=exif), encoded(wide.rotate(90, expand=True))], tmp_path)
    assert found.sizes.tolist() == [[20, 60], [20, 60]]
    assert found.pixels.shape == (2, 60, 20, 3)


def test_deep_images_are_said(tmp_path):
    deep = Image.fromarray(np.full((4, 4), 2**15, dtype=np.uint16))
    for cells in ([encoded(deep), encoded(Image.new("L", (4, 4)))], [deep, Image.new("L", (4, 4))]):
        found = read(cells, tmp_path)
        assert found.pixels[0].max() == found.pixels[0].min() == 128
        assert len(found.notes) == 1
        assert "Column 'image' of the table has 1 images of 16 or more bits a channel" in found.notes[0]


def dark_errors(n=2000):
    rng = np.random.default_rng(0)
    dark, labels = rng.random(n) < 0.3, rng.integers(2, size=n)
    wrong = rng.random(n) < np.where(dark, 0.5, 0.05)
    pixels = rng.integers(0, 20, (n, 8, 8, 3)) + np.where(dark, 10, 150)[:, None, None, None]
    cells = [encoded(Image.fromarray(one.astype(np.uint8))) for one in pixels]
    return pd.DataFrame({"label": labels, "prediction": np.where(wrong, 1 - labels, labels), "photo": cells})


def test_dark_images_are_a_slice_unasked():
    found = discover(dark_errors())
    assert [one.verdict.size for one in found.standing] == [600]
    assert "brightness of photo < " in found.standing[0].name.text


def test_named_metadata_are_the_only_ones():
    table = dark_errors(40).assign(camera=["a", "b"] * 20)
    assert "brightness of photo" in read_inputs(schema_of(table, Columns()), None).attributes
    assert read_inputs(schema_of(table, Columns(metadata=["camera"])), None).attributes == {}
    arrays = np.arange(40 * 4, dtype=np.uint8).reshape(40, 2, 2)
    named = read_inputs(schema_of(table.drop(columns="photo"), Columns(image=arrays)), None)
    assert {*named.attributes} == {"brightness of image", "border brightness of image"}
