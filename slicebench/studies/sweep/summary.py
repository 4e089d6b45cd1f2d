"""Summarise a sweep: one row per value, and the trends of strength, metric and base model."""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError, did_you_mean
from slicebench.metrics.estimate import Estimate, Plain, estimate_over_seeds
from slicebench.metrics.ranking import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from slicebench.evaluation.record import BaseModelSummary, Record
    from slicebench.studies.sweep.run import SweepOutcome
    from slicebench.studies.sweep.stored import ClassFigures, StrengthFigures


ALPHA = 0.05

BASE = ("accuracy", "minority_accuracy", "minority_share_of_errors")
"""Figures of the base model that a sweep reports."""


class SweepCell(Plain):
    """One method at one value, over seeds; fields without data are None.

    `strength` is the mean over classes. `significant` is the share of classes, over all seeds, whose
    permutation p is at most 0.05. `p` is the median p, and `by_chance` is the mean strength under
    permuted outcomes.
    """

    metric: Estimate | None
    strength: Estimate | None
    by_chance: float | None = None
    p: float | None = None
    significant: float | None = None
    missing: str | None = None
    """How many seeds are missing or did not end "ok", and the first reason."""


class SweepRow(Plain):
    """One value of the parameter: figures of the base model and of each method."""

    value: int | float
    problem: str
    accuracy: Estimate | None
    minority_accuracy: Estimate | None
    minority_share_of_errors: Estimate | None
    cells: dict[str, SweepCell]


class Trend(Plain):
    """Spearman's ρ of `what` (of `method`, or of the base model) against `against`, with its two-sided p.

    A point is a problem at one seed or, with `per_class`, one class of it. Against the parameter, p is
    conservative: every seed has every value, so seeds only add noise. Per class, p is a guide and not a
    test, since classes of one base model are not independent. ρ is None if there are fewer than three
    values, or only ties.
    """

    what: str
    method: str | None
    against: str
    per_class: bool
    rho: float | None
    p: float | None
    points: int


class SweepReport(Plain):
    """A sweep's content for tables, JSON and pictures.

    `metric` is a key of `slicebench.metrics.ranking.METRICS`.
    """

    base: str
    dataset: str
    param: str
    fixed: dict[str, Any]
    seeds: tuple[int, ...]
    metric: str
    methods: tuple[str, ...]
    permutations: int
    rows: tuple[SweepRow, ...]
    trends: tuple[Trend, ...]


def checked_metric(name: str) -> str:
    """Return `name` if it is a known metric, else raise a `ConfigError`."""
    if name not in METRICS:
        raise ConfigError(f"there is no metric {name!r}; {did_you_mean(name, list(METRICS))}")
    return name


def sweep_report(outcome: SweepOutcome, metric: str = "namf", permutations: int = 0) -> SweepReport:
    """Summarise a run of a sweep.

    Raises
    ------
    ConfigError
        if the metric does not exist.

    """
    sweep = outcome.sweep
    points = _Points(outcome, checked_metric(metric))
    return SweepReport(
        base=sweep.base,
        dataset=sweep.dataset,
        param=sweep.param,
        fixed=dict(sweep.fixed),
        seeds=sweep.seeds,
        metric=metric,
        methods=sweep.methods,
        permutations=permutations,
        rows=tuple(points.row(value) for value in sweep.values),
        trends=tuple(points.trends()),
    )


