"""Problems named on the command line: a problem of a suite, or the folder of a frozen one."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from slicebench.data.problem import Problem


ProblemSuite = Annotated[
    str | None, typer.Option("--suite", help="Packaged suite, or path of a .toml file.  [default: standard]")
]
ProblemSeed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of the problem.  [default: 0]")]


def chosen_problem(name: str, suite: str | None, seed: int | None) -> Problem:
    """Return a problem of a suite, built if it is not cached, or the frozen one in folder `name`.

    Raises
    ------
    ConfigError
        if the suite has no such problem, or if a suite or another seed is given with a folder.

    """
    if (Path(name) / "problem.json").is_file():
        return _frozen(Path(name), suite, seed)
    if "/" in name or Path(name).is_dir():
        raise ConfigError(
            f"{name} is not a frozen problem: it has no problem.json; `slicebench freeze` makes frozen problems"
        )
    from slicebench.problems.cache import built_problem
    from slicebench.runs.plan import problem_of
    from slicebench.runs.suite import load_suite

    return built_problem(problem_of(load_suite(suite or "standard"), name, 0 if seed is None else seed))


def options_of(name: str, suite: str | None, seed: int | None) -> str:
    """Return the options that name the same problem to another command."""
    given = {"--problem": name, "--suite": suite, "--seed": seed}
    return " ".join(f"{key} {shlex.quote(str(value))}" for key, value in given.items() if value is not None)


def _frozen(folder: Path, suite: str | None, seed: int | None) -> Problem:
    from slicebench.problems.frozen import load_problem

    if suite is not None:
        raise ConfigError(f"{folder} is a frozen problem, so --suite {suite} does not apply; leave --suite out")
    problem = load_problem(folder)
    if seed not in (None, problem.seed):
        raise ConfigError(f"{folder} has seed {problem.seed}, not {seed}; leave --seed out")
    return problem
