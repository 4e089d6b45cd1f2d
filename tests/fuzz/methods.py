"""Every registered method on problems that no benchmark has: a failure in the record is one of our own errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from slicebench import errors
from slicebench.data.captions.embedded import Captions
from slicebench.data.problem import AuditData, Problem, Provenance
from slicebench.data.split import Split, cross_entropy
from slicebench.data.truth import PlantedTruth
from slicebench.evaluation.cell import evaluate
from slicebench.models.training import ModelTrainer, Recipe
from slicebench.plugins.registry import METHODS
from slicebench.testing import example_problem
from tests.fuzz.harness import Bug, Entry
from tests.fuzz.values import FINE, NAMES, SCALES, Seeded, floats, seeded

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [name for name in NAMES if name.isprintable() and len(name) < 1000]
"""Names that a table can hold: no surrogates."""
TYPED = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.SlicebenchError)
}


SHARES = {"spotlight": 0.1, "error_mlp": 0.2, "sparse_layer": 0.3}
"""Of methods that take a quarter of a second or more."""


def probabilities(rng: np.random.Generator, y: np.ndarray, C: int, right: str, kind: str) -> np.ndarray:
    """Probabilities of C classes whose largest is right, wrong, or mostly right, per example or per class."""
    n = len(y)
    wrong = {
        "all right": np.zeros(n, bool),
        "all wrong": np.ones(n, bool),
        "one wrong": np.arange(n) == 0,
        "one right": np.arange(n) != 0,
        "by class": y % 2 == 1,
        "some": rng.random(n) < 0.25,
    }[right]
    shown = np.where(wrong, (y + 1) % C, y)
    if kind == "certain":
        return np.eye(C)[shown]
    if kind == "flat":
        return np.full((n, C), 1 / C)
    p = rng.dirichlet(np.ones(C), size=n)
    at = np.arange(n)
    best = p.argmax(axis=1)
    p[at, shown], p[at, best] = p[at, best], p[at, shown]
    return p


def split(s: Seeded, rng: np.random.Generator, name: str, n: int) -> Split:
    C = s.classes
    y = {
        "any": rng.integers(C, size=n),
        "one": np.full(n, C - 1),
        "even": np.arange(n) % C,
        "rare": (np.arange(n) == 0).astype(int) * (C - 1),
    }[s.labels if name != s.lacking else "one"]
    X = np.nan_to_num(floats(rng, (n, s.d), s.kind, s.scale), posinf=1e36, neginf=-1e36).clip(-9e35, 9e35)
    metadata = None
    if s.metadata != "none":
        words = np.array([WORDS[i % len(WORDS)] for i in range(n)], dtype=object)
        metadata = {
            "constant": pd.DataFrame({"a": ["x"] * n}),
            "words": pd.DataFrame({"a": words, "☃": rng.integers(3, size=n)}),
            "gaps": pd.DataFrame(
                {"a": np.where(rng.random(n) < 0.4, None, "x"), "b": np.where(rng.random(n) < 0.4, np.nan, 1.5)}
            ),
            "numbers": pd.DataFrame({"a": floats(rng, (n,), s.kind, 1.0), "b": rng.random(n) < 0.5}),
            "dates": pd.DataFrame({"a": pd.date_range("2020", periods=n), "b": pd.Categorical(["u"] * n)}),
        }[s.metadata]
    common = {
        "ids": [f"{name}{i}" for i in range(n)],
        "embeddings": X,
        "metadata": metadata,
        "inputs": X.astype(np.float32),
    }
    if s.outcome == "losses":
        return Split(losses=np.abs(floats(rng, (n,), s.kind, min(s.scale, 1e30))).clip(0, 3e38), **common)
    p = probabilities(rng, y, max(2, C), s.right, s.probs)
    if s.outcome == "correct":
        right = p.argmax(axis=1) == y
        return Split(losses=1.0 - right, labels=y, correct=right, **common)
    return Split(losses=cross_entropy(p, y), labels=y, probs=p, **common)


def problem(s: Seeded) -> Problem:
    rng = s.rng
    parts = {name: split(s, rng, name, n) for name, n in (("train", s.n), ("val", s.val), ("test", s.test))}
    names = () if s.outcome == "losses" else tuple(f"c{c}" for c in range(max(2, s.classes)))
    C = max(1, len(names))
    captions = None
    if s.captions:
        captions = Captions(
            texts=tuple(WORDS[i] + str(i) for i in range(5)),
            embeddings=floats(rng, (5, s.d), s.kind if s.kind != "mixed" else "normal", 1.0),
            candidates=np.ones((C, 5), bool),
            reference_texts=("r",) * C,
            references=np.zeros((C, s.d)),
        )
    train, trainer = parts["train"], None
    if s.trains and train.labels is not None and train.n > 1:
        recipe = Recipe(arch="linear", epochs=2, batch_size=8, peak_lr=0.05, peak_epoch=1)
        trainer = ModelTrainer(recipe, train.inputs, train.labels, C)
    groups = {name: rng.random((one.n, 1)) < 0.3 for name, one in parts.items()}
    return Problem(
        name="odd",
        family="odd",
        dataset="odd",
        dataset_version="1",
        params={},
        seed=0,
        modality="vector",
        encoder="none",
        data=AuditData(train=train, val=parts["val"], class_names=names, captions=captions, trainer=trainer),
        test=parts["test"],
        truth=PlantedTruth(
            ids={k: p.ids for k, p in parts.items()},
            groups=groups,
            group_names=("g",),
            captions={"g": (WORDS[1] + "1",)},
        ),
        provenance=Provenance(source="x", licence="x"),
    )


PROBLEMS = seeded(
    n=[1, 2, 5, 40],
    val=[1, 2, 5, 40, 40],
    test=[1, 2, 7, 40],
    d=[1, 2, 6],
    classes=[1, 2, 3],
    kind=FINE,
    scale=[1.0, 1.0, 1.0, *SCALES[:7]],
    labels=["any", "even", "one", "rare"],
    lacking=["", "", "val", "test", "train"],
    outcome=["probs", "probs", "correct", "losses"],
    right=["some", "some", "all right", "all wrong", "one wrong", "one right", "by class"],
    probs=["any", "certain", "flat"],
    metadata=["none", "constant", "words", "gaps", "numbers", "dates"],
    captions=[False, True],
    trains=[False, True],
)


def trial(name: str):
    def call(s: Seeded, _: Path) -> None:
        made = problem(s)
        record = evaluate(METHODS.load(name)(), made, name).record
        if record.status == "failed":
            kind = (record.reason or "").partition(":")[0]
            if kind not in TYPED:
                raise Bug(re.sub(r"\s+", " ", record.reason or ""))
            raise getattr(errors, kind)(record.reason)
        record.model_dump_json()
        for value in record.metrics.values() if record.metrics else ():
            assert value is None or np.isfinite(value)

    return call


def warm(name: str):
    """Function that has a method import what it needs."""
    return lambda: evaluate(METHODS.load(name)(), example_problem(n=30), name)


ENTRIES = [
    Entry(f"method {name}", PROBLEMS, trial(name), SHARES.get(name, 0.5), warm(name)) for name in METHODS.names()
]
