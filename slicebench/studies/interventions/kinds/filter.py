"""Filtering: add the pool's hardest examples to train."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from slicebench.data.split import taken
from slicebench.errors import ConfigError
from slicebench.evaluation.hardest import hardest
from slicebench.studies.interventions.contract import Added, Intervention, Treatment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.split import Split
    from slicebench.studies.interventions.contract import Audit


class Filter(Intervention):
    """Intervention that adds the k hardest pool examples of each class to train, by the pool's own labels.

    Parameters
    ----------
    k : int
        Examples per class. A class with fewer in the pool contributes all of them, and a note says so.

    References
    ----------
    Jain, Lawrence, Moitra, Madry, "Distilling Model Failures as Directions in Latent Space", 2022: K = 25 to 100 per superclass.

    >>> Filter(k=25).get_params()
    {'k': 25}

    """

    requires: ClassVar[frozenset[str]] = frozenset({"pool"})

    def __init__(self, *, k: int = 50) -> None:
        self.k = k

    def check(self) -> None:
        """Raise `ConfigError` if k cannot be used."""
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise ConfigError(f"filter: k is {self.k!r}; expected a whole number of 1 or more")

    def treat(self, audit: Audit, seed: int) -> Treatment:
        """Choose the hardest pool examples, and add them."""
        pool = audit.pool
        assert pool.labels is not None
        counts = np.full(audit.n_classes, self.k)
        rows = hardest(audit.guide.score(pool).hardness, pool.labels, counts, np.random.default_rng(seed))
        short = [
            f"the pool has only {n} of the {self.k} examples of {name} that were requested"
            for c, name in enumerate(audit.data.class_names)
            if (n := int((pool.labels == c).sum())) < self.k
        ]
        return Treatment(chosen=pool.ids[rows], added=added_from(pool, rows), notes=tuple(short))


def added_from(pool: Split, rows: NDArray[np.intp]) -> Added:
    """Return the pool examples at `rows`, with the pool's labels."""
    assert pool.inputs is not None
    assert pool.labels is not None
    return Added(inputs=taken(pool.inputs, rows), labels=pool.labels[rows])
