"""Learning from failure: the biased model, and the pair with its relative difficulty."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.errors import ConfigError, DataError
from slicebench.models.training import ModelTrainer, Recipe, true_class_loss
from slicebench.testing import assert_contract
from slicebench_methods._relative_difficulty import LearningFromFailure, RunningLoss, relative_difficulty
from slicebench_methods.lff import LfF

RECIPE = Recipe(arch="mlp", width=16, epochs=12, batch_size=32, peak_lr=0.02, peak_epoch=2)


def planted(rng, n, minority, prefix):
    """Two classes: a weak core feature and a strong shortcut that misleads on the minority."""
    y, g = rng.integers(0, 2, n), rng.random(n) < minority
    x = rng.normal(size=(n, 6)).astype(np.float32)
    x[:, 0] += 2 * y - 1
    x[:, 1] += 4 * (2 * (y ^ g) - 1)
    ids = [f"{prefix}{i}" for i in range(n)]
    return Split(ids=ids, embeddings=x, losses=np.zeros(n), labels=y, inputs=x), g


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(0)
    train, _ = planted(rng, 800, 0.05, "a")
    val, g = planted(rng, 500, 0.3, "b")
    trainer = ModelTrainer(RECIPE, train.inputs, train.labels, 2)
    return AuditData(train=train, val=val, class_names=("left", "right"), trainer=trainer), g


@pytest.mark.parametrize("pair", [False, True])
def test_contract(pair):
    assert_contract(LfF(relative_difficulty=pair))


def test_hardness_is_the_loss_of_the_model_trained_with_gce(task):
    data, _ = task
    scores = LfF(q=0.6).fit(data).score(data.val)
    probs = data.trainer.fit(loss="gce", q=0.6).predict(data.val.inputs)
    np.testing.assert_array_equal(scores.hardness, true_class_loss(probs, data.val.labels))
    np.testing.assert_array_equal(scores.flagged, probs.argmax(axis=1) != data.val.labels)
    assert not np.array_equal(probs, data.trainer.fit().predict(data.val.inputs))


def test_the_pair_surfaces_the_minority_and_debiases(task):
    from sklearn.metrics import roc_auc_score

    data, g = task
    method = LfF(relative_difficulty=True).fit(data)
    scores = method.score(data.val)
    assert roc_auc_score(g, scores.hardness) > 0.8
    np.testing.assert_array_equal(scores.flagged, scores.hardness > 0.5)
    assert scores.hardness.min() >= 0
    assert scores.hardness.max() <= 1

    def minority_accuracy(model):
        return (model.predict(data.val.inputs).argmax(axis=1) == data.val.labels)[g].mean()

    assert (
        minority_accuracy(method.debiased_) > minority_accuracy(data.trainer.fit()) > minority_accuracy(method.biased_)
    )


def test_the_pair_costs_two_trainings_and_is_reproducible(task):
    data, _ = task
    first, second = (LfF(relative_difficulty=True).fit(data).score(data.val).hardness for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, LfF(relative_difficulty=True, seed=5).fit(data).score(data.val).hardness)
    assert not np.array_equal(first, LfF(relative_difficulty=True, ema=0).fit(data).score(data.val).hardness)


def test_refitting_without_the_pair_forgets_the_debiased_model(task):
    method = LfF(relative_difficulty=True).fit(task[0])
    method.relative_difficulty = False
    assert method.fit(task[0]).debiased_ is None


def test_classes_without_loss_or_without_examples_do_not_break():
    labels, rows = torch.tensor([0, 0, 3, 3]), torch.arange(4)
    running = RunningLoss(labels, 5, 0.7)
    running.update(rows, torch.tensor([0.0, 0.0, 2.0, 4.0]))
    assert running.shares(rows).tolist() == [0, 0, 0.5, 1]
    assert relative_difficulty(running.shares(rows), running.shares(rows)).tolist() == pytest.approx([0, 0, 0.5, 0.5])


def test_running_loss_counts_the_first_value_in_full_and_each_example_alone():
    running = RunningLoss(torch.zeros(3, dtype=torch.int64), 1, 0.75)
    running.update(torch.tensor([0, 1]), torch.tensor([4.0, 2.0]))
    running.update(torch.tensor([1, 2]), torch.tensor([6.0, 1.0]))
    torch.testing.assert_close(running.values, torch.tensor([4.0, 3.0, 1.0]))


def test_an_absent_class_trains_and_a_perfect_one_too():
    x = np.concatenate([np.full((20, 2), -9), np.full((20, 2), 9)]).astype(np.float32)
    y = np.repeat([0, 2], 20)
    trainer = ModelTrainer(RECIPE, x, y, 4)
    pair = trainer.fit_together(LearningFromFailure(q=0.7, ema=0.7))
    assert all(np.isfinite(model.predict(x)).all() for model in pair)


def test_each_network_sees_its_own_term_only():
    rule = LearningFromFailure(q=0.7, ema=0.7)
    labels = torch.tensor([0, 1, 1])
    rule.start(labels, 2)
    z = [torch.randn(3, 2, generator=torch.Generator().manual_seed(i), requires_grad=True) for i in range(2)]
    rule(torch.arange(3), z).backward()
    p = torch.softmax(z[0].detach(), dim=1)
    expected = p[torch.arange(3), labels][:, None] ** 0.7 * (p - torch.eye(2)[labels]) / 3
    torch.testing.assert_close(z[0].grad, expected)
    w = relative_difficulty(*(r.shares(torch.arange(3)) for r in rule.running))
    torch.testing.assert_close(z[1].grad, w[:, None] * (torch.softmax(z[1].detach(), dim=1) - torch.eye(2)[labels]) / 3)


@pytest.mark.parametrize("params", [{"q": 0}, {"q": 1.5}, {"ema": 1}, {"ema": -0.1}])
def test_bad_parameters(task, params):
    with pytest.raises(ConfigError, match="lff"):
        LfF(**params).fit(task[0])


class PlainTrainer:
    """Trainer that follows the protocol and no more."""

    epochs = 1

    def fit(self, **options):
        raise AssertionError("not reached")


def test_declines_what_it_cannot_train(task):
    data, _ = task
    bare = AuditData(train=data.train, val=data.val, class_names=data.class_names)
    plain = AuditData(train=data.train, val=data.val, class_names=data.class_names, trainer=PlainTrainer())
    assert "trainer" in LfF().supports(bare)
    assert LfF().supports(plain) is None
    assert "fit_together" in LfF(relative_difficulty=True).supports(plain)
    with pytest.raises(DataError, match="fit_together"):
        LfF(relative_difficulty=True).fit(plain)
    with pytest.raises(DataError, match="inputs"):
        LfF().fit(data).score(replace(data.val, inputs=None))
