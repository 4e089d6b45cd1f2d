"""Result of `discover`: slices, the verdict on each, and their members."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.outcomes import ERROR_NAMES
from slicebench.discovery.reading.examples import READ
from slicebench.discovery.reading.measures import LOSS, MEASURES, RATE
from slicebench.errors import ConfigError
from slicebench.results.numbers import p_value

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema import ColumnUse
    from slicebench.discovery.facts import Facts
    from slicebench.discovery.naming import Name
    from slicebench.discovery.reading.examples import Examples
    from slicebench.discovery.searches.conditions import Conjunction
    from slicebench.discovery.verdicts import Verdict


@dataclass(frozen=True)
class Match:
    """A method whose slice overlaps with this one.

    `overlap` is the largest intersection over union of its slices, of any fold.
    """

    method: str
    overlap: float


@dataclass(frozen=True, eq=False, kw_only=True)
class FoundSlice:
    """One slice, within one class or over all.

    `key` ("S1") names it in tables, and `label` is the method's own name for it. `verdict` has its numbers. `rule` selects
    exactly the members, or is None. `query` is the rule of a significant slice as `DataFrame.query` reads it; None without a
    rule, and where pandas cannot query it. `query_from` says what it selects from: "your table", which was given, and
    `Findings.table`; or "found.table", the latter alone. `rows` are the members, the most typical first, and `strength` orders
    them. `errors` and `right` are the most typical members that the model gets wrong and right;
    for losses, those with the highest and the lowest. `folds` are those of which a search without them found it.
    `part_of` is the key of a slice before it that has most of its members, or None.
    """

    key: str
    method: str
    label: str
    class_name: str
    verdict: Verdict
    name: Name
    rule: Conjunction | None
    rows: NDArray[np.intp]
    strength: NDArray[np.float64]
    errors: NDArray[np.intp]
    right: NDArray[np.intp]
    matches: tuple[Match, ...]
    folds: tuple[int, ...]
    query: str | None = None
    query_from: str | None = None
    part_of: str | None = None

    @property
    def size(self) -> int:
        """Number of members among all rows of the table."""
        return self.verdict.size

    @property
    def text(self) -> str:
        """What the slice is, in one line: its description, else the method's own name."""
        described = self.name.text or self.label
        return described if self.part_of is None else f"{described} (part of {self.part_of})"

    @property
    def excess(self) -> float:
        """Errors (or loss) of all members beyond those at the rate of the rest of its class, by the held-out difference."""
        return self.verdict.delta * self.verdict.size


@dataclass(frozen=True, eq=False, kw_only=True)
class MethodNote:
    """Report on one method.

    `returned` counts its slices in all folds, and `tested` the different ones among those that were tested. `seconds` is its
    run time, and `hardness` has a value for each example, shape (n,).
    """

    name: str
    returned: int
    tested: int
    seconds: float
    hardness: NDArray[np.float64]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """How many tested slices are not in `Findings.slices`, and why.

    `repeats` counts, by the key of a significant slice, those that have nearly its members. `small` counts slices with
    fewer than `LEAST_MEMBERS` rows, and `incomparable` those without rows to compare: they hold all rows of their classes, or
    none that is held out.
    """

    repeats: dict[str, int] = field(default_factory=dict)
    small: int = 0
    incomparable: int = 0

    @property
    def n(self) -> int:
        """Number of slices that are left out."""
        return sum(self.repeats.values()) + self.small + self.incomparable

    @property
    def text(self) -> str:
        """What is left out, in a sentence; empty if nothing is.

        >>> LeftOut({"S1": 2}, small=1).text
        '3 tested slices are not listed: 2 repeat S1, 1 has fewer than 20 rows.'
        """
        parts = [f"{n} {'repeats' if n == 1 else 'repeat'} {key}" for key, n in self.repeats.items()]
        if self.small:
            parts.append(f"{self.small} {'has' if self.small == 1 else 'have'} fewer than {LEAST_MEMBERS} rows")
        if self.incomparable:
            parts.append(f"{self.incomparable} {'lacks' if self.incomparable == 1 else 'lack'} rows to compare with")
        are = "slice is" if self.n == 1 else "slices are"
        return f"{self.n} tested {are} not listed: {', '.join(parts)}." if parts else ""


