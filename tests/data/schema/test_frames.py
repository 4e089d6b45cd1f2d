"""What a user hands over becomes a DataFrame, or is refused in a sentence."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from slicebench.data.columns import Columns
from slicebench.data.schema import schema_of
from slicebench.data.schema.frames import as_frame
from slicebench.discovery.interop.huggingface import from_huggingface
from slicebench.errors import DataError

COLUMNS = {
    "label": ["cat", "dog", None],
    "n": [1, 2, 3],
    "vector": [[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]],
    "tags": [["a"], [], ["b", "c"]],
    "doc": [{"k": 1}, {"k": 2}, {"k": 3}],
}


def plain(value):
    """Lists for arrays, None for what is missing."""
    if isinstance(value, np.ndarray | list):
        return [*map(plain, value)]
    return value if isinstance(value, dict) or pd.notna(value) else None


def held(frame):
    return {name: [plain(cell) for cell in frame[name]] for name in frame}


def of_polars(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def of_hugging_face(columns):
    return pytest.importorskip("datasets").Dataset.from_dict(columns)


@pytest.mark.parametrize(
    "make",
    [
        dict,
        lambda columns: pd.DataFrame(columns).to_dict("records"),
        lambda columns: pd.DataFrame(columns).to_dict(),
        pa.table,
        pa.RecordBatch.from_pydict,
        of_polars,
        of_hugging_face,
    ],
)
def test_tables_of_other_libraries(make):
    assert held(as_frame(make(COLUMNS))) == COLUMNS


def test_a_frame_is_itself_and_a_path_is_read(tmp_path):
    frame = pd.DataFrame(COLUMNS)
    assert as_frame(frame) is frame
    frame.to_parquet(tmp_path / "t.parquet")
    for path in (tmp_path / "t.parquet", str(tmp_path / "t.parquet")):
        assert held(as_frame(path)) == COLUMNS


def test_columns_of_a_dict_count_by_position_and_may_be_matrices_and_tensors():
    torch = pytest.importorskip("torch")
    found = as_frame(
        {
            "series": pd.Series([1, 2], index=[1, 0]),
            "matrix": np.array([[1.0, 2.0], [3.0, 4.0]]),
            "tensor": torch.tensor([[1, 2], [3, 4]]),
            "range": (5, 6),
        }
    )
    assert held(found) == {"series": [1, 2], "matrix": [[1, 2], [3, 4]], "tensor": [[1, 2], [3, 4]], "range": [5, 6]}


def test_a_named_index_of_an_arrow_table_is_a_column():
    frame = pd.DataFrame({"a": [1]}, index=pd.Index(["p"], name="patient"))
    assert held(as_frame(pa.Table.from_pandas(frame))) == {"patient": ["p"], "a": [1]}


def test_the_interchange_protocol():
    class Exchanged:
        def __dataframe__(self, **how):
            return pa.table({"a": [1, 2], "b": ["x", None]}).__dataframe__(**how)

    assert held(as_frame(Exchanged())) == {"a": [1, 2], "b": ["x", None]}


def test_records_may_lack_fields_and_arrays_may_have_them():
    assert held(as_frame([{"a": 1}, {"a": 2, "b": "x"}])) == {"a": [1, 2], "b": [None, "x"]}
    structured = np.array([(1, [1.0, 2.0])], dtype=[("a", "i4"), ("v", "f4", 2)])
    assert held(as_frame(structured)) == {"a": [1], "v": [[1, 2]]}


def labelled(datasets, **columns):
    names = datasets.Features(label=datasets.ClassLabel(names=["worse", "better"]), prediction=datasets.Value("int64"))
    return datasets.Dataset.from_dict(columns, features=names)


def test_lists_of_class_labels_are_lists_of_words():
    datasets = pytest.importorskip("datasets")
    several = datasets.Sequence(datasets.ClassLabel(names=["cat", "dog", "sea"]))
    features = datasets.Features(label=several, prediction=datasets.Sequence(datasets.Value("int64")))
    made = datasets.Dataset.from_dict({"label": [[0], [1, 2], []], "prediction": [[0], [1], [2]]}, features=features)
    assert as_frame(made)["label"].tolist() == [["cat"], ["dog", "sea"], []]
    outcomes = schema_of(made, Columns()).outcomes
    assert outcomes.sets == [{"cat"}, {"dog", "sea"}, set()]
    assert outcomes.correct.tolist() == [True, False, False]
    assert outcomes.losses.tolist() == [0, 1, 1]
    assert from_huggingface(made)["label"].tolist() == [["cat"], ["dog", "sea"], []]


def test_class_labels_of_hugging_face_are_words_and_numbers_are_matched_with_them():
    datasets = pytest.importorskip("datasets")
    made = labelled(datasets, label=[0, 1, 1, -1], prediction=[0, 1, 0, 0])
    assert held(as_frame(made.select([2, 0, 3])))["label"] == ["better", "worse", None]
    outcomes = schema_of(made.select([2, 0]), Columns()).outcomes
    assert outcomes.class_names == ("worse", "better")
    assert outcomes.labels.tolist() == [1, 0]
    assert outcomes.predictions.tolist() == [0, 0]


def test_probabilities_are_in_the_order_of_the_class_labels():
    datasets = pytest.importorskip("datasets")
    made = labelled(datasets, label=[0, 1, 1], prediction=[1, 1, 0])
    probs = made.remove_columns("prediction").add_column("probs", [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    outcomes = schema_of(probs, Columns()).outcomes
    np.testing.assert_allclose(outcomes.probs[:, 0], [0.9, 0.8, 0.7], rtol=1e-6)
    assert outcomes.class_names == ("worse", "better")


def test_class_names_are_names_of_predicted_numbers():
    frame = pd.DataFrame({"label": ["dog", "cat", "dog"], "prediction": [0, 1, 1]})
    outcomes = schema_of(frame, Columns(class_names=["dog", "cat"])).outcomes
    assert outcomes.class_names == ("dog", "cat")
    assert (outcomes.labels.tolist(), outcomes.predictions.tolist()) == ([0, 1, 0], [0, 1, 1])


def test_images_of_hugging_face_are_not_decoded():
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(image=datasets.Image())
    made = datasets.Dataset.from_dict({"image": [{"bytes": b"no image", "path": None}]}, features=features)
    assert as_frame(made)["image"].tolist() == [{"bytes": b"no image", "path": None}]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (3, "the pool table is of type int; expected a pandas or polars DataFrame"),
        (None, "is of type NoneType; expected"),
        (np.zeros((2, 2)), r"is of type numpy\.ndarray; expected"),
        ([1, 2], "is of type list; expected"),
        ({}, "is of type dict; expected"),
        ({"a": [1], "b": [1, 2]}, "column 'a' has 1 values, column 'b' has 2"),
        ({"a": "xy"}, "column 'a' is of type str; expected a list or an array"),
        ("table.docx", r"cannot read the table table\.docx: its ending is not a known format"),
    ],
)
def test_other_things_are_refused_in_a_sentence(table, said):
    with pytest.raises(DataError, match=said):
        as_frame(table, "pool table")


def test_what_helps_is_said():
    polars = pytest.importorskip("polars")
    with pytest.raises(DataError, match=re.escape("of which .collect() may make one that fits")):
        as_frame(polars.LazyFrame(COLUMNS))
    datasets = pytest.importorskip("datasets")
    splits = datasets.DatasetDict(train=of_hugging_face(COLUMNS), test=of_hugging_face(COLUMNS))
    with pytest.raises(
        DataError, match=re.escape("DatasetDict of the splits 'train', 'test': choose one, as table['train']")
    ):
        as_frame(splits)


def noted(frame):
    return schema_of(frame, Columns()).notes


ROWS = {"label": ["a", "b"] * 30, "prediction": ["a", "b"] * 30, "x": [*range(60)]}


def test_a_named_index_is_a_column_and_said():
    frame = pd.DataFrame(ROWS, index=pd.Index([f"p{i}" for i in range(60)], name="id"))
    schema = schema_of(frame, Columns())
    assert schema.roles.id == "id"
    assert [one.column for one in schema.uses] == ["id", "label", "prediction", "x"]
    assert schema.notes == ("The index 'id' of the table counts as a column (id).",)
    assert frame.index.name == "id"
    assert not frame.attrs


def test_levels_of_an_index_are_columns():
    days = pd.date_range("2024-01-01", periods=60)
    index = pd.MultiIndex.from_arrays([["north", "south"] * 30, days, [*range(60)]], names=["site", "date", None])
    schema = schema_of(pd.DataFrame(ROWS, index=index), Columns())
    assert {one.column: one.use for one in schema.uses if one.column in ("site", "date")} == {
        "site": "features and rules",
        "date": "features and rules",
    }
    assert schema.notes[:2] == (
        "The index 'site' of the table counts as a column (features and rules).",
        "The index 'date' of the table counts as a column (features and rules).",
    )


def test_an_index_without_a_name_is_no_column():
    words = [f"p{i}" for i in range(60)]
    assert noted(pd.DataFrame(ROWS)) == ()
    assert noted(pd.DataFrame(ROWS)[::-1]) == ()
    (note,) = noted(pd.DataFrame(ROWS, index=words))
    assert note.startswith("The index of the table has no name and is not used; table.rename_axis('id')")


def test_an_index_of_the_name_of_a_column():
    frame = pd.DataFrame({"id": [f"p{i}" for i in range(60)], **ROWS})
    assert noted(frame.set_index("id", drop=False)) == ()
    (note,) = noted(frame.set_index(pd.Index([*range(60)], name="id")))
    assert note == "The index 'id' of the table is not used: a column has its name and other values."


def test_a_relation_of_duckdb():
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    relation = duckdb.sql("select * from (values (1, 'x', [1.5, 2.5]), (2, null, [3.5, 4.5])) as t(a, b, v)")
    assert held(as_frame(relation)) == {"a": [1, 2], "b": ["x", None], "v": [[1.5, 2.5], [3.5, 4.5]]}
