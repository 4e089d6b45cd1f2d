"""Entries that take arrays: the data types, own arrays, what methods return, and the metrics on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

import slicebench
from slicebench.data.captions.embedded import Captions
from slicebench.data.problem import AuditData
from slicebench.data.split import Split, cross_entropy
from slicebench.data.truth import PlantedTruth
from slicebench.evaluation.cell import measure
from slicebench.evaluation.slices import measure_slices
from slicebench.metrics.captions import easy_hard_gap, exact_p, naming_chance, naming_scores
from slicebench.metrics.statistics import compare_pairs, holm, interval_over_seeds, sampled_problem
from slicebench.metrics.statistics.bootstrap import SeedScores, interval_of_mean
from slicebench.metrics.statistics.comparison import friedman, interval_over_units
from slicebench.models.sparse.path import fit_held_out, standardisation
from slicebench.plugins.method import SliceScores
from slicebench.studies.strength import spearman
from tests.fuzz.harness import Entry
from tests.fuzz.values import BROKEN, FINE, HOWS, NAMES, SCALES, WRONG, Seeded, floats, presented, seeded

if TYPE_CHECKING:
    from pathlib import Path

GOOD_IDS = ["words", "numbers", "unicode", "mixed"]
SIZES = [0, 1, 2, 3, 7, 30]


FEW_SCALES = [1.0] * 6 + [*SCALES[:7]]


IDS: dict[str, Any] = {
    "numbers": np.arange,
    "words": lambda n: [f"id{i}" for i in range(n)],
    "unicode": lambda n: np.array([chr(0x4E00 + i) + "é☃" for i in range(n)]),
    "mixed": lambda n: [i if i % 2 else f"id{i}" for i in range(n)],
    "doubled": lambda n: [f"id{i // 2}" for i in range(n)],
    "hostile": lambda n: [NAMES[i] if i < len(NAMES) else f"x{i}" for i in range(n)],
    "empty one": lambda n: ["" if i == n // 2 else f"id{i}" for i in range(n)],
    "floats": lambda n: np.arange(n) / 3,
    "none": lambda n: [None if i == n - 1 else f"id{i}" for i in range(n)],
    "bytes": lambda n: np.array([f"id{i}".encode() for i in range(n)]),
    "long": lambda n: ["a" * 10_000 + str(i) for i in range(min(n, 5))],
}
"""Ids of n examples; those of `GOOD_IDS` can be used."""


def fields(s: Seeded) -> dict[str, Any]:
    """Arguments of a `Split`, whole or broken in one field."""
    rng, n, d, C = s.rng, s.n, s.d, s.classes
    labels = rng.integers(max(1, C), size=n) if s.labels == "any" else np.zeros(n, int)
    probs = rng.dirichlet(np.ones(max(2, C)), size=n)
    if s.labels == "beyond" and n:
        labels[-1] = C + 3
    if s.labels == "negative" and n:
        labels[0] = -1
    if s.probs == "logits":
        probs = rng.normal(size=probs.shape) * 5
    if s.probs == "hard":
        probs = np.eye(max(2, C))[rng.integers(max(2, C), size=n)]
    made = {
        "ids": IDS[s.ids](n),
        "embeddings": presented(floats(rng, (n, d), s.kind, s.scale), s.way),
        "losses": presented(np.abs(floats(rng, (n,), s.loss, s.scale)), s.loss_way),
        "labels": None if s.labels == "none" else presented(labels, s.label_way),
        "probs": None if s.probs == "none" else probs,
        "metadata": pd.DataFrame({"a": rng.integers(2, size=n), "é": ["x"] * n}) if s.metadata else None,
    }
    if s.short:
        made[s.short] = made[s.short][:-1] if made[s.short] is not None and n else made[s.short]
    return made


FIELDS = {
    "n": [2, 3, 7, 30],
    "d": [1, 2, 5],
    "classes": [1, 2, 3],
    "ids": GOOD_IDS,
    "kind": FINE,
    "scale": FEW_SCALES,
    "way": HOWS,
    "loss": FINE,
    "loss_way": HOWS,
    "labels": ["any", "one", "none"],
    "label_way": ["plain", "as <i4", "as >i8", "list", "as u1"],
    "probs": ["any", "hard", "none"],
    "metadata": [False, True],
    "short": [None],
}
TROUBLE = {
    "n": [0, 1],
    "d": [0],
    "ids": [kind for kind in IDS if kind not in GOOD_IDS],
    "kind": BROKEN,
    "scale": SCALES[7:],
    "way": WRONG,
    "loss": BROKEN,
    "loss_way": WRONG,
    "labels": ["beyond", "negative"],
    "label_way": ["as <f8", "as <U3", "as ?"],
    "probs": ["logits"],
    "short": ["embeddings", "labels", "probs", "metadata", "losses"],
}


def troubled(fine: dict[str, Any], trouble: dict[str, Any], **more: Any) -> Any:
    """Recipes of which a third is fine, and the others have one or two fields from `trouble`."""
    ways = [seeded(**fine | more)]
    ways += [
        seeded(**fine | more | {name: trouble[name] for name in chosen})
        for chosen in zip(trouble, [*trouble][1:], strict=False)
    ]
    ways += [seeded(**fine | more | {name: values}) for name, values in trouble.items()]
    return st.one_of(*[ways[0]] * (len(ways) // 2), *ways)


def check_split(split: Split) -> None:
    assert np.isfinite(split.embeddings).all()
    assert np.isfinite(split.losses).all()
    assert len(set(split.ids.tolist())) == split.n > 0
    assert not split.embeddings.flags.writeable
    assert split.embeddings.dtype == np.float32
    split.take(np.arange(split.n)[::-1])
    assert sum(len(rows) for _, rows in split.by_class()) == split.n


def try_split(s: Seeded, _: Path) -> None:
    check_split(Split(**fields(s)))


def try_from_probs(s: Seeded, _: Path) -> None:
    given = fields(s)
    del given["losses"]
    if given["labels"] is not None and given["probs"] is not None:
        check_split(Split.from_probs(**given))


def try_own(s: Seeded, _: Path) -> None:
    given = fields(s)
    about = {"groups": {s.name: s.rng.random(s.n) < 0.3}} if s.groups else {}
    if s.split == "named":
        about["splits"] = np.array(["train", "val", "test"])[np.arange(s.n) % 3]
    elif s.split != "dealt":
        about["splits"] = [s.name] * s.n
    if s.predict:
        about["predictions"] = s.rng.integers(3, size=s.n)
        given["losses"] = None
    problem = slicebench.from_arrays(**given, name=s.name, class_names=(), **about)
    check_split(problem.test)


def try_audit(s: Seeded, _: Path) -> None:
    """Splits made well, put together badly."""
    rng = s.rng

    def part(name: str, d: int, C: int) -> Split:
        y = rng.integers(C, size=s.n)
        p = rng.dirichlet(np.ones(max(2, C)), size=s.n)
        names = [f"{name}{i}" for i in range(s.n)]
        return Split(ids=names, embeddings=rng.normal(size=(s.n, d)), losses=cross_entropy(p, y), labels=y, probs=p)

    train = part("train", s.d, s.C)
    val = train if s.overlap else part("val", s.other, s.C2)
    captions = None
    if s.captions:
        captions = Captions(
            texts=tuple(f"t{i}" for i in range(s.m)),
            embeddings=floats(rng, (s.m, s.d), s.kind, s.scale),
            candidates=rng.random((s.C, s.m)) < 0.5,
            reference_texts=("r",) * s.C,
            references=rng.normal(size=(s.C, s.other)),
        )
    AuditData(train=train, val=val, class_names=[f"c{i}" for i in range(s.named)], captions=captions)


def try_truth(s: Seeded, _: Path) -> None:
    rng = s.rng
    groups = presented(rng.random((s.n, s.g)) < 0.3, s.way)
    truth = PlantedTruth(
        ids={"test": IDS[s.ids](s.n)},
        groups={"test": groups},
        group_names=[f"g{i}" for i in range(s.named)],
        captions={s.name: ("x",)} if s.captions else {},
    )
    found = truth.minority(truth.ids["test"])
    assert found.shape == (s.n,)
    if not s.same:
        truth.groups_of(np.array(["never seen"]))


def scores(s: Seeded, rng: np.random.Generator, n: int) -> SliceScores:
    membership = np.clip(floats(rng, (n, s.k), s.soft, 1.0), 0 if s.whole else -1, 1) if s.k is not None else None
    return SliceScores(
        hardness=presented(floats(rng, (n,), s.kind, s.scale), s.way),
        flagged=rng.random(n) < 0.2 if s.flags == "some" else np.zeros(n, bool) if s.flags == "none" else None,
        membership=membership,
        names=None if not s.names or s.k is None else [NAMES[i % len(NAMES)] for i in range(s.k)],
    )


SCORES = {
    "kind": FINE,
    "scale": FEW_SCALES,
    "way": HOWS,
    "soft": ["normal", "ties", "zero", "constant"],
    "k": [None, 0, 1, 3, 12],
    "flags": ["some", "none", "absent"],
    "names": [False, True],
    "whole": [True],
}
BAD_SCORES = {"kind": BROKEN, "way": WRONG, "soft": ["nan"], "whole": [False], "scale": [1e300]}


def try_scores(s: Seeded, _: Path) -> None:
    made = scores(s, s.rng, s.n)
    assert np.isfinite(made.hardness).all()


def try_metrics(s: Seeded, _: Path) -> None:
    """Every metric of rankings and of slices: a finite number or None, chance likewise, and in its bounds where it has any."""
    rng, n = s.rng, max(1, s.n)
    y = rng.integers(s.C, size=n) if s.C else None
    right = {"any": rng.random(n) < 0.8, "all": np.ones(n, bool), "none": np.zeros(n, bool)}[s.right]
    test = Split(ids=np.arange(n), embeddings=np.zeros((n, 1)), losses=np.zeros(n), labels=y, correct=right)
    groups = rng.random((n, s.g)) < s.rate
    truth = PlantedTruth(ids={"test": test.ids}, groups={"test": groups}, group_names=[f"g{i}" for i in range(s.g)])
    made = scores(s, rng, n)
    measured, slices = measure(made, test, truth), measure_slices(made, test, truth)
    values = [measured.metrics, measured.chance, *measured.per_class.values()]
    values += [slices.metrics, slices.chance] if slices else []
    for table in values:
        for name, value in table.items():
            assert value is None or np.isfinite(value), (name, value)
            assert value is None or value <= 1 + 1e-9, (name, value)
            assert value is None or value >= (0 if name in ("ap", "auroc", "best_f1", "mf_at_10") else -1e9), (
                name,
                value,
            )


def try_captions(s: Seeded, _: Path) -> None:
    rng, m = s.rng, max(1, s.m)
    named = rng.random(m) < s.rate
    named[rng.integers(m)] = True
    h = floats(rng, (m,), s.kind, s.scale)
    for table in (naming_scores(h, named), naming_chance(m, int(named.sum()))):
        assert all(0 <= value <= 1 + 1e-9 for value in table.values()), table
    p = exact_p(float(rng.integers(m + 1)), rng.random(m).tolist())
    assert 0 <= p <= 1
    near, far = floats(rng, (s.n,), s.kind, s.scale), floats(rng, (s.n,), s.kind, 1.0)
    gap = easy_hard_gap(near, far, rng.random(s.n) < 0.7, (1, 2, 5), draws=20)
    assert gap is None or -1 <= gap.area <= 1


def try_statistics(s: Seeded, _: Path) -> None:
    rng, n = s.rng, max(2, s.n)
    seeds = [
        SeedScores(
            rng.integers(s.C, size=n), rng.random(n) < s.rate, {m: floats(rng, (n,), s.kind, s.scale) for m in "abc"}
        )
        for _ in range(s.seeds)
    ]
    sampled = sampled_problem(seeds, 1, draws=50)
    for one in sampled.values():
        assert np.isfinite(interval_of_mean([one]).mean)
    table = floats(rng, (3, s.seeds), s.kind if s.kind != "mixed" else "normal", 1.0)
    for pair in compare_pairs(table, draws=50):
        assert not pair.p > 1
    assert (holm(rng.random(s.seeds)) <= 1).all()
    friedman(table)
    interval_over_units(table[0], draws=50)
    interval_over_seeds(table.tolist())
    spearman(table[0].tolist(), table[1].tolist())


def try_sparse(s: Seeded, _: Path) -> None:
    rng, n = s.rng, max(1, s.n)
    X = floats(rng, (n, s.d), s.kind, s.scale)
    y = rng.integers(s.C, size=n)
    split = Split(ids=np.arange(n), embeddings=X, losses=np.zeros(n), labels=y if s.labelled else None)
    mean, scale = standardisation(split.embeddings)
    path = fit_held_out((split.embeddings - mean) * scale, split, n_classes=s.C, held_out=0.3, seed=0, n_lambdas=3)
    assert all(np.isfinite(layer.weights).all() for layer in path.layers)


def try_million(kind: str, _: Path) -> None:
    """A million ids of a kind, in a split and in a truth."""
    n = 10**6
    names = np.array([f"é{i}" if kind == "unicode" else f"{i}" for i in range(n)])
    if kind == "doubled":
        names[-1] = names[0]
    split = Split(ids=names, embeddings=np.zeros((n, 1), np.float32), losses=np.zeros(n, np.float32))
    truth = PlantedTruth(ids={"test": split.ids}, groups={"test": np.zeros((n, 1), bool)}, group_names=("g",))
    assert not truth.minority(split.ids).any()


ENTRIES = [
    Entry("Split", troubled(FIELDS, TROUBLE), try_split, share=2),
    Entry("a million ids", st.sampled_from(["doubled", "unicode", "numbers"]), try_million, share=0.01),
    Entry("Split.from_probs", troubled(FIELDS, TROUBLE), try_from_probs),
    Entry(
        "slicebench.from_arrays",
        troubled(
            FIELDS | {"n": [12, 30]},
            TROUBLE,
            groups=[False, True],
            name=NAMES,
            split=["dealt", "named", "hostile"],
            predict=[False, True],
        ),
        try_own,
        share=2,
    ),
    Entry(
        "AuditData",
        troubled(
            {
                "n": [1, 2, 9],
                "d": [3],
                "other": [3],
                "C": [3],
                "C2": [1, 3],
                "overlap": [False],
                "captions": [False, True],
                "m": [4],
                "kind": FINE,
                "scale": SCALES[:7],
                "named": [3],
            },
            {"d": [1], "C": [1], "C2": [5], "overlap": [True], "m": [0, 1], "kind": BROKEN, "named": [0, 1, 2]},
        ),
        try_audit,
    ),
    Entry(
        "PlantedTruth",
        troubled(
            {
                "n": [1, 3, 30],
                "g": [3],
                "named": [3],
                "way": ["plain", "list", "as <i8", "fortran"],
                "ids": GOOD_IDS,
                "same": [True],
                "name": ["g0"],
                "captions": [False, True],
            },
            {"n": [0], "g": [0, 1], "way": [*HOWS, *WRONG], "ids": [*IDS], "same": [False], "name": NAMES},
        ),
        try_truth,
    ),
    Entry("SliceScores", troubled(SCORES, BAD_SCORES, n=SIZES), try_scores),
    Entry(
        "metrics and slice metrics",
        troubled(
            SCORES,
            BAD_SCORES,
            n=[1, 2, 3, 11, 60],
            C=[0, 1, 2, 4],
            g=[0, 1, 3],
            rate=[0.0, 0.1, 0.5, 1.0],
            right=["any", "all", "none"],
        ),
        try_metrics,
        share=2,
    ),
    Entry(
        "caption metrics",
        seeded(m=[1, 2, 9], n=[0, 1, 2, 30], rate=[0.0, 0.5, 1.0], kind=FINE, scale=SCALES[:7]),
        try_captions,
    ),
    Entry(
        "statistics",
        seeded(n=[2, 3, 20], C=[1, 2], rate=[0.0, 0.3, 1.0], seeds=[1, 2, 5], kind=FINE, scale=SCALES[:7]),
        try_statistics,
    ),
    Entry(
        "sparse path",
        seeded(
            n=[1, 2, 9, 30, 30], d=[1, 4], C=[1, 2, 3], kind=FINE, scale=SCALES[:7], labelled=[True, True, True, False]
        ),
        try_sparse,
        share=0.4,
    ),
]
