"""Problems that are to be built, described by dataset, version, parameters and seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from slicebench.files.cache import content_key


@dataclass(frozen=True)
class PlannedProblem:
    """A problem to build: dataset, version, all constructor parameters and seed.

    `name` is the problem's name in the suite.
    """

    name: str
    dataset: str
    dataset_version: str
    family: str
    params: dict[str, Any]
    seed: int

    @cached_property
    def identity(self) -> str:
        """Key of 32 hex digits, without the name, so that suites share what they build."""
        return content_key(self.dataset, self.dataset_version, self.params, self.seed)

    @property
    def encoder(self) -> str:
        """Encoder that the parameters name; "unknown" if they name none."""
        return str(self.params.get("encoder", "unknown"))

    def __str__(self) -> str:
        return f"{self.name} s{self.seed}"
