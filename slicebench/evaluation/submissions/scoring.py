"""Measure submissions like methods, after joining them with the test split by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import DataError
from slicebench.evaluation.cell import blank_record, evaluate, measure, summarise_base_model
from slicebench.evaluation.slices import Slices, measured, strongest
from slicebench.evaluation.submissions.contents import VERSION, shown, the_ids
from slicebench.evaluation.submissions.matching import given_ids, matched
from slicebench.metrics.estimate import namf_estimate
from slicebench.metrics.statistics import DRAWS, SeedScores, interval_of_mean, sampled_problem
from slicebench.plugins.method import SliceScores
from slicebench.plugins.registry import METHODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.data.problem import Problem
    from slicebench.evaluation.record import Record
    from slicebench.evaluation.submissions.contents import Submission
    from slicebench.metrics.estimate import Estimate
    from slicebench.metrics.statistics import Sampled


REFERENCE = "random"
LARGEST = 10**8
"""Largest number of examples times slices, which are held as a matrix."""
RESAMPLED = 2 * 10**8
"""Largest number of examples times bootstrap draws; above 100,000 examples, it limits the draws."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Record of a submission, or of `random` as the `reference`, with the interval of its nAMF.

    `namf` is None if nothing is planted.
    """

    record: Record
    namf: Estimate | None
    reference: bool


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Results of submissions to one problem, the best nAMF first, then the reference."""

    problem: str
    seed: int
    n_test: int
    rows: tuple[Judged, ...]

    @property
    def planted(self) -> bool:
        """Whether a group is planted among the test examples."""
        return self.rows[0].namf is not None

    @property
    def records(self) -> list[Record]:
        """Records of the submissions, the best first."""
        return [row.record for row in self.rows if not row.reference]


class _Ids:
    """Ids of a problem: the row of each test example, and those of the other splits."""

    def __init__(self, problem: Problem) -> None:
        self.problem = f"the problem {problem.name!r} (seed {problem.seed})"
        self.rows = {key: row for row, key in enumerate(problem.test.ids.tolist())}
        self.elsewhere = {key for _, split in problem.data.splits() if split is not None for key in split.ids.tolist()}


@dataclass(frozen=True, eq=False)
class _Aligned:
    """A submission joined with the test split."""

    hardness: NDArray[np.float64]
    slices: Slices | None
    notes: tuple[str, ...]


def evaluate_submissions(submissions: Sequence[Submission], problem: Problem) -> Evaluation:
    """Measure `submissions` and the reference `random` on the test split of `problem`.

    Ids that are written differently ("7" for "007") are matched where that is safe, which a note of the record says.

    Parameters
    ----------
    submissions : sequence of Submission
        Submissions of distinct methods.
    problem : Problem
        Problem with its truth.

    Raises
    ------
    DataError
        that names the submission and the ids that are missing, unknown or repeated.

    """
    _check_methods(submissions)
    ids = _Ids(problem)
    aligned = [_aligned(one, ids) for one in submissions]
    records = [_record(one, its, problem) for one, its in zip(submissions, aligned, strict=True)]
    reference = evaluate(METHODS.load(REFERENCE)(seed=problem.seed), problem, REFERENCE)
    assert reference.scores is not None
    intervals = _intervals(problem, [*(one.hardness for one in aligned), reference.scores.hardness])
    rows = [Judged(record, namf, reference=False) for record, namf in zip(records, intervals, strict=False)]
    rows.sort(key=lambda row: -np.inf if row.namf is None else row.namf.mean, reverse=True)
    return Evaluation(
        problem.name,
        problem.seed,
        problem.test.n,
        (*rows, Judged(reference.record, intervals[-1], reference=True)),
    )


def _check_methods(submissions: Sequence[Submission]) -> None:
    if not submissions:
        raise DataError("there are no submissions; expected at least one")
    first: dict[str, Submission] = {}
    for one in submissions:
        other = first.setdefault(one.method, one)
        if other is not one:
            raise DataError(f"{other.where} and {one.where} both submit the method {one.method!r}; rename one of them")


def _aligned(submission: Submission, ids: _Ids) -> _Aligned:
    own = matched(submission, ids.rows.keys() | ids.elsewhere)
    submission, rows = own.submission, ids.rows
    notes = [*([own.note] if own.note else []), *_check_ids(submission, ids)]
    slices = _matrices(submission, rows) if submission.slices else None
    scores, partial = submission.scores, submission.partial
    if partial is not None and partial.keys() >= rows.keys():
        scores = partial
    if scores is not None:
        return _Aligned(np.array([scores[key] for key in rows]), slices, tuple(notes))
    if partial is not None:
        covered = len(rows.keys() & partial.keys())
        notes.append(f"only {covered:,} of {len(rows):,} test examples have hardness, so it is ignored")
    notes.append(
        "not every example has a score, so hardness is the order in which a reader of the slices sees the examples"
    )
    assert slices is not None
    return _Aligned(_reading_order(slices), slices, tuple(notes))


