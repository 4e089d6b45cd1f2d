"""Roles are found by name and content, or declined; columns made from predictions are left out, causes are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slicebench import Columns
from slicebench.data.schema import schema_of
from slicebench.data.schema.roles import declined, on_command_line, parameter, together
from slicebench.data.schema.splits import positions_of
from slicebench.errors import ConfigError, DataError

N = 1200


def table(seed=0, classes=2):
    rng = np.random.default_rng(seed)
    y, night = rng.integers(classes, size=N), rng.random(N) < 0.2
    wrong = rng.random(N) < np.where(night, 0.5, 0.05)
    return pd.DataFrame(
        {
            "label": y,
            "prediction": np.where(wrong, (y + 1) % classes, y),
            "hour": np.where(night, 20, 12) + rng.integers(-3, 4, N),
            "light": np.where(night, "dark", "bright"),
        }
    )


def uses(frame, **columns):
    return {one.column: one for one in schema_of(frame, Columns(**columns)).uses}


@pytest.mark.parametrize(
    ("label", "prediction"),
    [
        ("y_true", "y_pred"),
        ("target", "pred"),
        ("Ground Truth", "Predicted Label"),
        ("yTrue", "yHat"),
        ("gold", "predictions"),
    ],
)
def test_usual_names_are_found(label, prediction):
    frame = table().rename(columns={"label": label, "prediction": prediction})
    roles = schema_of(frame, Columns()).roles
    assert (roles.label, roles.prediction) == (label, prediction)
    assert roles.found >= {"label", "prediction"}


def test_every_column_is_accounted_for():
    frame = table().assign(
        constant=1,
        rows=np.arange(N),
        nothing=None,
        key=[f"k{i}" for i in range(N)],
        blob=[object() for _ in range(N)],
        id=np.arange(N) // 3,
    )
    found = uses(frame, ignore=["hour"])
    assert [*found] == [*frame]
    assert found["light"].use == "features and rules"
    unused = {"hour": "ignored", "constant": "same value", "rows": "numbers the rows", "nothing": "no values"}
    unused |= {"key": "its own value", "blob": "objects", "id": "repeat, so they are no ids"}
    for column, why in unused.items():
        assert found[column].use == "not used"
        assert why in found[column].why


def test_a_role_can_be_declined():
    frame = table().assign(text="something to read", split="test")
    schema = schema_of(frame, Columns(text=None, split=None))
    assert schema.roles.text is None
    assert schema.roles.split is None


def test_an_embedding_is_found_by_name_by_content_and_by_numbers():
    vectors = np.random.default_rng(0).normal(size=(N, 16))
    assert schema_of(table().assign(v=[*vectors]), Columns()).roles.embedding == ("v",)
    wide = table().assign(**{f"e{i}": vectors[:, i] for i in range(16)})
    assert schema_of(wide, Columns()).roles.embedding == tuple(f"e{i}" for i in range(16))
    assert uses(wide)["e3"].use == "embedding"
    assert schema_of(wide, Columns(embedding="e*")).roles.embedding == tuple(f"e{i}" for i in range(16))
    few = schema_of(wide, Columns(embedding=["e3", "e1"]))
    assert few.roles.embedding == ("e3", "e1")
    gaps = wide.assign(e3=wide["e3"].where(wide.index > 5))
    assert schema_of(gaps, Columns()).roles.embedding == ()
    with pytest.raises(ConfigError, match=r"no column 'q' \(named as embedding\), and no numbered ones"):
        schema_of(wide, Columns(embedding="q"))


def test_messages_name_candidates_first_and_options_on_the_command_line():
    frame = table().rename(columns={"prediction": "said"})
    with pytest.raises(ConfigError, match=r"where the model is wrong.*prediction=COLUMN.*It may be 'said'"):
        schema_of(frame, Columns())
    with on_command_line(), pytest.raises(ConfigError, match=r"--prediction COLUMN.*It may be 'said'"):
        schema_of(frame, Columns())


def test_columns_made_from_the_predictions_are_left_out_and_named():
    frame = table(classes=3)
    wrong = frame["label"] != frame["prediction"]
    probability = np.where(wrong, 0.3, 0.6) + np.random.default_rng(0).random(N) * 0.2
    leaky = frame.assign(
        error=wrong, again=frame["prediction"], doubt=wrong + np.arange(N) / N / 10, confidence=probability
    )
    found = uses(leaky)
    assert {name for name, one in found.items() if one.use == "not used"} == {"error", "again", "doubt", "confidence"}
    assert "holds the predictions again" in found["again"].why
    assert 'to use it anyway: keep=["error"]' in found["error"].why
    assert uses(leaky, keep=["error"])["error"].use == "features and rules"
    assert found["light"].use == "features and rules"


def test_a_cause_is_no_leak_even_if_it_is_without_exception_in_one_class():
    frame = table(classes=40)
    first = frame["label"] == 0
    frame.loc[first, "prediction"] = np.where(frame["light"][first] == "dark", 1, 0)
    assert all(uses(frame)[name].use == "features and rules" for name in ("light", "hour"))


def test_groups_are_dealt_as_a_whole_in_the_shares_of_the_parts():
    frame = table().assign(patient=np.random.default_rng(1).integers(100, size=N))
    schema = schema_of(frame, Columns(group="patient"))
    at, notes = positions_of(schema, seed=0)
    groups = [set(frame["patient"].iloc[rows]) for rows in at.values()]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert [len(rows) / N for rows in at.values()] == pytest.approx([0.2, 0.4, 0.4], abs=0.03)
    assert sum(map(len, at.values())) == N
    assert not notes
    assert uses(frame, group="patient")["patient"].use == "group"
    with pytest.raises(DataError, match="has 3 different values; 10 groups or more are needed"):
        positions_of(schema_of(frame.assign(patient=np.arange(N) % 3), Columns(group="patient")), seed=0)


def test_words_for_parts_are_known_and_what_is_none_is_reported():
    names = np.random.default_rng(0).choice(["Training", "dev", "held-out"], N)
    at, notes = positions_of(schema_of(table().assign(split=names), Columns()), seed=0)
    np.testing.assert_array_equal(at["val"], np.flatnonzero(names == "dev"))
    assert not notes
    at, notes = positions_of(schema_of(table().assign(split="test"), Columns()), seed=0)
    assert len(at["val"]) == pytest.approx(0.4 * N, abs=2)
    assert notes == ["Column 'split' marks all rows as one part; so rows are dealt to train, val and test at random."]
    with pytest.raises(DataError, match=r"has no row marked val\. Mark rows of all three parts"):
        positions_of(schema_of(table().assign(part=["train", "test"] * (N // 2)), Columns(split="part")), seed=0)


def test_parameters_are_written_as_the_caller_writes_them():
    said = [parameter("keep", "my column"), parameter("task", "regression"), declined("label"), together("a", "b")]
    assert said == ['keep=["my column"]', 'task="regression"', "label=None", "a, b"]
    with on_command_line():
        said = [parameter("keep", "my column"), parameter("task", "regression"), declined("label"), together("a", "b")]
    assert said == ["--keep 'my column'", "--task regression", "--no label", "a b"]


def test_a_model_that_predicts_one_class_has_no_leaks():
    frame = table()
    assert {one.why for one in uses(frame.assign(prediction=frame["label"].iloc[0])).values()} == {""}


def test_a_text_without_texts_is_refused():
    with pytest.raises(ConfigError, match=r"'said' of the table has no text in any row; .*\(text=None\)"):
        schema_of(table().assign(said=None), Columns(text="said"))


def test_messages_do_not_guess_columns_of_other_words():
    with pytest.raises(ConfigError, match=r"Name it \(label=COLUMN\)\. The columns are"):
        schema_of(table().drop(columns="label"), Columns())
