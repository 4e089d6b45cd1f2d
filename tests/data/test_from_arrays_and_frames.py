"""A user's own predictions become a problem, and what does not fit is named by array, column and row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import slicebench
from slicebench import Problem, evaluate
from slicebench.errors import ConfigError, DataError, SlicebenchError
from slicebench.plugins.registry import METHODS
from slicebench_datasets.table import Table
from tests.support.local_data import assert_oracle_is_one, statuses


@pytest.fixture
def mine():
    """300 examples of two classes; the model is wrong on most of the group."""
    rng = np.random.default_rng(0)
    y, weak = rng.integers(2, size=300), rng.random(300) < 0.2
    x = rng.normal(size=(300, 5)).astype(np.float32) + 3 * weak[:, None]
    right = rng.random(300) < np.where(weak, 0.3, 0.95)
    p = np.where(right == (y == 1), 0.8, 0.2)
    return {"embeddings": x, "labels": y, "probs": np.stack([1 - p, p], axis=1)}, weak


@pytest.fixture
def frame(mine):
    arrays, weak = mine
    table = pd.DataFrame({f"x{i}": arrays["embeddings"][:, i] for i in range(5)})
    return table.assign(
        key=[f"k{i}" for i in range(300)],
        animal=np.where(arrays["labels"] == 1, "dog", "cat"),
        guess=np.where(arrays["probs"][:, 1] > 0.5, "dog", "cat"),
        p_cat=arrays["probs"][:, 0],
        p_dog=arrays["probs"][:, 1],
        loss=np.arange(300) / 300,
        weak=weak,
        place=np.where(weak, "sea", "land"),
        vector=arrays["embeddings"].tolist(),
        words=[f"text {i}" for i in range(300)],
    )


def test_every_method_runs_or_says_why_not(mine):
    arrays, weak = mine
    problem = slicebench.from_arrays(**arrays, groups={"weak": weak})
    assert_oracle_is_one(problem)
    found = statuses(problem)
    assert found["svm_directions"] == found["domino"] == found["spotlight"] == found["confidence"] == "ok"
    assert found["lff"] == "skipped: needs raw inputs and a trainer"
    assert evaluate(METHODS.load("confidence")(), problem).record.metrics["namf"] > 0.2


def test_splits_are_dealt_within_classes_and_by_the_seed(mine):
    arrays, _ = mine
    one, two, other = (slicebench.from_arrays(**arrays, seed=seed) for seed in (0, 0, 1))
    sizes = {name: split.n for name, split in one.data.splits() if split is not None} | {"test": one.test.n}
    assert sizes == {"train": 60, "val": 120, "test": 120}
    for c in range(2):
        assert (one.test.labels == c).mean() == pytest.approx((arrays["labels"] == c).mean(), abs=0.01)
    np.testing.assert_array_equal(one.test.ids, two.test.ids)
    assert set(one.test.ids) != set(other.test.ids)
    row = int(one.test.ids[3])
    np.testing.assert_array_equal(one.test.embeddings[3], arrays["embeddings"][row])


def test_named_splits_and_a_pool(mine):
    arrays, weak = mine
    names = np.array(["train", "val", "test", "pool"])[np.arange(300) % 4]
    problem = slicebench.from_arrays(**arrays, splits=names, groups={"weak": weak}, class_names=("cat", "dog"))
    assert problem.data.pool.ids.tolist() == [str(i) for i in range(3, 300, 4)]
    assert problem.truth.groups["pool"][:, 0].tolist() == weak[3::4].tolist()
    assert problem.data.class_names == ("cat", "dog")


def test_predictions_or_losses_are_enough(mine):
    arrays, _ = mine
    guess = arrays["probs"].argmax(axis=1)
    problem = slicebench.from_arrays(embeddings=arrays["embeddings"], labels=arrays["labels"], predictions=guess)
    assert set(np.unique(problem.test.losses)) == {0.0, 1.0}
    assert evaluate(METHODS.load("svm_directions")(), problem).record.status == "ok"
    only = slicebench.from_arrays(embeddings=arrays["embeddings"], losses=np.arange(300.0))
    assert only.test.labels is None
    assert evaluate(METHODS.load("spotlight")(), only).record.status == "ok"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embeddings": np.zeros(300)}, r"embeddings has shape \(300,\)"),
        ({"embeddings": np.full((300, 2), np.nan)}, "embeddings is nan at row 0"),
        ({"labels": np.zeros(299, int)}, "labels has 299 rows; expected 300"),
        ({"labels": np.full(300, 2)}, "labels reach 2, but probs has 2 columns"),
        ({"probs": np.full((300, 2), 0.7)}, "probs: the probabilities of row 0 sum to 1.4; .* divide each row"),
        ({"probs": None}, "do not say where the model errs"),
        ({"probs": None, "labels": None, "predictions": np.zeros(300, int)}, "predictions are given without labels"),
        ({"ids": ["a", "b", "a", *range(297)]}, "ids has 'a' at rows 0 and 2"),
        ({"groups": {"weak": np.ones(3, bool)}}, r"groups\['weak'\] has 3 rows"),
        ({"groups": {"weak": np.full(300, 0.5)}}, r"groups\['weak'\] has dtype float64; expected booleans"),
        ({"splits": ["train"] * 300}, "splits has no example of val and test"),
        ({"splits": ["train", "val", "tset"] * 100}, "splits has 'tset' at row 2; expected train, val, test, pool"),
        ({"splits": ["train", "val", "test"]}, r"splits has shape \(3,\)"),
        ({"metadata": pd.DataFrame({"a": [1]})}, "metadata has 1 rows"),
    ],
)
def test_what_does_not_fit_is_named(mine, changes, message):
    with pytest.raises(DataError, match=message):
        slicebench.from_arrays(**mine[0] | changes)


def test_too_few_examples_to_deal():
    with pytest.raises(DataError, match=r"too few examples \(1\) to deal"):
        slicebench.from_arrays(embeddings=np.ones((1, 2)), losses=[1.0])


def test_a_table_with_features(frame):
    features = [*(f"x{i}" for i in range(5)), "place"]
    problem = slicebench.from_frame(
        frame,
        id="key",
        label="animal",
        prediction="guess",
        features=features,
        groups=["weak"],
        metadata=["place"],
        text="words",
    )
    assert problem.data.class_names == ("cat", "dog")
    assert problem.test.embeddings.shape[1] == 7
    np.testing.assert_allclose(problem.data.train.embeddings[:, :5].mean(axis=0), 0, atol=1e-5)
    assert problem.test.inputs[0] == f"text {problem.test.ids[0][1:]}"
    assert problem.truth.group_names == ("weak",)
    assert list(problem.test.metadata.columns) == ["place"]
    assert_oracle_is_one(problem)


def test_a_table_with_vectors_probabilities_and_a_group_by_value(frame, tmp_path):
    frame.to_parquet(tmp_path / "mine.parquet")
    for probs in ("p_", ["p_cat", "p_dog"]):
        problem = slicebench.from_parquet(
            tmp_path / "mine.parquet",
            label="animal",
            probs=probs,
            embedding="vector",
            groups={"at sea": ("place", "sea")},
        )
        vectors = np.stack(frame["vector"]).astype(np.float32)
        np.testing.assert_array_equal(problem.test.embeddings, vectors[problem.test.ids.astype(int)])
        assert problem.truth.minority(problem.test.ids).mean() == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": "animl"}, "no column 'animl' .named as label.; did you mean 'animal'"),
        ({"embedding": None}, "give either embedding, a column of vectors, or features"),
        ({"features": ["x0"]}, "embedding and features are given, .* leave out one"),
        ({"groups": "weak"}, "groups is the string 'weak'"),
        ({"groups": {"at sea": ("place", "see")}}, "group 'at sea': no row has 'see' in column 'place'"),
        ({"probs": ["x0"]}, "nothing says whether that is cat or dog: name the positive class"),
        ({"probs": None, "prediction": "place"}, "different classes: .* holds 'cat', 'dog'; .* holds 'land', 'sea'"),
    ],
)
def test_columns_that_do_not_fit_are_named(frame, columns, message):
    given = {"label": "animal", "probs": "p_", "embedding": "vector"} | columns
    with pytest.raises(SlicebenchError, match=message):
        slicebench.from_frame(frame, **given)


def test_missing_values_are_named(frame):
    frame.loc[7, "animal"] = None
    with pytest.raises(DataError, match=r"column 'animal' of the table has no value at row 7 \(1 such row\)"):
        slicebench.from_frame(frame, label="animal", probs="p_", embedding="vector")
    with pytest.raises(DataError, match="the table has no rows"):
        slicebench.from_frame(frame.iloc[:0], label="animal", probs="p_", embedding="vector")


def test_vectors_of_different_lengths_are_named(frame):
    frame.at[4, "vector"] = [1.0, 2.0]
    with pytest.raises(
        DataError, match="column 'vector' of the table has vectors of different lengths: 5 at row 0, 2 at row 4"
    ):
        slicebench.from_frame(frame, label="animal", probs="p_", embedding="vector")


@pytest.mark.parametrize("name", ["mine.csv", "mine.tsv", "mine.parquet"])
def test_the_registered_adapter_reads_files(frame, tmp_path, name):
    path, plain = tmp_path / name, frame.drop(columns="vector")
    if name.endswith(".parquet"):
        plain.to_parquet(path)
    else:
        plain.to_csv(path, index=False, sep="\t" if name.endswith(".tsv") else ",")
    adapter = Table(path=str(path), id="key", label="animal", probs="p_", features=["x0", "x1"], groups=["weak"])
    problem = adapter.build(3)
    assert (problem.family, problem.dataset, problem.name, problem.seed) == ("table", "table", "mine", 3)
    assert problem.params == adapter.get_params()
    assert_oracle_is_one(problem)


def test_the_registered_adapter_says_what_is_wrong(tmp_path):
    with pytest.raises(ConfigError, match="table: path is not given"):
        Table().check()
    with pytest.raises(DataError, match=r"cannot read the table .*nowhere\.csv"):
        Table(path=str(tmp_path / "nowhere.csv"), label="y").build(0)
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"cannot read the table .*torn\.parquet"):
        Table(path=str(tmp_path / "torn.parquet"), label="y").build(0)


def test_the_old_names_still_work_and_name_the_new_ones(tmp_path):
    frame = pd.DataFrame({"x": np.arange(40.0), "error": np.arange(40.0) % 3})
    frame.to_parquet(tmp_path / "mine.parquet")
    columns = {"features": ["x"], "loss": "error"}
    with pytest.deprecated_call(match=r"call slicebench\.from_arrays"):
        Problem.from_arrays(embeddings=frame[["x"]].to_numpy(), losses=frame["error"].to_numpy())
    with pytest.deprecated_call(match=r"call slicebench\.from_frame"):
        of_frame = Problem.from_frame(frame, **columns)
    with pytest.deprecated_call(match=r"call slicebench\.from_parquet"):
        of_file = Problem.from_parquet(tmp_path / "mine.parquet", **columns)
    assert np.array_equal(of_frame.test.losses, of_file.test.losses)
    assert np.array_equal(of_frame.test.losses, slicebench.from_frame(frame, **columns).test.losses)
