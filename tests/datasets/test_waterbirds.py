"""Waterbirds: the published splits and groups on a miniature of the archive, and errors for damaged files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slicebench.errors import ConfigError, StorageError
from slicebench_datasets.waterbirds import GROUPS, Waterbirds, caption_candidates
from tests.support.local_data import TINY, assert_oracle_is_one, pictures, write_image

CELLS = {(0, 0, 0): 40, (0, 0, 1): 4, (0, 1, 0): 4, (0, 1, 1): 32} | {
    (split, y, place): 8 for split in (1, 2) for y in (0, 1) for place in (0, 1)
}
"""Images by split, bird and place."""
TABLE = "metadata.csv"


def table():
    """Rows in an order that mixes the cells, with the columns of the archive."""
    cells = np.repeat(np.array([*CELLS]), [*CELLS.values()], axis=0)
    split, y, place = cells[np.random.default_rng(0).permutation(len(cells))].T
    names = [f"{i % 7:03d}.Bird/Bird_{i:04d}.jpg" for i in range(len(y))]
    columns = {"img_id": np.arange(1, len(y) + 1), "img_filename": names, "y": y, "split": split, "place": place}
    return pd.DataFrame(columns | {"place_filename": [f"/x/place/{i}.jpg" for i in range(len(y))]})


def archive(root, rows=None):
    rows = table() if rows is None else rows
    folder = root / "waterbird_complete95_forest2water2"
    for name, image in zip(rows["img_filename"], pictures(len(rows), side=20), strict=True):
        write_image(folder / name, image)
    rows.to_csv(folder / TABLE, index=False)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return archive(tmp_path_factory.mktemp("waterbirds"))


@pytest.fixture
def damaged(tmp_path):
    archive(tmp_path)
    return tmp_path / "waterbird_complete95_forest2water2"


def adapter(root, **more):
    return Waterbirds(**{"root": str(root), "side": 16, "recipe": TINY, "encoder": "own-latent"} | more)


def test_a_problem_of_the_published_splits(root):
    problem = adapter(root).build(0)
    assert {name: split.n for name, split in problem.data.splits() if split is not None} == {"train": 80, "val": 32}
    assert problem.test.n == 32
    assert (problem.name, problem.data.class_names) == ("waterbirds", ("landbird", "waterbird"))
    assert problem.truth.group_names == GROUPS
    assert problem.test.inputs.shape == (32, 16, 16, 3)
    assert problem.test.metadata is None
    assert_oracle_is_one(problem)


def test_groups_are_birds_on_the_other_background(root):
    splits, rows = adapter(root).raw(0).splits, table().set_index("img_id")
    for split in splits.values():
        at = rows.loc[split.ids.astype(int)]
        np.testing.assert_array_equal(split.labels, at["y"])
        np.testing.assert_array_equal(split.groups[:, 0], (at["y"] == 0) & (at["place"] == 1))
        np.testing.assert_array_equal(split.groups[:, 1], (at["y"] == 1) & (at["place"] == 0))
    assert splits["train"].groups.mean(axis=0).tolist() == [4 / 80, 4 / 80]
    for name in ("val", "test"):
        for c in (0, 1):
            assert splits[name].groups[splits[name].labels == c, c].mean() == 0.5


def test_the_training_can_be_changed(root):
    assert adapter(root, recipe=None).raw(0).base_model.epochs == 30
    recipe = adapter(root, recipe={"epochs": 1}).raw(0).base_model
    assert (recipe.arch, recipe.epochs, recipe.peak_epoch) == ("resnet18", 1, 1)


def test_captions_name_the_background(root):
    captions, naming = caption_candidates(), adapter(root).raw(0).captions_for_groups
    assert captions.reference_texts == ("a photo of a landbird", "a photo of a waterbird")
    assert "a photo of a landbird in a bamboo forest" in captions.of_class(0)
    assert set(naming["landbird on water"]) == {
        f"a photo of a landbird {place}" for place in ("on water", "on the ocean", "on a lake")
    }
    for c, group in enumerate(GROUPS):
        assert set(naming[group]) < set(captions.of_class(c))
        assert len(naming[group]) == len(captions.of_class(c)) / 2


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (5, "y", 2, "y is '2' at row 5"),
        (6, "place", "water", "place is 'water' at row 6"),
        (7, "split", 3, "split is '3' at row 7"),
        (8, "img_id", 3, "img_id is '3' at row 2 and again at row 8"),
        (
            9,
            "img_filename",
            "001.Bird/Bird_0001.jpg",
            "img_filename is '001.Bird/Bird_0001.jpg' at row 1 and again at row 9",
        ),
    ],
)
def test_damaged_rows_are_told(damaged, row, column, value, message):
    rows = table().astype(str)
    rows.loc[row, column] = str(value)
    rows.to_csv(damaged / TABLE, index=False)
    with pytest.raises(StorageError, match=rf"metadata\.csv: {message}"):
        adapter(damaged).raw(0)


def test_damaged_tables_are_told(damaged):
    rows, path = table(), damaged / TABLE
    rows[:-5].to_csv(path, index=False)
    with pytest.raises(StorageError, match=r"metadata\.csv has 139 rows for 144 images"):
        adapter(damaged).raw(0)
    path.write_bytes(path.read_bytes()[: path.read_text().rindex("\n", 0, -1) + 9])
    with pytest.raises(StorageError, match=r"metadata\.csv: \w+ is '' at row 138 "):
        adapter(damaged).raw(0)
    rows.assign(split=0).to_csv(path, index=False)
    with pytest.raises(StorageError, match=r"metadata\.csv has no row of val, test"):
        adapter(damaged).raw(0)
    rows.drop(columns="place").to_csv(path, index=False)
    with pytest.raises(StorageError, match=r"metadata\.csv has no column 'place'"):
        adapter(damaged).raw(0)
    path.write_text("")
    with pytest.raises(StorageError, match=r"cannot read .*metadata\.csv"):
        adapter(damaged).raw(0)
    path.unlink()
    with pytest.raises(StorageError, match=r"lacks metadata\.csv .*group_DRO"):
        adapter(damaged).raw(0)


def test_damaged_images_are_told(damaged):
    victim = damaged / table()["img_filename"][3]
    victim.write_bytes(victim.read_bytes()[:200])
    with pytest.raises(StorageError, match=rf"{victim.name} cannot be decoded"):
        adapter(damaged).raw(0)
    victim.unlink()
    with pytest.raises(StorageError, match=rf"{victim.name} \(image \d+ of \d+\): No such file"):
        adapter(damaged).raw(0)


@pytest.mark.parametrize(
    ("more", "message"),
    [({"side": 4}, "waterbirds: side is 4"), ({"recipe": {"epoch": 3}}, "epoch is not a parameter")],
)
def test_impossible_parameters_are_named(more, message):
    with pytest.raises(ConfigError, match=message):
        adapter("x", **more).build(0)


def test_rows_of_a_real_table(shared, tmp_path):
    """A variant of the published table, its classes balanced: 5 % of train is on the other background, half of val and test."""
    whole = pd.read_parquet(shared / "data" / "waterbirds_metadata" / "metadata.parquet")
    other = whole["y"] != whole["place"]
    assert other[whole["split"] == 0].mean() == pytest.approx(0.05, abs=0.001)
    rows = whole.groupby(["split", "y", "place"]).head(6)
    assert len(rows) == 72
    splits = adapter(archive(tmp_path, rows)).raw(0).splits
    assert {name: len(split.ids) for name, split in splits.items()} == dict.fromkeys(("train", "val", "test"), 24)
    planted = {key for split in splits.values() for key in split.ids[split.groups.any(axis=1)]}
    assert planted == {*rows["img_id"][other[rows.index]].astype(str)}
