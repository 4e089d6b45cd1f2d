"""`SliceTransformer` by scikit-learn's own checks, and what it says of planted examples."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from slicebench import METHODS, SliceMethod, SliceScores
from slicebench.discovery.interop.sklearn import SliceTransformer
from slicebench.errors import ConfigError, DataError, MethodError
from tests.support.plants import planted

SAME = "fit_transform goes by predictions of models that were not trained on the examples, transform by those of one that was"
EXPECTED = {"check_transformer_general": SAME, "check_transformer_data_not_an_array": SAME}


@parametrize_with_checks([SliceTransformer(model=LogisticRegression())], expected_failed_checks=lambda _: EXPECTED)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def plant():
    """Val and test of the planted problem: embeddings, words for labels, probabilities, and test's subgroup."""
    data, test, group = planted()
    words = np.array(["cat", "dog"])
    return data.val, test, words[data.val.labels], words[test.labels], group


def auroc(hardness, group):
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(group, hardness)


def test_probabilities_do_instead_of_a_model_and_the_plant_is_found(plant):
    val, test, y, y_test, group = plant
    made = SliceTransformer("svm_directions").fit(val.embeddings, y, probs=val.probs)
    scores = made.scores(test.embeddings, y_test, probs=test.probs)
    assert auroc(scores.hardness, group) > 0.9
    np.testing.assert_array_equal(
        made.scores(test.embeddings, probs=test.probs).hardness,
        made.transform(test.embeddings, probs=test.probs)[:, 0],
    )


def test_scores_are_the_methods_own(plant):
    """The same examples dealt the same way give the same hardness as the method by itself."""
    from slicebench.data.problem import AuditData
    from slicebench.data.split import deal

    val, test, y, y_test, _ = plant
    made = SliceTransformer("svm_directions").fit(val.embeddings, y, probs=val.probs)
    rng = np.random.default_rng(0)
    dealt = [deal(rows, {"train": 0.2, "val": 0.8}, rng) for _, rows in val.by_class()]
    train, held = (val.take(np.sort(np.concatenate([part[name] for part in dealt]))) for name in ("train", "val"))
    method = METHODS.load("svm_directions")().fit(AuditData(train=train, val=held, class_names=("cat", "dog")))
    ours = made.scores(test.embeddings, y_test, probs=test.probs).hardness
    np.testing.assert_allclose(ours, method.score(test).hardness, rtol=1e-6)


def test_a_frozen_model_is_asked_and_another_is_trained_on_folds(plant):
    val, test, y, _, _ = plant
    frozen = LogisticRegression().fit(test.embeddings, np.array(["cat", "dog"])[test.labels])
    made = SliceTransformer("confidence", model=FrozenEstimator(frozen)).fit(val.embeddings, y)
    again = SliceTransformer("confidence").fit(val.embeddings, y, probs=frozen.predict_proba(val.embeddings))
    expected = again.transform(test.embeddings, probs=frozen.predict_proba(test.embeddings))
    np.testing.assert_array_equal(made.transform(test.embeddings), expected)
    own = SliceTransformer("confidence", model=LogisticRegression(C=0.1))
    out = own.fit_transform(val.embeddings, y)
    assert not np.allclose(out, own.transform(val.embeddings))  # the one on folds, the other on all
    assert not hasattr(own.model, "coef_")  # the parameter stays as it was given


def test_in_a_pipeline_with_names(plant):
    val, test, y, _, _ = plant
    pipe = make_pipeline(StandardScaler(), SliceTransformer("domino", model=LogisticRegression()))
    out = pipe.set_output(transform="pandas").fit(val.embeddings, y).transform(test.embeddings)
    k = pipe[-1].n_slices_
    assert list(out.columns) == ["hardness", *(f"slice_{j + 1}" for j in range(k))]
    assert out.shape == (test.n, 1 + k)
    assert k >= 1
    assert ((out.drop(columns="hardness") >= 0) & (out.drop(columns="hardness") <= 1)).all(axis=None)


