"""Run replicates: one method on many random re-splits of an altered problem.

A replicate draws val and a held-out part from the problem's val and test examples together. Train,
and with it the base model, stays. The method is fitted on train and val and scores the held-out part
twice: *blind*, with outcomes permuted within class, and *open*, with the true ones. Both times its
slices are tested against the true outcomes. A method that reads the outcomes of the examples that it
scores can return the errors themselves; blind, it cannot.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from slicebench.data.permuted import permuted_outcomes
from slicebench.data.split import deal
from slicebench.data.truth import PlantedTruth
from slicebench.errors import DataError
from slicebench.evaluation.attempt import checked_scores
from slicebench.evaluation.cell import measure
from slicebench.evaluation.cost import hardware
from slicebench.evaluation.slices import returned_slices
from slicebench.metrics.slices.significance import about_group, judged_parts
from slicebench.plugins.registry import METHODS
from slicebench.problems.frozen import load_audit, load_truth
from slicebench.studies.controls.alterations import joined
from slicebench.studies.controls.design import CONTROLS, NULL
from slicebench.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split
    from slicebench.plugins.method import SliceScores
    from slicebench.studies.controls.design import Chunk, Control

    Bools = NDArray[np.bool_]


N_VAL, N_HELD_OUT = 500, 1000
"""Examples per replicate; a smaller problem is split in the same proportion."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Found(_Stored):
    """Summary of a method's slices of one held-out part.

    `returned` is true if a slice has a member (in the class that counts). `p` is the smallest Holm p
    of a part with effect and support, or 1 if there is none. If something is planted, `p_about` is the
    same among the parts that are about the planted group. `p_null` is then the `p` of a twin: the same
    problem split again, with its outcomes permuted, so that there is nothing to find.
    """

    returned: bool
    p: float
    p_about: float | None = None
    p_null: float | None = None


class Replicate(_Stored):
    """One replicate: what was found blind and open, or nAMF on the permuted attribute (C1), or the failure."""

    index: int
    blind: Found | None = None
    open: Found | None = None
    namf: float | None = None
    failure: str | None = None


class ChunkResult(_Stored):
    """Replicates of a chunk.

    `declined` is the reason if the method cannot run on the problem, and `seconds` is the run time.
    """

    replicates: tuple[Replicate, ...]
    declined: str | None = None
    seconds: float = 0.0
    code_version: str = __version__
    hardware: str = ""
    date: str = ""

    @property
    def failures(self) -> list[str]:
        """Reasons why replicates failed."""
        return [one.failure for one in self.replicates if one.failure is not None]


