"""A made-up leaderboard of realistic shape, for tests of what shows one."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np

from slicebench.metrics.estimate import Estimate
from slicebench.results.board import (
    Board,
    CellView,
    Comparison,
    ControlBoard,
    ControlInfo,
    ControlRate,
    ControlRow,
    DiscoveryBoard,
    DiscoveryKind,
    DiscoveryRow,
    KindView,
    MethodRow,
    MetricInfo,
    Pair,
    ProblemColumn,
    Sheet,
)

SHARES = (0.01, 0.02, 0.03, 0.05, 0.07, *(round(0.1 + 0.05 * i, 2) for i in range(19)))
SEEDS = (0, 1, 2, 3, 4)
METRICS = {
    "namf": ("nAMF", ""),
    "mf_at_10": ("MF@10", "share"),
    "kappa_at_10": ("κ@10", ""),
    "mf_at_25": ("MF@25", "share"),
    "kappa_at_25": ("κ@25", ""),
    "mf_at_50": ("MF@50", "share"),
    "kappa_at_50": ("κ@50", ""),
    "mf_at_100": ("MF@100", "share"),
    "kappa_at_100": ("κ@100", ""),
    "mf_at_r": ("MF@⌈πn⌉", "share"),
    "ap": ("AP", ""),
    "auroc": ("AUROC", ""),
    "ap_within_errors": ("AP | wrong", ""),
    "ap_within_correct": ("AP | right", ""),
    "flagged_precision": ("flagged precision", "share"),
    "flagged_recall": ("flagged recall", "share"),
    "flagged_gain": ("precision − P(g | error)", "share"),
    "hit_at_1": ("Hit@1", "share"),
    "mrr": ("MRR", ""),
}
CHANCE = {"ap": 0.2, "auroc": 0.5, "ap_within_errors": 0.4, "ap_within_correct": 0.15, "hit_at_1": 0.22, "mrr": 0.46}
FAMILIES = {
    "scenes": ("image", ("correlation", "rare", "corruption", "rare-many", "correlation-weak", "none-but-noise")),
    "digits": ("image", ("colored", "subtypes", "noisy", "colored-weak", "subtypes-few")),
    "gaussian": ("vector", ("linear", "correlation", "clusters", "ring", "rotated", "wide")),
    "madlibs": ("text", ("identity", "negation", "length")),
    "madrigals": ("text", ("metre", "language")),
}
METHODS = {
    "svm_directions": (
        0.62,
        4.0,
        ("correct", "embeddings", "labels"),
        "Per class, the direction in embedding space along which the model fails.",
    ),
    "spotlight": (
        0.60,
        31.0,
        ("embeddings", "losses"),
        "Shine a light where the model does worst, dim what it lit, repeat.",
    ),
    "domino": (
        0.48,
        12.0,
        ("embeddings", "labels", "probs"),
        "Clusters that are alike in the embedding and alike in how the model errs.",
    ),
    "lff": (
        0.45,
        410.0,
        ("inputs", "labels", "trainer"),
        "A network trained with generalised cross-entropy trusts what it gets right, and amplifies its bias.",
    ),
    "early_stopping": (
        0.41,
        160.0,
        ("inputs", "labels", "trainer"),
        "Early in training a network knows the easy majority and not yet the rest.",
    ),
    "confidence": (0.44, 0.02, ("labels", "probs"), "Rank by the base model's own confidence in the true class."),
    "nearest_errors": (0.30, 2.4, ("correct", "embeddings"), "Share of errors among the nearest validation examples."),
    "metadata_tree": (
        0.20,
        0.9,
        ("correct", "metadata"),
        "A shallow tree over the metadata columns that predicts errors.",
    ),
    "random": (0.0, 0.001, (), "Rank by a number drawn uniformly for each example."),
    "oracle": (
        1.0,
        0.001,
        ("truth",),
        "Ranks the planted subgroup first: nAMF is 1 on every problem, whatever the data.",
    ),
}
CONTROLS = {
    "C0": (
        "outcomes permuted",
        "Outcomes are permuted within each class. The rate is the family-wise error rate, at most 5 %.",
    ),
    "C1": ("attribute permuted", "The attribute is permuted within each class: the ranking can surface nothing."),
    "C2": (
        "nothing planted",
        "A model trained on balanced data without a plant: how often the unplanted declares too.",
    ),
    "C3": ("a class without errors", "Class 0 has no errors: nothing may be declared in it."),
    "C4": ("a homogeneous hard class", "In class 0 a random 35 % are wrong: being hard all over is no slice."),
    "C5": ("label noise only", "15 % of the labels are wrong at random and cause all errors."),
    "power": ("planted", "A subgroup is planted: how often a declared slice is about it, at matched false alarms."),
}
BROKEN = "metadata_tree"


def example_board(*, methods: int = 10, kind: str = "leaderboard") -> Board:
    """10 methods (oracle, random and an incomplete one among them) or more, 22 problems of 5 families, everything filled in."""
    rng = np.random.default_rng(5)
    field = dict(METHODS)
    for i in range(methods - len(METHODS)):
        field[f"variant_{i}_of_domino"] = (
            0.4 - 0.03 * i,
            15.0 + i,
            ("embeddings", "labels"),
            "Domino with other clusters.",
        )
    problems = [_problem(rng, family, name) for family, (_, names) in FAMILIES.items() for name in names]
    table = {p.name: {m: _level(rng, m, level) for m, (level, *_) in field.items()} for p in problems}
    cells = {p.name: {m: _cell(rng, p, m, table[p.name][m]) for m in field} for p in problems}
    ranked = [m for m in field if m not in ("oracle", "random", BROKEN)]
    levels = np.array([[table[p.name][m] for m in ranked] for p in problems])
    ranks = dict(zip(ranked, mean_ranks(levels), strict=True)) | {BROKEN: float(len(ranked) + 1)}
    rows = [
        _row(rng, m, about, np.mean([table[p.name][m] for p in problems]), ranks.get(m)) for m, about in field.items()
    ]
    rows.sort(key=lambda r: -r.values["namf"].mean if "namf" in r.values else np.inf)
    return Board(
        kind=kind,
        title="standard",
        description="Twenty-two offline problems from five families, each with a planted subgroup that is hard but not hopeless",
        code_version="0.1.0+8871219",
        hardware="2 × Intel Xeon @ 2.20 GHz, 8 GB",
        date="2026-11-25",
        seeds=SEEDS,
        metrics=tuple(
            MetricInfo(
                key=k, label=label, unit=unit, higher_is_better=True, about=f"What {label} says, in one sentence."
            )
            for k, (label, unit) in METRICS.items()
        ),
        methods=tuple(rows),
        problems=tuple(problems),
        cells=cells,
        shares=SHARES,
        curves={p.name: _curves(p.minority_rate, table[p.name], cells[p.name]) for p in problems},
        comparison=_comparison(levels, ranked),
        kinds=tuple(_kind(kind, problems, levels, ranked) for kind in ("natural", "planted")),
        kinds_agree=0.61,
        controls=_controls(rng, [m for m in field if m != "oracle"]),
        discovery=_discovery(),
        sheets=tuple(_sheet(rng, p.name, m) for p in problems[:2] for m in ranked[:3]),
    )


def _discovery():
    """Four finders: one with a better setting, and one without a null table."""
    common = {"set": "report", "tables": 41, "causes": 77, "alone": 27, "nulls": 10, "named": 7, "class_tables": 3}
    common |= {"alone_found": 2, "right": 5, "class_first": 1, "precision_at_10": 0.5}
    common["kinds"] = {"tabular": DiscoveryKind(found=1, causes=30, false=3)}
    best = {"setting": 3, "parameters": {"alpha": 0.95, "k": 10}, "found": 20, "false": 4.0, "nulls_shown": 9}
    few = {"tables": 30, "not_run": {"needs classes": 5}, "found": 3, "false": 0.5, "nulls": 0, "nulls_shown": 0}
    rows = (
        DiscoveryRow(**common, finder="discover", found=32, false=0.2, nulls_shown=0),
        DiscoveryRow(**common, finder="sliceline", found=10, false=1.0, nulls_shown=1),
        DiscoveryRow(**common | best, finder="sliceline"),
        DiscoveryRow(**common | few, finder="cleanlab"),
    )
    return DiscoveryBoard(seed=0, tables=41, chosen_on=("tabular-2", "embedding-0"), rows=rows)


def _level(rng, method, level):
    return (
        level
        if method == "oracle"
        else float(np.clip(level + rng.normal(0, 0.02 if method == "random" else 0.15), -0.3, 0.98))
    )


def _problem(rng, family, name):
    return ProblemColumn(
        name=f"{family}-{name}",
        family=family,
        modality=FAMILIES[family][0],
        kind="natural" if family.startswith("mad") else "planted",
        encoder="nano-clip" if family == "scenes" else "identity",
        params={"plant": name, "n_train": 2000, "minority": 0.2, "recipe": {"arch": "small_cnn", "epochs": 8}},
        how="The rare group keeps a quarter of its training examples, so the base model has seldom seen it.",
        groups=("a blue background", "a red background") if family == "scenes" else (f"{name} group",),
        classes=4,
        seeds=SEEDS,
        n_test=2000.0,
        minority_rate=round(float(rng.uniform(0.1, 0.35)), 4),
        minority_accuracy=float(rng.uniform(0.4, 0.7)),
        majority_accuracy=float(rng.uniform(0.85, 0.97)),
    )


def _value(key, level):
    base = CHANCE.get(key, 0.2 if key.startswith(("mf", "flagged")) else 0.0)
    return base + (1 - base) * level if key != "flagged_gain" else level - 0.4


def _estimate(rng, mean, width=0.04, *, behind=False):
    half = float(rng.uniform(0.5, 1.5)) * width
    return Estimate(mean=mean, low=mean - half, high=min(1.0, mean + half), behind=behind)


def _applies(key, problem_or_none, method):
    if key.startswith("flagged"):
        return method in ("svm_directions", "early_stopping")
    return key not in ("hit_at_1", "mrr") or problem_or_none in (None, "scenes")


def _cell(rng, problem, method, level):
    if method == BROKEN and problem.family in ("scenes", "digits"):
        return CellView(status="skipped", reason="needs metadata columns", by_seed=dict.fromkeys(SEEDS))
    values = {
        key: _estimate(rng, min(1.0, _value(key, level)), 0.05, behind=key == "namf" and level <= 0.68)
        for key in METRICS
        if _applies(key, problem.family, method)
    }
    classes = ("circle", "square", "triangle", "star") if problem.family == "scenes" else ()
    return CellView(
        status="ok",
        values=values,
        chance={key: CHANCE.get(key, 0.0) for key in values},
        by_seed={seed: level + float(rng.normal(0, 0.03)) for seed in SEEDS},
        strength=float(rng.uniform(0.5, 0.9)) if method == "svm_directions" else None,
        captions=tuple(
            f"{c}: {'* ' if rng.random() < level else ''}a photo of a {c} on a blue background" for c in classes
        ),
        notes=("2 of 4 classes have fewer than 10 errors.",) if method == "domino" else (),
    )


def mean_ranks(table):
    from slicebench.metrics.statistics import ranks

    return ranks(table).mean(axis=0).tolist()


def _row(rng, method, about, mean, rank):
    level, seconds, requires, idea = about
    incomplete = "55 of 110 skipped; scenes-correlation s0: needs metadata columns" if method == BROKEN else None
    reference = method in ("oracle", "random")
    values = (
        {}
        if incomplete
        else {
            key: _estimate(
                rng, min(1.0, _value(key, mean)), 0.015, behind=key == "namf" and mean <= 0.55 and not reference
            )
            for key in METRICS
            if _applies(key, None, method)
        }
    )
    return MethodRow(
        name=method,
        version="1",
        params={"k": 5} if method == "domino" else {},
        idea=idea,
        requires=requires,
        reference=reference,
        values=values,
        chance={key: CHANCE.get(key, 0.0) for key in METRICS},
        rank=rank,
        rank_without_a_family=None if rank is None else (rank - 0.4, rank + 0.5),
        wins=None if reference or incomplete else max(0.0, level - 0.5) * 4,
        p={"hit_at_1": 1.4e-8} if values else {},
        n=55 if incomplete else 110,
        caption_classes=120,
        incomplete=incomplete,
        seconds=seconds / 5,
        seconds_per_10k=seconds,
        fit_seconds=seconds / 6,
        score_seconds=seconds / 40,
        caption_seconds=0.1,
        training_seconds=0.0,
        peak_mb=400 + 10 * level,
        failures=0,
        skips=55 if incomplete else 0,
    )


def _curves(rate, levels, cells):
    ideal = np.minimum(1.0, rate / np.array(SHARES))
    lines = {m: rate + level * (ideal - rate) for m, level in levels.items() if cells[m].values}
    return {m: tuple(line.tolist()) for m, line in lines.items()}


def _comparison(table, names):
    from slicebench.metrics.statistics import cliques, compare_pairs, critical_difference, friedman

    pairs = compare_pairs(table)
    estimate = lambda d: Estimate(mean=d.mean, low=d.low, high=d.high)
    return Comparison(
        unit="problem",
        units=len(table),
        test="Wilcoxon signed-rank",
        friedman_p=friedman(table).p,
        friedman_how=friedman(table).how,
        critical_difference=critical_difference(len(names), len(table)),
        cliques=tuple(tuple(names[c] for c in clique) for clique in cliques(np.array(mean_ranks(table)), pairs)),
        pairs=tuple(
            Pair(
                a=names[p.a],
                b=names[p.b],
                difference=estimate(p.difference),
                p=p.p,
                p_holm=p.p_holm,
                p_families=min(1.0, 4 * p.p_holm),
                a_better=p.a_better,
                b_better=p.b_better,
                units=p.units,
            )
            for p in pairs
        ),
        resolvable=float(np.median([(p.difference.high - p.difference.low) / 2 for p in pairs])),
    )


def _kind(kind, problems, levels, names):
    own = [i for i, problem in enumerate(problems) if problem.kind == kind]
    return KindView(
        kind=kind,
        problems=len(own),
        families=len({problems[i].family for i in own}),
        values={m: Estimate(mean=levels[own, c].mean(), low=0.1, high=0.9) for c, m in enumerate(names)},
        rank=dict(zip(names, mean_ranks(levels[own]), strict=True)),
        comparison=_comparison(levels[own], names),
    )


def _rate(key, hits, of=100):
    rate = hits / of
    half = 1.96 * np.sqrt(max(rate * (1 - rate), 0.01) / of)
    return ControlRate(
        control=key, hits=hits, replicates=of, rate=rate, low=max(0.0, rate - half), high=min(1.0, rate + half)
    )


def _controls(rng, methods):
    keys = [key for key in CONTROLS if key != "C1"]
    rows = []
    for method in methods:
        top = {"power": int(100 * max(0.05, METHODS.get(method, (0.4,))[0])), "C2": 30}
        hits = {key: int(rng.integers(0, 9)) + top.get(key, 0) for key in keys}
        opened = {key: min(100, n + (90 if method == "domino" else 3)) for key, n in hits.items()}
        rows.append(
            ControlRow(
                method=method,
                rates=tuple(_rate(k, n) for k, n in hits.items()),
                open_rates=tuple(_rate(k, n) for k, n in opened.items()),
                returned=dict.fromkeys(keys, 0.0 if method == "random" else 0.98),
                namf=_estimate(rng, float(rng.normal(0, 0.005)), 0.01),
                notes=("Power by problem: gaussian-linear 0.80, colored-digits 0.35.",),
            )
        )
    return ControlBoard(
        replicates=100,
        alpha=0.05,
        problems=("scenes-none s0", "gaussian-none s0", "gaussian-linear s0"),
        controls=tuple(ControlInfo(key=k, label=label, about=about) for k, (label, about) in CONTROLS.items()),
        rows=tuple(rows),
        seconds=290.0,
        code_version="0.1.0",
        hardware="2 × Xeon",
        date="2026-11-25",
    )


def _sheet(rng, problem, method):
    from PIL import Image

    out = BytesIO()
    Image.fromarray(rng.integers(0, 255, size=(6, 20, 3), dtype=np.uint8)).resize((400, 120), 0).save(out, "PNG")
    image = base64.b64encode(out.getvalue()).decode()
    return Sheet(
        method=method, problem=problem, alt=f"Hardest examples of {problem} according to {method}.", image=image
    )
