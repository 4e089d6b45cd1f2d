"""Choose what looks for slices, and run it: searches of `discover`'s own, registered methods, or a user's."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from slicebench.data.problem import AuditData
from slicebench.discovery.holdout.excess import Excess, ranks_within
from slicebench.discovery.searches.plugin_slices import Said, judging_fold, run_method
from slicebench.discovery.searches.regions import find_regions
from slicebench.discovery.searches.rules import find_rules
from slicebench.errors import ConfigError
from slicebench.plugins.method import SliceMethod, refuse_truth
from slicebench.plugins.registry import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.discovery.reading.examples import Examples
    from slicebench.discovery.searches.conditions import Coded

    Bools = NDArray[np.bool_]
    One = str | SliceMethod | type[SliceMethod]
    Chosen = One | Sequence[One] | Mapping[str, One] | None


RULES, REGIONS = "rules", "regions"
SEARCHES = (RULES, REGIONS)
"""Searches that only `discover` has; together they are its default."""


def chosen_methods(given: Chosen, examples: Examples) -> dict[str, SliceMethod | None]:
    """Return what looks for slices, by name; None stands for one of `SEARCHES`.

    By default these are both searches, as far as the table has columns for rules, and vectors that are not just these columns.
    If a name occurs twice, the second gets a number.

    Raises
    ------
    ConfigError
        for an empty choice, and for a method that needs the planted truth.

    """
    if given is None:
        return dict.fromkeys(_default(examples))
    chosen = {name: _one(one)[1] for name, one in given.items()} if isinstance(given, Mapping) else _named(given)
    if renamed := [name for name, method in chosen.items() if method is None and name not in SEARCHES]:
        raise ConfigError(
            f"{renamed[0]!r} names a search of discover's own; searches are called {' and '.join(SEARCHES)}"
        )
    if not chosen:
        raise ConfigError("no method is named; `slicebench list methods` shows them")
    for name, method in chosen.items():
        if method is not None:
            refuse_truth(name, method)
    return chosen


def _default(examples: Examples) -> tuple[str, ...]:
    ruled = len(examples.coded.columns) > 0
    described_by_rules = ruled and len(examples.schema.features.columns) > 0
    return ((RULES,) if ruled else ()) + (() if described_by_rules else (REGIONS,))


def _named(chosen: One | Sequence[One]) -> dict[str, SliceMethod | None]:
    out: dict[str, SliceMethod | None] = {}
    every: Sequence[One] = chosen if isinstance(chosen, list | tuple) else [chosen]  # type: ignore[list-item]
    for one in every:
        name, method = _one(one)
        out[name if name not in out else f"{name} {len(out) + 1}"] = method
    return out


def _one(one: One) -> tuple[str, SliceMethod | None]:
    if isinstance(one, str):
        return one, None if one in SEARCHES else METHODS.load(one)()
    if isinstance(one, type) and issubclass(one, SliceMethod):
        return one.__name__, one()
    if not isinstance(one, SliceMethod):
        raise ConfigError(
            f"method {one!r} is neither a name nor a SliceMethod; `slicebench list methods` shows the names"
        )
    return type(one).__name__, one


def run_all(
    methods: Mapping[str, SliceMethod | None],
    examples: Examples,
    captions: Captions | None,
    excess: Excess,
    seed: int,
    say: Callable[[str], None],
) -> tuple[list[Said], list[str]]:
    """Run the methods; return what they found, and notes on those that cannot run on the data.

    Raises
    ------
    ConfigError
        if none of them can run on the data.
    MethodError
        if a method fails.

    """
    said, declined = list[Said](), list[str]()
    data = AuditData(train=examples.whole, val=examples.whole, class_names=examples.problem_classes, captions=captions)
    for name, method in methods.items():
        if method is None:
            reason = "needs columns for rules" if name == RULES and not examples.coded.columns else None
        else:
            reason = method.supports(data)
        if reason is not None:
            declined.append(f"{name} cannot run on this data: {reason}")
            continue
        say(f"looking for slices with {name} in {examples.n:,} examples")
        said.append(
            _search(name, examples, excess, seed)
            if method is None
            else run_method(name, method, examples, data, excess, seed)
        )
    if not said:
        raise ConfigError("; ".join(declined))
    return said, declined


def _search(name: str, examples: Examples, excess: Excess, seed: int) -> Said:
    start = perf_counter()
    if name == REGIONS:
        found = find_regions(examples.compact, excess, examples.folds, examples.class_names, seed)
        return Said(name, found.candidates, found.hardness, perf_counter() - start)
    table, class_column = ruled_table(examples)
    rules = find_rules(table, excess, examples.folds, class_column, examples.class_names)
    hardness = np.zeros(examples.n)
    for one in rules:
        own = examples.folds.number == one.fold
        hardness[own & one.members] += 1
    return Said(name, tuple(rules), ranks_within(hardness, excess.classes), perf_counter() - start)


def ruled_table(examples: Examples) -> tuple[Coded, int | None]:
    """Return the columns for rules, with the class as the last one if there are several; and its number."""
    import pandas as pd

    if len(examples.class_names) < 2:
        return examples.coded, None
    frame, name = examples.schema.table.frame, examples.label_name
    classes = pd.Series(np.array(examples.class_names, dtype=object)[examples.labels], name=name)
    table = examples.coded.and_column(classes, frame.get(name, classes))
    return table, len(table.columns) - 1


def judges_of(said: Sequence[Said], examples: Examples) -> dict[int, Bools]:
    """Return, for each tested fold, the rows that choose its slices.

    The searches do not judge a slice by rows that shaped it too closely; a method may, so the fold that it did not see judges.
    """
    folds = examples.folds
    if all(one.name in SEARCHES for one in said):
        return {fold: folds.learn(fold) for fold in folds.tested}
    return {fold: folds.number == judging_fold(examples, fold) for fold in folds.tested}
