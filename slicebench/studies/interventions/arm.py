"""Run one arm in a worker process: treat and train for every retraining seed, then measure.

The planted truth is read only for the measurement.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError, message_of
from slicebench.evaluation.cell import identity, is_oracle
from slicebench.plugins.registry import METHODS
from slicebench.problems.frozen import load_audit, load_header, load_truth
from slicebench.studies.interventions.accuracy import accuracies, groups_of
from slicebench.studies.interventions.contract import Audit
from slicebench.studies.interventions.kinds.retrieval import leak_free
from slicebench.studies.interventions.record import InterventionRecord

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData, Identified
    from slicebench.data.split import Split
    from slicebench.data.trainer import TrainedModel
    from slicebench.data.truth import PlantedTruth
    from slicebench.plugins.method import SliceMethod
    from slicebench.studies.interventions.contract import Intervention, Treatment
    from slicebench.studies.interventions.design import Arm

    Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ArmResult:
    """Record of an arm and, if it ended well, the arrays from which intervals are computed."""

    record: InterventionRecord
    arrays: dict[str, NDArray[Any]] | None


@dataclass(eq=False)
class _Trained:
    """Results of the retraining seeds: right answers and treatments.

    Right answers are on test (`correct`), on the val errors (`seed`) and on the examples put aside
    (`deval`).
    """

    correct: list[Bools] = field(default_factory=list)
    seed: list[Bools] = field(default_factory=list)
    deval: list[Bools] = field(default_factory=list)
    treatments: list[Treatment] = field(default_factory=list)
    choosing_s: list[float] = field(default_factory=list)
    training_s: list[float] = field(default_factory=list)
    subsets: dict[str, Bools] = field(default_factory=dict)


def run_arm(folder: Path, arm: Arm) -> ArmResult:
    """Run an arm on the frozen problem in `folder`; an error becomes a failed or skipped record.

    The truth is read from disk after the models are trained; for the oracle, before.
    """
    header = load_header(folder)
    data, test = load_audit(folder)
    try:
        intervention, method = arm.variant.make(), None if arm.cell is None else _method(arm, arm.seeds[0])
        revealed = load_truth(folder) if method is not None and is_oracle(method) else None
        declined = "needs class labels" if len(data.class_names) < 2 else intervention.supports(data, method)
        if declined is not None:
            return ArmResult(blank(arm, header, status="skipped", reason=declined), None)
        notes: tuple[str, ...] = ()
        if intervention.guards_leaks:
            data, notes = without_leaks(data, test)
        trained = _train(arm, intervention, header, data, test, revealed)
    except Exception as error:  # noqa: BLE001 - whatever a plugin does costs its own arm only
        return ArmResult(blank(arm, header, status="failed", reason=message_of(error)), None)
    return _measured(arm, header, data, test, revealed or load_truth(folder), trained, notes)


def blank(arm: Arm, header: Identified, **outcome: Any) -> InterventionRecord:
    """Return the record of an arm with the given `outcome`; its problem has the suite's name."""
    about = identity(header) | {"problem": arm.problem.name, "seed": arm.problem.seed}
    return InterventionRecord(
        **about,
        intervention=arm.variant.name,
        intervention_version=arm.variant.version,
        intervention_params=dict(arm.variant.params),
        method=arm.method,
        method_version=None if arm.cell is None else arm.cell.method_version,
        method_params={} if arm.cell is None else arm.cell.method_params,
        retraining_seeds=arm.seeds,
        **outcome,
    )


def _method(arm: Arm, seed: int) -> SliceMethod:
    """Return the arm's method; if it has a parameter `seed`, that is the retraining seed."""
    assert arm.cell is not None
    params = arm.cell.method_params
    made: SliceMethod = METHODS.load(arm.cell.method)(**params | ({"seed": seed} if "seed" in params else {}))
    return made


def _train(
    arm: Arm, intervention: Intervention, header: Identified, data: AuditData, test: Split, truth: PlantedTruth | None
) -> _Trained:
    out = _Trained()
    assert data.val.correct is not None, "there are labels and a model"
    wrong, audit = np.flatnonzero(~data.val.correct), None
    val_errors = data.val.take(wrong) if len(wrong) else None
    for seed in arm.seeds:
        start = perf_counter()
        if audit is None or (arm.cell is not None and "seed" in arm.cell.method_params):
            audit = Audit(data=data, method=_fitted(arm, data, truth, seed), about=header)
        treatment = intervention.treat(audit, seed)
        chosen = perf_counter()
        model = intervention.repair(audit, treatment, seed)
        out.choosing_s.append(chosen - start)
        out.training_s.append(perf_counter() - chosen)
        out.treatments.append(treatment)
        out.correct.append(right(model, test))
        out.seed.append(np.empty(0, dtype=bool) if val_errors is None else right(model, val_errors))
        if treatment.aside is not None and len(treatment.aside):
            aside = np.flatnonzero(np.isin(audit.pool.ids, treatment.aside))
            out.deval.append(right(model, audit.pool.take(aside)))
    assert audit is not None
    out.subsets = intervention.subsets(audit, test)
    return out


