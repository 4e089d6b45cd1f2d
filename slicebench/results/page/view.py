"""Prepare a board for the templates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from slicebench.plugins.method import REQUIREMENTS
from slicebench.results.numbers import Axis, estimate_axis, opposite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slicebench.results.board import (
        Board,
        CellView,
        Comparison,
        ControlRate,
        MethodRow,
        MetricInfo,
        Pair,
        ProblemColumn,
    )


HEADLINE = "namf"
COLOURS = 7
"""Number of the classes m0, m1, ... in board.css."""


@dataclass(frozen=True, eq=False)
class View:
    """View of a board for the templates."""

    board: Board

    @cached_property
    def metric(self) -> MetricInfo:
        """Metric shown first."""
        return next((m for m in self.board.metrics if m.key == HEADLINE), self.board.metrics[0])

    @cached_property
    def shown_metrics(self) -> list[MetricInfo]:
        """Metrics with a value for at least one method."""
        found = {key for row in self.board.methods for key in row.values}
        found |= {key for own in self.board.cells.values() for cell in own.values() for key in cell.values}
        return [m for m in self.board.metrics if m.key in found or m == self.metric]

    @cached_property
    def groups(self) -> list[tuple[str, list[MethodRow]]]:
        """Rows by group: ranked, incomplete and reference methods; without empty groups."""
        rows = self.board.methods
        found = [
            ("ranked", [r for r in rows if not r.reference and not r.incomplete]),
            ("incomplete", [r for r in rows if not r.reference and r.incomplete]),
            ("reference", [r for r in rows if r.reference]),
        ]
        return [(name, own) for name, own in found if own]

    @cached_property
    def columns(self) -> list[MethodRow]:
        """Methods in the order of the tables by problem, with references last."""
        return [row for _, rows in self.groups for row in rows]

    @cached_property
    def index(self) -> dict[str, int]:
        """Number of each method in the page's data and markup."""
        return {row.name: i for i, row in enumerate(self.board.methods)}

    @cached_property
    def look(self) -> dict[str, int]:
        """Number of each method's colour, dash and marker, by name, so that it does not depend on ranks."""
        names = sorted(row.name for row in self.board.methods if not row.reference)
        return {name: i for i, name in enumerate(names)}

    def colour(self, method: str) -> str:
        """Return the CSS class of a method's colour."""
        return f"m{self.look[method] % COLOURS}" if method in self.look else "ref"

    @cached_property
    def families(self) -> dict[str, list[ProblemColumn]]:
        """Problems by family, in the order of the board."""
        found: dict[str, list[ProblemColumn]] = {}
        for problem in self.board.problems:
            found.setdefault(problem.family, []).append(problem)
        return found

    @cached_property
    def modalities(self) -> list[str]:
        """Modalities of the problems."""
        return sorted({problem.modality for problem in self.board.problems})

    @cached_property
    def slugs(self) -> dict[str, str]:
        """Unique name of each problem for links, of letters, digits, dots and dashes."""
        found: dict[str, str] = {}
        for problem in self.board.problems:
            slug = "problem-" + re.sub(r"[^a-z0-9._]+", "-", problem.name.lower()).strip("-")
            found[problem.name] = slug if slug not in found.values() else f"{slug}-{len(found)}"
        return found

    @cached_property
    def requirements(self) -> dict[str, str]:
        """Requirements of the methods, without references, each with its meaning."""
        words = {word for row in self.board.methods if not row.reference for word in row.requires}
        return {word: REQUIREMENTS.get(word, word) for word in sorted(words)}

    @cached_property
    def axes(self) -> dict[str, Axis]:
        """Axis of each shown metric in the main table."""
        rows = self.board.methods
        return {m.key: estimate_axis([r.values[m.key] for r in rows if m.key in r.values]) for m in self.shown_metrics}

    def cell(self, problem: str, method: str) -> CellView | None:
        """Return the results of one method on one problem."""
        return self.board.cells.get(problem, {}).get(method)

    def cell_metrics(self, problem: str) -> list[MetricInfo]:
        """Return the metrics with a value for at least one method on a problem."""
        found = {key for cell in self.board.cells.get(problem, {}).values() for key in cell.values}
        return [m for m in self.board.metrics if m.key in found]

    def false_alarms(self, method: str) -> ControlRate | None:
        """Return the rate of one method in C0."""
        rows = self.board.controls.rows if self.board.controls else ()
        return next((rate_of(row.rates, "C0") for row in rows if row.method == method), None)

    @cached_property
    def by_rank(self) -> list[MethodRow]:
        """Complete methods that the comparison ranks, best first."""
        pairs = self.board.comparison.pairs if self.board.comparison else ()
        order = list(
            dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b))
        )  # cliques break ties by this order
        place = {name: i for i, name in enumerate(order)}
        rows = [row for row in self.board.methods if row.rank is not None and not row.incomplete]
        return sorted(rows, key=lambda row: (row.rank or 0.0, place.get(row.name, 0)))

    @cached_property
    def compared(self) -> int:
        """Number of methods in the mean ranks, including incomplete ones."""
        return sum(row.rank is not None for row in self.board.methods)


def rate_of(rates: Iterable[ControlRate], control: str) -> ControlRate | None:
    """Return the rate of one control."""
    return next((rate for rate in rates if rate.control == control), None)


def turned(pair: Pair) -> Pair:
    """Return the pair with `a` and `b` exchanged."""
    back = opposite(pair.difference)
    swapped = {"a": pair.b, "b": pair.a, "difference": back, "a_better": pair.b_better, "b_better": pair.a_better}
    return pair.model_copy(update=swapped)


def better_first(pair: Pair) -> Pair:
    """Return the pair with the method of the higher mean as `a`."""
    return pair if pair.difference.mean >= 0 else turned(pair)


def pair_of(comparison: Comparison, a: str, b: str) -> Pair | None:
    """Return the comparison of `a` with `b`, in this order."""
    for pair in comparison.pairs:
        if (pair.a, pair.b) == (a, b):
            return pair
        if (pair.b, pair.a) == (a, b):
            return turned(pair)
    return None
