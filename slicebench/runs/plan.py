"""Plan a run: the cells of a suite, with every name and parameter checked before any work."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError, PluginError, SlicebenchError, did_you_mean, message_of, safe_text
from slicebench.files.cache import content_key
from slicebench.models.encoders.encoder import make_encoder
from slicebench.plugins.method import UNKNOWN_VERSION, version_of
from slicebench.plugins.parameters import parse_settings, read_value
from slicebench.plugins.registry import DATASETS, METHODS
from slicebench.problems.files_read import files_read
from slicebench.problems.planned import PlannedProblem
from slicebench.problems.shelf import Shelf, shelved
from slicebench.runs.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from slicebench.files.fingerprints import Source
    from slicebench.plugins.registry import Registry
    from slicebench.runs.suite import ProblemSpec, Suite


def with_settings(suite: Suite, settings: Sequence[str], methods: Sequence[str] = ()) -> Suite:
    """Return `suite` with parameters of methods set, e.g. "domino.n_slices=10"; the last setting of a parameter wins.

    `methods` are those that run, by default the suite's.

    Raises
    ------
    PluginError, ConfigError
        for a method that does not exist or does not run, an unknown parameter, and a value that
        cannot be read.

    """
    params = {name: dict(given) for name, given in suite.method_params.items()}
    running = methods or suite.methods
    with Asking() as ask:
        for one in parse_settings(settings):
            if not one.name:
                raise one.refused("expected method.parameter=value")
            if one.plugin not in METHODS.names():
                raise METHODS.unknown(one.plugin)
            if one.plugin not in running:
                raise one.refused(f"{one.plugin!r} is not among the methods that run: {', '.join(running)}")
            params.setdefault(one.plugin, {})[one.name] = ask(one.plugin, _value, one.plugin, one.name, one.text)
    return suite.model_copy(update={"method_params": params})


def _value(method: str, name: str, text: str) -> Any:
    return read_value(METHODS.load(method), method, name, text)


@dataclass(frozen=True)
class Filters:
    """The part of a suite to run; an empty tuple means all of it.

    Methods and seeds need not be in the suite.
    """

    methods: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A problem and a method with its version and all constructor parameters."""

    problem: PlannedProblem
    method: str
    method_version: str
    method_params: dict[str, Any]

    @cached_property
    def identity(self) -> str:
        """Hash of problem, method, its version and all parameters: 32 hex digits."""
        return content_key(self.problem.identity, self.method, self.method_version, self.method_params)

    def __str__(self) -> str:
        return f"{self.problem} {self.method}"


def plan(suite: Suite, filters: Filters | None = None) -> list[Cell]:
    """Return the cells of `suite`, problem by problem, with every name and parameter checked.

    A method whose constructor takes a `seed` gets that of the problem, unless the suite sets one.
    So seeds also vary the method.

    The files that problems are built from are fingerprinted, once each; see `PlannedProblem.sources`.

    Raises
    ------
    PluginError, ConfigError
        for a name or parameter that does not exist; the message suggests similar ones.

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
    with Asking() as ask:
        methods = [_planned_method(name, suite.method_params.get(name, {}), ask) for name in names]
    chosen = [specs[name] for name in dict.fromkeys(filters.problems)] or list(suite.problems)
    seeds = list(dict.fromkeys(filters.seeds or suite.seeds))
    known: dict[Source, str] = {}
    first = [_planned_problem(spec, seeds[0], known) for spec in chosen]
    problems = [replace(one, seed=s) for one in first for s in seeds]
    return [method.on(problem) for problem in problems for method in methods]


def problem_of(suite: Suite, name: str, seed: int, encoder: str | None = None) -> PlannedProblem:
    """Plan one problem of `suite`, with another `encoder` if one is given.

    Raises the same errors as `plan`.
    """
    if encoder is not None:
        specs = tuple(
            spec.model_copy(update={"params": spec.params | {"encoder": encoder}}) if spec.name == name else spec
            for spec in suite.problems
        )
        suite = suite.model_copy(update={"problems": specs})
    return plan(suite, Filters(("random",), (name,), (seed,)))[0].problem


@dataclass(frozen=True)
class _PlannedMethod:
    """A method, constructed once; `seeded` if it gets the problem's seed."""

    name: str
    version: str
    params: dict[str, Any]
    seeded: bool

    def on(self, problem: PlannedProblem) -> Cell:
        params = self.params | {"seed": problem.seed} if self.seeded else self.params
        return Cell(problem, self.name, self.version, params)


