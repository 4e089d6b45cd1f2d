"""The dataset contract: an adapter turns parameters and a seed into a `Problem`.

To add a dataset: one file with one subclass of `DatasetAdapter`, an entry point in the group `slicebench.datasets`, and
`build(seed)`. Adapters of raw inputs hand them to `slicebench.building.build_problem`, which trains the base model,
embeds and assembles; adapters of ready-made predictions construct the `Problem` themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from slicebench.parameters import Parameterised

if TYPE_CHECKING:
    from slicebench.problem import Problem


class DatasetAdapter(Parameterised):
    """Base class of dataset adapters.

    The constructor stores keyword parameters (JSON values) and nothing else; the same parameters and seed give the same
    problem. `version` changes whenever that problem does.
    """

    family: ClassVar[str]
    modality: ClassVar[str]
    version: ClassVar[str] = "1"

    def check(self) -> None:
        """Raise `ConfigError` for parameter values that cannot be used; asked before a run does any work."""

    def build(self, seed: int) -> Problem:
        """Build the problem of these parameters and `seed`, deterministically."""
        raise NotImplementedError(f"{type(self).__name__} has no build")
