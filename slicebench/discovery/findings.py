"""Result of `discover`: slices, the verdict on each, and their members."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.outcomes import ERROR_NAMES
from slicebench.results.numbers import p_value

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema import ColumnUse
    from slicebench.discovery.examples import Examples
    from slicebench.discovery.naming import Name
    from slicebench.discovery.verdicts import Verdict


@dataclass(frozen=True)
class Match:
    """The slice of another method that overlaps most with this one.

    `overlap` is the intersection over the union.
    """

    key: str
    method: str
    overlap: float


@dataclass(frozen=True, eq=False, kw_only=True)
class FoundSlice:
    """One slice within one class.

    `key` ("S1") names it in tables, and `label` is the method's own name for it. `size` counts all
    members; `verdict` is the test on the held-out ones. `rows` are the members, the most typical
    first (among equals the hardest), and `membership` is how strongly each belongs to the slice.
    `errors` and `right` are the most typical held-out members that the model gets wrong and right;
    for losses, those with the highest and the lowest. `repeats` is the key of a better slice of
    another method with nearly the same members, or None.
    """

    key: str
    method: str
    label: str
    class_name: str
    verdict: Verdict
    name: Name
    rows: NDArray[np.intp]
    membership: NDArray[np.float32]
    errors: NDArray[np.intp]
    right: NDArray[np.intp]
    matches: tuple[Match, ...]
    repeats: str | None

    @property
    def size(self) -> int:
        """Number of members among all examples."""
        return len(self.rows)

    @property
    def excess(self) -> float:
        """Held-out errors (or loss) beyond those at the rate of the rest of its class."""
        return self.verdict.delta * self.verdict.support


@dataclass(frozen=True, eq=False, kw_only=True)
class MethodNote:
    """Report on one method.

    `returned` counts its slices, and `tested` counts those with enough held-out members, class by
    class. `seconds` is its run time, and `hardness` has a value for each example, shape (n,).
    """

    name: str
    returned: int
    tested: int
    seconds: float
    hardness: NDArray[np.float64]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """Result of `discover`.

    `slices` has the significant slices first, and is then sorted by excess errors. `notes` are what
    a reader must know, and `source` names the table. `agreement` holds Spearman's ρ between the
    rankings of each two methods, within classes, on the held-out examples.
    """

    slices: tuple[FoundSlice, ...]
    methods: tuple[MethodNote, ...]
    examples: Examples
    notes: tuple[str, ...]
    seed: int
    source: str
    agreement: dict[tuple[str, str], float]

    @property
    def standing(self) -> tuple[FoundSlice, ...]:
        """The significant slices: p (Holm) at most `ALPHA`, and a difference of at least `MIN_EFFECT`.

        For losses, the least difference is `MIN_LOSS_EFFECT` standard deviations of the class.
        """
        return tuple(one for one in self.slices if one.verdict.stands)

    @property
    def distinct(self) -> tuple[FoundSlice, ...]:
        """The significant slices, without those that repeat a better one of another method."""
        return tuple(one for one in self.standing if one.repeats is None)

    @property
    def measure(self) -> str:
        """Quantity by which slices are compared: "error rate", "mean absolute error" of a regression, or "mean loss"."""
        if self.examples.wrong is not None:
            return "error rate"
        outcomes = self.examples.schema.outcomes
        return "mean loss" if outcomes.errors is None else f"mean {ERROR_NAMES[self.examples.schema.roles.error]}"

    @property
    def columns(self) -> tuple[ColumnUse, ...]:
        """The use of every column of the table, in its order."""
        return self.examples.schema.uses

    @property
    def verdict(self) -> str:
        """The result in a sentence."""
        if not self.slices:
            returned = sum(one.returned for one in self.methods)
            few = f"{returned} found, all with too few held-out members" if returned else "no method found one"
            return f"No slice is significant ({few})."
        if not self.standing:
            return f"No slice is significant ({len(self.slices)} tested)."
        are = "is" if len(self.standing) == 1 else "are"
        repeated = len(self.standing) - len(self.distinct)
        again = f"; {repeated} of them {'repeats another' if repeated == 1 else 'repeat others'}" if repeated else ""
        return f"{len(self.standing)} of {len(self.slices)} tested slices {are} significant{again}."

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
                    "rank": np.arange(1, one.size + 1),
                    "membership": one.membership,
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

        from slicebench.discovery.page import render_findings
        from slicebench.files.atomic import write_text

        page = render_findings(self)
        if path is not None:
            write_text(Path(path), page)
        return page

    def _repr_html_(self) -> str:
        from slicebench.discovery.page import render_summary

        return render_summary(self)

    def __repr__(self) -> str:
        lines = [self.verdict, *(_line(one, self.measure) for one in self.distinct)]
        return "\n".join(lines)

    def _ids(self, rows: NDArray[np.intp]) -> list[Any]:
        ids = self.examples.ids
        return [ids[int(i)] for i in rows]


FRAME = (
    "method", "slice", "class", "about", "size", "support", "rate", "rest", "delta", "low", "high", "p", "p_holm", "stands",
    "excess", "rule", "rule_precision", "rule_recall", "captions", "words", "taken_for", "bias", "found_by", "repeats",
)  # fmt: skip
"""Columns of `Findings.to_frame`; `stands` is true for significant slices."""


def _row(one: FoundSlice) -> dict[str, Any]:
    verdict, name = one.verdict, one.name
    rule = name.rule
    return {
        "method": one.method,
        "slice": one.key,
        "class": one.class_name,
        "about": name.text or one.label,
        "size": one.size,
        "support": verdict.support,
        "rate": verdict.rate,
        "rest": verdict.rest,
        "delta": verdict.delta,
        "low": verdict.low,
        "high": verdict.high,
        "p": verdict.p,
        "p_holm": verdict.p_holm,
        "stands": verdict.stands,
        "excess": one.excess,
        "rule": None if rule is None else rule.text,
        "rule_precision": None if rule is None else rule.precision,
        "rule_recall": None if rule is None else rule.recall,
        "captions": [text for text, _ in name.captions],
        "words": [word.text for word in name.words],
        "taken_for": None if name.taken_for is None else name.taken_for[0],
        "bias": name.bias,
        "found_by": [one.method, *(match.method for match in one.matches)],
        "repeats": one.repeats,
    }


def _line(one: FoundSlice, measure: str) -> str:
    verdict = one.verdict
    return (
        f"{one.key} {one.class_name}: {one.name.text or one.label}, {one.size:,} examples, {measure} {verdict.rate:.3g} against "
        f"{verdict.rest:.3g}, p {p_value(verdict.p_holm)}"
    )
