"""The dataset contract: an adapter turns parameters and a seed into a `Problem`.

To add a dataset: one file with one subclass of `DatasetAdapter`, an entry point in the group `slicebench.datasets`, and
`build(seed)`. Adapters of raw inputs hand them to `slicebench.building.build_problem`, which trains the base model,
embeds and assembles; adapters of ready-made predictions construct the `Problem` themselves.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from slicebench.problem import Problem


class DatasetAdapter:
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

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 - scikit-learn's signature
        """Constructor parameters by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_params().items())})"
