"""Run a method on problems of fresh seeds, and compare it with its published rows.

A method that draws a public problem again from its published seed knows the truth there. It cannot know that of a seed drawn
after the method was written.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slicebench.errors import ConfigError, StorageError
from slicebench.metrics.estimate import Estimate, Plain, estimate_of
from slicebench.metrics.statistics import interval_over_units
from slicebench.plugins.registry import DATASETS
from slicebench.results.leaderboard.store import LeaderboardStore, listed
from slicebench.runs.plan import Filters, plan
from slicebench.runs.store import load_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from slicebench.evaluation.record import Record
    from slicebench.files.locations import Location
    from slicebench.problems.planned import PlannedProblem
    from slicebench.runs.plan import Cell
    from slicebench.runs.suite import ProblemSpec, Suite


Verdict = Literal["bears out", "lower than published", "too few problems to tell"]

MARGIN = 0.1
"""Loss of nAMF that the interval must exclude for a method to bear out its published rows."""

FEWEST = 3
"""Problems below which there is no verdict."""

SEEDS = (10**6, 2**31)
"""Range of fresh seeds, above those that anyone would try."""


class VerifiedProblem(Plain):
    """A method's mean nAMF on one problem: at the published seeds, at the fresh ones, and fresh minus published."""

    problem: str
    published: float
    fresh: float
    difference: float
    published_seeds: tuple[int, ...]


class Verification(Plain):
    """Outcome for a method; `difference` is the mean over problems with its interval, None for a single problem.

    `left_out` gives the reason for each problem of the suite that is not compared, and `notes` what else differs.
    """

    method: str
    seeds: tuple[int, ...]
    problems: tuple[VerifiedProblem, ...]
    difference: Estimate | None
    verdict: Verdict
    left_out: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """What is run: cells of fresh seeds, with the published records of each problem by its name."""

    method: str
    seeds: tuple[int, ...]
    cells: list[Cell]
    published: Mapping[str, Sequence[Record]]
    left_out: Mapping[str, str]


def fresh_seeds(count: int) -> tuple[int, ...]:
    """Draw distinct seeds that nobody can predict."""
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        drawn[SEEDS[0] + secrets.randbelow(SEEDS[1] - SEEDS[0])] = None
    return tuple(drawn)


def published_records(leaderboard: Path, against: Location | None) -> list[Record]:
    """Return the records of a run folder, or else of every suite of a leaderboard.

    Raises
    ------
    StorageError
        if there is neither, or a file cannot be read.

    """
    if against is not None:
        return list(load_run(against).records.values())
    folders = sorted(path.parent for path in leaderboard.glob("*/suite.json"))
    if not folders:
        raise StorageError(
            f"{leaderboard} is not a leaderboard: none of its folders has a suite.json; "
            "name one with --leaderboard, or a run folder with --against"
        )
    return [record for folder in folders for record in LeaderboardStore(folder).records.values() if record is not None]


def verification_design(
    suite: Suite, method: str, problems: Sequence[str], seeds: Sequence[int], records: Iterable[Record]
) -> Design:
    """Plan `method` at fresh `seeds` on the problems of `suite` that have published rows and are generated from a seed.

    `problems` are names; all of the suite if empty.

    Raises
    ------
    PluginError, ConfigError
        for the same reasons as `plan`, and if no problem is left, or a seed is published.

    """
    cells = plan(suite, Filters(methods=(method,), problems=tuple(problems), seeds=tuple(seeds)))
    specs = {spec.name: spec for spec in suite.problems}
    rows: dict[str, list[Record]] = {}
    for record in records:
        if record.method == method:
            rows.setdefault(_recipe(record), []).append(record)
    left_out: dict[str, str] = {}
    published: dict[str, list[Record]] = {}
    for problem in {cell.problem.name: cell.problem for cell in cells}.values():
        found = rows.get(_recipe(problem), [])
        reason = _not_comparable(specs[problem.name], method, found)
        if reason is not None:
            left_out[problem.name] = reason
            continue
        published[problem.name] = found
        known = sorted({r.seed for r in found} & set(seeds))
        if known:
            raise ConfigError(
                f"--fresh-seeds {known[0]}: {problem.name} is published at this seed; give seeds that are not"
            )
    if not published:
        said = listed([f"{name} ({why})" for name, why in left_out.items()])
        raise ConfigError(f"{method!r} cannot be verified on the suite {suite.name!r}: {said}")
    chosen = [cell for cell in cells if cell.problem.name in published]
    return Design(method, tuple(seeds), chosen, published, left_out)


