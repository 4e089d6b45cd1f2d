"""Evaluate a cell: fit and score a method without the truth, then measure its scores against the truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.evaluation.attempt import Attempt, attempt
from slicebench.evaluation.captions import measure_captions
from slicebench.evaluation.cost import hardware
from slicebench.evaluation.isolation.companion import Holder, can_start_companions
from slicebench.evaluation.isolation.decoys import agreement, decoy_of
from slicebench.evaluation.record import BaseModelSummary, Record
from slicebench.evaluation.slices import measure_slices
from slicebench.metrics.ranking import METRICS, case
from slicebench.plugins.registry import METHODS
from slicebench.problems.frozen import HEADER, Header, load_audit, load_captions, load_header, load_split, load_truth
from slicebench.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.problem import Identified, Problem
    from slicebench.data.split import Split
    from slicebench.data.truth import PlantedTruth
    from slicebench.plugins.method import SliceMethod, SliceScores


ORACLE = "oracle"
"""Registered name of the only method that gets the truth."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """Metrics and their chance levels, macro-averaged and by class; keys are those of `METRICS`."""

    metrics: dict[str, float | None]
    chance: dict[str, float | None]
    per_class: dict[str, dict[str, float | None]]


@dataclass(frozen=True, eq=False)
class Seen:
    """What the evaluator measures with: the test split, the names of the classes, the candidate captions."""

    test: Split
    class_names: tuple[str, ...]
    captions: Captions | None


@dataclass(frozen=True, eq=False)
class CellResult:
    """Record and, if the method has scored, the scores of the test examples."""

    record: Record
    scores: SliceScores | None


def measure(scores: SliceScores, test: Split, truth: PlantedTruth, class_names: tuple[str, ...] = ()) -> Measurement:
    """Compute every metric of the table, by class and macro-averaged.

    Only classes that contain minority and majority examples count.
    """
    minority = truth.minority(test.ids)
    values: dict[str, dict[str, float | None]] = {}
    chances: list[dict[str, float | None]] = []
    for c, rows in test.by_class():
        g = minority[rows]
        if not 0 < g.sum() < len(g):
            continue
        wrong = None if test.correct is None else ~test.correct[rows]
        flagged = None if scores.flagged is None else scores.flagged[rows]
        one = case(scores.hardness[rows], g, wrong, flagged)
        values[class_names[c] if c < len(class_names) else "all"] = {
            k: metric.value(one) for k, metric in METRICS.items()
        }
        chances.append({k: metric.chance(one) for k, metric in METRICS.items()})
    return Measurement(_macro(list(values.values())), _macro(chances), values)


def evaluate(method: SliceMethod, problem: Problem, name: str | None = None) -> CellResult:
    """Run `method` on `problem` in this process; errors of the method are recorded, not raised.

    `name` is the method's name in the record, by default that of its class in lower case.
    """
    truth_for_oracle = problem.truth if is_oracle(method) else None
    attempted = attempt(lambda: method, {}, problem.data, problem.test, truth_for_oracle)
    known = name or type(method).__name__.lower()
    seen = Seen(problem.test, problem.data.class_names, problem.data.captions)
    return _finish(attempted, known, {}, problem, seen, problem.truth)


def evaluate_cell(folder: Path, name: str, params: Mapping[str, Any]) -> CellResult:
    """Run the registered method `name` on the frozen problem in `folder`, and measure what it returns.

    In the processes of a run, the method runs in a companion; see `slicebench.evaluation.isolation`. The oracle, which
    gets the truth, runs in this process.

    Raises
    ------
    StorageError
        if the problem cannot be read.

    """
    if name != ORACLE and can_start_companions():
        return _evaluate_apart(_case(folder), name, params)
    header, (data, test) = load_header(folder), load_audit(folder)
    revealed = load_truth(folder, "val", "test") if name == ORACLE else None
    attempted = attempt(lambda: METHODS.load(name)(**params), params, data, test, revealed)
    seen = Seen(test, data.class_names, data.captions)
    return _finish(attempted, name, params, header, seen, revealed or load_truth(folder, "test"), isolation="none")


@dataclass(frozen=True, eq=False)
class _Case:
    """What a process keeps of the last problem for its next cell; `stamp` tells whether the folder is still the same."""

    folder: Path
    stamp: tuple[int, int]
    header: Header
    truth: PlantedTruth
    decoy: PlantedTruth
    seen: Seen
    holder: Holder


_kept: list[_Case] = []


def _case(folder: Path) -> _Case:
    """Return the problem in a folder with a process that holds what methods may see of it; the last one is kept."""
    header = load_header(folder)
    written = (folder / HEADER).stat()
    stamp = written.st_ino, written.st_mtime_ns
    if _kept and (_kept[0].folder, _kept[0].stamp) == (folder, stamp) and _kept[0].holder.alive():
        return _kept[0]
    while _kept:
        _kept.pop().holder.close()
    truth = load_truth(folder)
    seen = Seen(load_split(folder, "test"), header.class_names, load_captions(folder))
    _kept.append(_Case(folder, stamp, header, truth, decoy_of(truth, folder), seen, Holder(folder, header)))
    return _kept[0]


def _evaluate_apart(case: _Case, name: str, params: Mapping[str, Any]) -> CellResult:
    """Run a method in a companion, and measure here what it returns."""
    seen = case.seen
    apart = case.holder.companion()
    apart.begin(name, params, case.folder, case.decoy)
    attempted = apart.result(seen.test, max(1, len(seen.class_names)), seen.captions)
    found = None if attempted.run is None else agreement(attempted.run.scores.hardness, seen.test, case.decoy)
    return _finish(attempted, name, params, case.header, seen, case.truth, isolation=apart.isolation, decoy_p=found)


def blank_record(
    header: Identified, name: str, method_version: str, params: Mapping[str, Any], **outcome: Any
) -> Record:
    """Return the record of a cell with its identity filled in.

    `outcome` (status, reason, metrics ...) is taken as given.
    """
    return Record(**identity(header), method=name, method_version=method_version, method_params=dict(params), **outcome)


def identity(header: Identified) -> dict[str, Any]:
    """Return the fields of a record that identify the problem, the machine and the date."""
    return {
        "problem": header.name,
        "family": header.family,
        "dataset": header.dataset,
        "dataset_version": header.dataset_version,
        "dataset_params": dict(header.params),
        "encoder": header.encoder,
        "seed": header.seed,
        "code_version": __version__,
        "hardware": hardware(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def summarise_base_model(test: Split, minority: NDArray[np.bool_], n_classes: int) -> BaseModelSummary:
    """Compute the audited model's accuracy on the test split.

    The accuracy is given overall, and for planted members and the rest.
    """

    def rate(rows: NDArray[np.bool_]) -> float | None:
        return float(test.correct[rows].mean()) if test.correct is not None and rows.any() else None

    return BaseModelSummary(
        accuracy=rate(np.ones(test.n, dtype=bool)),
        minority_accuracy=rate(minority),
        majority_accuracy=rate(~minority),
        minority_rate=float(minority.mean()) or None,
        n_test=test.n,
        n_classes=n_classes,
    )


def _finish(
    attempted: Attempt,
    name: str,
    given: Mapping[str, Any],
    header: Identified,
    seen: Seen,
    truth: PlantedTruth,
    **how: Any,
) -> CellResult:
    """Measure an attempt and write the record of the cell.

    `given` are the parameters of the record if the method cannot tell its own, `how` fields about its isolation.
    """
    test, names = seen.test, seen.class_names
    base = summarise_base_model(test, truth.minority(test.ids), len(names))
    about = (header, name, attempted.version, attempted.params or dict(given))
    run = attempted.run
    if run is None:
        outcome: dict[str, Any] = {**(attempted.failure or {}), **how}
        return CellResult(blank_record(*about, base_model=base, **outcome), None)
    measured = measure(run.scores, test, truth, names)
    strength = None if run.strength is None else dict(zip(names or ("all",), map(_number, run.strength), strict=True))
    record = blank_record(
        *about,
        status="ok",
        metrics=measured.metrics,
        chance=measured.chance,
        per_class=measured.per_class,
        strength=strength,
        captions=measure_captions(run.caption_hardness, seen.captions, names, test, truth),
        slices=measure_slices(run.scores, test, truth, names),
        notes=run.notes,
        base_model=base,
        cost=run.cost,
        **how,
    )
    return CellResult(record, run.scores)


def is_oracle(method: SliceMethod) -> bool:
    """Check whether `method` is the class registered under the oracle's name.

    A name cannot be registered twice.
    """
    return type(method) is METHODS.load(ORACLE)


def _macro(rows: list[dict[str, float | None]]) -> dict[str, float | None]:
    """Average over the classes where a metric is defined; None where it is undefined in all."""
    defined = {k: [v for row in rows if (v := row[k]) is not None] for k in METRICS}
    return {k: float(np.mean(v)) if v else None for k, v in defined.items()}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
