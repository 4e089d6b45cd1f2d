"""Folders of images: with a metadata.csv they are tables, without one the message says what is missing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slicebench import discover
from slicebench.data.columns import Columns
from slicebench.data.schema import schema_of
from slicebench.data.schema.frames import as_frame
from slicebench.errors import DataError


def image(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), int(value)).save(path)


def of_classes(folder, n=2):
    """Images by class folder, and their paths."""
    names = [f"{label}/{i}.png" for label in ("cat", "dog") for i in range(n)]
    for name in names:
        image(folder / name)
    return names


WRITERS = {
    "csv": lambda table, path: table.to_csv(path, index=False),
    "jsonl": lambda table, path: table.to_json(path, orient="records", lines=True),
    "parquet": lambda table, path: table.to_parquet(path, index=False),
}


@pytest.mark.parametrize("ending", WRITERS)
def test_the_folder_names_are_the_labels_where_the_table_has_none(tmp_path, ending):
    names = of_classes(tmp_path)
    table = pd.DataFrame({"prediction": ["cat", "dog", "dog", "dog"], "file_name": names})
    WRITERS[ending](table, tmp_path / f"metadata.{ending}")
    schema = schema_of(tmp_path, Columns())
    assert [(one.column, one.use) for one in schema.uses] == [
        ("file_name", "image"),
        ("prediction", "prediction"),
        ("label", "label"),
    ]
    assert schema.table.frame["label"].tolist() == ["cat", "cat", "dog", "dog"]
    assert schema.notes[0].startswith("The table has no labels: the names of the 2 folders that the images are in")


def test_labels_of_the_table_count_and_images_without_a_row_are_named(tmp_path):
    names = of_classes(tmp_path)
    table = pd.DataFrame({"file_name": names[1:], "y_true": list("aab"), "y_pred": list("aba")})
    table.to_csv(tmp_path / "metadata.csv", index=False)
    schema = schema_of(str(tmp_path), Columns())
    assert schema.roles.label == "y_true"
    assert "label" not in schema.table.frame
    assert schema.notes == (
        "1 of 4 images of the folder are left out: metadata.csv has no row for them, such as cat/0.png.",
    )


def test_tables_in_folders_are_joined_and_splits_are_no_classes(tmp_path):
    for part in ("train", "test"):
        image(tmp_path / part / "a.png")
        (tmp_path / part / "metadata.jsonl").write_text(json.dumps({"file_name": "a.png", "correct": True}))
    frame = as_frame(tmp_path)
    assert frame.to_dict("list") == {
        "file_name": ["test/a.png", "train/a.png"],
        "correct": [True, True],
        "split": ["test", "train"],
    }
    schema = schema_of(tmp_path, Columns(correct="correct"))
    assert schema.roles.split == "split"
    assert schema.notes[0].startswith("The folders 'test' and 'train' are read as the column 'split' (split=None ")


def test_one_part_or_a_column_of_parts_is_left_as_it_is(tmp_path):
    for part in ("train", "test"):
        image(tmp_path / part / "a.png")
    (tmp_path / "metadata.csv").write_text("file_name,correct,subset\ntrain/a.png,1,x\ntest/a.png,1,y\n")
    assert "split" not in as_frame(tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,correct\ntrain/a.png,1\n")
    assert "split" not in as_frame(tmp_path)


def test_folders_of_parquet_files_are_parts(tmp_path):
    for part, n in (("validation", 2), ("test", 3)):
        (tmp_path / part).mkdir()
        pd.DataFrame({"x": range(n)}).to_parquet(tmp_path / part / "0.parquet")
    frame = as_frame(tmp_path)
    assert frame["split"].tolist() == ["test"] * 3 + ["validation"] * 2
    assert frame["x"].tolist() == [0, 1, 2, 0, 1]
    pd.DataFrame({"x": [0]}).to_parquet(tmp_path / "more.parquet")
    assert "split" not in as_frame(tmp_path)


def test_without_a_table_the_message_says_what_is_missing(tmp_path):
    of_classes(tmp_path)
    (tmp_path / "answers.csv").write_text("path,said\n")
    with pytest.raises(DataError) as caught:
        discover(tmp_path)
    said = str(caught.value)
    assert "holds 4 images in 2 class folders, cat (2), dog (2), but no table of what the model predicted" in said
    assert f"Write {tmp_path}/metadata.csv (or give answers.csv itself, if it is the table)" in said
    assert "as file_name,prediction / cat/0.png,CLASS; the folders are the labels" in said
    assert f'image_root="{tmp_path}"' in said


def test_images_without_classes_need_labels_too(tmp_path):
    image(tmp_path / "a.png")
    with pytest.raises(
        DataError, match=r"holds 1 images, but no table .* as file_name,label,prediction / a\.png,CLASS,CLASS"
    ):
        as_frame(tmp_path)


def test_a_table_that_names_no_images_is_refused(tmp_path):
    image(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text("filename,label\na.png,cat\n")
    with pytest.raises(DataError, match=r"metadata\.csv has no column 'file_name'.*did you mean 'filename'"):
        as_frame(tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,label\na.png,cat\n,dog\n")
    with pytest.raises(DataError, match=r"column 'file_name' of .*metadata\.csv has no value at row 1"):
        as_frame(tmp_path)


def test_folders_of_parquet_files_stay_what_they_are(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "part-0.parquet")
    pd.DataFrame({"a": [2]}).to_parquet(tmp_path / "metadata.parquet")
    image(tmp_path / "plots" / "a.png")
    assert sorted(as_frame(tmp_path)["a"]) == [1, 2]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"folder without \.parquet files"):
        as_frame(tmp_path / "empty")


def test_discover_finds_dark_images_in_a_folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    n = 400
    dark, y = rng.random(n) < 0.3, rng.integers(2, size=n)
    wrong = rng.random(n) < np.where(dark, 0.6, 0.05)
    names = np.array(["cat", "dog"])
    files = [f"{names[c]}/{i}.png" for i, c in enumerate(y)]
    for name, value in zip(files, np.where(dark, 30, 200) + rng.integers(-20, 20, n), strict=True):
        image(tmp_path / "photos" / name, value)
    table = pd.DataFrame({"file_name": files, "prediction": names[np.where(wrong, 1 - y, y)]})
    table.to_csv(tmp_path / "photos" / "metadata.csv", index=False)
    monkeypatch.chdir(tmp_path)
    found = discover("photos")
    assert found.source == "photos"
    rules = found.to_frame().query("stands")["rule"].dropna()
    assert any(rule.startswith("brightness of file_name <") for rule in rules)
