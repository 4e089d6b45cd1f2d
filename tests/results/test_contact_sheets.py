"""Contact sheets: right size, right pixels, same bytes, whatever is put on them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from slicebench.errors import DataError, StorageError
from slicebench.results.contact_sheets import INK, MARGIN, MARK, SheetRow, contact_sheet

LABEL = "circle, hardest"


def images(k, side, *, grey=False, seed=0):
    shape = (k, side, side) if grey else (k, side, side, 3)
    return np.random.default_rng(seed).integers(0, 200, size=shape, dtype=np.uint8)


def sheet(tmp_path, *rows, **kwargs):
    path = tmp_path / "deep" / "sheet.png"
    contact_sheet(rows, path, **kwargs)
    return np.asarray(Image.open(path).convert("RGB"))


def has(pixels, colour):
    return (pixels == colour).all(axis=-1)


def find(pixels, tile):
    """Upper left corners at which `tile` stands."""
    h, w = tile.shape[:2]
    rows, columns = np.nonzero(has(pixels, tile[0, 0]))
    return [(y, x) for y, x in zip(rows, columns, strict=True) if np.array_equal(pixels[y : y + h, x : x + w], tile)]


@pytest.mark.parametrize(("side", "factor"), [(8, 8), (20, 3), (28, 2), (100, 1)])
def test_images_are_enlarged_by_a_whole_factor_and_stand_in_order(tmp_path, side, factor):
    given = images(3, side)
    pixels = sheet(tmp_path, (LABEL, given, None))
    places = [find(pixels, np.repeat(np.repeat(image, factor, 0), factor, 1)) for image in given]
    assert [len(p) for p in places] == [1, 1, 1]
    (y0, x0), (y1, x1), (y2, x2) = (p[0] for p in places)
    assert y0 == y1 == y2
    assert x1 - x0 == x2 - x1 > side * factor


def test_scale_is_obeyed_and_grey_images_are_grey(tmp_path):
    given = images(1, 10, grey=True)
    tile = np.repeat(np.repeat(given[0], 2, 0), 2, 1)
    assert len(find(sheet(tmp_path, (LABEL, given, None), scale=2), np.repeat(tile[..., None], 3, 2))) == 1


def test_marked_images_and_no_others_are_framed(tmp_path):
    given = images(4, 8)
    pixels = sheet(tmp_path, (LABEL, given, np.array([True, False, False, True])))
    for i, image in enumerate(given):
        ((y, x),) = find(pixels, np.repeat(np.repeat(image, 8, 0), 8, 1))
        around = pixels[y - 3 : y + 67, x - 3 : x + 67].copy()
        around[3:-3, 3:-3] = MARK
        assert has(around, MARK).all() == (i in (0, 3))
    assert not has(sheet(tmp_path, (LABEL, given, None)), MARK).any()


@pytest.mark.parametrize(
    "row",
    [
        SheetRow(LABEL, images(1, 8)),
        SheetRow("", images(12, 20), np.ones(12, bool), ["a small red circle on a dark background"] * 12),
        SheetRow("Ünïcödé αβγ 中文 🎉 \u200b", images(2, 224), None, ["é", "中" * 40]),
        SheetRow("word " * 200, images(2, 28), np.ones(2, bool), ["x" * 300, ""]),
        SheetRow("w" * 300, images(0, 28)),
        SheetRow("wide", np.zeros((2, 4, 300), np.uint8)),
    ],
    ids=["one", "twelve", "unicode", "long", "none", "wide"],
)
def test_margins_stay_white(tmp_path, row):
    pixels = sheet(tmp_path, row, (LABEL, images(2, 8), None))
    assert has(pixels[:MARGIN], 255).all()
    assert has(pixels[-MARGIN:], 255).all()
    assert has(pixels[:, : MARGIN - 1], 255).all()
    assert has(pixels[:, -MARGIN:], 255).all()
    assert has(pixels[:, : MARGIN + 120], INK).any()


def test_long_texts_end_in_an_ellipsis_and_unknown_characters_in_a_question_mark(tmp_path):
    given = images(1, 28)
    one, two = (sheet(tmp_path, (f"{'word ' * 40}{end}", given, None)) for end in ("one", "other"))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(sheet(tmp_path, ("中é", given, None)), sheet(tmp_path, ("?e", given, None)))


def test_same_rows_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        contact_sheet([SheetRow(LABEL, images(3, 8), np.array([1, 0, 1], bool), ["a", "b", "c"])], tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((LABEL, np.zeros((2, 8, 8)), None), "'circle, hardest' has images of dtype float64 and shape"),
        ((LABEL, np.zeros((8, 8), np.uint8), None), r"shape \(8, 8\); expected uint8"),
        ((LABEL, np.zeros((2, 8, 8, 4), np.uint8), None), "shape"),
        ((LABEL, np.zeros((2, 0, 8), np.uint8), None), "at least one pixel"),
        ((LABEL, images(2, 8), np.ones(3, bool)), "3 marks for 2 images"),
        (SheetRow(LABEL, images(2, 8), None, ["a"]), "1 texts for 2 images"),
    ],
)
def test_what_cannot_be_drawn_is_named(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        sheet(tmp_path, row)


def test_no_rows_bad_scales_and_unwritable_places(tmp_path):
    with pytest.raises(DataError, match="at least one row"):
        sheet(tmp_path)
    with pytest.raises(DataError, match="scale is 0"):
        sheet(tmp_path, (LABEL, images(1, 8), None), scale=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        contact_sheet([(LABEL, images(1, 8), None)], tmp_path / "file" / "sheet.png")