def _planned_method(name: str, given: dict[str, Any], ask: Asking) -> _PlannedMethod:
    given = json_params(given, name)
    try:
        version, params = ask(name, _described, name, given)
    except SlicebenchError:
        raise
    except (ValueError, TypeError):  # the worker meets it again, and the record says what is wrong
        version, params = UNKNOWN_VERSION, given
    if not (isinstance(version, str) and isinstance(params, dict)):
        version, params = UNKNOWN_VERSION, given
    return _PlannedMethod(name, version, params, "seed" in params and "seed" not in given)


def _described(name: str, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Construct a method; return its version and all its parameters, or those given if it fails to tell."""
    method = _constructed(METHODS, name, given, f"method {name!r}")
    try:
        return version_of(method), json_params(method.get_params(), name)
    except (Exception, SystemExit):  # noqa: BLE001 - as above
        return UNKNOWN_VERSION, given


def _planned_problem(spec: ProblemSpec, seed: int, known: dict[Source, str]) -> PlannedProblem:
    adapter = _constructed(DATASETS, spec.dataset, spec.params, f"problem {spec.name!r}")
    encoder = adapter.get_params().get("encoder")
    try:
        adapter.check()
        if isinstance(encoder, str):
            make_encoder(encoder)  # loads no weights
    except (ConfigError, PluginError) as error:
        raise type(error)(f"problem {spec.name!r}: {error}") from error
    params = json_params(adapter.get_params(), spec.dataset)
    try:
        files, unseen = files_read(adapter, known), False
    except Exception:  # noqa: BLE001 - they may be on the workers or on a shelf; else the build says what is wrong
        files, unseen = {}, True
    return PlannedProblem(spec.name, spec.dataset, adapter.version, adapter.family, params, seed, files, unseen)


def _constructed(registry: Registry, name: str, params: dict[str, Any], where: str) -> Any:
    """Construct a plugin with `params`.

    Raises a `ConfigError` that names the wrong parameter.
    """
    cls = registry.load(name)
    known = list(inspect.signature(cls).parameters)
    try:
        return cls(**params)
    except SlicebenchError:
        raise
    except TypeError as error:
        wrong = [p for p in params if p not in known]
        hint = "; " + did_you_mean(wrong[0], known) if wrong else ""
        raise ConfigError(f"{where}: {safe_text(error)}{hint}") from error
    except Exception as error:  # a plugin may raise anything
        raise ConfigError(f"{where}: {message_of(error)}") from error


def json_params(params: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the parameters after conversion to JSON and back, e.g. with lists for tuples.

    So a record compares equal to its plan.
    """
    try:
        plain: dict[str, Any] = json.loads(json.dumps(params, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the parameters of {name!r} are not JSON values: {error}") from error
    return plain


def shelved_cells(cells: Sequence[Cell], shelf: Shelf) -> list[Cell]:
    """Return the same cells, on the problems of `shelf` where it has them; see `Shelf.instead_of`."""
    problems: dict[int, PlannedProblem] = {}
    found = []
    for cell in cells:
        problem = problems.setdefault(id(cell.problem), shelf.instead_of(cell.problem))
        found.append(cell if problem is cell.problem else replace(cell, problem=problem))
    return found


def on_shelf(cells: Sequence[Cell], shelf: Path) -> tuple[list[Cell], list[Cell]]:
    """Return the cells whose problem is frozen in the folder `shelf`, which may be missing, and the other cells."""
    there = shelved(shelf) if shelf.is_dir() else Shelf()
    found = shelved_cells(cells, there)
    return [c for c in found if c.problem.identity in there], [c for c in found if c.problem.identity not in there]


def is_generated(problem: PlannedProblem) -> bool:
    """Check whether a problem is built without local data."""
    card = DATASETS.load(problem.dataset).card
    return card is None or not card.layouts
