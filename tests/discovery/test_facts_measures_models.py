"""Facts before slices; what "worse" means; a scikit-learn model in the place of predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slicebench import discover
from slicebench.errors import ConfigError

N = 2400
RNG = np.random.default_rng(0)


def animals(rates, **more):
    names = np.array([*rates])
    y = RNG.integers(len(names), size=N)
    wrong = RNG.random(N) < np.array([*rates.values()])[y]
    said = names[np.where(wrong, (y + 1) % len(names), y)]
    return pd.DataFrame({"label": names[y], "prediction": said, "x": RNG.normal(size=N), **more})


def test_a_class_bad_throughout_is_the_first_fact_and_no_slice():
    table = animals({"cat": 0.06, "dog": 0.05, "fox": 0.4})
    found = discover(table)
    (worse,) = found.facts.worse
    own = table[table["label"] == "fox"]
    others = table[table["label"] != "fox"]
    assert (worse.name, worse.size) == ("fox", len(own))
    assert worse.rate == pytest.approx((own["label"] != own["prediction"]).mean())
    assert worse.others == pytest.approx((others["label"] != others["prediction"]).mean())
    assert worse.low < worse.rate < worse.high
    assert found.facts.classes[0].name == "fox"
    assert not found.standing


def test_equal_classes_are_not_accused():
    accused = [bool(discover(animals({"cat": 0.1, "dog": 0.1, "fox": 0.1})).facts.worse) for _ in range(10)]
    assert sum(accused) <= 2


def test_confusions_are_counted():
    table = animals({"cat": 0.02, "dog": 0.3, "fox": 0.02})
    first = discover(table).facts.confusions[0]
    assert (first.label, first.prediction) == ("dog", "fox")
    wrong = table["label"] != table["prediction"]
    assert first.count == (wrong & (table["label"] == "dog")).sum()
    assert first.share == pytest.approx(first.count / wrong.sum())


def test_confidence_is_compared_with_how_often_it_is_right():
    said = np.where(np.arange(N) % 2 == 0, 0.9, 0.6)
    right = RNG.random(N) < 0.9
    y = RNG.integers(2, size=N)
    p1 = np.where(right == (y == 1), said, 1 - said)
    facts = discover(
        pd.DataFrame({"x": RNG.normal(size=N), "label": y, "probs": [*np.stack([1 - p1, p1], axis=1)]})
    ).facts
    assert facts.confidence == pytest.approx(0.75)
    expected = sum(abs(said[own].mean() - right[own].mean()) * own.mean() for own in (said == 0.9, said == 0.6))
    assert facts.calibration_error == pytest.approx(expected, abs=1e-6)
    assert discover(animals({"cat": 0.1, "dog": 0.1})).facts.calibration_error is None


def test_a_regression_has_a_bias():
    x = RNG.normal(size=N)
    table = pd.DataFrame({"x": x, "y_true": x * 10, "y_pred": x * 10 - 2 + RNG.normal(size=N)})
    assert discover(table).facts.bias == pytest.approx(-2, abs=0.1)


def test_false_positives_and_false_negatives():
    old = RNG.integers(18, 90, N)
    y = RNG.integers(2, size=N)
    rate = np.where((y == 0) & (old >= 70), 0.9, 0.05)
    wrong = RNG.random(N) < rate
    table = pd.DataFrame({"age": old, "label": y, "prediction": y ^ wrong})
    found = discover(table, measure="fpr")
    assert found.measure == "false positive rate"
    assert found.examples.n == (y == 0).sum()
    assert found.standing[0].name.text == "age >= 70"
    assert found.standing[0].verdict.rate == pytest.approx(wrong[(y == 0) & (old >= 70)].mean())
    assert not any("nothing to find" in note for note in found.notes)
    assert set(found.members["id"]) == set(np.flatnonzero((y == 0) & (old >= 70)))
    missed = discover(table, measure="fnr")
    assert missed.examples.n == (y == 1).sum()
    assert not missed.standing
    swapped = discover(table.astype({"label": str, "prediction": str}), measure="fnr", positive="0")
    assert swapped.standing[0].name.text == "age >= 70"


def test_a_column_may_be_what_counts():
    slow = RNG.random(N) < 0.2
    table = animals(
        {"cat": 0.1, "dog": 0.1}, seconds=RNG.gamma(2, size=N) + 3 * slow, device=np.where(slow, "old", "new")
    )
    found = discover(table, measure="seconds")
    assert found.measure == "mean seconds"
    assert found.standing[0].name.text == "device is old"
    assert found.standing[0].verdict.rate == pytest.approx(table.loc[slow, "seconds"].mean(), rel=1e-5)


def test_a_fitted_model_predicts_the_table():
    from sklearn.linear_model import LogisticRegression

    X = pd.DataFrame({"a": RNG.normal(size=N), "b": RNG.normal(size=N), "night": RNG.random(N) < 0.2})
    y = (X["a"] > 0) ^ (X["night"] & (RNG.random(N) < 0.6))
    model = LogisticRegression().fit(X[["a", "b"]][:200], y[:200])

    held = discover(X, model=_OnTwo(model), y=y)
    assert "night is True" in held.standing[0].name.text
    crossed = discover(X.astype(float), model=LogisticRegression(), y=y, cross_validate=True)
    assert "night" in crossed.standing[0].name.text
    values = discover(X.astype(float).to_numpy(), model=LogisticRegression(), y=y, cross_validate=True)
    assert "x2" in values.standing[0].name.text
    roles = {use.column: use.use for use in crossed.columns}
    assert (roles["y_true"], roles["y_pred"], roles["y_probs"]) == ("label", "prediction", "probs")


class _OnTwo:
    """A model of two of three columns, without probabilities."""

    def __init__(self, model):
        self.model = model

    def predict(self, X):
        return self.model.predict(X[["a", "b"]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y": None}, "y has no values"),
        ({"y": np.zeros(3)}, "y has 3 values for 5 rows"),
        ({"model": 3}, "int, which cannot predict"),
        ({"model": _OnTwo}, "_OnTwo, which cannot predict"),
        ({}, "_OnTwo cannot predict X: AttributeError"),
        ({"model": None}, "y and cross_validate belong to a model"),
    ],
)
def test_what_a_model_needs_is_said(given, message):
    X = pd.DataFrame({"a": range(5)})
    with pytest.raises(ConfigError, match=message):
        discover(X, **{"model": _OnTwo(None), "y": np.zeros(5), **given})
