"""Plan the controls: their problems, and the chunks of replicates of each method."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from slicebench.data.permuted import permuted_outcomes
from slicebench.errors import ConfigError, did_you_mean
from slicebench.evaluation.cell import ORACLE
from slicebench.files.cache import content_key
from slicebench.plugins.registry import METHODS
from slicebench.runs.plan import plan
from slicebench.runs.suite import ProblemSpec, Suite, load_suite
from slicebench.studies.controls import alterations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from slicebench.data.split import Split
    from slicebench.runs.plan import Cell


VERSION = 1
"""Increase it when the same settings no longer give the same replicates."""

CHUNK = 25
"""Number of replicates in one task."""

POWER = "power"
NULL = "C0"
"""The control whose outcomes are exchangeable by construction: its rate is the family-wise error rate."""


@dataclass(frozen=True)
class Control:
    """One control.

    `planted` is true if its problems have a planted subgroup. `only_class` is the only class in which
    declared slices count; None means all classes.
    """

    key: str
    label: str
    about: str
    alter: Callable[[Split, np.random.Generator], Split]
    planted: bool = False
    only_class: int | None = None


_ONE = alterations.SINGLED_OUT
_TABLE = (
    Control(
        NULL,
        "outcomes permuted",
        "Outcomes are permuted within each class: no slice can differ. The rate is the family-wise error rate, at most 5 %.",
        permuted_outcomes,
    ),
    Control(
        "C1",
        "attribute permuted",
        "The planted attribute is permuted within each class: the ranking can surface nothing, and mean nAMF is 0.",
        alterations.unaltered,
        planted=True,
    ),
    Control(
        "C2",
        "nothing planted",
        "A model trained on balanced data without a plant. It errs more near its own decision boundary, so a declared slice may "
        "be true; what is shown is how often the unplanted declares too.",
        alterations.unaltered,
    ),
    Control(
        "C3",
        "a class without errors",
        "Class 0 has no errors: nothing may be declared in it, and nothing may fail. Returned: with members in that class.",
        alterations.no_errors_in_one_class,
        only_class=_ONE,
    ),
    Control(
        "C4",
        "a homogeneous hard class",
        "In class 0 a random 35 % are wrong, whatever the input: being hard all over is no slice. Returned: with members in it.",
        alterations.homogeneous_errors,
        only_class=_ONE,
    ),
    Control(
        "C5",
        "label noise only",
        "15 % of the labels are wrong at random and cause all errors. What is declared are mislabelled examples: they look like "
        "another class, but are no failure of the model.",
        alterations.label_noise_only,
    ),
    Control(
        POWER,
        "planted",
        "A subgroup is planted: how often a declared slice is about it, at the threshold that lets 5 % of the replicates pass in "
        "which the outcomes of the same problems are permuted.",
        alterations.unaltered,
        planted=True,
    ),
)

CONTROLS: dict[str, Control] = {control.key: control for control in _TABLE}

_SCENES = {"plant": "none", "side": 16, "n_train": 2000, "n_val": 1000, "n_test": 2000, "classes": 4, "noise": 0.1}
CLEAN = (
    ProblemSpec(name="scenes-none", dataset="scenes", params=_SCENES),
    ProblemSpec(name="gaussian-none", dataset="gaussian", params={"plant": "none", "signal": 2.0}),
)
PLANTED = ("gaussian-linear", "gaussian-correlation", "scenes-correlation", "scenes-corruption", "colored-digits")
"""Names of problems of the suite "standard-1"."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Replicates of one control with one method on one problem.

    One task computes them, and one file holds them. `cell` is the problem and the method with all its
    parameters. Replicate r of a control is seeded by `[seed, control, r]`, whatever the method.
    """

    cell: Cell
    control: str
    seed: int
    replicates: tuple[int, ...]

    @cached_property
    def identity(self) -> str:
        """Hash of method, problem, control, seed and replicates, in 32 hex digits."""
        return content_key(VERSION, self.cell.identity, self.control, self.seed, list(self.replicates))

    @property
    def file(self) -> str:
        """Path of the results in the output folder."""
        name = f"{self.cell.method}-{self.cell.problem.name}.s{self.cell.problem.seed}-{self.identity[:8]}.json"
        return f"chunks/{self.control}/{name}"

    def __str__(self) -> str:
        return f"{self.control} {self.cell.method} on {self.cell.problem}"


def chosen_methods(names: Sequence[str], suite: Suite | None = None) -> tuple[str, ...]:
    """Return the methods to run: those named, or those of `suite`, or all registered.

    The oracle is never among them, since it knows the truth.

    Raises
    ------
    ConfigError
        if the oracle is named.

    """
    if ORACLE in names:
        raise ConfigError(f"the method {ORACLE!r} knows the truth; the controls are for methods that have to find it")
    known = suite.methods if suite else METHODS.names()
    return tuple(dict.fromkeys(names)) or tuple(name for name in known if name != ORACLE)


def chosen_controls(keys: Sequence[str]) -> tuple[str, ...]:
    """Return the controls to run, in the order of the table: those named, or all.

    Raises
    ------
    ConfigError
        if a control does not exist; the message suggests similar names.

    """
    for key in keys:
        if key not in CONTROLS:
            raise ConfigError(f"there is no control {key!r}; {did_you_mean(key, list(CONTROLS))}")
    return tuple(key for key in CONTROLS if key in (keys or CONTROLS))


def planned_chunks(
    methods: Sequence[str],
    controls: Sequence[str],
    replicates: int,
    seed: int,
    method_params: Mapping[str, dict[str, Any]] | None = None,
) -> list[Chunk]:
    """Return the chunks to run, problem by problem.

    Each problem gets an equal share of a control's replicates. Neighbouring chunks differ in the
    method, so that no two workers train the same model at the same time.

    Raises
    ------
    PluginError, ConfigError
        if a method or parameter does not exist.

    """
    chunks = []
    for planted in (False, True):
        keys = [key for key in controls if CONTROLS[key].planted == planted]
        by_problem = _cells(methods, method_params or {}, planted=planted) if keys else []
        for position, cells in enumerate(by_problem):
            mine = range(position, replicates, len(by_problem))
            blocks = [tuple(mine[start : start + CHUNK]) for start in range(0, len(mine), CHUNK)]
            chunks += [Chunk(cell, key, seed, block) for key in keys for block in blocks for cell in cells]
    return chunks


def _cells(methods: Sequence[str], method_params: Mapping[str, dict[str, Any]], *, planted: bool) -> list[list[Cell]]:
    """Return the cells of each problem: two seeds without a plant, or one seed with plants."""
    known = {spec.name: spec for spec in load_suite("standard-1").problems}
    specs = tuple(known[name] for name in PLANTED) if planted else CLEAN
    suite = Suite(
        name="controls",
        seeds=(0,) if planted else (0, 1),
        methods=tuple(methods),
        problems=specs,
        method_params=dict(method_params),
    )
    groups: dict[str, list[Cell]] = {}
    for cell in plan(suite):
        groups.setdefault(cell.problem.identity, []).append(cell)
    return list(groups.values())
