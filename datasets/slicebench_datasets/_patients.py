"""Splits of radiographs that share no patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench_datasets._splits import deal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Rows = NDArray[np.intp]


def deal_patients(
    rows: Rows,
    patients: NDArray[Any],
    shares: Mapping[str, float],
    rng: np.random.Generator,
    strata: NDArray[np.bool_] | None = None,
) -> dict[str, Rows]:
    """Deal `rows` by shares of the patients, no patient in two parts; each part is in ascending order.

    Parameters
    ----------
    rows : (k,) int
        Positions of images.
    patients : (N,) numbers or strings
        Patient of each of N images.
    shares : mapping of part to share
        Shares of the patients; they sum to 1.
    rng : Generator
        Random generator.
    strata : (N,) bool, optional
        Patients with such an image are dealt separately, so that every part has some of them if
        there are enough.

    """
    who, of = np.unique(patients[rows], return_inverse=True)
    apart = np.zeros(len(who), dtype=bool)
    if strata is not None:
        np.logical_or.at(apart, of, strata[rows])
    dealt = [deal(np.flatnonzero(apart == stratum), shares, rng) for stratum in (False, True)]
    return {name: np.sort(rows[np.isin(of, np.concatenate([part[name] for part in dealt]))]) for name in shares}
