"""Suites: TOML files that name problems and methods, and the plan of cells that follows from them.

    name = "mine"
    seeds = [0, 1, 2]
    methods = ["random", "confidence"]

    [[problems]]
    name = "two-blobs"
    dataset = "gaussian"
    params = { plant = "linear" }

    [method_params.random]
    seed = 7

Every name and parameter is checked while planning, before any work.
"""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from slicebench.assignments import assignment, read_value
from slicebench.cache import content_key
from slicebench.documents import document_text, packaged_names, parsed
from slicebench.encoders import make_encoder
from slicebench.errors import ConfigError, PluginError, did_you_mean
from slicebench.registry import DATASETS, METHODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.documents import Location
    from slicebench.registry import Registry

_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def _folder_name(value: object) -> object:
    """Problems and suites name folders."""
    if isinstance(value, str) and not _FOLDER_NAME.fullmatch(value):
        raise ValueError(f"{value!r} names a folder; use letters, digits, '.', '_' and '-', a letter or digit first")
    return value


Name = Annotated[str, BeforeValidator(_folder_name)]
Seed = Annotated[int, Field(ge=0, strict=True)]


class ProblemSpec(BaseModel):
    """One dataset configuration of a suite; `params` go to the dataset adapter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    dataset: str
    params: dict[str, Any] = {}


class Suite(BaseModel):
    """A named list of problems, methods and seeds; `method_params` holds constructor parameters by method.

    `unit` is what methods are compared over: "family", where problems of one dataset adapter count as one, or "problem", where
    each counts, which makes a claim about problems like these and not about other families (docs/statistics.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    description: str = ""
    seeds: tuple[Seed, ...] = Field(min_length=1)
    methods: tuple[str, ...] = Field(min_length=1)
    problems: tuple[ProblemSpec, ...] = Field(min_length=1)
    method_params: dict[str, dict[str, Any]] = {}
    unit: Literal["family", "problem"] = "family"

    @field_validator("seeds", "methods", "problems")
    @classmethod
    def _no_duplicates(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        keys = [v.name if isinstance(v, ProblemSpec) else v for v in values]
        twice = sorted({str(k) for k in keys if keys.count(k) > 1})
        if twice:
            raise ValueError(f"named more than once: {', '.join(twice)}")
        return values


def with_settings(suite: Suite, settings: Sequence[str], methods: Sequence[str] = ()) -> Suite:
    """Suite in which parameters of methods are as `settings` say: "domino.n_slices=10", later ones first.

    `methods` are those that run, by default the suite's.

    Raises
    ------
    PluginError, ConfigError
        for a method that does not exist or does not run, a parameter that it has not, and a value that cannot be read.

    """
    params = {name: dict(given) for name, given in suite.method_params.items()}
    for setting in settings:
        key, text = assignment("--set", setting)
        name, dot, param = key.partition(".")
        if not (dot and param):
            raise ConfigError(f"--set {setting}: expected method.parameter=value")
        kind, running = METHODS.load(name), methods or suite.methods
        if name not in running:
            raise ConfigError(f"--set {setting}: {name!r} is not among the methods that run: {', '.join(running)}")
        params.setdefault(name, {})[param] = read_value(kind, name, param, text)
    return suite.model_copy(update={"method_params": params})


@dataclass(frozen=True)
class Filters:
    """What to run of a suite; an empty tuple means all of it. Methods and seeds may also lie outside the suite."""

    methods: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class PlannedProblem:
    """A problem to build: dataset, version, all constructor parameters and seed. `name` is the suite's."""

    name: str
    dataset: str
    dataset_version: str
    family: str
    params: dict[str, Any]
    seed: int

    @cached_property
    def identity(self) -> str:
        """32 hex digits; the name is not part of it, so suites share what they build."""
        return content_key(self.dataset, self.dataset_version, self.params, self.seed)

    @property
    def encoder(self) -> str:
        """Encoder asked for, as far as the parameters tell before the problem is built."""
        return str(self.params.get("encoder", "unknown"))

    def __str__(self) -> str:
        return f"{self.name} s{self.seed}"


@dataclass(frozen=True)
class Cell:
    """A problem and a method with its version and all constructor parameters."""

    problem: PlannedProblem
    method: str
    method_version: str
    method_params: dict[str, Any]

    @cached_property
    def identity(self) -> str:
        """32 hex digits; a change of problem, method version or any parameter changes it."""
        return content_key(self.problem.identity, self.method, self.method_version, self.method_params)

    def __str__(self) -> str:
        return f"{self.problem} {self.method}"


def suite_names() -> list[str]:
    """Names of the packaged suites."""
    return packaged_names("suites")


def load_suite(name_or_path: str) -> Suite:
    """Read a packaged suite by name, or a file if the text ends in ".toml".

    Raises
    ------
    ConfigError
        naming file, key and expectation.

    """
    return parse_suite(*document_text(name_or_path, "suites", "suite"))


def parse_suite(text: str, where: str) -> Suite:
    """Suite from TOML text; `where` names the file in errors."""
    return parsed(Suite, text, where, "suite", _known_keys)


def _known_keys(loc: Location) -> list[str]:
    return list((ProblemSpec if loc[0] == "problems" else Suite).model_fields)


def plan(suite: Suite, filters: Filters | None = None) -> list[Cell]:
    """Cells of `suite`, problem by problem, with every name and parameter checked.

    A method whose constructor takes a `seed` gets the problem's, unless the suite sets one: seeds then vary the method too.

    Raises
    ------
    PluginError, ConfigError
        for a name or parameter that does not exist, with near ones.

    """
    filters = filters or Filters()
    specs = {spec.name: spec for spec in suite.problems}
    for name in filters.problems:
        if name not in specs:
            raise ConfigError(f"suite {suite.name!r} has no problem {name!r}; {did_you_mean(name, list(specs))}")
    for name in suite.method_params:
        if name not in METHODS.names():
            raise PluginError(f"method_params: {METHODS.unknown(name)}")
    names = dict.fromkeys(filters.methods or suite.methods)
    methods = [_planned_method(name, suite.method_params.get(name, {})) for name in names]
    chosen = [specs[name] for name in dict.fromkeys(filters.problems)] or list(suite.problems)
    seeds = list(dict.fromkeys(filters.seeds or suite.seeds))
    problems = [
        replace(first, seed=s) for first in [_planned_problem(spec, seeds[0]) for spec in chosen] for s in seeds
    ]
    return [method.on(problem) for problem in problems for method in methods]


@dataclass(frozen=True)
class _PlannedMethod:
    """A method, constructed once; `seeded` if its seed is the problem's."""

    name: str
    version: str
    params: dict[str, Any]
    seeded: bool

    def on(self, problem: PlannedProblem) -> Cell:
        params = self.params | {"seed": problem.seed} if self.seeded else self.params
        return Cell(problem, self.name, self.version, params)


def _planned_method(name: str, given: dict[str, Any]) -> _PlannedMethod:
    method = _constructed(METHODS, name, given, f"method {name!r}")
    params = json_params(method.get_params(), name)
    return _PlannedMethod(name, method.version, params, "seed" in params and "seed" not in given)


def _planned_problem(spec: ProblemSpec, seed: int) -> PlannedProblem:
    adapter = _constructed(DATASETS, spec.dataset, spec.params, f"problem {spec.name!r}")
    encoder = adapter.get_params().get("encoder")
    try:
        adapter.check()
        if isinstance(encoder, str):
            make_encoder(encoder)  # loads no weights
    except (ConfigError, PluginError) as error:
        raise type(error)(f"problem {spec.name!r}: {error}") from error
    return PlannedProblem(
        spec.name, spec.dataset, adapter.version, adapter.family, json_params(adapter.get_params(), spec.dataset), seed
    )


def _constructed(registry: Registry, name: str, params: dict[str, Any], where: str) -> Any:
    """Plugin with `params`, or a `ConfigError` that names the parameter at fault."""
    cls = registry.load(name)
    known = list(inspect.signature(cls).parameters)
    try:
        return cls(**params)
    except TypeError as error:
        wrong = [p for p in params if p not in known]
        hint = "; " + did_you_mean(wrong[0], known) if wrong else ""
        raise ConfigError(f"{where}: {error}{hint}") from error


def json_params(params: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the parameters as JSON gives them back (tuples become lists), so that a record compares equal to its plan."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(params, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the parameters of {name!r} are not JSON values: {error}") from error
    return plain
