"""Evaluate a cell: fit and score a method without the truth, then measure its scores against the truth."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of
from slicebench.errors import MethodError, SlicebenchError, safe_text
from slicebench.evaluation.captions import measure_captions
from slicebench.evaluation.cost import Stopwatch, hardware, peak_memory_mb, reset_peak_memory
from slicebench.evaluation.record import BaseModelSummary, Cost, Record
from slicebench.evaluation.slices import measure_slices
from slicebench.metrics.ranking import METRICS, case
from slicebench.plugins.method import UNKNOWN_VERSION, SliceMethod, SliceScores, version_of
from slicebench.plugins.registry import METHODS
from slicebench.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData, Identified, Problem
    from slicebench.data.split import Split
    from slicebench.data.truth import PlantedTruth


MOST_NOTES = 100
"""Notes of a method that are kept."""

ORACLE = "oracle"
"""Registered name of the only method that gets the truth."""


@dataclass(frozen=True, eq=False)
class MethodRun:
    """Scores of a method on the test split, and their cost."""

    scores: SliceScores
    strength: NDArray[np.float64] | None
    caption_hardness: NDArray[np.float64] | None
    notes: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True, eq=False)
class Measurement:
    """Metrics and their chance levels, macro-averaged and by class; keys are those of `METRICS`."""

    metrics: dict[str, float | None]
    chance: dict[str, float | None]
    per_class: dict[str, dict[str, float | None]]


@dataclass(frozen=True, eq=False)
class CellResult:
    """Record and, if the method has scored, the scores of the test examples."""

    record: Record
    scores: SliceScores | None


def run_method(method: SliceMethod, data: AuditData, test: Split) -> MethodRun:
    """Fit on `data`, score `test`, and measure the cost of both.

    A model from the cache counts with the seconds that its training took.

    Raises
    ------
    MethodError
        if what the method returns breaks the contract.

    """
    reset_peak_memory()
    trained_before = _training_seconds(data)
    with Stopwatch() as fit:
        method.fit(data)
    with Stopwatch() as score:
        scores = method.score(test)
    scores = checked_scores(method, scores, test)
    strength = method.strength()
    with Stopwatch() as caption:
        caption_hardness = None if data.captions is None else _checked_captions(method.caption_hardness(data), data)
    training, replayed = (now - before for now, before in zip(_training_seconds(data), trained_before, strict=True))
    cost = Cost(
        fit_s=fit.wall_s + replayed,
        score_s=score.wall_s,
        caption_s=caption.wall_s,
        cpu_s=fit.cpu_s + score.cpu_s + caption.cpu_s + replayed,
        peak_rss_mb=peak_memory_mb(),
        training_s=training,
    )
    checked = None if strength is None else _checked_strength(strength, max(1, len(data.class_names)))
    return MethodRun(scores, checked, caption_hardness, _checked_notes(method.notes()), cost)


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
    run = _attempt(method, problem.data, problem.test, truth_for_oracle)
    known = name or type(method).__name__.lower()
    return _finish(run, method, known, {}, problem, problem.data, problem.test, problem.truth)


def evaluate_cell(folder: Path, name: str, params: Mapping[str, Any]) -> CellResult:
    """Run the registered method `name` on the frozen problem in `folder`, in a worker process.

    The truth is read from disk after the method has scored, or before for the oracle.
    """
    from slicebench.problems.frozen import load_audit, load_header, load_truth

    method = METHODS.load(name)(**params)
    data, test = load_audit(folder)
    revealed = load_truth(folder, "val", "test") if is_oracle(method) else None
    run = _attempt(method, data, test, revealed)
    truth = revealed or load_truth(folder, "test")
    return _finish(run, method, name, params, load_header(folder), data, test, truth)


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


def _attempt(
    method: SliceMethod, data: AuditData, test: Split, truth: PlantedTruth | None
) -> MethodRun | dict[str, Any]:
    """Run the method; return the outcome fields of a record if it skips the problem or fails."""
    try:
        reason = _checked_reason(method.supports(data))
        if reason is not None:
            return {"status": "skipped", "reason": reason}
        if truth is not None:
            method.reveal(truth)  # type: ignore[attr-defined]
        return run_method(method, data, test)
    except Exception as error:  # noqa: BLE001 - whatever a plugin's method does costs its own cell only
        return {"status": "failed", "reason": _reason(error)}


def _finish(
    run: MethodRun | dict[str, Any],
    method: SliceMethod,
    name: str,
    given: Mapping[str, Any],
    header: Identified,
    data: AuditData,
    test: Split,
    truth: PlantedTruth,
) -> CellResult:
    """Measure a finished run and write the record of the cell.

    `given` are the parameters of the record if the method cannot tell its own.
    """
    base = summarise_base_model(test, truth.minority(test.ids), len(data.class_names))
    try:
        version, params = version_of(method), method.get_params()
    except Exception as error:  # noqa: BLE001 - as in `_attempt`
        version, params, run = UNKNOWN_VERSION, dict(given), {"status": "failed", "reason": _reason(error)}
    if isinstance(run, dict):
        return CellResult(blank_record(header, name, version, params, base_model=base, **run), None)
    measured = measure(run.scores, test, truth, data.class_names)
    strength = (
        None
        if run.strength is None
        else dict(zip(data.class_names or ("all",), map(_number, run.strength), strict=True))
    )
    record = blank_record(
        header,
        name,
        version,
        params,
        status="ok",
        metrics=measured.metrics,
        chance=measured.chance,
        per_class=measured.per_class,
        strength=strength,
        captions=measure_captions(run.caption_hardness, data, test, truth),
        slices=measure_slices(run.scores, test, truth, data.class_names),
        notes=run.notes,
        base_model=base,
        cost=run.cost,
    )
    return CellResult(record, run.scores)


def is_oracle(method: SliceMethod) -> bool:
    """Check whether `method` is the class registered under the oracle's name.

    A name cannot be registered twice.
    """
    return type(method) is METHODS.load(ORACLE)


def checked_scores(method: SliceMethod, scores: object, split: Split) -> SliceScores:
    """Return `scores`, which `method.score` returned for `split`.

    Raises `MethodError` if they are not scores, or not one for each example.
    """
    if not isinstance(scores, SliceScores):
        raise MethodError(f"{type(method).__name__}.score returned {type(scores).__name__}; expected SliceScores")
    if len(scores.hardness) != split.n:
        raise MethodError(f"{type(method).__name__}.score returned {len(scores.hardness)} rows for {split.n} examples")
    if type(scores) is not SliceScores:  # a subclass may hold what cannot leave the worker
        return SliceScores(
            hardness=scores.hardness, flagged=scores.flagged, membership=scores.membership, names=scores.names
        )
    return scores


def _checked_reason(reason: object) -> str | None:
    if not (reason is None or isinstance(reason, str)):
        raise MethodError(f"supports returned {type(reason).__name__}; expected a text or None")
    return reason


def _checked_notes(notes: object) -> tuple[str, ...]:
    if not isinstance(notes, tuple | list):
        raise MethodError(f"notes returned {type(notes).__name__}; expected a tuple of texts")
    left_out = len(notes) - MOST_NOTES
    return (*map(safe_text, notes[:MOST_NOTES]), *([f"{left_out} more notes were left out"] if left_out > 0 else []))


def _checked_strength(strength: NDArray[Any], n_classes: int) -> NDArray[np.float64]:
    out = np.asarray(strength, dtype=np.float64)
    if out.shape != (n_classes,):
        raise MethodError(f"strength has shape {out.shape}; expected one value per class, ({n_classes},)")
    return out


def _checked_captions(hardness: NDArray[Any], data: AuditData) -> NDArray[np.float64]:
    """Return the hardness of the captions, shape (C, m) and finite."""
    assert data.captions is not None
    expected = data.captions.candidates.shape
    if np.shape(hardness) != expected:
        raise MethodError(f"caption_hardness has shape {np.shape(hardness)}; expected (classes, captions) = {expected}")
    return array_of("caption_hardness", hardness, np.float64, 2)


def _training_seconds(data: AuditData) -> tuple[float, float]:
    """Return the seconds of training charged so far, and those that a cache saved."""
    if data.trainer is None:
        return 0.0, 0.0
    return data.trainer.seconds, data.trainer.seconds_saved


def _macro(rows: list[dict[str, float | None]]) -> dict[str, float | None]:
    """Average over the classes where a metric is defined; None where it is undefined in all."""
    defined = {k: [v for row in rows if (v := row[k]) is not None] for k in METRICS}
    return {k: float(np.mean(v)) if v else None for k, v in defined.items()}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _reason(error: Exception) -> str:
    """Return an error as one line for the table.

    For our own errors it is type and message; for others also the line that raised the error.
    """
    said = f"{type(error).__name__}: {safe_text(error)}"
    if isinstance(error, SlicebenchError):
        return said
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{said} ({frame.filename}:{frame.lineno})"
