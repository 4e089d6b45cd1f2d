"""One planted problem that any method can look at, and the same with nothing to find: what every method's tests ask.

In both classes a fifth of the examples are the subgroup; the model is wrong on 60 % of it and on 6 % of the rest. The subgroup
shows in all that a method may use: it is a blob of the embedding (4 standard deviations away), a value of a metadata column,
the direction of a caption, and the model is less sure of itself in it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from slicebench.data.captions.embedded import Captions
from slicebench.data.permuted import permuted_outcomes
from slicebench.data.problem import AuditData
from slicebench.data.split import Split
from slicebench.data.truth import PlantedTruth
from slicebench.evaluation.cell import measure
from slicebench.evaluation.slices import returned_slices
from slicebench.metrics.slices.significance import judged_parts
from slicebench.models.training import ModelTrainer, Recipe

D = 8
CLASSES = ("cat", "dog")
TEXTS = ("a cat by day", "a cat at night", "a cat in the rain", "a cat on a roof")
PLANTED_TEXT = 1


def planted_split(name, seed=0, n=600):
    """Split and (n,) bool, which examples are in the subgroup."""
    rng = np.random.default_rng([seed, *name.encode()])
    y, group = np.arange(n) % 2, rng.random(n) < 0.2
    wrong = rng.random(n) < np.where(group, 0.6, 0.06)
    X = rng.normal(size=(n, D))
    X[:, 0] += 3 * y
    X[group, 1] += 4
    sure = rng.beta(2, np.where(group | wrong, 3, 0.8)) / 2 + 0.5  # probability of the class that is predicted
    probs = np.stack([1 - sure, sure], axis=1)[np.arange(n)[:, None], np.stack([y == wrong, y != wrong], axis=1) * 1]
    metadata = pd.DataFrame(
        {
            "time": np.where(group, "night", np.where(rng.random(n) < 0.05, "dusk", "day")),
            "place": rng.choice(["road", "roof", "room"], n),
            "length": rng.integers(1, 9, n),
        }
    )
    ids = [f"{name}-{i}" for i in range(n)]
    return Split.from_probs(ids=ids, embeddings=X, labels=y, probs=probs, inputs=X, metadata=metadata), group


def planted(seed=0, n=600):
    """`AuditData` without a trainer, test split and the subgroup of test."""
    (train, _), (val, _), (test, group) = (planted_split(name, seed, n) for name in ("train", "val", "test"))
    rng = np.random.default_rng(seed)
    texts = rng.normal(size=(len(TEXTS), D)) * 0.3
    texts[:, 1] = 0
    texts[PLANTED_TEXT, 1] = 4
    captions = Captions(
        texts=TEXTS,
        embeddings=texts,
        candidates=np.ones((2, len(TEXTS)), bool),
        reference_texts=("a cat", "a cat"),
        references=np.zeros((2, D)),
    )
    return AuditData(train=train, val=val, class_names=CLASSES, captions=captions), test, group


def with_trainer(data):
    """The same with a trainer of linear models, whose errors are its own."""
    recipe = Recipe(arch="linear", epochs=3, batch_size=50, peak_lr=0.05, peak_epoch=1)
    return replace(data, trainer=ModelTrainer(recipe, data.train.inputs, data.train.labels, len(CLASSES)))


def namf(scores, test, group):
    """Macro nAMF of the subgroup, as the evaluator computes it: chance 0, ideal 1."""
    truth = PlantedTruth(ids={"test": test.ids}, groups={"test": group[:, None]}, group_names=("night",))
    return measure(scores, test, truth, CLASSES).metrics["namf"]


def found(method, seed=0, n=600):
    """The nAMF with which an unfitted `method` finds the plant on test."""
    data, test, group = planted(seed, n)
    return namf(method.fit(data).score(test), test, group)


def declared(method, seed=0, n=600, permuted=False):
    """Smallest Holm p of a slice that `method` returns on test, which it scores without seeing test's true outcomes.

    With `permuted`, val and test outcomes are permuted within class first: there is nothing to find, and p is below .05 in at
    most 5 % of the seeds.
    """
    data, test, _ = planted(seed, n)
    rng = np.random.default_rng([seed, 1])
    if permuted:
        data, test = replace(data, val=permuted_outcomes(data.val, rng)), permuted_outcomes(test, rng)
    if "trainer" in method.requires:
        data = with_trainer(data)
    fitted = type(method)(**method.get_params()).fit(data)
    blind = permuted_outcomes(test, rng)
    return judged_parts(returned_slices(fitted.score(blind), test).hard, test).smallest_p()


def false_alarms(method, seeds=range(6), n=600):
    """How many of `seeds` have a declared slice although outcomes were permuted: 5 % may (two of six: p = .03)."""
    return sum(declared(method, seed, n, permuted=True) <= 0.05 for seed in seeds)
