"""Compute the board of a run or a leaderboard from the outcomes of its cells."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import SlicebenchError, safe_text
from slicebench.metrics.captions import LABELS, pooled
from slicebench.metrics.estimate import Estimate, estimate_over_seeds, namf_estimate
from slicebench.metrics.ranking import METRICS
from slicebench.metrics.slices import SLICE_METRICS
from slicebench.metrics.statistics import Sampled, interval_of_mean
from slicebench.plugins.registry import METHODS
from slicebench.results.board import REFERENCES, Board, CellView, KindView, MethodRow, MetricInfo, ProblemColumn
from slicebench.results.standings.cells import (
    SHARES,
    collected,
    costs,
    curves,
    decoy_used,
    hardest_captions,
    mean_chance,
    sampled_cells,
    why_not_ranked,
)
from slicebench.results.standings.comparing import Placed, compare
from slicebench.runs.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slicebench.data.truth import Kind
    from slicebench.evaluation.record import Record
    from slicebench.metrics.ranking import Metric
    from slicebench.metrics.slices import SliceMetric
    from slicebench.results.standings.comparing import Compared
    from slicebench.runs.outcomes import Outcomes, Slot
    from slicebench.runs.suite import Suite


CAPTION_ABOUT = {
    "hit_at_1": "Share of classes whose hardest caption names the planted group.",
    "hit_at_2": "Share of classes in which one of the two hardest captions names the planted group.",
    "mrr": "Reciprocal rank of the first caption that names the planted group.",
}


def standings(outcomes: Outcomes, suite: Suite, kind: str = "run") -> Board:
    """Compute the board of `outcomes`, the cells of `suite` or some of them.

    Raises
    ------
    StorageError
        if the scores of a finished cell cannot be read.

    """
    field = _Field(outcomes, suite)
    newest = max((r for r in field.records.values() if r), key=lambda r: r.date, default=None)
    compared, kinds = field.compared(), field.kinds()
    with Asking() as ask:
        abouts = {method: _described(method, ask) for method in field.methods}
    rows = [field.row(method, compared, abouts[method]) for method in field.methods]
    rows.sort(key=lambda row: -row.values["namf"].mean if "namf" in row.values else np.inf)
    return Board(
        kind=kind,
        title=suite.name,
        description=suite.description,
        code_version=newest.code_version if newest else "",
        hardware=newest.hardware if newest else "",
        date=newest.date[:10] if newest else "",
        seeds=tuple(sorted({seed for _, seed, _ in field.records})),
        metrics=metric_infos(),
        methods=tuple(rows),
        problems=tuple(field.column(problem) for problem in field.problems),
        cells={problem: {m: field.cell(problem, m) for m in field.methods} for problem in field.problems},
        shares=SHARES,
        curves={problem: curves(outcomes, problem) for problem in field.problems},
        comparison=compared.comparison if compared else None,
        kinds=kinds,
        kinds_agree=_agreement(kinds),
    )


def metric_infos() -> tuple[MetricInfo, ...]:
    """Return all metrics with a direction: rankings, flags, slices, captions."""
    tables: list[Metric | SliceMetric] = [m for m in METRICS.values() if m.higher_is_better is not None]
    tables += SLICE_METRICS.values()
    captions = [
        MetricInfo(key=key, label=LABELS[key], unit="" if key == "mrr" else "share", higher_is_better=True, about=about)
        for key, about in CAPTION_ABOUT.items()
    ]
    return (
        *(
            MetricInfo(key=m.name, label=m.label, unit=m.unit, higher_is_better=bool(m.higher_is_better), about=m.about)
            for m in tables
        ),
        *captions,
    )


class _Field:
    """Cells by problem and method, with nAMF sampled once per problem."""

    def __init__(self, outcomes: Outcomes, suite: Suite) -> None:
        self.outcomes, self.unit = outcomes, suite.unit
        self.records: Mapping[Slot, Record | None] = outcomes.records
        self.problems = list(dict.fromkeys(problem for problem, _, _ in self.records))
        self.methods = list(dict.fromkeys(method for _, _, method in self.records))
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy releases the interpreter while it resamples
            found = list(pool.map(lambda problem: sampled_cells(outcomes, problem), self.problems))
        self.sampled: dict[str, dict[str, Sampled]] = dict(zip(self.problems, found, strict=True))
        self.intervals = {
            problem: {m: interval_of_mean([one]) for m, one in sampled.items()}
            for problem, sampled in self.sampled.items()
        }
        self.planted = [problem for problem in self.problems if self._has_namf(problem)]

    def _has_namf(self, problem: str) -> bool:
        return any(r and r.metrics.get("namf") is not None for (p, _, _), r in self.records.items() if p == problem)

    def of(self, *, problem: str | None = None, method: str | None = None) -> dict[Slot, Record | None]:
        """Return the cells of a problem, or of a method, or of both."""
        return {s: r for s, r in self.records.items() if problem in (None, s[0]) and method in (None, s[2])}

    def family(self, problem: str) -> str:
        """Return the family of a problem from its records."""
        return next((r.family for r in self.of(problem=problem).values() if r), "unknown")

    def kind(self, problem: str) -> Kind:
        """Return the kind of a problem's groups; those of old runs, which do not say, are all planted."""
        facts = self.outcomes.facts(problem)
        return facts.kind if facts else "planted"

    def column(self, problem: str) -> ProblemColumn:
        """Return the facts of a problem, with accuracies as means over seeds."""
        records = [r for r in self.of(problem=problem).values() if r]
        models = list({r.seed: r.base_model for r in records if r.base_model is not None}.values())
        facts = self.outcomes.facts(problem)

        def mean(field: str) -> float | None:
            values = [v for model in models if (v := getattr(model, field)) is not None]
            return fmean(values) if values else None

        return ProblemColumn(
            name=problem,
            family=self.family(problem),
            modality=facts.modality if facts else "unknown",
            kind=self.kind(problem),
            encoder=next((r.encoder for r in records if r.encoder != "unknown"), "unknown"),
            params=records[0].dataset_params if records else {},
            how=facts.how if facts else "",
            groups=facts.groups if facts else (),
            classes=max((model.n_classes for model in models), default=0),
            seeds=tuple(dict.fromkeys(seed for _, seed, _ in self.of(problem=problem))),
            n_test=mean("n_test"),
            minority_rate=mean("minority_rate"),
            minority_accuracy=mean("minority_accuracy"),
            majority_accuracy=mean("majority_accuracy"),
        )

    def cell(self, problem: str, method: str) -> CellView:
        """Return the results of one method on one problem."""
        cells = self.of(problem=problem, method=method)
        records = [r for r in cells.values() if r]
        bad = next((r for r in records if r.status != "ok"), None)
        values = {key: estimate_over_seeds([v]) for key, v in collected(records).items()}
        if method in self.intervals[problem]:
            values["namf"] = self._namf(problem, method)
        strengths = [s for r in records if r.strength for s in r.strength.values() if s is not None]
        return CellView(
            status="not run" if len(records) < len(cells) and bad is None else bad.status if bad else "ok",
            reason=bad.reason if bad else None,
            values=values,
            chance=mean_chance(records),
            by_seed={seed: r.metrics.get("namf") if r else None for (_, seed, _), r in cells.items()},
            strength=fmean(strengths) if strengths else None,
            captions=hardest_captions(records),
            notes=tuple(dict.fromkeys(note for r in records for note in r.notes)),
        )

    def _namf(self, problem: str, method: str) -> Estimate:
        """Return the nAMF of a method on a problem, and whether it is behind the best.

        A method is behind if the paired interval of best minus method is above 0.
        """
        one, sampled = self.intervals[problem][method], self.sampled[problem]
        ranked = [m for m in sampled if m not in REFERENCES]
        if method not in ranked:
            return namf_estimate(one)
        best = max(ranked, key=lambda m: sampled[m].mean)
        apart = interval_of_mean([sampled[best] - sampled[method]])
        return namf_estimate(one, behind=apart.low is not None and apart.low > 0)

    def row(self, method: str, compared: Compared | None, about: Mapping[str, Any]) -> MethodRow:
        """Return the results of one method over all problems; `about` are its idea and requirements."""
        cells = self.of(method=method)
        records = [r for r in cells.values() if r]
        done = [r for r in records if r.status == "ok"]
        named = [one for r in done if r.captions for one in r.captions.per_class.values() if one.naming]
        captions = pooled([one.metrics for one in named], [one.chance for one in named]) if named else {}
        incomplete = why_not_ranked(cells)
        values = {} if incomplete else self._values(method, done, compared)
        ranked = compared is not None and method in compared.rank
        return MethodRow(
            name=method,
            version=records[0].method_version if records else "",
            params={k: v for k, v in records[0].method_params.items() if k != "seed"} if records else {},
            **about,
            reference=method in REFERENCES,
            values=values | {key: Estimate(mean=value) for key, value in captions.get("value", {}).items()},
            chance=mean_chance(done) | captions.get("chance", {}),
            p=captions.get("p", {}),
            rank=compared.rank[method] if compared and ranked else None,
            rank_without_a_family=compared.rank_range[method] if compared and ranked else None,
            wins=compared.wins.get(method) if compared and not incomplete else None,
            n=len(done),
            caption_classes=len(named),
            incomplete=incomplete,
            **costs(done),
            failures=sum(r.status == "failed" for r in records),
            skips=sum(r.status == "skipped" for r in records),
        )

    def _values(self, method: str, done: Sequence[Record], compared: Compared | None) -> dict[str, Estimate]:
        """Return means over problems.

        The interval of nAMF covers seeds and examples, not problems.
        """
        parts: dict[str, list[list[float]]] = {}
        for problem in self.problems:
            for key, seeds in collected([r for r in done if r.problem == problem]).items():
                parts.setdefault(key, []).append(seeds)
        values = {key: estimate_over_seeds(found) for key, found in parts.items()}
        own = [self.sampled[p][method] for p in self.planted if method in self.sampled[p]]
        if own and len(own) == len(self.planted):
            behind = compared is not None and method in compared.behind
            values["namf"] = namf_estimate(interval_of_mean(own), behind=behind)
        return values

    def compared(self, kind: Kind | None = None) -> Compared | None:
        """Compare the methods over the units, or over those of one kind; None if there is nothing to compare.

        A method that used a false truth is left out. One that failed somewhere is in the ranks, but in no pair, since
        it might have failed where it is bad.
        """
        field = [m for m in self.methods if m not in REFERENCES and not decoy_used(self.of(method=m))]
        failed = {m for m in field if any(r is None or r.status == "failed" for r in self.of(method=m).values())}
        problems = [
            Placed(problem, problem if self.unit == "problem" else self.family(problem), self.family(problem))
            for problem in self.planted
            if kind in (None, self.kind(problem))
        ]
        if not field or not problems:
            return None
        return compare(field, problems, self.sampled, self.intervals, self.unit, unpaired=failed)

    def kinds(self) -> tuple[KindView, ...]:
        """Return natural and planted problems apart; empty unless there are both."""
        kinds = sorted({self.kind(problem) for problem in self.planted})
        return tuple(view for kind in kinds if (view := self._of_kind(kind))) if len(kinds) > 1 else ()

    def _of_kind(self, kind: Kind) -> KindView | None:
        compared, own = self.compared(kind), [p for p in self.planted if self.kind(p) == kind]
        if compared is None:
            return None
        complete = [m for m in compared.rank if all(m in self.sampled[p] for p in own)]
        return KindView(
            kind=kind,
            problems=len(own),
            families=len({self.family(p) for p in own}),
            values={m: namf_estimate(interval_of_mean([self.sampled[p][m] for p in own])) for m in complete},
            rank={m: compared.rank[m] for m in complete},
            comparison=compared.comparison,
        )


def _agreement(kinds: Sequence[KindView]) -> float | None:
    """Return Spearman's correlation of the means on both kinds, over the methods that have both; None below three."""
    from scipy.stats import spearmanr

    both = [] if len(kinds) < 2 else [m for m in kinds[0].values if m in kinds[1].values]
    means = [[kind.values[m].mean for m in both] for kind in kinds]
    if len(both) < 3 or any(len(set(own)) == 1 for own in means):
        return None
    return float(spearmanr(*means).statistic)


def _described(method: str, ask: Asking) -> dict[str, Any]:
    """Return idea and requirements of a registered method.

    They are empty for a method that is not installed here, or that fails to tell.
    """
    try:
        idea, requires = ask(method, introduced, method)
    except (SlicebenchError, ValueError):
        return {"idea": "", "requires": ()}
    return {"idea": idea, "requires": tuple(requires)}


def introduced(method: str) -> tuple[str, list[str]]:
    """Return the first line of a method's description, and what it requires."""
    cls = METHODS.load(method)
    idea = (cls.__doc__ or "").strip().splitlines()
    return safe_text(idea[0]) if idea else "", sorted(cls.requires)
