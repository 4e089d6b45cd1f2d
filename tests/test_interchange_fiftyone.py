"""Samples for FiftyOne: its conventions, as documented."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from slicebench.errors import DataError, StorageError
from slicebench.interchange import Found
from slicebench.interchange.fiftyone import to_fiftyone, write_fiftyone
from tests.test_interchange_found import small


def table():
    return pd.DataFrame(
        {
            "id": list("abcd"),
            "filepath": ["x/a.png", "/abs/b.png", "c.png", "d.png"],
            "label": ["cat", "dog", None, "cat"],
            "prediction": ["cat", "cat", "dog", "dog"],
            "p_cat": [0.9, 0.8, 0.3, 0.4],
            "p_dog": [0.1, 0.2, 0.7, 0.6],
        }
    )


def test_samples_hold_labels_hardness_and_slices():
    samples = to_fiftyone(table(), small())
    assert [Path(one["filepath"]).is_absolute() for one in samples] == [True] * 4
    assert samples[1]["filepath"] == "/abs/b.png"
    assert samples[0]["ground_truth"] == {"_cls": "Classification", "tags": [], "label": "cat"}
    assert samples[2]["ground_truth"] is None
    assert samples[2]["prediction"] == {"_cls": "Classification", "tags": [], "label": "dog", "confidence": 0.7}
    assert [one["hardness_m"] for one in samples] == [0.3, 0.9, 0.2, -1.0]
    assert samples[1]["tags"] == ["slice: wet", "slice: dark"]
    inner = samples[1]["slice_m"]["classifications"]
    assert [(one["label"], one["confidence"]) for one in inner] == [("wet", 0.95), ("dark", 0.9)]
    assert samples[3]["tags"] == []
    assert [one["slicebench_id"] for one in samples] == list("abcd")


def test_several_methods_stand_side_by_side():
    one = small()
    other = small().members.assign(method="their-method", slice="odd")
    found = Found(
        pd.concat([one.members, other]), pd.concat([one.hardness, one.hardness.assign(method="their-method")])
    )
    samples = to_fiftyone(table().drop(columns=["label", "prediction"]), found)
    assert {"slice_m", "slice_their_method", "hardness_m", "hardness_their_method"} <= set(samples[0])
    assert samples[0]["tags"] == ["slice: dark", "slice: odd"]
    assert "prediction" not in samples[0]
    assert "slice_m" not in to_fiftyone(table(), found, methods=["their-method"])[0]


def test_without_probabilities_there_is_no_confidence():
    samples = to_fiftyone(table().drop(columns=["p_dog"]), small())
    assert "confidence" not in samples[0]["prediction"]


def test_the_folder_is_plain_json(tmp_path):
    samples = to_fiftyone(table(), small())
    write_fiftyone(samples, tmp_path / "a" / "b")
    assert json.loads((tmp_path / "a/b/samples.json").read_text()) == {"samples": samples}
    assert "version" not in json.loads((tmp_path / "a/b/metadata.json").read_text())  # marks the older layout
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_fiftyone(samples, tmp_path / "file")


def test_what_is_missing_is_said():
    with pytest.raises(DataError, match="no column 'filepath'; did you mean 'filepaths'"):
        to_fiftyone(table().rename(columns={"filepath": "filepaths"}), small())
    with pytest.raises(DataError, match="no column 'key'"):
        to_fiftyone(table(), small(), id="key")
