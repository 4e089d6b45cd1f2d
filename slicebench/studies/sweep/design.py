"""Plan a sweep: the parameter, its values in the parameter's type, and the resulting suite."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError, did_you_mean
from slicebench.plugins.parameters import assignment, kind_of, parse_settings, read_value
from slicebench.plugins.registry import DATASETS
from slicebench.runs.suite import ProblemSpec, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


METHODS = ("svm_directions", "confidence")
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Sweep:
    """The parameter `param` of a dataset at several `values`; other parameters are in `fixed` or have defaults.

    Problems are named after `base`: the dataset, or a problem of a suite.
    """

    base: str
    dataset: str
    param: str
    values: tuple[float, ...]
    fixed: Mapping[str, Any]
    methods: tuple[str, ...] = METHODS
    seeds: tuple[int, ...] = SEEDS
    method_params: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the suite and, by default, of its run folder."""
        return f"sweep-{self.base}-{self.param}"

    def problem(self, value: float) -> str:
        """Return the name of the problem at a value, safe for a folder.

        >>> Sweep("s", "scenes", "ratio", (1.0, 1e6), {}).problem(1e6)
        's-ratio-1e06'
        """
        short = f"{value:g}"
        return f"{self.base}-{self.param}-{short if float(short) == value else repr(value)}".replace("+", "")

    def suite(self) -> Suite:
        """Return the suite with one problem per value."""
        problems = tuple(
            ProblemSpec(name=self.problem(value), dataset=self.dataset, params={**self.fixed, self.param: value})
            for value in self.values
        )
        return Suite(
            name=self.name,
            description=f"{self.param} of {self.base} at {len(self.values)} values",
            seeds=self.seeds,
            methods=self.methods,
            problems=problems,
            method_params={name: dict(self.method_params.get(name, {})) for name in self.methods},
        )


def sweep_of_dataset(dataset: str, param: str, settings: Sequence[str] = (), **chosen: Any) -> Sweep:
    """Plan a sweep of a dataset.

    `param` is "name=v1,v2,...", `settings` are "name=value", and `chosen` are fields of `Sweep`.

    Raises
    ------
    PluginError
        if the dataset is not registered.
    ConfigError
        if a parameter does not exist, is given twice or has values that cannot be read, or if the swept
        one is not numeric.

    """
    return _sweep(dataset, dataset, {}, param, settings, chosen)


def sweep_of_problem(suite: Suite, problem: str, param: str, settings: Sequence[str] = (), **chosen: Any) -> Sweep:
    """Plan a sweep of a suite's problem.

    It has the problem's parameters, unless `settings` change them, and the suite's parameters of methods.

    Raises
    ------
    ConfigError
        if the suite has no such problem. Raises the same errors as `sweep_of_dataset`, too.

    """
    specs = {spec.name: spec for spec in suite.problems}
    if problem not in specs:
        raise ConfigError(f"suite {suite.name!r} has no problem {problem!r}; {did_you_mean(problem, list(specs))}")
    spec = specs[problem]
    return _sweep(problem, spec.dataset, spec.params, param, settings, {"method_params": suite.method_params} | chosen)


def _sweep(
    base: str, dataset: str, fixed: Mapping[str, Any], param: str, settings: Sequence[str], chosen: Mapping[str, Any]
) -> Sweep:
    name, text = assignment("--param", param)
    values = tuple(_number(dataset, name, part) for part in text.split(","))
    if len({*values}) < len(values) or len(values) < 2:
        raise ConfigError(f"--param {param}: expected two or more different values, such as {name}=1,2,4")
    set_to: dict[str, Any] = {}
    for one in parse_settings(settings, once=True):
        if one.key == name:
            raise one.refused(f"{one.key!r} is the swept parameter")
        set_to[one.key] = read_value(DATASETS.load(dataset), dataset, one.key, one.text)
    others = {key: value for key, value in fixed.items() if key != name}
    return Sweep(base, dataset, name, values, {**others, **set_to}, **chosen)


def _number(dataset: str, name: str, text: str) -> float:
    """Read one value of the swept parameter; it must be finite."""
    adapter = DATASETS.load(dataset)
    if kind_of(adapter, dataset, name) not in (int, float):
        raise ConfigError(f"{dataset}: {name} is not a numeric parameter; numeric are {_numeric(dataset)}")
    value: float = read_value(adapter, dataset, name, text)
    if not math.isfinite(value):
        raise ConfigError(f"{dataset}: {name} is {text.strip()}; expected finite numbers")
    return value


def _numeric(dataset: str) -> str:
    adapter = DATASETS.load(dataset)
    known = inspect.signature(adapter).parameters
    return ", ".join(name for name in known if kind_of(adapter, dataset, name) in (int, float)) or "none"
