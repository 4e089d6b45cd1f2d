"""A false truth, where a method would look for the true one, and a test of whether it was used.

The decoy of a problem is its truth with the members of each split dealt anew, so that it looks alike and says nothing. A
method that knows neither ranks the decoy's members as chance does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from slicebench.files.cache import content_key
from slicebench.problems.frozen import FORMAT_VERSION, save_truth

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.data.split import Split
    from slicebench.data.truth import PlantedTruth

LEVEL = 1e-4
"""A method whose ranking agrees with a decoy at this level is marked."""


def decoy_of(truth: PlantedTruth, problem: Path) -> PlantedTruth:
    """Return a truth with as many members in each split, dealt at random; the same for the same problem.

    Its groups have no names and no captions, which would tell what is planted.
    """
    rng = np.random.default_rng(int(content_key("decoy", problem.name), 16))
    dealt = {name: rng.permutation(groups, axis=0) for name, groups in truth.groups.items()}
    names = tuple(f"group {g}" for g in range(len(truth.group_names)))
    return replace(truth, groups=dealt, group_names=names, captions={}, how="planted")


def place_decoy(decoy: PlantedTruth, problem: Path, cache: Path) -> None:
    """Write a decoy into the cache folder that a method sees, as a problem's truth is written, unless it is there."""
    folder = cache / f"problems-{FORMAT_VERSION}" / problem.name
    if not (folder / "truth").exists():
        save_truth(decoy, folder / "truth")


def agreement(hardness: NDArray[np.float64], test: Split, decoy: PlantedTruth) -> float | None:
    """Return the probability that scores rank the decoy's members this high by chance; None if it has none.

    The rank sums of the classes are added, and compared with their mean and variance over all deals of the members,
    ties included (van Elteren's test with equal weights; the sum is close to normal).
    """
    from scipy.special import ndtr
    from scipy.stats import rankdata

    members = decoy.minority(test.ids)
    excess = variance = 0.0
    for _, rows in test.by_class():
        ranks, inside = rankdata(hardness[rows]), members[rows]
        n, m = len(ranks), int(inside.sum())
        if 0 < m < n:
            excess += float(ranks[inside].sum()) - m * (n + 1) / 2
            variance += m * (n - m) / n * float(ranks.var(ddof=1))
    return None if variance == 0 else float(ndtr(-excess / np.sqrt(variance)))
