"""JTT's identification model: the base model as it was early on."""

from dataclasses import replace

import numpy as np
import pytest

from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.errors import ConfigError, DataError
from slicebench.models.training import ModelTrainer, Recipe, true_class_loss
from slicebench.testing import assert_contract
from slicebench_methods.early_stopping import EarlyStopping

RECIPE = Recipe(arch="small_cnn", width=4, epochs=9, batch_size=32, peak_lr=0.1, peak_epoch=2)


def planted(rng, n, minority, prefix):
    """Two classes told apart by a bright corner, and by a shortcut (a bright image) that misleads on the minority."""
    y, g = rng.integers(0, 2, n), rng.random(n) < minority
    images = rng.integers(0, 100, (n, 8, 8)).astype(np.uint8)
    images[y == 1, :2, :2] += 40
    images[(y == 1) != g] += 60
    split = Split(
        ids=[f"{prefix}{i}" for i in range(n)],
        embeddings=images.reshape(n, -1),
        losses=np.zeros(n),
        labels=y,
        inputs=images,
    )
    return split, g


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    rng = np.random.default_rng(0)
    train, _ = planted(rng, 600, 0.05, "a")
    val, g = planted(rng, 400, 0.3, "b")
    trainer = ModelTrainer(RECIPE, train.inputs, train.labels, 2, tmp_path_factory.mktemp("models"))
    return AuditData(train=train, val=val, class_names=("dark", "light"), trainer=trainer), g


def test_contract():
    assert_contract(EarlyStopping())


@pytest.mark.parametrize(("fraction", "epoch"), [(1 / 3, 3), (0.01, 1), (1, 9)])
def test_it_is_the_base_model_of_that_epoch(task, fraction, epoch):
    data, _ = task
    method = EarlyStopping(fraction=fraction).fit(data)
    assert method.stop_epoch_ == epoch
    probs = data.trainer.fit(stop_epoch=epoch).predict(data.val.inputs)
    scores = method.score(data.val)
    np.testing.assert_array_equal(scores.hardness, true_class_loss(probs, data.val.labels))
    np.testing.assert_array_equal(scores.flagged, probs.argmax(axis=1) != data.val.labels)
    if epoch < 9:
        assert not np.array_equal(probs, data.trainer.fit().predict(data.val.inputs))


def test_it_surfaces_a_shortcuts_minority(task):
    from sklearn.metrics import roc_auc_score

    data, g = task
    assert roc_auc_score(g, EarlyStopping().fit(data).score(data.val).hardness) > 0.8


def test_a_snapshot_of_the_base_run_spares_the_training(task, tmp_path):
    data, _ = task
    trainer = ModelTrainer(RECIPE, data.train.inputs, data.train.labels, 2, tmp_path)
    trainer.fit(snapshots=[3])
    before = trainer.seconds
    EarlyStopping().fit(AuditData(train=data.train, val=data.val, class_names=data.class_names, trainer=trainer))
    assert trainer.seconds - before == trainer.seconds_saved > 0, "found in the cache, and its cost counted"


def test_another_seed_is_another_model(task):
    data, _ = task
    own, other = (EarlyStopping(seed=s).fit(data).score(data.val).hardness for s in (None, 5))
    assert not np.array_equal(own, other)
    np.testing.assert_array_equal(own, EarlyStopping(seed=RECIPE.seed).fit(data).score(data.val).hardness)


@pytest.mark.parametrize("fraction", [0, -1, 1.1, float("nan")])
def test_bad_fraction(task, fraction):
    with pytest.raises(ConfigError, match="fraction"):
        EarlyStopping(fraction=fraction).fit(task[0])


def test_declines_without_trainer_and_refuses_splits_without_inputs(task):
    data, _ = task
    bare = AuditData(train=data.train, val=data.val, class_names=data.class_names)
    assert "trainer" in EarlyStopping().supports(bare)
    with pytest.raises(DataError, match="trainer"):
        EarlyStopping().fit(bare)
    with pytest.raises(DataError, match="inputs"):
        EarlyStopping().fit(data).score(replace(data.val, inputs=None))