def run_chunk(folder: Path, chunk: Chunk) -> ChunkResult:
    """Run the replicates of `chunk` on the frozen problem in `folder`, in a worker process.

    An error of the method is recorded with its replicate; the others still run.
    """
    start = time.perf_counter()
    method, (data, _) = chunk.cell.method, _loaded(folder)
    declined = METHODS.load(method)(**chunk.cell.method_params).supports(data)
    done = () if declined is not None else tuple(_attempt(folder, chunk, index) for index in chunk.replicates)
    return ChunkResult(
        replicates=done,
        declined=declined,
        seconds=time.perf_counter() - start,
        hardware=hardware(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _attempt(folder: Path, chunk: Chunk, index: int) -> Replicate:
    try:
        return _replicate(folder, chunk, index)
    except Exception as error:  # noqa: BLE001 - whatever a plugin's method does costs its own replicate only
        return Replicate(index=index, failure=f"{type(error).__name__}: {error}")


def _replicate(folder: Path, chunk: Chunk, index: int) -> Replicate:
    control = CONTROLS[chunk.control]
    rng = np.random.default_rng([chunk.seed, list(CONTROLS).index(control.key), index])
    held_out, scores = _scored(folder, chunk, control, rng)
    if not control.planted:
        views = {view: found(said, held_out, control) for view, said in scores.items()}
        return Replicate(index=index, blind=views["blind"], open=views["open"])
    group = _truth(folder).minority(held_out.ids)
    if control.key == "C1":
        return Replicate(index=index, namf=namf_of_permuted(scores["open"], held_out, group, rng))
    twin, said_of_twin = _scored(folder, chunk, CONTROLS[NULL], rng)
    null = {view: found(said, twin, control).p for view, said in said_of_twin.items()}
    views = {
        view: found(said, held_out, control, group).model_copy(update={"p_null": null[view]})
        for view, said in scores.items()
    }
    return Replicate(index=index, blind=views["blind"], open=views["open"])


def _scored(
    folder: Path, chunk: Chunk, control: Control, rng: np.random.Generator
) -> tuple[Split, dict[str, SliceScores]]:
    """Return the held-out part of a random re-split, and its scores, blind and open.

    The method is freshly fitted.
    """
    data, held_out = redealt(*_loaded(folder), control, rng)
    fitted = METHODS.load(chunk.cell.method)(**chunk.cell.method_params).fit(data)
    seen = {"blind": permuted_outcomes(held_out, rng), "open": held_out}
    return held_out, {view: checked_scores(fitted, fitted.score(split), split) for view, split in seen.items()}


def redealt(problem: AuditData, pool: Split, control: Control, rng: np.random.Generator) -> tuple[AuditData, Split]:
    """Return data with a new val, and the held-out part.

    Examples of `pool` are altered, then split at random within each class, whatever their outcomes.
    """
    altered = control.alter(pool, rng)
    share = min(1.0, (N_VAL + N_HELD_OUT) / altered.n)
    shares = {"val": share * N_VAL / (N_VAL + N_HELD_OUT), "held out": share * N_HELD_OUT / (N_VAL + N_HELD_OUT)}
    dealt = [deal(rows, shares | {"rest": 1 - share}, rng) for _, rows in altered.by_class()]
    val, held_out = (altered.take(np.sort(np.concatenate([part[name] for part in dealt]))) for name in shares)
    return replace(problem, val=val), held_out


def found(scores: SliceScores, held_out: Split, control: Control, group: Bools | None = None) -> Found:
    """Test the slices in `scores` against the outcomes of `held_out`; `group` (n,) is the planted group, if any."""
    hard = returned_slices(scores, held_out).hard
    parts = judged_parts(hard, held_out)
    counted = [hard[rows] for c, rows in held_out.by_class() if control.only_class in (None, c)]
    return Found(
        returned=any(inside.any() for inside in counted),
        p=parts.smallest_p(parts.in_class(control.only_class)),
        p_about=None if group is None else parts.smallest_p(about_group(parts, hard, held_out, group)),
    )


def namf_of_permuted(scores: SliceScores, held_out: Split, group: Bools, rng: np.random.Generator) -> float:
    """Compute the macro nAMF, as the evaluator does, of the planted `group` (n,) permuted within each class.

    Raises
    ------
    DataError
        if no class has examples both in the group and outside it.

    """
    permuted = group.copy()
    for _, rows in held_out.by_class():
        permuted[rows] = rng.permutation(group[rows])
    truth = PlantedTruth(ids={"test": held_out.ids}, groups={"test": permuted[:, None]}, group_names=("permuted",))
    namf = measure(scores, held_out, truth).metrics["namf"]
    if namf is None:
        raise DataError("no class of the held-out part has examples both in the planted group and outside it")
    return namf


@lru_cache(maxsize=2)
def _loaded(folder: Path) -> tuple[AuditData, Split]:
    """Return what the method may see, and the val and test examples together."""
    data, test = load_audit(folder)
    return data, joined(data.val, test)


@lru_cache(maxsize=2)
def _truth(folder: Path) -> PlantedTruth:
    """Load the planted truth, which no method receives."""
    return load_truth(folder, "val", "test")