def _check_ids(submission: Submission, ids: _Ids) -> list[str]:
    """Raise `DataError` for unknown or missing ids; return notes on ids that are ignored."""
    rows = ids.rows
    given = given_ids(submission)
    unknown = [key for key in given if key not in rows and key not in ids.elsewhere]
    if unknown:
        raise DataError(
            f"{submission}: {ids.problem} does not have {the_ids(unknown)}; its test examples have ids such as "
            f"{shown([*rows][:2])}; `slicebench data export` writes all of them"
        )
    if submission.scores is not None:
        missing = [key for key in rows if key not in submission.scores]
        if missing:
            raise DataError(
                f"{submission}: {len(missing):,} of the {len(rows):,} test examples have no score, such as {shown(missing[:3])}; "
                "expected a score for each of them"
            )
    ignored = sum(key not in rows for key in given)
    return [f"ignored: {ignored:,} ids of splits other than test"] if ignored else []


def _matrices(submission: Submission, rows: dict[str, int]) -> Slices:
    """Return slices as matrices, without examples of other splits.

    Members are counted as in `slicebench.evaluation.slices.returned_slices`: all ids of a ranked
    slice, and of a soft slice the strongest, as many as its memberships add up to.
    """
    n, k = len(rows), len(submission.slices)
    if n * k > LARGEST:
        raise DataError(
            f"{submission}: {k:,} slices of {n:,} examples are too many; expected at most {LARGEST // n:,} slices"
        )
    soft, hard = np.zeros((n, k), dtype=np.float32), np.zeros((n, k), dtype=bool)
    for j, members in enumerate(submission.slices.values()):
        at = np.array([rows[key] for key in members.ids if key in rows], dtype=np.intp)
        if members.membership is None:
            soft[at, j] = 1 - np.arange(len(at)) / max(len(at), 1)
            hard[at, j] = True
        else:
            soft[at, j] = [value for key, value in zip(members.ids, members.membership, strict=True) if key in rows]
            hard[:, j] = strongest(soft[:, j : j + 1])[:, 0]
    return Slices(soft, hard, tuple(submission.slices))


def _reading_order(slices: Slices) -> NDArray[np.float64]:
    """Compute hardness from slices alone, shape (n,).

    It is minus the position of an example in reading order. Slices are read one after the other,
    each from its most typical member; equally typical members share a position. Examples in no
    slice share the last position.
    """
    n = len(slices.hard)
    place, begun = np.full(n, np.inf), 0
    for j in range(slices.k):
        new = np.flatnonzero(slices.hard[:, j] & np.isinf(place))
        if len(new):
            _, order = np.unique(-slices.soft[new, j], return_inverse=True)
            place[new] = begun + order
            begun += int(order.max()) + 1
    return -np.where(np.isinf(place), begun, place)


def _record(submission: Submission, aligned: _Aligned, problem: Problem) -> Record:
    data, test, truth = problem.data, problem.test, problem.truth
    found = measure(SliceScores(hardness=aligned.hardness), test, truth, data.class_names)
    return blank_record(
        problem,
        submission.method,
        f"submission-{VERSION}",
        {},
        status="ok",
        metrics=found.metrics,
        chance=found.chance,
        per_class=found.per_class,
        slices=None if aligned.slices is None else measured(aligned.slices, test, truth),
        notes=aligned.notes,
        base_model=summarise_base_model(test, truth.minority(test.ids), len(data.class_names)),
    )


def _intervals(problem: Problem, hardness: Sequence[NDArray[np.float64]]) -> list[Estimate | None]:
    """Compute each nAMF with the interval over resampled test examples.

    It is behind if the interval of its paired difference to the best submission is above 0. The last
    one is the reference, which never counts as the best.
    """
    test = problem.test
    labels = np.zeros(test.n, dtype=np.int64) if test.labels is None else test.labels
    by_name = {str(i): values for i, values in enumerate(hardness)}
    scores = SeedScores(labels, problem.truth.minority(test.ids), by_name)
    entropy = int.from_bytes(f"{problem.name}|{[problem.seed]}".encode(), "big")  # as in a run, so that intervals agree
    draws = int(np.clip(RESAMPLED // test.n, 100, DRAWS))
    sampled = sampled_problem([scores], entropy, draws=draws)
    if not sampled:
        return [None] * len(hardness)
    found = [sampled[name] for name in by_name]
    best = max(found[:-1], key=lambda one: one.mean)
    return [_estimate(one, best) for one in found]


def _estimate(one: Sampled, best: Sampled) -> Estimate:
    own, apart = interval_of_mean([one]), interval_of_mean([best - one])
    return namf_estimate(own, behind=apart.low is not None and apart.low > 0)