def _fitted(arm: Arm, data: AuditData, truth: PlantedTruth | None, seed: int) -> SliceMethod | None:
    if arm.cell is None:
        return None
    method = _method(arm, seed)
    if truth is not None:
        method.reveal(truth)  # type: ignore[attr-defined]
    return method.fit(data)


def without_leaks(data: AuditData, test: Split) -> tuple[AuditData, tuple[str, ...]]:
    """Remove pool examples that may be copies of test examples; return the data and notes.

    They are found by `retrieval.leak_free`. There is no note if nothing was removed.
    """
    pool, train = data.pool, data.train
    assert pool is not None
    assert train.labels is not None
    assert pool.labels is not None
    assert test.labels is not None
    kept = leak_free(pool.embeddings, pool.labels, train.embeddings, train.labels, test.embeddings, test.labels)
    if not kept.any():
        raise DataError(
            "every pool example may be a copy of a test example: each is as near to one as the nearest train and test "
            "examples of its class are to each other, or nearer"
        )
    if kept.all():
        return data, ()
    note = f"{int((~kept).sum())} of {pool.n} pool examples are left out: they may be copies of test examples"
    return replace(data, pool=pool.take(np.flatnonzero(kept))), (note,)


def right(model: TrainedModel, split: Split) -> Bools:
    """Return whether `model` is right about each example, shape (n,), by its threshold if it has one."""
    from slicebench.models.training.fitted import FittedModel

    if split.inputs is None or split.labels is None:
        raise DataError("a retrained model is tested on raw inputs and labels, but a split lacks them")
    predicted = (
        model.classify(split.inputs) if isinstance(model, FittedModel) else model.predict(split.inputs).argmax(1)
    )
    correct: Bools = predicted == split.labels
    return correct


def _measured(
    arm: Arm,
    header: Identified,
    data: AuditData,
    test: Split,
    truth: PlantedTruth,
    trained: _Trained,
    notes: tuple[str, ...],
) -> ArmResult:
    """Return the record and the arrays of an arm whose models are trained."""
    assert test.labels is not None
    assert test.correct is not None
    planted = bool(truth.group_names)
    minority = truth.minority(test.ids) if planted else np.zeros(test.n, dtype=bool)
    arrays: dict[str, NDArray[Any]] = {
        "correct": np.stack(trained.correct),
        "own.seed": np.stack(trained.seed),
        "base_correct": test.correct,
        "labels": test.labels,
        "minority": minority,
        **{f"subset.{name}": mask for name, mask in trained.subsets.items()},
    }
    if trained.deval and len({len(row) for row in trained.deval}) == 1:
        arrays["own.deval"] = np.stack(trained.deval)
    groups = groups_of(test.labels, minority, data.class_names)
    record = blank(
        arm,
        header,
        status="ok",
        accuracy={name: tuple(map(_number, row)) for name, row in accuracies(arrays).items()},
        base_accuracy={name: _number(row[0]) for name, row in accuracies(arrays, base=True).items()},
        group_accuracy={name: tuple(arrays["correct"][:, mask].mean(axis=1).tolist()) for name, mask in groups.items()},
        **_chosen(trained.treatments, data, truth),
        notes=(*notes, *dict.fromkeys(note for treatment in trained.treatments for note in treatment.notes)),
        choosing_s=float(np.mean(trained.choosing_s)),
        training_s=float(np.mean(trained.training_s)),
    )
    return ArmResult(record, arrays)


def _chosen(treatments: list[Treatment], data: AuditData, truth: PlantedTruth) -> dict[str, Any]:
    """Return the fields of a record on the chosen examples and on the intervention's own measures."""
    label_of: dict[str, int] = {}
    for split in (data.train, data.pool):
        if split is not None and split.labels is not None:
            label_of |= dict(zip(split.ids.tolist(), split.labels.tolist(), strict=True))
    strange = next((key for t in treatments for key in t.chosen.tolist() if key not in label_of), None)
    if strange is not None:
        raise DataError(f"the treatment chose {strange!r}, which is not an id of train or pool")
    classes = [np.array([label_of[key] for key in t.chosen.tolist()], dtype=np.int64) for t in treatments]
    counts = np.mean([np.bincount(c, minlength=len(data.class_names)) for c in classes], axis=0)
    shares = [truth.minority(t.chosen).mean() for t in treatments if len(t.chosen)] if truth.group_names else []
    added = [0 if t.added is None else len(t.added.labels) for t in treatments]
    measures = {key: float(np.mean([t.measures[key] for t in treatments])) for key in treatments[0].measures}
    return {
        "chosen": dict(zip(data.class_names, counts.tolist(), strict=True)),
        "chosen_minority": float(np.mean(shares)) if shares else None,
        "trained_on": data.train.n + float(np.mean(added)),
        "measures": measures,
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
