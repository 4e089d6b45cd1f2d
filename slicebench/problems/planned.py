"""Problems that are to be built, described by dataset, version, parameters, seed and files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from slicebench.files.cache import content_key

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class PlannedProblem:
    """A problem to build: dataset, version, all constructor parameters, seed, and the files it is built from.

    `name` is the problem's name in the suite.
    """

    name: str
    dataset: str
    dataset_version: str
    family: str
    params: dict[str, Any]
    seed: int
    sources: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints of the files that are read, by name; empty if none are read, or if they are `unseen`."""
    unseen: bool = False
    """True if files are read that are not on the machine that planned the problem."""

    @cached_property
    def identity(self) -> str:
        """Key of 32 hex digits, without the name, so that suites share what they build."""
        return identity_of(self.recipe, self.sources)

    @cached_property
    def recipe(self) -> str:
        """Key of dataset, version, parameters and seed, whatever the files hold."""
        return recipe_of(self.dataset, self.dataset_version, self.params, self.seed)

    @property
    def encoder(self) -> str:
        """Encoder that the parameters name; "unknown" if they name none."""
        return str(self.params.get("encoder", "unknown"))

    def __str__(self) -> str:
        return f"{self.name} s{self.seed}"


def recipe_of(dataset: str, dataset_version: str, params: Mapping[str, Any], seed: int) -> str:
    """Compute the key of what is built from which parameters; problems that read no files have no other."""
    return content_key(dataset, dataset_version, params, seed)


def identity_of(recipe: str, sources: Mapping[str, str]) -> str:
    """Compute the key of a problem: its recipe and the fingerprints of its files, if it reads any."""
    return content_key(recipe, dict(sources)) if sources else recipe
