"""Test whether a method's strength exceeds chance, and whether it follows the planted degree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from slicebench.data.permuted import permuted_outcomes
from slicebench.errors import ConfigError, MethodError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.plugins.method import SliceMethod

    Floats = NDArray[np.float64]


EXACT_UP_TO = 8
"""Most pairs for which Spearman's p counts all orders; SciPy's approximation gives p = 0 for three points in order."""


ROUNDING = 1e-12
"""Strengths closer than this count as equal."""


class StrengthTest(NamedTuple):
    """Test of strengths: `strength` (C,), permutation p (C,), and `null` (B, C).

    p is NaN where there is no strength; `null` are the strengths under permutation.
    """

    strength: Floats
    p: Floats
    null: Floats


class Spearman(NamedTuple):
    """Rank correlation, and its two-sided p."""

    rho: float
    p: float


def strength_permutation(method: SliceMethod, data: AuditData, permutations: int = 199, seed: int = 0) -> StrengthTest:
    """Test the strength of each class against its permutation distribution.

    Each permutation shuffles the outcomes of val (probabilities, loss and correctness together) within
    each class, which makes them independent of the inputs. It fits a fresh copy of `method` with the
    same seed. p = (1 + number of permutations that reach the observed strength) / (1 + B) keeps its
    level whatever bias the strength has. The cost is B + 1 fits.

    Raises
    ------
    MethodError
        if `method` cannot run on the data or has no strength.
    ConfigError
        if `permutations` is below 1.

    """
    if permutations < 1:
        raise ConfigError(f"permutations is {permutations}; expected 1 or more, for example 199")
    reason = method.supports(data)
    if reason is not None:
        raise MethodError(f"{type(method).__name__} cannot run on this data: {reason}")
    strength = _strength(method, data)
    rng = np.random.default_rng(seed)
    shuffled = (replace(data, val=permuted_outcomes(data.val, rng)) for _ in range(permutations))
    null = np.array([_strength(method, one) for one in shuffled])
    reached = ~(null < strength - ROUNDING)  # a permutation without strength counts as one that reaches it
    p = np.where(np.isnan(strength), np.nan, (1 + reached.sum(axis=0)) / (1 + permutations))
    return StrengthTest(strength, p, null)


def _strength(method: SliceMethod, data: AuditData) -> Floats:
    """Compute the strength of each class, (C,), of a fresh copy of `method` fitted on `data`."""
    copy = type(method)(**method.get_params()).fit(data)
    strength = copy.strength()
    if strength is None:
        raise MethodError(f"{type(method).__name__} has no strength to test; its `strength` returns None")
    return np.asarray(strength, dtype=np.float64)


def spearman(strengths: Sequence[float] | Floats, degrees: Sequence[float] | Floats) -> Spearman | None:
    """Correlate strengths with planted degrees by rank; pairs with a NaN are left out.

    Returns None for fewer than three degrees, or if all strengths are equal. Up to `EXACT_UP_TO` pairs,
    p counts all orders of the strengths; beyond that, it is SciPy's approximation by Student's t.
    """
    from scipy.stats import permutation_test, rankdata, spearmanr

    x, y = np.asarray(strengths, dtype=np.float64), np.asarray(degrees, dtype=np.float64)
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    if len(np.unique(y)) < 3 or len(np.unique(x)) < 2:
        return None
    rho, p = spearmanr(x, y)
    if len(x) <= EXACT_UP_TO:
        centred = rankdata(y) - (len(y) + 1) / 2
        found = permutation_test(
            (rankdata(x),),
            lambda ranks, axis=-1: (ranks * centred).sum(axis=axis),
            permutation_type="pairings",
            n_resamples=np.inf,
            vectorized=True,
        )
        p = found.pvalue
    return Spearman(float(rho), float(p))
