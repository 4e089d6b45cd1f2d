"""Datasets of Hugging Face, there and back."""

from __future__ import annotations

import numpy as np
import pytest

import slicebench
from slicebench.discovery.interop.huggingface import from_huggingface, to_huggingface
from slicebench.errors import DataError
from tests.discovery.interop.test_found import small

datasets = pytest.importorskip("datasets")


def made(n=4, **more):
    features = datasets.Features(
        {
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "vector": datasets.Sequence(datasets.Value("float32")),
            "text": datasets.Value("string"),
            "width": datasets.Value("int64"),
        }
    )
    rng = np.random.default_rng(0)
    rows = {
        "label": [i % 2 for i in range(n)],
        "vector": rng.normal(size=(n, 3)).astype(np.float32).tolist(),
        "text": [f"text {i}" for i in range(n)],
        "width": list(range(n)),
    }
    return datasets.Dataset.from_dict(rows | more, features=features)


def test_types_say_what_columns_are():
    dataset = made()
    frame = from_huggingface(dataset, rename={"vector": "embedding"})
    assert frame["label"].tolist() == ["cat", "dog", "cat", "dog"]
    assert frame["id"].tolist() == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(np.stack(frame["embedding"]), np.array(dataset["vector"], dtype=np.float32))
    assert frame["text"].tolist() == [f"text {i}" for i in range(4)]
    assert frame["width"].tolist() == [0, 1, 2, 3]


def test_a_view_of_a_dataset_is_that_view():
    """select and shuffle leave the Arrow table as it is and map indices."""
    assert from_huggingface(made().select([2, 0]))["width"].tolist() == [2, 0]
    shuffled = made(50).shuffle(seed=1)
    assert from_huggingface(shuffled)["width"].tolist() == list(shuffled["width"])


def test_images_are_paths_or_bytes(tmp_path):
    from PIL import Image

    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    cells = [str(tmp_path / "a.png"), {"bytes": content, "path": None}, {"bytes": content, "path": "gone.png"}, None]
    dataset = datasets.Dataset.from_dict({"image": cells}, features=datasets.Features({"image": datasets.Image()}))
    assert from_huggingface(dataset)["image"].tolist() == [str(tmp_path / "a.png"), content, content, None]


def test_splits_become_a_column_and_a_problem():
    parts = datasets.DatasetDict({"train": made(20), "validation": made(30), "test": made(40)})
    frame = from_huggingface(parts, rename={"vector": "embedding"})
    assert frame["split"].value_counts().to_dict() == {"test": 40, "val": 30, "train": 20}
    assert frame["id"].is_unique
    frame["loss"] = 1.0
    problem = slicebench.from_frame(
        frame, id="id", split="split", label="label", embedding="embedding", loss="loss", text="text"
    )
    assert problem.test.n == 40
    assert problem.data.class_names == ("cat", "dog")


def test_findings_become_columns():
    dataset = datasets.Dataset.from_dict({"key": list("dcba"), "x": [1, 2, 3, 4]})
    found = to_huggingface(dataset, small(), id="key")
    assert found["hardness"][:] == [-1.0, 0.2, 0.9, 0.3]
    assert found["slices"][:] == [[], ["wet"], ["wet", "dark"], ["dark"]]
    assert found["memberships"][2] == [0.95, 0.9]
    assert found["x"][:] == [1, 2, 3, 4]
    assert dataset.column_names == ["key", "x"]


def test_row_numbers_are_ids_where_there_are_none():
    found = small()
    found.members["id"], found.hardness["id"] = [1, 0, 1, 2], range(4)
    dataset = datasets.Dataset.from_dict({"x": [1, 2, 3, 4, 5]})
    assert to_huggingface(dataset, found)["hardness"][:] == [0.3, 0.9, 0.2, -1.0, None]


def test_what_does_not_fit_is_said():
    dataset = made()
    for call, says in [
        (lambda: from_huggingface(dataset, rename={"vektor": "embedding"}), "did you mean 'vector'"),
        (lambda: from_huggingface(dataset, rename={"vector": "text"}), "same name after renaming"),
        (lambda: from_huggingface({"trein": dataset}), "a split 'trein'; did you mean 'train'"),
        (lambda: from_huggingface({}), "no splits"),
        (lambda: from_huggingface(made(label=[0, 1, -1, 0])), "class number -1; expected 0 to 1"),
        (lambda: to_huggingface(dataset, small(), id="key"), "no column 'key'"),
        (
            lambda: to_huggingface(datasets.Dataset.from_dict({"id": list("ab"), "slices": [1, 2]}), small()),
            "slices already",
        ),
    ]:
        with pytest.raises(DataError, match=says):
            call()