def _recipe(of: Record | PlannedProblem) -> str:
    """Return dataset, version and parameters as a key: suites may name the same problem differently."""
    params: Any = of.dataset_params if hasattr(of, "dataset_params") else of.params
    return json.dumps([of.dataset, of.dataset_version, params], sort_keys=True)


def _not_comparable(spec: ProblemSpec, method: str, found: Sequence[Record]) -> str | None:
    """Return why a problem is left out, or None."""
    card = DATASETS.load(spec.dataset).card
    if card is not None and card.layouts:
        return "its data are files, so a fresh seed does not build it anew"
    if not found:
        return f"no published row of {method}"
    if not any(_namf(record) is not None for record in found):
        return f"no published nAMF of {method}"
    return None


def _namf(record: Record) -> float | None:
    return record.metrics.get("namf") if record.status == "ok" else None


def verify(design: Design, records: Iterable[Record]) -> Verification:
    """Compare the `records` of the fresh cells with the published ones, problem by problem.

    The interval is over problems: each difference varies with its seeds, and differs from problem to problem.
    """
    fresh: dict[str, list[Record]] = {}
    for record in records:
        fresh.setdefault(record.problem, []).append(record)
    left_out, rows = dict(design.left_out), []
    for name, published in design.published.items():
        now = [value for record in fresh.get(name, []) if (value := _namf(record)) is not None]
        if not now:
            left_out[name] = _without_value(fresh.get(name, []))
            continue
        then = {record.seed: value for record in published if (value := _namf(record)) is not None}
        was, new = fmean(then.values()), fmean(now)
        rows.append(
            VerifiedProblem(
                problem=name, published=was, fresh=new, difference=new - was, published_seeds=tuple(sorted(then))
            )
        )
    difference = _mean([row.difference for row in rows])
    return Verification(
        method=design.method,
        seeds=design.seeds,
        problems=tuple(rows),
        difference=difference,
        verdict=verdict_of(difference, len(rows)),
        left_out=left_out,
        notes=_notes(design),
    )


def _without_value(records: Sequence[Record]) -> str:
    """Return why a problem has no fresh value."""
    ended = next((record for record in records if record.status != "ok"), None)
    if ended is not None:
        return f"{ended.status}: {ended.reason}"
    return "nothing is planted at the fresh seeds" if records else "not run"


def _mean(differences: Sequence[float]) -> Estimate | None:
    if len(differences) < 2:
        return None
    return estimate_of(interval_over_units(np.array(differences)))


def verdict_of(difference: Estimate | None, problems: int) -> Verdict:
    """Return the verdict on a mean difference over so many problems.

    >>> verdict_of(Estimate(mean=-0.02, low=-0.08, high=0.04), 8)
    'bears out'
    >>> verdict_of(Estimate(mean=-0.9, low=-1.0, high=-0.8), 8)
    'lower than published'
    >>> verdict_of(Estimate(mean=-0.2, low=-0.6, high=0.2), 3), verdict_of(None, 1)
    ('too few problems to tell', 'too few problems to tell')
    """
    if difference is None or problems < FEWEST:
        return "too few problems to tell"
    low, high = (difference.mean if end is None else end for end in (difference.low, difference.high))
    if low > -MARGIN:
        return "bears out"
    return "lower than published" if high < 0 else "too few problems to tell"


def _notes(design: Design) -> tuple[str, ...]:
    """Say if the published rows are of another version of the method, or of other parameters."""
    now = design.cells[0]
    rows = [record for records in design.published.values() for record in records]
    versions = sorted({record.method_version for record in rows} - {now.method_version})
    notes = [f"published with version {listed(versions)}, now version {now.method_version}"] if versions else []
    params = _without_seed(now.method_params)
    if any(_without_seed(record.method_params) != params for record in rows):
        notes.append("published with other parameters")
    return tuple(notes)


def _without_seed(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "seed"}
