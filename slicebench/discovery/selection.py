"""Select which examples of a user's pool to add or relabel next: the hardest of each class by any method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.columns import columns_given
from slicebench.discovery.pool import USES, problem_with_pool
from slicebench.errors import ConfigError
from slicebench.evaluation.attempt import run_method
from slicebench.evaluation.hardest import hardest, per_class
from slicebench.plugins.method import refuse_truth
from slicebench.plugins.registry import METHODS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.discovery.pool import PoolProblem
    from slicebench.evaluation.attempt import MethodRun
    from slicebench.plugins.method import SliceMethod


@dataclass(frozen=True, kw_only=True)
class ClassChoice:
    """Counts of one class: candidates, those with a weak label, flagged ones, chosen ones.

    `flagged` is None if the method has no flags; `strength` is None if it reports none for this class.
    """

    name: str | int
    candidates: int
    weak: int
    flagged: int | None
    chosen: int
    strength: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Selection:
    """The chosen examples, by class, the hardest first.

    `table` has a row for each: id, class, rank (1 = the hardest of its class), hardness, flagged
    (missing if the method raises no flags), and weak_label (true if the class is only predicted).
    `notes` are what a reader must know.
    """

    table: pd.DataFrame
    classes: tuple[ClassChoice, ...]
    notes: tuple[str, ...]


def select(
    data: Any,
    pool: Any,
    *,
    method: str | SliceMethod = "svm_directions",
    k: int = 100,
    seed: int = 0,
    split: str = "split",
    encoder: str | None = None,
    **columns: Any,
) -> Selection:
    """Choose, in each class, the `k` pool examples that a method finds hardest.

    Parameters
    ----------
    data : DataFrame, or anything else that `slicebench.data.schema.frames.as_frame` takes, or None
        Labelled examples that the model was not trained on; the method is fitted on them. It is
        None if `pool` holds them too. The column `split` then marks them as "train" or "val" and the
        candidates as "pool"; rows marked "test" are ignored.
    pool : the same
        Candidates. Where a label is missing, the model's prediction is used as a weak label.
    method : str or SliceMethod
        Registered name, or an unfitted method.
    k : int
        Examples per class; a class with fewer candidates contributes all of them.
    seed : int
        Splits `data` into train (a fifth) and val, at random within each class, and breaks ties.
    split : str
        Column of `pool` that holds the splits; used only if `data` is None.
    encoder : str, optional
        Embeds the images, if both tables are folders of images with a metadata.csv; by default "pixels-pca".
    **columns
        Fields of `slicebench.Columns`, as in `from_frame`: label, prediction, probs, embedding,
        features, id, loss, text. In the pool, labels and losses may be missing. By default, label,
        prediction, embedding and id are the columns of those names, if there are any. Naming `probs`
        replaces the default prediction, and naming `features` replaces the default embedding.

    Raises
    ------
    ConfigError
        if k is below 1, a required column is not named, or the method cannot run on the data.
    DataError
        if a column does not exist, or a value is missing, not finite, duplicated or of an unknown
        class; the message names table, column and row.

    """
    if k < 1:
        raise ConfigError(f"k is {k}; expected 1 or more examples per class")
    name, ready = (method, METHODS.load(method)()) if isinstance(method, str) else (type(method).__name__, method)
    known = columns_given(columns, "select", USES)
    found = problem_with_pool(data, pool, known, split=split, encoder=encoder, seed=seed)
    _refuse_decline(name, ready, found.problem.data)
    run = run_method(ready, found.problem.data, found.problem.test)
    labels = _labels(found)
    counts = per_class(labels, len(found.classes))
    rows = hardest(run.scores.hardness, labels, np.minimum(counts, k), np.random.default_rng([seed, 1]))
    rows = rows[np.lexsort((-run.scores.hardness[rows], labels[rows]))]
    return Selection(
        table=_table(found, run, labels, rows),
        classes=_per_class(found, run, labels, rows),
        notes=(*found.notes, *_notes(found, run, labels, counts, k)),
    )


def _refuse_decline(name: str, method: SliceMethod, data: AuditData) -> None:
    refuse_truth(name, method)
    reason = method.supports(data)
    if reason is not None:
        raise ConfigError(f"{name} cannot run on this data: {reason}")


def _labels(found: PoolProblem) -> NDArray[np.int64]:
    """Return the class of each candidate; a task without classes counts as one class."""
    test = found.problem.test
    return np.zeros(test.n, dtype=np.int64) if test.labels is None else test.labels


def _table(found: PoolProblem, run: MethodRun, labels: NDArray[np.int64], rows: NDArray[np.intp]) -> pd.DataFrame:
    import pandas as pd

    flagged, own = run.scores.flagged, labels[rows]
    starts = np.searchsorted(own, own)
    return pd.DataFrame(
        {
            "id": [found.ids[row] for row in rows],
            "class": [found.classes[c] for c in own],
            "rank": np.arange(len(rows)) - starts + 1,
            "hardness": run.scores.hardness[rows],
            "flagged": pd.array([pd.NA] * len(rows) if flagged is None else flagged[rows], dtype="boolean"),
            "weak_label": found.weak[rows],
        }
    )


def _per_class(
    found: PoolProblem, run: MethodRun, labels: NDArray[np.int64], rows: NDArray[np.intp]
) -> tuple[ClassChoice, ...]:
    n = len(found.classes)
    flagged = None if run.scores.flagged is None else per_class(labels[run.scores.flagged], n)
    strength = np.full(n, np.nan) if run.strength is None else run.strength
    counts = zip(per_class(labels, n), per_class(labels[found.weak], n), per_class(labels[rows], n), strict=True)
    return tuple(
        ClassChoice(
            name=found.classes[c],
            candidates=int(candidates),
            weak=int(weak),
            flagged=None if flagged is None else int(flagged[c]),
            chosen=int(chosen),
            strength=float(strength[c]) if np.isfinite(strength[c]) else None,
        )
        for c, (candidates, weak, chosen) in enumerate(counts)
    )


def _notes(
    found: PoolProblem, run: MethodRun, labels: NDArray[np.int64], counts: NDArray[np.int64], k: int
) -> list[str]:
    """Return the method's own notes, and notes on weak labels, small classes and ties."""
    notes = list(run.notes)
    if notes and any(str(name) != str(c) for c, name in enumerate(found.classes)):
        notes.append("classes by number: " + ", ".join(f"{c} = {name}" for c, name in enumerate(found.classes)))
    if found.weak.any():
        notes.append(
            f"{int(found.weak.sum()):,} of {len(labels):,} candidates have no label; "
            "the model's prediction is used instead"
        )
    for c, name in enumerate(found.classes):
        if counts[c] < k:
            few = f"{counts[c]} candidates, fewer than {k}: all are taken" if counts[c] else "no candidates"
            notes.append(f"class {name} has {few}")
        elif _tied_at_the_end(run.scores.hardness[labels == c], k):
            notes.append(f"class {name}: candidates tie for the last places; chance decided among them")
    return notes


def _tied_at_the_end(hardness: NDArray[np.float64], k: int) -> bool:
    """Check whether the k-th hardest example ties with the next."""
    falling = -np.sort(-hardness)
    return len(falling) > k and bool(falling[k - 1] == falling[k])
