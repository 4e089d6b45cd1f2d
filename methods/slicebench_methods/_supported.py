"""Test of whether a slice is significant on validation data, as the benchmark's controls apply it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.metrics.slices.significance import MIN_EFFECT, judged_parts
from slicebench.metrics.statistics import ALPHA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from slicebench.data.split import Split


def supported(members: NDArray[np.bool_], val: Split) -> NDArray[np.bool_]:
    """Test which of k slices, `members` (n, k) of val, have a higher error rate than the rest of a class: shape (k,).

    It asks for Fisher's one-sided exact test within each class, at least 20 members, an error rate
    at least 0.05 above the rest's, and Holm at 5% over all slices and classes. A slice that was
    chosen for its errors on val passes more easily than it should.
    """
    parts = judged_parts(members, val)
    good = (parts.p_holm <= ALPHA) & (parts.effect >= MIN_EFFECT)
    return np.isin(np.arange(members.shape[1]), parts.slices[good])


def borne_out(
    members: Mapping[tuple[int, int], NDArray[np.intp]], val: Split, judges: NDArray[np.intp] | None = None
) -> list[tuple[int, int]]:
    """Select the significant ones of candidate slices (class, part), in their order.

    `members` has the val rows of each. With `judges` only those rows of val count.
    """
    inside = np.zeros((val.n, len(members)), dtype=bool)
    for k, rows in enumerate(members.values()):
        inside[rows, k] = True
    good = supported(inside, val) if judges is None else supported(inside[judges], val.take(judges))
    return [slice_ for slice_, is_good in zip(members, good, strict=True) if is_good]
