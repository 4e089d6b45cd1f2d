"""Plan interventions: their variants, with each method, on each problem.

Every name and parameter is checked before anything runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError, did_you_mean
from slicebench.files.cache import content_key
from slicebench.plugins.parameters import parse_settings, read_value
from slicebench.runs.plan import Filters, json_params, plan
from slicebench.runs.store import safe_name
from slicebench.studies.interventions.contract import INTERVENTIONS, Intervention

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slicebench.problems.planned import PlannedProblem
    from slicebench.runs.plan import Cell
    from slicebench.runs.suite import Suite


NONE = "none"
"""The intervention that changes nothing; it is in every plan."""
ALWAYS = ("random", "oracle")
"""Methods that are the ends of the scale of recovery; every guided intervention runs with both."""
DEFAULT = ("upweight", "filter")


@dataclass(frozen=True, eq=False)
class Variant:
    """An intervention with all its parameters; `label` shows the ones that were set, as in "filter k=25"."""

    name: str
    version: str
    params: Mapping[str, Any]
    guided: bool
    label: str

    def make(self) -> Intervention:
        """Build the intervention."""
        made: Intervention = INTERVENTIONS.load(self.name)(**self.params)
        return made


@dataclass(frozen=True, eq=False)
class Arm:
    """A variant on a problem, guided by the method of `cell` (or None) and trained from `seeds`."""

    problem: PlannedProblem
    variant: Variant
    cell: Cell | None
    seeds: tuple[int, ...]

    @property
    def method(self) -> str | None:
        """Name of the method that guides the intervention, or None."""
        return None if self.cell is None else self.cell.method

    @cached_property
    def identity(self) -> str:
        """Hash of problem, intervention, method, all parameters, versions and seeds, in 32 hex digits."""
        guide = None if self.cell is None else self.cell.identity
        about = self.variant.name, self.variant.version, dict(self.variant.params)
        return content_key(self.problem.identity, about, guide, list(self.seeds))

    @property
    def file(self) -> str:
        """Path of the record in the run folder, without its ending."""
        folder = f"{safe_name(self.problem.name)}.s{self.problem.seed}"
        return f"{folder}/{self.variant.name}-{self.method or 'alone'}-{self.identity[:8]}"

    def __str__(self) -> str:
        return f"{self.problem} {self.variant.label} {self.method or ''}".strip()


def retraining_seeds(problem_seed: int, count: int) -> tuple[int, ...]:
    """Return the seeds of retrained models, the same in every arm.

    They are 1000 s + 1, 1000 s + 2 ... for the problem's seed s.
    """
    if count < 1:
        raise ConfigError(f"retrain is {count}; expected 1 or more")
    return tuple(1000 * problem_seed + 1 + r for r in range(count))


def plan_arms(
    suite: Suite,
    *,
    interventions: Sequence[str] = (),
    settings: Sequence[str] = (),
    filters: Filters | None = None,
    retrain: int = 5,
) -> list[Arm]:
    """Return the arms of every variant with every method of the suite (or of `filters`).

    The methods `random` and `oracle` are always included. `settings` are
    "intervention.parameter=value"; each of several values, separated by commas, is a variant.

    Raises
    ------
    PluginError, ConfigError
        if a name or parameter does not exist (the message suggests similar ones), or a value cannot be
        used.

    """
    chosen = filters or Filters()
    methods = tuple(dict.fromkeys([*(chosen.methods or suite.methods), *ALWAYS]))
    cells = plan(suite, Filters(methods=methods, problems=chosen.problems, seeds=chosen.seeds))
    names = tuple(dict.fromkeys([NONE, *(interventions or DEFAULT)]))
    values = _values(settings, names)
    variants = [variant for name in names for variant in _variants(name, values.get(name, {}))]
    arms = []
    for problem, own in _by_problem(cells):
        seeds = retraining_seeds(problem.seed, retrain)
        for variant in variants:
            guides: list[Cell | None] = [*own] if variant.guided else [None]
            arms += [Arm(problem, variant, guide, seeds) for guide in guides]
    return arms


def _by_problem(cells: Sequence[Cell]) -> list[tuple[PlannedProblem, list[Cell]]]:
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(f"{cell.problem}", []).append(cell)
    return [(own[0].problem, own) for own in groups.values()]


def _values(settings: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, list[Any]]]:
    """Return the requested values, by intervention and parameter."""
    found: dict[str, dict[str, list[Any]]] = {}
    for one in parse_settings(settings, once=True):
        if "." not in one.key or one.plugin not in names:
            known = [f"{name}.{one.name or one.key}" for name in names if name != NONE]
            raise one.refused(f"expected intervention.parameter=value; {did_you_mean(one.key, known)}")
        kind = INTERVENTIONS.load(one.plugin)
        values = [read_value(kind, one.plugin, one.name, part) for part in one.text.split(",")]
        found.setdefault(one.plugin, {})[one.name] = values
    return found


def _variants(name: str, values: Mapping[str, list[Any]]) -> list[Variant]:
    kind = INTERVENTIONS.load(name)
    out = []
    for combination in product(*values.values()):
        given = dict(zip(values, combination, strict=True))
        made: Intervention = kind(**given)
        made.check()
        params = json_params(made.get_params(), name)
        said = " ".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in given.items()
        )
        out.append(Variant(name, made.version, params, made.guided, f"{name} {said}".strip()))
    return out
