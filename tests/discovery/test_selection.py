"""The hardest candidates of each class, on tables as users have them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slicebench.discovery.selection import select
from slicebench.errors import ConfigError, DataError, PluginError
from slicebench.plugins.registry import METHODS


def made(n, seed, names=("cat", "dog")):
    """n examples of two classes; in a fifth of each, apart along dimension 2, the model is wrong 60 % of the time, else 6 %."""
    rng = np.random.default_rng(seed)
    y, hard = rng.integers(2, size=n), rng.random(n) < 0.2
    x = rng.normal(size=(n, 8)).astype(np.float32)
    x[:, 0] += 2 * y
    x[:, 2] += 3 * hard
    wrong = rng.random(n) < np.where(hard, 0.6, 0.06)
    p = np.where(wrong, 1 - y, y) * 0.6 + 0.1 + 0.2 * rng.random(n)
    names = np.array(names)
    return pd.DataFrame(
        {
            "id": [f"{seed}-{i}" for i in range(n)],
            "label": names[y],
            "prediction": names[(p > 0.5).astype(int)],
            f"p_{names[0]}": 1 - p,
            f"p_{names[1]}": p,
            "embedding": list(x),
            "x0": x[:, 0],
            "x2": x[:, 2],
            "place": np.where(hard, "sea", "land"),
            "loss": np.where(wrong, 2.0, 0.1),
            "text": [f"text {i}" for i in range(n)],
            "hard": hard,
        }
    )


@pytest.fixture(scope="module")
def data():
    return made(600, 1)


@pytest.fixture(scope="module")
def pool():
    return made(800, 2)


def share_hard(selection, pool):
    return pool.set_index("id").loc[selection.table["id"], "hard"].mean()


def test_the_hardest_of_each_class_in_order(data, pool):
    found = select(data, pool, k=30)
    table = found.table
    assert list(table.columns) == ["id", "class", "rank", "hardness", "flagged", "weak_label"]
    assert table["class"].tolist() == ["cat"] * 30 + ["dog"] * 30
    assert table["rank"].tolist() == [*range(1, 31)] * 2
    truth = pool.set_index("id")
    assert (truth.loc[table["id"], "label"].to_numpy() == table["class"]).all()
    everyone = select(data, pool, k=10_000).table
    assert len(everyone) == len(pool)
    for name, chosen in table.groupby("class"):
        assert chosen["hardness"].is_monotonic_decreasing
        rest = everyone[(everyone["class"] == name) & ~everyone["id"].isin(chosen["id"])]
        assert rest["hardness"].max() <= chosen["hardness"].min()
    for one in found.classes:
        own = everyone[everyone["class"] == one.name]
        assert (one.candidates, one.flagged, one.weak, one.chosen) == (len(own), own["flagged"].sum(), 0, 30)
        assert 0.5 < one.strength <= 1
    assert found.notes == ()


def test_it_finds_the_hard_group_with_and_without_labels(data, pool):
    base = pool["hard"].mean()
    assert share_hard(select(data, pool, k=40), pool) > 3.5 * base
    assert share_hard(select(data, pool.drop(columns="label"), k=40), pool) > 2 * base
    assert share_hard(select(data, pool, k=40, method="random"), pool) < 1.6 * base


def test_predictions_stand_in_for_missing_labels(data, pool):
    gaps = pool.copy()
    gaps.loc[::2, "label"] = None
    gaps.loc[1, "label"] = " "
    found = select(data, gaps, k=10_000, method="confidence", probs="p_")
    table = found.table.set_index("id").loc[pool["id"]]
    weak = gaps["label"].isna() | (np.arange(800) == 1)
    assert table["weak_label"].tolist() == weak.tolist()
    assert table["class"].tolist() == np.where(weak, pool["prediction"], pool["label"]).tolist()
    assert any(note.startswith("401 of 800 candidates have no label") for note in found.notes)
    assert sum(one.weak for one in found.classes) == 401
    expected = 1 - np.where(table["class"] == "cat", pool["p_cat"], pool["p_dog"])
    np.testing.assert_allclose(table["hardness"], expected, atol=1e-6)


def test_probabilities_by_prefix_by_name_and_predictions_agree_on_weak_labels(data, pool):
    bare = pool.drop(columns="label")
    by_prefix = select(data, bare, k=20, probs="p_")
    by_name = select(data, bare, k=20, probs=["p_cat", "p_dog"])
    by_prediction = select(data, bare, k=20)
    pd.testing.assert_frame_equal(by_prefix.table, by_name.table)
    pd.testing.assert_frame_equal(by_prefix.table, by_prediction.table)


def test_numbered_classes_stay_numbers_and_keep_their_order():
    data, pool = made(600, 1, (2, 10)), made(300, 2, (2, 10))
    pool["label"] = pool["label"].astype(float)
    pool.loc[:99, "label"] = np.nan  # as a column of whole numbers with gaps comes out of a .csv
    pool["id"] = np.arange(300)
    found = select(data, pool, k=5, probs=["p_2", "p_10"])
    assert found.table["class"].tolist() == [2] * 5 + [10] * 5
    assert found.table["class"].dtype.kind == found.table["id"].dtype.kind == "i"
    words = select(
        made(600, 1),
        made(300, 2).assign(id=np.arange(300), label=lambda t: t["label"].where(t.index > 99)),
        k=5,
        probs="p_",
    )
    assert found.table["id"].tolist() == words.table["id"].tolist()


def test_one_table_with_splits(data, pool):
    splits = np.array(["train"] * 100 + ["val"] * 500 + ["pool"] * 700 + ["test"] * 100)
    table = pd.concat([data, pool], ignore_index=True).assign(part=splits)
    found = select(None, table.sample(frac=1, random_state=0), k=25, split="part")
    assert set(found.table["id"]) <= set(pool["id"][:700])
    assert sum(one.candidates for one in found.classes) == 700
    assert share_hard(found, pool) > 3 * pool["hard"].mean()


def test_features_instead_of_embeddings(data, pool):
    found = select(data, pool, k=40, features=["x0", "x2", "place"])
    assert share_hard(found, pool) > 3.5 * pool["hard"].mean()


def test_a_task_without_classes_is_one_class(data, pool):
    bare, known = pool[["id", "embedding"]], data[["id", "embedding", "loss"]]
    found = select(known, bare, method="spotlight", k=60, loss="loss")
    assert found.table["class"].tolist() == ["all"] * 60
    assert not found.table["weak_label"].any()
    assert any("no losses" in note for note in found.notes)
    assert share_hard(found, pool) > 2 * pool["hard"].mean()


def test_methods_without_flags_or_strength_and_methods_with_parameters(data, pool):
    found = select(data, pool, method=METHODS.load("random")(seed=3), k=5)
    assert found.table["flagged"].isna().all()
    assert {one.flagged for one in found.classes} == {one.strength for one in found.classes} == {None}
    assert found.table["id"].tolist() != select(data, pool, method="random", k=5).table["id"].tolist()


def test_the_same_seed_gives_the_same_choice(data, pool):
    one, two = (select(data, pool, k=50, seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(one.table, two.table)
    assert one.table["hardness"].tolist() != select(data, pool, k=50, seed=5).table["hardness"].tolist()


def test_small_and_absent_classes_are_said(data, pool):
    few = pd.concat([pool[pool["label"] == "cat"], pool[pool["label"] == "dog"][:3]])
    found = select(data, few, k=20)
    assert found.table["class"].value_counts().to_dict() == {"cat": 20, "dog": 3}
    assert "class dog has 3 candidates, fewer than 20: all are taken" in found.notes
    found = select(data, pool[pool["label"] == "cat"], k=20)
    assert "class dog has no candidates" in found.notes
    assert [one.chosen for one in found.classes] == [20, 0]


def test_a_class_without_errors_is_said_by_name_and_ties_too(data, pool):
    sure = data.assign(prediction=data["prediction"].where(data["label"] == "cat", data["label"]))
    found = select(sure, pool.drop(columns="label"), k=20, probs=None)
    assert any("class 1 has no errors to learn from; ranked by confidence" in note for note in found.notes)
    assert "classes by number: 0 = cat, 1 = dog" in found.notes
    assert "class dog: candidates tie for the last places; chance decided among them" in found.notes
    other = select(sure, pool.drop(columns="label"), k=20, seed=1, probs=None)
    assert set(found.table["id"][20:]) != set(other.table["id"][20:])


def test_ids_are_row_numbers_where_the_pool_has_none(data, pool):
    found = select(data, pool.drop(columns="id"), k=5)
    named = select(data, pool, k=5)
    assert pool["id"].iloc[found.table["id"]].tolist() == named.table["id"].tolist()
    assert any("row numbers" in note for note in found.notes)


def test_class_names_may_hold_braces(data, pool):
    swap = {"cat": "{cat}", "dog": "{0}"}
    braced = data.assign(label=data["label"].map(swap), prediction=data["prediction"].map(swap))
    with pytest.raises(DataError, match=r"is '(cat|dog)' at row \d+ .* one of the classes \{0\}, \{cat\}"):
        select(braced, pool)


NAN = np.full(8, np.nan, dtype=np.float32)


@pytest.mark.parametrize(
    ("change", "options", "error", "says"),
    [
        ({}, {"k": 0}, ConfigError, "k is 0; expected 1 or more"),
        ({}, {"method": "oracle"}, ConfigError, "oracle needs the planted truth"),
        ({}, {"method": "lff"}, ConfigError, "lff cannot run on this data: needs raw inputs and a trainer"),
        ({}, {"method": "confidence", "probs": None}, ConfigError, "confidence cannot run on this data: needs class prob"),
        ({}, {"label": "lable"}, ConfigError, r"the data table has no column 'lable' \(named as label\); did you mean 'label'"),
        ({}, {"embedding": "vec"}, ConfigError, r"the data table has no column 'vec' \(named as embedding\)"),
        ({}, {"loss": "los"}, ConfigError, r"the data table has no column 'los' \(named as loss\); did you mean 'loss'"),
        ({}, {"probs": "q_"}, ConfigError, r"the data table has no column 'q_' \(named as probs\), and none that begins so"),
        ({}, {"features": ["x0"], "embedding": "embedding"}, ConfigError, "embedding and features are given, .* leave out one"),
        ({"label": "owl"}, {}, DataError, "'label' of the pool table is 'owl' at row 0 .* expected one of the classes cat, dog"),
        ({"prediction": "owl"}, {}, DataError, "'prediction' of the pool table is 'owl' at row 0"),
        ({"prediction": None}, {}, DataError, "'prediction' of the pool table has no value at row 0"),
        ({"id": "2-1"}, {}, DataError, "'id' of the pool table has '2-1' at rows 0 and 1"),
        ({"id": "1-5"}, {}, DataError, "'id' of the pool table is '1-5' at row 0 .* also in the data table"),
        ({"embedding": NAN}, {}, DataError, "'embedding' of the pool table is nan at row 0, column 0"),
        ({"embedding": None}, {}, DataError, "'embedding' of the pool table has no value at row 0"),
        ({"embedding": np.zeros(3)}, {}, DataError, "'embedding' of the pool table has vectors of different lengths"),
        ({"p_cat": 3.0}, {"probs": "p_"}, DataError, "columns p_cat, p_dog of the pool table: row 0 has numbers from"),
        ({"p_cat": np.nan}, {"probs": "p_"}, DataError, "'p_cat' of the pool table has no value at row 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(data, pool, change, options, error, says):
    changed = pool.copy()
    for column, value in change.items():
        changed.at[0, column] = value
    with pytest.raises(error, match=says):
        select(data, changed, **options)


def test_what_the_known_examples_lack_is_named(data, pool):
    gaps = data.copy()
    gaps.loc[7, "label"] = None
    with pytest.raises(DataError, match=r"'label' of the data table has no value at row 7 .* move them to the pool"):
        select(gaps, pool)
    with pytest.raises(ConfigError, match=r"the data table has predictions, but which column .*The columns are"):
        select(data.drop(columns="label"), pool)
    with pytest.raises(ConfigError, match="nothing in the data table says where the model is wrong"):
        select(data.drop(columns="prediction"), pool, probs=None, loss=None)
    with pytest.raises(DataError, match=r"too few examples of known truth \(2\) to deal to train and val: train would"):
        select(data[:2], pool)
    with pytest.raises(DataError, match="the pool table has no rows"):
        select(data, pool[:0])


def test_parts_that_do_not_fit_together_are_named(data, pool):
    shorter = pool.assign(embedding=[x[:5] for x in pool["embedding"]])
    with pytest.raises(DataError, match="embeddings have 8 numbers in the data table, 5 in the pool table"):
        select(data, shorter)
    with pytest.raises(DataError, match=r"feature 'place' holds .* expected numbers in both, or words"):
        select(data, pool.assign(place=1.5), features=["place"])
    with pytest.raises(DataError, match=r"'embedding' of the data table holds text; .*column for each number"):
        select(data.assign(embedding="[0.1, 0.2]"), pool)


def test_one_table_must_say_what_is_what(data):
    with pytest.raises(ConfigError, match=r"cannot tell labelled examples from candidates: .* no column 'split'"):
        select(None, data)
    with pytest.raises(DataError, match="'split' of the table has no row marked 'pool'; train, val and pool are all"):
        select(None, data.assign(split=["train", "val"] * 300))
    with pytest.raises(
        DataError, match=r"'split' of the table is 'vla' at row 1 .* expected one of train, val, test, pool"
    ):
        select(None, data.assign(split=["train", "vla", "pool"] * 200))


def test_a_pool_without_the_vectors_is_named(data, pool):
    with pytest.raises(DataError, match="the pool table has no column 'embedding'"):
        select(data, pool.drop(columns="embedding"))


def test_only_what_select_takes_is_asked_for(data, pool):
    with pytest.raises(ConfigError, match=r"where the model is wrong.*score=COLUMN\), or losses \(loss=COLUMN\)"):
        select(data.drop(columns=["label", "prediction", "loss"]), pool)


def folder_of_images(path, n, seed):
    """Images of two classes, half of them dark; the model is mostly wrong on dark ones."""
    rng = np.random.default_rng(seed)
    y, dark = rng.integers(2, size=n), rng.random(n) < 0.3
    path.mkdir()
    for i in range(n):
        pixels = rng.integers(0, 40) + rng.integers(0, 2, (2, 2)) + np.where(dark[i], 0, 120) + 60 * y[i]
        Image.fromarray(pixels.astype(np.uint8)).save(path / f"{i}.png")
    wrong = rng.random(n) < np.where(dark, 0.8, 0.02)
    names = np.array(["cat", "dog"])
    table = pd.DataFrame(
        {"file_name": [f"{i}.png" for i in range(n)], "label": names[y], "prediction": names[y ^ wrong], "dark": dark}
    )
    table.to_csv(path / "metadata.csv", index=False)
    return table


def test_folders_of_images_are_embedded_together(tmp_path):
    folder_of_images(tmp_path / "seen", 300, 0)
    pool = folder_of_images(tmp_path / "new", 200, 1)
    found = select(tmp_path / "seen", tmp_path / "new", method="svm_directions", k=20)
    assert pool["dark"].iloc[found.table["id"]].mean() > 0.8
    with pytest.raises(PluginError, match="no plugin named 'nope'"):
        select(tmp_path / "seen", tmp_path / "new", encoder="nope")


def test_an_encoder_without_images_is_told_of(data, pool):
    found = select(data, pool, k=3, encoder="pixels-pca")
    assert "encoder is not used: the tables are no folders of images." in found.notes
