"""Labels, predictions, probabilities and scores are matched where that is safe, and refused with both sides shown where not."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
import pytest

from slicebench import Columns, discover
from slicebench.data.schema import schema_of
from slicebench.errors import ConfigError, DataError

N = 400
RNG = np.random.default_rng(0)
Y = RNG.integers(2, size=N)
WRONG = RNG.random(N) < 0.15
P = np.where(WRONG, 1 - Y, Y)
WORDS = np.array(["cat", "dog"])


def outcomes(label, prediction=None, columns=None, **given):
    frame = pd.DataFrame({"label": label, "x": np.arange(N) % 7, **(columns or {})})
    if prediction is not None:
        frame["prediction"] = prediction
    return schema_of(frame, Columns(**given)).outcomes


@pytest.mark.parametrize(
    ("label", "prediction"),
    [
        (Y == 1, P),
        (Y, P == 1),
        (Y.astype(float), P),
        (Y, [f"{v:02d}" for v in P]),
        (WORDS[Y], [f"{v} " for v in WORDS[P]]),
        ([v.title() for v in WORDS[Y]], WORDS[P]),
        (["Käfer" if v else "cat" for v in Y], [unicodedata.normalize("NFD", "Käfer") if v else "cat" for v in P]),
        (pd.Categorical(WORDS[Y]), WORDS[P]),
        (["yes" if v else "no" for v in Y], P),
    ],
)
def test_classes_that_are_written_differently_are_matched(label, prediction):
    found = outcomes(label, prediction)
    np.testing.assert_array_equal(found.labels != found.predictions, WRONG)
    assert len(found.classes) == 2


@pytest.mark.parametrize(
    ("label", "prediction", "message"),
    [
        (WORDS[Y], P, r"'cat', 'dog'.*'0', '1'. The predictions are class numbers: .*class_names"),
        (
            RNG.integers(1, 6, N),
            (RNG.random(N) * 4 + 1).round(2),
            "different classes: .* and 249 more. .*regression",
        ),
        ([f"row {i}" for i in range(N)], WORDS[P], "400 different values in 400 rows"),
        (WORDS[Y], np.array(["sea", "land"])[P], "'cat', 'dog'.*'land', 'sea'. Write them alike"),
    ],
)
def test_what_does_not_match_is_refused_with_both_vocabularies(label, prediction, message):
    with pytest.raises(DataError, match=message):
        outcomes(label, prediction)


def test_classes_that_only_look_alike_stay_apart():
    upper = np.array(["us", "US"])
    found = outcomes(upper[Y], upper[P])
    assert sorted(found.class_names) == ["US", "us"]
    np.testing.assert_array_equal(found.labels != found.predictions, WRONG)


def test_classes_are_in_the_order_of_numbers_where_they_are_numbers():
    y = np.arange(N) % 12
    for label in (y, y.astype(str), pd.Categorical(y)):
        assert outcomes(label, label).classes == tuple(range(12))
    assert outcomes([f"c{v}" for v in y], [f"c{v}" for v in y]).classes[:2] == ("c0", "c1")
    assert outcomes(y, (y + 1) % 12, class_names=[f"name{c}" for c in range(12)]).class_names[10] == "name10"


def one_hot(predicted, k, sure=0.8):
    probs = np.full((len(predicted), k), (1 - sure) / (k - 1))
    probs[np.arange(len(predicted)), predicted] = sure
    return probs


ANIMALS = np.array(["newt", "cat", "mole", "dog"])


def test_probabilities_come_in_the_order_that_something_tells():
    y = RNG.integers(4, size=N)
    said = np.where(WRONG, (y + 1) % 4, y)
    probs = one_hot(said, 4)
    right = y == said

    def accuracy(found):
        return (found.probs.argmax(axis=1) == found.labels) == right

    assert accuracy(outcomes(y.astype(str), columns={"probs": [*probs]})).all()
    assert accuracy(outcomes([f"class_{v + 8}" for v in y], columns={"probs": [*probs]})).all()
    named = {f"p_{name}": probs[:, c] for c, name in enumerate(ANIMALS)}
    assert accuracy(outcomes(ANIMALS[y], columns=named)).all()
    assert accuracy(outcomes(ANIMALS[y], columns=named, probs=[*named])).all()
    assert accuracy(outcomes(ANIMALS[y], columns={"probs": [*probs]}, class_names=[*ANIMALS])).all()
    told = outcomes(ANIMALS[y], ANIMALS[said], columns={"probs": [*probs]})
    assert accuracy(told).all()
    assert any("taken from the predictions" in note for note in told.notes)
    order = np.argsort(ANIMALS)
    alphabetical = outcomes(ANIMALS[y], columns={"probs": [*probs[:, order]]})
    assert accuracy(alphabetical).all()
    assert any("in alphabetical order, which agrees with the labels" in note for note in alphabetical.notes)
    with pytest.raises(
        DataError,
        match=r"nothing says which class .* \(class_names=\[\"newt\", \"cat\", \"mole\", \"dog\"\]\)",
    ):
        outcomes(ANIMALS[y], columns={"probs": [*probs]})


def test_a_contradiction_of_probabilities_and_predictions_is_reported():
    found = outcomes(Y, P, columns={"probs": [*one_hot(1 - P, 2)]})
    assert any("the predicted one in only 0% of the rows" in note for note in found.notes)
    np.testing.assert_array_equal(found.predictions, P)


def test_logits_become_probabilities_and_that_is_said():
    probs = one_hot(P, 2)
    found = outcomes(Y, columns={"probs": [*np.log(probs)]})
    np.testing.assert_allclose(found.probs, probs, atol=1e-6)
    assert any("logits" in note for note in found.notes)


@pytest.mark.parametrize("name", ["score", "p_1", "y_score"])
def test_one_score_of_two_classes(name):
    score = np.where(P == 1, 0.9, 0.2)
    found = outcomes(Y, columns={name: score})
    np.testing.assert_allclose(found.probs[:, 1], score)
    np.testing.assert_array_equal(found.predictions, P)
    other = outcomes(WORDS[Y], columns={"s": score}, score="s", positive="dog", threshold=0.95)
    assert (other.predictions == 0).all()
    np.testing.assert_allclose(other.probs[:, 1], score)
    with pytest.raises(DataError, match="whether that is cat or dog: name the positive class"):
        outcomes(WORDS[Y], columns={"s": score}, score="s")
    with pytest.raises(DataError, match="one score, which is enough for two classes; the labels have 3"):
        outcomes(np.arange(N) % 3, columns={"s": score}, score="s")
    as_prediction = outcomes(Y, score)
    np.testing.assert_array_equal(as_prediction.predictions, P)


def test_a_regression_is_recognised_and_its_errors_measured():
    truth = RNG.normal(20, 5, N)
    said = truth + np.where(Y == 1, 3.0, -1.0)
    found = outcomes(truth, said)
    assert found.task == "regression"
    np.testing.assert_allclose(found.losses, np.where(Y == 1, 3.0, 1.0))
    np.testing.assert_allclose(outcomes(truth, said, error="under").losses, np.where(Y == 1, -3.0, 1.0))
    assert any("regression" in note for note in found.notes)
    stars = RNG.integers(1, 6, N)
    assert outcomes(stars, stars + 0.5, task="regression").losses.tolist() == [0.5] * N
    with pytest.raises(ConfigError, match="task is 'ranking'; expected classification or regression"):
        outcomes(stars, stars, task="ranking")


def test_several_labels_a_row():
    truth = [["dark", "cold"] if y else ["dark"] for y in Y]
    said = [["dark", "cold"] if p else ["dark"] for p in P]
    found = outcomes(truth, said)
    np.testing.assert_array_equal(found.correct, ~WRONG)
    assert found.losses.sum() == WRONG.sum()
    assert any(f"cold ({WRONG.sum()})" in note for note in found.notes)
    one = outcomes(truth, said, one_label="cold")
    assert one.class_names == ("no cold", "cold")
    np.testing.assert_array_equal(one.labels != one.predictions, WRONG)


def test_right_and_wrong_that_contradict_are_reported():
    correct = Y == P
    correct[:3] = ~correct[:3]
    found = outcomes(Y, P, columns={"correct": np.where(correct, "T", "F")})
    np.testing.assert_array_equal(found.correct, correct)
    assert any("contradicts label and prediction in 3 of 400 rows" in note for note in found.notes)


LABELS = np.array(["boat", "car", "cat", "dog", "person", "tree"])


def several(fault, n=2000):
    """True and predicted labels as 0 and 1, (n, 6) each, and whether it is night: cats are missed, or all labels at night."""
    rng = np.random.default_rng(0)
    truth, night = rng.random((n, 6)) < 0.3, rng.random(n) < 0.25
    flipped = rng.random((n, 6)) < 0.01
    if fault == "cat":
        flipped[:, 2] |= truth[:, 2] & (rng.random(n) < 0.5)
    if fault == "night":
        flipped |= night[:, None] & (rng.random((n, 6)) < 0.1)
    return truth, truth ^ flipped, night


@pytest.mark.parametrize(
    ("fault", "rules"), [("cat", ["labels has cat is True"]), ("night", ["time is night"]), ("", [])]
)
def test_a_fault_of_one_label_and_one_of_all_are_named(fault, rules):
    truth, said, night = several(fault)
    table = {
        "labels": [LABELS[row].tolist() for row in truth],
        "predictions": [LABELS[row].tolist() for row in said],
        "time": np.where(night, "night", "day"),
    }
    assert discover(table, method="tree_rules").to_frame().query("stands")["rule"].tolist() == rules


def test_one_label_is_not_told_by_itself_but_by_the_others():
    truth, said, _ = several("cat")
    frame = pd.DataFrame({"y": [LABELS[row].tolist() for row in truth], "yhat": [LABELS[row].tolist() for row in said]})
    metadata = schema_of(frame, Columns(one_label="cat")).metadata
    assert {*metadata} == {f"y has {name}" for name in LABELS if name != "cat"}
    assert not len(schema_of(frame, Columns(metadata=[])).metadata.columns)


def of_sets(truth, said, **given):
    return schema_of(pd.DataFrame({"label": truth, "prediction": said}), Columns(**given)).outcomes


@pytest.mark.parametrize("as_probabilities", [False, True])
def test_a_0_or_1_for_each_label_is_a_set_of_labels(as_probabilities):
    truth, said, _ = several("cat")
    numbers = np.where(said, 0.8, 0.1) if as_probabilities else said.astype(int)
    found = of_sets([*truth.astype(int)], [*numbers], class_names=LABELS.tolist())
    np.testing.assert_array_equal(found.correct, (truth == said).all(axis=1))
    assert found.sets == [{*LABELS[row]} for row in truth]
    assert found.notes[0].startswith(
        "Column 'label' has a 0 or 1 for each of 6 labels (boat, car, cat, dog, person, tree)."
    )
    assert (
        found.notes[1].startswith("Column 'prediction' has a number for each label, predicted from 0.5 on")
        == as_probabilities
    )
    assert of_sets([*truth.astype(int)], [*numbers]).sets[:9] == [{*map(str, np.flatnonzero(row))} for row in truth[:9]]


def test_lists_of_numbers_of_labels_are_no_vectors():
    found = of_sets([[0, 1], [1, 0]] * 20, [[0], [1, 0]] * 20)
    assert found.sets[:2] == [{"0", "1"}, {"0", "1"}]
    assert found.correct[:2].tolist() == [False, True]


def test_vectors_of_labels_that_do_not_fit_are_refused():
    truth = [[0, 0, 1], [1, 0, 0]] * 20
    with pytest.raises(DataError, match=r"column 'prediction' .* at row 0 .*expected 3 numbers from 0 to 1"):
        of_sets(truth, [[0, 1]] * 40)
    with pytest.raises(DataError, match=r"expected 3 numbers from 0 to 1"):
        of_sets(truth, [[0.0, 3.0, -1.0]] * 40)
    with pytest.raises(DataError, match=r"has 3 numbers a row; expected 2, one for each class name"):
        of_sets(truth, truth, class_names=["a", "b"])


@pytest.mark.parametrize(
    ("label", "prediction", "given", "message"),
    [
        (WORDS[Y], None, {"score": "s", "positive": "dog"}, r"from 0 to 100, .*\(threshold=NUMBER\)"),
        (WORDS[Y], None, {"score": "q", "positive": "dog", "threshold": 7}, "threshold is 7, but .* from 0 to 1"),
        (WORDS[Y], WORDS[P], {"one_label": "cat"}, "one_label is for rows that have several labels"),
        (WORDS[Y], WORDS[P], {"task": "regression"}, "'(cat|dog)' at row 0 .*expected a number"),
        (WORDS[Y], P + 1, {}, "replace them by the names"),
        (RNG.normal(size=N), WORDS[P], {}, r"prediction=COLUMN, task=\"regression\""),
    ],
)
def test_what_would_be_read_wrongly_is_refused(label, prediction, given, message):
    columns = {"s": np.linspace(0, 100, N), "q": np.linspace(0, 1, N)}
    with pytest.raises((ConfigError, DataError), match=message):
        outcomes(label, prediction, columns, **given)


def test_a_threshold_is_in_the_units_of_the_score():
    percent, logits = np.linspace(0, 100, N), np.linspace(-4, 4, N)
    found = outcomes(WORDS[Y], columns={"s": percent}, score="s", positive="dog", threshold=60)
    np.testing.assert_array_equal(found.predictions, percent >= 60)
    found = outcomes(WORDS[Y], columns={"s": logits}, score="s", positive="dog", threshold=1)
    np.testing.assert_array_equal(found.predictions, logits >= 1)
    assert "where the score is 1 or more" in found.notes[-1]


def test_percentages_are_divided_by_100():
    shares = np.round(np.linspace(0, 1, N), 3)
    found = outcomes(WORDS[Y], columns={"p_cat": 100 * shares, "p_dog": 100 - 100 * shares})
    np.testing.assert_allclose(found.probs[:, 0], shares, atol=1e-6)
    assert any("percentages" in note for note in found.notes)


def test_labels_of_one_class_are_compared_with_predictions_of_several():
    found = outcomes(["cat"] * N, np.where(np.arange(N) % 4, "dog", "cat"))
    assert (found.labels != found.predictions).mean() == 0.75
    assert "75% of the predictions are classes that no row has as label ('dog')" in found.notes[0]


def test_numbers_that_are_text_are_numbers():
    truth = RNG.normal(size=N)
    found = outcomes([f"{v:.4f}" for v in truth], [f"{v + 1:.4f}" for v in truth])
    np.testing.assert_allclose(found.errors, 1, atol=2e-4)


def test_label_and_prediction_are_two_columns():
    with pytest.raises(ConfigError, match="'said' is named as label and as prediction"):
        schema_of(pd.DataFrame({"said": WORDS[Y]}), Columns(label="said", prediction="said"))