def test_probabilities_are_routed_through_a_pipeline(plant):
    val, test, y, _, _ = plant
    with sklearn.config_context(enable_metadata_routing=True):
        step = SliceTransformer("confidence").set_fit_request(probs=True).set_transform_request(probs=True)
        pipe = make_pipeline(StandardScaler(), step).fit(val.embeddings, y, probs=val.probs)
        out = pipe.transform(test.embeddings, probs=test.probs)
    expected = METHODS.load("confidence")().score(test).hardness
    wrong = ~test.correct
    np.testing.assert_allclose(out[~wrong, 0], expected[~wrong], rtol=1e-5)
    assert (out[wrong, 0] != expected[wrong]).any()  # the predicted class stands in for the true one


def test_clones_and_parameters(plant):
    val, _, y, _, _ = plant
    method = METHODS.load("domino")(n_slices=3)
    made = SliceTransformer(method, model=LogisticRegression(C=2))
    assert made.get_params()["model__C"] == 2
    copy = clone(made)
    assert copy.method.get_params() == method.get_params()
    assert copy.method is not method
    copy.set_params(model__C=3, random_state=4).fit(val.embeddings, y)
    assert copy.n_slices_ == 3
    assert not hasattr(copy.method, "mixture_")
    assert made.model.C == 2


def test_findings_go_to_the_other_modules(plant):
    from slicebench.discovery.interop.cleanlab import to_issues

    val, test, y, y_test, _ = plant
    made = SliceTransformer("spotlight").fit(val.embeddings, y, probs=val.probs)
    found = made.findings(test.embeddings, y_test, ids=test.ids, probs=test.probs)
    assert set(found.members["id"]) <= set(test.ids)
    assert found.hardness["method"].unique().tolist() == ["spotlight"]
    assert to_issues(found, test.ids)["is_slice_issue"].sum() == found.members["id"].nunique()


class Growing(SliceMethod):
    """As many slices as examples: not what a transformer can use."""

    def fit(self, data):
        return self

    def score(self, split):
        return SliceScores(hardness=split.losses, membership=np.ones((split.n, split.n)))


@pytest.mark.parametrize(
    ("made", "error", "says"),
    [
        (SliceTransformer("kmeans_error"), Exception, "did you mean 'kmeans_errors'"),
        (SliceTransformer("oracle"), ConfigError, "needs the planted truth"),
        (SliceTransformer("early_stopping"), ConfigError, "cannot run on this data: needs a trainer"),
        (SliceTransformer(3), ConfigError, "method is a int"),
    ],
)
def test_methods_that_do_not_fit_are_refused(plant, made, error, says):
    val, _, y, _, _ = plant
    with pytest.raises(error, match=says):
        made.fit(val.embeddings, y, probs=val.probs)


def test_what_is_missing_is_said(plant):
    val, test, y, _, _ = plant
    with pytest.raises(DataError, match="predictions of the audited model are missing; set model, or pass probs"):
        SliceTransformer().fit(val.embeddings, y)
    made = SliceTransformer("confidence").fit(val.embeddings, y, probs=val.probs)
    with pytest.raises(DataError, match="it was fitted with probs; give the probs of these examples too"):
        made.transform(test.embeddings)
    with pytest.raises(DataError, match="probs has 3 columns for 2 classes"):
        made.transform(test.embeddings, probs=np.full((test.n, 3), 1 / 3))
    with pytest.raises(DataError, match="the class 'cow'; expected one of cat, dog for each"):
        made.scores(test.embeddings, np.full(test.n, "cow"), probs=test.probs)
    with pytest.raises(DataError, match="y holds 1 class"):
        SliceTransformer().fit(val.embeddings, np.zeros(val.n), probs=val.probs)
    other = LogisticRegression().fit(val.embeddings, val.labels)
    with pytest.raises(DataError, match="the model knows the classes 0, 1, but y has cat, dog; expected the same"):
        SliceTransformer("confidence", model=FrozenEstimator(other)).fit(val.embeddings, y)
    with pytest.raises(NotFittedError):
        SliceTransformer().transform(test.embeddings)
    growing = SliceTransformer(Growing()).fit(val.embeddings, y, probs=val.probs)
    with pytest.raises(MethodError, match="a transformer needs a fixed number"):
        growing.transform(test.embeddings, probs=test.probs)
