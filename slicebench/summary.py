"""The rows of the result tables, from the records of a run: plain data, printed by `slicebench.console`."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.caption_metrics import pooled
from slicebench.errors import StorageError
from slicebench.statistics import Interval, SeedScores, hierarchical_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.record import Record
    from slicebench.store import Entry, RunStore

REFERENCES = ("oracle", "random")
"""Methods that are the ends of the scale: shown, but not ranked with the field."""


@dataclass(frozen=True)
class Score:
    """Mean nAMF over seeds with its 95 % interval; `tied`: it lies within the interval of the problem's best method."""

    mean: float
    low: float | None = None
    high: float | None = None
    tied: bool = False


@dataclass(frozen=True)
class Row:
    """One method. `rank` is the mean rank over problems among the methods that are no references.

    `mean` and `rank` are None unless every cell of the method is there; `incomplete` then says what is missing.
    """

    method: str
    reference: bool
    mean: Score | None
    rank: float | None
    problems: dict[str, Score | None]
    incomplete: str | None


@dataclass(frozen=True)
class ProblemColumn:
    """One problem: test examples, seeds, and the base model's accuracy by planted membership, as means over seeds."""

    name: str
    family: str
    seeds: tuple[int, ...]
    n_test: float | None
    minority_rate: float | None
    minority_accuracy: float | None
    majority_accuracy: float | None


@dataclass(frozen=True)
class CaptionRow:
    """Captions of one method, pooled over the classes of all seeds in which a candidate names a planted group.

    `value` and `chance` hold `hit_at_1`, `hit_at_2` and `mrr`, `p` the exact probability of so many hits by chance; `gap` is the
    easy–hard gap as a mean over cells. `problem` is None for the row over all problems.
    """

    method: str
    problem: str | None
    classes: int
    value: dict[str, float]
    chance: dict[str, float]
    p: dict[str, float]
    gap: float | None


@dataclass(frozen=True)
class CostRow:
    """Medians over a method's cells."""

    method: str
    cells: int
    fit_s: float
    score_s: float
    caption_s: float
    training_s: float
    peak_rss_mb: float


@dataclass(frozen=True)
class Summary:
    """Rows sorted by mean nAMF, incomplete methods last; problems in the suite's order; costs by fit time; captions by Hit@1."""

    rows: list[Row]
    problems: list[ProblemColumn]
    costs: list[CostRow]
    captions: list[CaptionRow]

    def as_dicts(self) -> list[dict[str, Any]]:
        """Rows as JSON-ready dictionaries."""
        return [asdict(row) for row in self.rows]


def summarise(store: RunStore, cells: Sequence[tuple[Entry, Record | None]]) -> Summary:
    """Summary of `cells`: what was asked for, with the record where there is one.

    Raises
    ------
    StorageError
        if the scores of a finished cell cannot be read.

    """
    names = list(dict.fromkeys(entry.problem for entry, _ in cells))
    methods = list(dict.fromkeys(entry.method for entry, _ in cells))
    scores: dict[str, dict[str, Score]] = {}
    draws: dict[str, dict[str, NDArray[np.float64]]] = {}
    by_problem = {name: [(entry, record) for entry, record in cells if entry.problem == name] for name in names}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy lets go of the interpreter while it resamples
        found = list(pool.map(lambda name: problem_intervals(store, by_problem[name]), names))
    for name, intervals in zip(names, found, strict=True):
        scores[name] = _scores(by_problem[name], intervals)
        draws[name] = {method: interval.draws for method, interval in intervals.items() if method in scores[name]}
    gaps = {method: _incomplete([(e, r) for e, r in cells if e.method == method]) for method in methods}
    ranks = _mean_ranks([m for m in methods if m not in REFERENCES], gaps, scores)
    rows = [
        Row(
            method=method,
            reference=method in REFERENCES,
            mean=None if gaps[method] else _overall(method, scores, draws),
            rank=None if gaps[method] else ranks.get(method),
            problems={name: scores[name].get(method) for name in names},
            incomplete=gaps[method],
        )
        for method in methods
    ]
    rows.sort(key=lambda row: -row.mean.mean if row.mean else np.inf)
    records = [record for _, record in cells if record is not None]
    return Summary(rows, [_column(name, cells) for name in names], _costs(records), _captions(records, names))


def problem_intervals(store: RunStore, cells: Sequence[tuple[Entry, Record | None]]) -> dict[str, Interval]:
    """Bootstrap intervals of the methods that finished every seed of one problem, paired with one another."""
    finished = {(e.method, e.seed): e for e, r in cells if r is not None and r.status == "ok"}
    seeds = list(dict.fromkeys(e.seed for e, _ in cells))
    methods = [m for m in dict.fromkeys(e.method for e, _ in cells) if all((m, s) in finished for s in seeds)]
    if not methods:
        return {}
    by_seed = [_seed_scores(store, {m: finished[m, s] for m in methods}) for s in seeds]
    truths = [finished[methods[0], s].truth for s in seeds]
    entropy = int.from_bytes("|".join(truths).encode(), "big")
    return hierarchical_interval(by_seed, entropy)


def _seed_scores(store: RunStore, entries: Mapping[str, Entry]) -> SeedScores:
    """Hardness of each method, joined by id with the test split of its problem."""
    truth = store.truth(next(iter(entries.values())))
    hardness = {}
    for method, entry in entries.items():
        ids, scores = store.scores(entry)
        if not np.array_equal(ids, truth.ids):
            raise StorageError(
                f"{entry.folder}/{entry.record}.safetensors and {entry.truth}.safetensors hold different ids; "
                "delete both and run again"
            )
        hardness[method] = scores.hardness
    return SeedScores(truth.labels, truth.minority, hardness)


