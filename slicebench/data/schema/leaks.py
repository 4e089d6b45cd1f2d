"""Find columns that were made from the predictions: a rule on one explains nothing.

A cause of errors is no such column. A column is suspected only if it tells right from wrong (almost) without exception within
every class; a cause may do so in one class of many, or leave some of its examples right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.classes import tidy
from slicebench.data.schema.kinds import SAMPLE, numbers_in
from slicebench.data.schema.roles import CONFIDENCE, plain
from slicebench.data.schema.user_table import in_text

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.schema.outcomes import Outcomes

    Bools = NDArray[np.bool_]


SURELY = 0.995
"""Probability, for a random error and a random right answer of one class, that the column tells which is which."""
LEAST_ERRORS = 20
"""Errors that are needed for a column to be suspected."""
LEAST_ROWS = 5
"""Rows of one class and value that are needed to say what the value tells."""
COVERED = 0.9
"""Share of rows that must lie in such cells."""
SAME = 0.999
OUTPUTS = (*CONFIDENCE, "entropy", "margin", "uncertainty", "logit", "logits")
"""Names of the model's outputs other than its predictions."""


def leak_of(name: str, column: pd.Series[Any], kind: str, outcomes: Outcomes) -> str | None:
    """Return why a column seems to be made from the predictions; None if it does not."""
    if plain(name) in OUTPUTS:
        return "its name says that it is an output of the model"
    wrong = wrong_of(outcomes)
    if wrong is None:
        return "it follows the losses exactly" if _follows_losses(column, kind, outcomes) else None
    if _repeats_predictions(column, kind, outcomes):
        return "it holds the predictions again"
    if outcomes.probs is not None and _repeats_probabilities(column, kind, outcomes.probs):
        return "it holds a probability of the model again"
    if wrong.sum() < LEAST_ERRORS or (~wrong).sum() < LEAST_ERRORS:
        return None
    labels = np.zeros(len(wrong), dtype=np.int64) if outcomes.labels is None else outcomes.labels
    if _labels_tell(labels, wrong):
        return None
    tells = _numbers_tell if kind == "numbers" else _values_tell
    if tells(column, labels, wrong):
        return "in every class it tells right from wrong answers, as a column made from the predictions does"
    return None


def _labels_tell(labels: NDArray[np.int64], wrong: Bools) -> bool:
    """Return True if every class is all right or all wrong, as under a model that predicts one class only.

    Any column tells right from wrong within the classes then.
    """
    count, bad = np.bincount(labels), np.bincount(labels, weights=wrong)
    return bool(np.minimum(bad, count - bad).sum() <= (1 - SURELY) * min(wrong.sum(), (~wrong).sum()))


def wrong_of(outcomes: Outcomes) -> Bools | None:
    """Return where the model is wrong, (n,); None where only losses are known."""
    if outcomes.correct is not None:
        return ~outcomes.correct
    if outcomes.labels is None:
        return None
    said = outcomes.predicted
    return None if said is None else said != outcomes.labels


def _repeats_predictions(column: pd.Series[Any], kind: str, outcomes: Outcomes) -> bool:
    """Return True for the predicted classes under another name."""
    if outcomes.predictions is None or kind not in ("words", "whole numbers", "yes or no"):
        return False
    said = np.array(outcomes.class_names, dtype=object)[outcomes.predictions]
    for rows in (SAMPLE, len(said)):
        own = tidy(in_text(column.iloc[:rows]))
        if (own.to_numpy(dtype=object, na_value="") == said[:rows]).mean() < SAME:
            return False
    return bool((outcomes.predictions != outcomes.labels).any())


def _follows_losses(column: pd.Series[Any], kind: str, outcomes: Outcomes) -> bool:
    """Return True for numbers that order the examples as their losses do, or that are the errors of a regression."""
    from scipy.stats import spearmanr

    if kind not in ("numbers", "whole numbers") or outcomes.losses is None:
        return False
    own, losses = numbers_in(column.iloc[:SAMPLE]).to_numpy(), outcomes.losses[:SAMPLE]
    if not np.isfinite(own).all() or np.ptp(own) == 0 or np.ptp(losses) == 0:
        return False
    others = [losses] if outcomes.errors is None else [losses, outcomes.errors[:SAMPLE]]
    return any(abs(spearmanr(own, other).statistic) >= SAME for other in others)


def _repeats_probabilities(column: pd.Series[Any], kind: str, probs: NDArray[np.float32]) -> bool:
    if kind != "numbers":
        return False
    own = numbers_in(column.iloc[:SAMPLE]).to_numpy()
    others = [probs.max(axis=1), *(probs.T if probs.shape[1] <= 20 else ())]
    return any(np.isclose(own, other[:SAMPLE], atol=1e-5).mean() >= SAME for other in others)


def _numbers_tell(column: pd.Series[Any], labels: NDArray[np.int64], wrong: Bools) -> bool:
    """Return True if higher (or lower) numbers are wrong, by the AUROC within classes; each class may have its direction."""
    from scipy.stats import rankdata

    values = numbers_in(column).to_numpy()
    sure, pairs = 0.0, 0.0
    order = np.argsort(labels, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        known = rows[~np.isnan(values[rows])]
        bad = wrong[known]
        m, n = float(bad.sum()), float(len(known))
        if m < LEAST_ROWS or n - m < LEAST_ROWS:
            continue
        auroc = (rankdata(values[known])[bad].sum() - m * (m + 1) / 2) / (m * (n - m))
        if max(auroc, 1 - auroc) < SURELY - 0.5 / min(m, n - m):
            return False
        sure += max(auroc, 1 - auroc) * m * (n - m)
        pairs += m * (n - m)
    enough = sum(m for m in np.bincount(labels[wrong]) if m >= LEAST_ROWS) >= max(LEAST_ERRORS, 0.5 * wrong.sum())
    return pairs > 0 and enough and sure / pairs >= SURELY


def _values_tell(column: pd.Series[Any], labels: NDArray[np.int64], wrong: Bools) -> bool:
    """Return True if, within classes, a value is (almost) always right or always wrong."""
    import pandas as pd

    try:
        codes = pd.factorize(column, use_na_sentinel=False)[0]
    except TypeError:  # lists have no hash
        codes = pd.factorize(column.astype(str), use_na_sentinel=False)[0]
    cells = pd.factorize(labels * (codes.max() + 1) + codes)[0]
    count, bad = np.bincount(cells), np.bincount(cells, weights=wrong)
    large = count >= LEAST_ROWS
    rows, errors = count[large].sum(), bad[large].sum()
    if rows < COVERED * len(wrong) or errors < max(LEAST_ERRORS, 0.5 * wrong.sum()):
        return False
    mixed = np.minimum(bad, count - bad)[large].sum()
    return bool(mixed <= (1 - SURELY) * min(errors, rows - errors))