LEAST_MEMBERS = 20
"""Members below which a slice is not listed."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """Result of `discover`.

    `slices` has the significant slices first, and is then sorted by excess errors. `notes` are what
    a reader must know, and `source` names the table. `facts` are error rates by class and the commonest confusions.
    `agreement` holds Spearman's ρ between the rankings of each two methods, within classes. `left_out` counts the slices that
    were tested and are not listed. Of a table that does not fit into memory, `examples` are a sample, and `held` is the number
    of rows outside of it that slices were tested on; else it is None.
    """

    slices: tuple[FoundSlice, ...]
    methods: tuple[MethodNote, ...]
    examples: Examples
    facts: Facts
    notes: tuple[str, ...]
    seed: int
    source: str
    agreement: dict[tuple[str, str], float]
    left_out: LeftOut = field(default_factory=LeftOut)
    held: int | None = None

    @property
    def standing(self) -> tuple[FoundSlice, ...]:
        """The significant slices: p (Holm) at most `ALPHA`, and a difference of at least `MIN_EFFECT`.

        For losses, the least difference is `MIN_LOSS_EFFECT` standard deviations of the class.
        """
        return tuple(one for one in self.slices if one.verdict.stands)

    @property
    def measure(self) -> str:
        """Quantity by which slices are compared: "error rate", "mean absolute error" of a regression, or "mean loss"."""
        examples = self.examples
        if examples.measure != RATE:
            return MEASURES.get(examples.measure, f"mean {examples.measure}")
        if examples.wrong is not None:
            return MEASURES[RATE]
        outcomes = examples.schema.outcomes
        return MEASURES[LOSS] if outcomes.errors is None else f"mean {ERROR_NAMES[examples.schema.roles.error]}"

    @property
    def columns(self) -> tuple[ColumnUse, ...]:
        """The use of every column of the table, in its order."""
        return self.examples.schema.uses

    @property
    def verdict(self) -> str:
        """The result in a sentence."""
        if not self.slices:
            returned = sum(one.returned for one in self.methods)
            few = f"{returned} candidates, none of them worse beyond chance" if returned else "no method found one"
            return f"No slice is significant ({few})."
        if not self.standing:
            return f"No slice is significant ({len(self.slices)} tested)."
        are = "is" if len(self.standing) == 1 else "are"
        return f"{len(self.standing)} of {len(self.slices)} tested slices {are} significant."

    @cached_property
    def table(self) -> pd.DataFrame:
        """The user's table with further columns, of which rules were made: queries of slices select from it.

        These are what was measured on images and texts, and columns as they were read, if a query needs them: "price (as read)"
        has the numbers of a column `price` that also holds words.
        """
        queries = [one.query for one in self.slices if one.query is not None]
        read = [
            name for name in map(str, self.examples.metadata) if any(f"`{name}{READ}`" in query for query in queries)
        ]
        return self.examples.table(read)

    def query(self, i: int) -> str:
        """Return what selects slice number `i`, from 0, in `table.query(...)`; mostly in the table that was given, too.

        Raises
        ------
        ConfigError
            if there is no such slice, it is not significant, or it is a region that no rule selects.

        """
        if not 0 <= i < len(self.slices):
            raise ConfigError(f"there is no slice number {i}; there are {len(self.slices)}, counted from 0")
        found = self.slices[i].query
        if found is None:
            why = "no rule selects it" if self.slices[i].rule is None else "pandas cannot query its columns"
            why = why if self.slices[i].verdict.stands else "only significant slices have one"
            raise ConfigError(f"slice {self.slices[i].key} has no query: {why}; its members are .slices[{i}].rows")
        return found

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row per slice."""
        import pandas as pd

        return pd.DataFrame([_row(one) for one in self.slices], columns=[*FRAME])

    @cached_property
    def members(self) -> pd.DataFrame:
        """Long table of the members of slices.

        Its columns are method, slice, class, id, rank (1 = most typical), membership, hardness and
        stands (true if the slice is significant).
        """
        import pandas as pd

        hardness = {one.name: one.hardness for one in self.methods}
        parts = [
            pd.DataFrame(
                {
                    "method": one.method,
                    "slice": one.key,
                    "class": one.class_name,
                    "id": self._ids(one.rows),
                    "rank": np.arange(1, len(one.rows) + 1),
                    "membership": one.strength,
                    "hardness": hardness[one.method][one.rows],
                    "stands": one.verdict.stands,
                }
            )
            for one in self.slices
        ]
        names = ["method", "slice", "class", "id", "rank", "membership", "hardness", "stands"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)

    @cached_property
    def hardness(self) -> pd.DataFrame:
        """Long table of the hardness of every example by every method.

        Its columns are method, id and hardness; higher = harder, within a class.
        """
        import pandas as pd

        every = np.arange(self.examples.n)
        return pd.concat(
            [pd.DataFrame({"method": m.name, "id": self._ids(every), "hardness": m.hardness}) for m in self.methods],
            ignore_index=True,
        )

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as one self-contained HTML page; write it to `path` if given.

        Raises `StorageError` if it cannot be written.
        """
        from pathlib import Path

        from slicebench.discovery.report.page import render_findings
        from slicebench.files.atomic import write_text

        page = render_findings(self)
        if path is not None:
            write_text(Path(path), page)
        return page

    def plot(self) -> Any:
        """Return a matplotlib figure of the significant slices: the held-out difference of each, with its interval.

        Raises `ConfigError` if matplotlib is not installed.
        """
        from slicebench.discovery.report.figure import figure_of

        return figure_of(self)

    def _repr_html_(self) -> str:
        from slicebench.discovery.report.page import render_summary

        return render_summary(self)

    def __repr__(self) -> str:
        lines = [self.verdict, *(_line(one, self.measure) for one in self.standing)]
        return "\n".join(lines)

    def _ids(self, rows: NDArray[np.intp]) -> list[Any]:
        ids = self.examples.ids
        return [ids[int(i)] for i in rows]


FRAME = (
    "method", "slice", "class", "about", "size", "rate", "rest", "support", "delta", "low", "high", "p_holm", "stands", "excess",
    "query", "query_from", "part_of", "rule", "rule_precision", "rule_recall", "captions", "words", "taken_for", "bias",
    "found_by",
)  # fmt: skip
"""Columns of `Findings.to_frame`; `stands` is true for significant slices."""


def _row(one: FoundSlice) -> dict[str, Any]:
    verdict, name = one.verdict, one.name
    rule = name.rule
    return {
        "method": one.method,
        "slice": one.key,
        "class": one.class_name,
        "about": one.text,
        "size": one.size,
        "rate": verdict.rate,
        "rest": verdict.rest,
        "support": verdict.support,
        "delta": verdict.delta,
        "low": verdict.low,
        "high": verdict.high,
        "p_holm": verdict.p_holm,
        "stands": verdict.stands,
        "excess": one.excess,
        "query": one.query,
        "query_from": one.query_from,
        "part_of": one.part_of,
        "rule": None if rule is None else rule.text,
        "rule_precision": None if rule is None else rule.precision,
        "rule_recall": None if rule is None else rule.recall,
        "captions": [text for text, _ in name.captions],
        "words": [word.text for word in name.words],
        "taken_for": None if name.taken_for is None else name.taken_for[0],
        "bias": name.bias,
        "found_by": [one.method, *(match.method for match in one.matches)],
    }


def _line(one: FoundSlice, measure: str) -> str:
    verdict = one.verdict
    return (
        f"{one.key} {one.class_name}: {one.text}, {one.size:,} examples, {measure} {verdict.rate:.3g} against "
        f"{verdict.rest:.3g}, p {p_value(verdict.p_holm)}"
    )