def _scores(cells: Sequence[tuple[Entry, Record | None]], intervals: Mapping[str, Interval]) -> dict[str, Score]:
    """Mean nAMF of each method on one problem over the seeds that it finished."""
    values: dict[str, list[float]] = {}
    for entry, record in cells:
        value = record.metrics.get("namf") if record is not None else None
        if value is not None:
            values.setdefault(entry.method, []).append(value)
    means = {method: fmean(v) for method, v in values.items()}
    field = [m for m in means if m in intervals and m not in REFERENCES]
    best = intervals[max(field, key=means.__getitem__)] if field else None
    return {
        method: Score(
            mean,
            intervals[method].low if method in intervals else None,
            intervals[method].high if method in intervals else None,
            tied=best is not None and method in field and mean >= best.low,
        )
        for method, mean in means.items()
    }


def _overall(
    method: str, scores: Mapping[str, Mapping[str, Score]], draws: Mapping[str, Mapping[str, NDArray[np.float64]]]
) -> Score | None:
    """Mean over the problems in which something is planted; its interval varies seeds and examples, not problems."""
    means = [s[method].mean for s in scores.values() if method in s]
    if not means:
        return None
    own = [d[method] for d in draws.values() if method in d]
    interval = Interval.of(fmean(means), np.mean(own, axis=0)) if len(own) == len(means) else None
    return Score(fmean(means), interval.low if interval else None, interval.high if interval else None)


def _mean_ranks(
    field: Sequence[str], gaps: Mapping[str, str | None], scores: Mapping[str, Mapping[str, Score]]
) -> dict[str, float]:
    """Mean rank of each method over problems; a method with missing cells takes the worst rank throughout."""
    table = [
        [-s[m].mean if m in s and not gaps[m] else np.inf for m in field]
        for s in scores.values()
        if any(m in s for m in field)
    ]
    if not table:
        return {}
    values = np.array(table)
    below = (values[:, :, None] > values[:, None, :]).sum(axis=2)
    equal = (values[:, :, None] == values[:, None, :]).sum(axis=2)  # itself among them
    ranks = (below + (equal + 1) / 2).mean(
        axis=0
    )  # ties share their mean rank, as scipy.stats.rankdata, without its import
    return dict(zip(field, ranks.tolist(), strict=True))


def _incomplete(cells: Sequence[tuple[Entry, Record | None]]) -> str | None:
    """What is missing of a method, with the first reason; None if nothing is."""
    bad = [(entry, record) for entry, record in cells if record is None or record.status != "ok"]
    if not bad:
        return None
    counts: dict[str, int] = {}
    for _, record in bad:
        status = "not run" if record is None else record.status
        counts[status] = counts.get(status, 0) + 1
    said = next((f"; {e.problem} s{e.seed}: {r.reason}" for e, r in bad if r is not None), "")
    return ", ".join(f"{n} of {len(cells)} {status}" for status, n in counts.items()) + said


def _column(name: str, cells: Sequence[tuple[Entry, Record | None]]) -> ProblemColumn:
    records = [r for e, r in cells if e.problem == name and r is not None]
    models = list({r.seed: r.base_model for r in records if r.base_model is not None}.values())

    def mean(field: str) -> float | None:
        values = [v for model in models if (v := getattr(model, field)) is not None]
        return fmean(values) if values else None

    return ProblemColumn(
        name=name,
        family=records[0].family if records else "unknown",
        seeds=tuple(dict.fromkeys(e.seed for e, _ in cells if e.problem == name)),
        n_test=mean("n_test"),
        minority_rate=mean("minority_rate"),
        minority_accuracy=mean("minority_accuracy"),
        majority_accuracy=mean("majority_accuracy"),
    )


def _captions(records: Sequence[Record], problems: Sequence[str]) -> list[CaptionRow]:
    """Rows over all problems, best first, then those of each problem."""
    by_method: dict[str, list[Record]] = {}
    for record in records:
        if record.captions is not None:
            by_method.setdefault(record.method, []).append(record)
    rows = []
    for problem in (None, *problems):
        chosen = {m: [r for r in found if problem in (None, r.problem)] for m, found in by_method.items()}
        made = [row for method, found in chosen.items() if (row := _caption_row(method, problem, found)) is not None]
        rows += sorted(made, key=lambda row: (-row.value["hit_at_1"], -row.value["mrr"]))
    return rows


def _caption_row(method: str, problem: str | None, records: Sequence[Record]) -> CaptionRow | None:
    outcomes = [r.captions for r in records if r.captions is not None]
    named = [one for outcome in outcomes for one in outcome.per_class.values() if one.naming]
    if not named:
        return None
    both = pooled([one.metrics for one in named], [one.chance for one in named])
    gaps = [gap for outcome in outcomes if (gap := outcome.metrics["gap"]) is not None]
    return CaptionRow(method, problem, len(named), **both, gap=fmean(gaps) if gaps else None)


def _costs(records: Iterable[Record]) -> list[CostRow]:
    by_method: dict[str, list[Any]] = {}
    for record in records:
        if record.cost is not None:
            by_method.setdefault(record.method, []).append(record.cost)
    fields = ("fit_s", "score_s", "caption_s", "training_s", "peak_rss_mb")
    rows = [
        CostRow(method, len(costs), **{f: median(getattr(c, f) for c in costs) for f in fields})
        for method, costs in by_method.items()
    ]
    return sorted(rows, key=lambda row: row.fit_s)