class _Points:
    """The finished cells of a sweep by value and seed."""

    def __init__(self, outcome: SweepOutcome, metric: str) -> None:
        self.outcome, self.metric, self.sweep = outcome, metric, outcome.sweep
        self.records = {(c.problem.name, c.problem.seed, c.method): r for c, r in outcome.run.records}

    def record(self, value: float, seed: int, method: str) -> Record | None:
        return self.records.get((self.sweep.problem(value), seed, method))

    def base(self, value: float, seed: int) -> BaseModelSummary | None:
        """Return the base model of a problem, from the record of any method."""
        found = (self.record(value, seed, method) for method in self.sweep.methods)
        return next((r.base_model for r in found if r is not None and r.base_model is not None), None)

    def row(self, value: float) -> SweepRow:
        models = [self.base(value, seed) for seed in self.sweep.seeds]
        figures = {name: _share(base_figure(model, name) for model in models) for name in BASE}
        cells = {method: self.cell(value, method) for method in self.sweep.methods}
        return SweepRow(value=value, problem=self.sweep.problem(value), cells=cells, **figures)

    def cell(self, value: float, method: str) -> SweepCell:
        records = [self.record(value, seed, method) for seed in self.sweep.seeds]
        bad = [r for r in records if r is None or r.status != "ok"]
        why = next((f": {r.reason}" for r in bad if r is not None), "")
        slots = [(self.sweep.problem(value), seed, method) for seed in self.sweep.seeds]
        tests = [test for slot in slots if (test := self.outcome.strengths.get(slot)) is not None]
        return SweepCell(
            metric=_estimate(self.value(r) for r in records),
            strength=_estimate(strength_of(r) for r in records),
            missing=f"{len(bad)} of {len(records)} seeds{why}" if bad else None,
            **_tests(tests),
        )

    def value(self, record: Record | None) -> float | None:
        return None if record is None or record.status != "ok" else record.metrics.get(self.metric)

    def trends(self) -> list[Trend]:
        """Return trends against the parameter, and trends of strengths against the base model's figures."""
        grid = [(value, seed) for value in self.sweep.values for seed in self.sweep.seeds]

        def against_param(what: str, method: str | None, found: Sequence[float | None]) -> Trend:
            return _trend(what, method, self.sweep.param, [(y, x) for y, (x, _) in zip(found, grid, strict=True)])

        models = [self.base(*point) for point in grid]
        trends = [against_param(name, None, [base_figure(model, name) for model in models]) for name in BASE]
        for method in self.sweep.methods:
            records = [self.record(*point, method) for point in grid]
            trends.append(against_param(self.metric, method, [self.value(r) for r in records]))
            strengths = [strength_of(r) for r in records]
            if any(strength is not None for strength in strengths):
                trends.append(against_param("strength", method, strengths))
        return trends + [trend for method in self.sweep.methods for trend in self.per_class(method)]

    def per_class(self, method: str) -> list[Trend]:
        """Return trends of each class's strength against the base model's figures in it."""
        points: list[tuple[float, ClassFigures]] = []
        for (problem, seed, name), record in self.records.items():
            if name == method and record.status == "ok" and record.strength is not None:
                classes = self.outcome.figures[problem, seed].classes
                points += [(s, classes[c]) for c, s in record.strength.items() if s is not None and c in classes]
        if not points:
            return []
        return [
            _trend("strength", method, name, [(s, getattr(figures, name)) for s, figures in points], per_class=True)
            for name in BASE[1:]
        ]


def strength_of(record: Record | None) -> float | None:
    """Return the mean strength over the classes that have one."""
    if record is None or record.strength is None:
        return None
    known = [value for value in record.strength.values() if value is not None]
    return fmean(known) if known else None


def base_figure(model: BaseModelSummary | None, name: str) -> float | None:
    """Return one of the figures `BASE`.

    The minority's share of the errors is computed from the accuracies and the minority's rate.
    """
    if model is None:
        return None
    if name != "minority_share_of_errors":
        value: float | None = getattr(model, name)
        return value
    if model.accuracy in (None, 1.0) or model.minority_accuracy is None or model.minority_rate is None:
        return None
    assert model.accuracy is not None
    return (1 - model.minority_accuracy) * model.minority_rate / (1 - model.accuracy)


def _estimate(values: Iterable[float | None]) -> Estimate | None:
    known = [value for value in values if value is not None]
    return estimate_over_seeds([known]) if known else None


def _share(values: Iterable[float | None]) -> Estimate | None:
    """Estimate a share; its interval is clipped at 0."""
    found = _estimate(values)
    if found is None or found.low is None:
        return found
    return found.model_copy(update={"low": max(found.low, 0.0)})


def _tests(tests: Sequence[StrengthFigures]) -> dict[str, float]:
    """Return the fields of a cell that come from permutations."""
    ps = [p for test in tests for p in test.p.values() if p is not None]
    chance = [value for test in tests for value in test.by_chance.values() if value is not None]
    if not ps or not chance:
        return {}
    return {"p": median(ps), "significant": fmean(p <= ALPHA for p in ps), "by_chance": fmean(chance)}


def _trend(
    what: str,
    method: str | None,
    against: str,
    pairs: Sequence[tuple[float | None, float | None]],
    *,
    per_class: bool = False,
) -> Trend:
    from slicebench.studies.strength import spearman

    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    found = spearman([a for a, _ in known], [b for _, b in known]) if known else None
    rho, p = (None, None) if found is None else found
    return Trend(what=what, method=method, against=against, per_class=per_class, rho=rho, p=p, points=len(known))
