"""`slicebench check-method`."""

from __future__ import annotations

import json
import sys
import traceback
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.cli.options import AsJson
from slicebench.errors import ConfigError, PluginError, did_you_mean

if TYPE_CHECKING:
    from types import ModuleType

    from slicebench.plugins.method import SliceMethod
    from slicebench.plugins.scaffold import Kind


EXPECTED = "expected module:Class, as my_module:MyMethod, importable from here or installed"


def check_method_command(
    method: Annotated[str, typer.Argument(help="Registered name, or module:Class.", metavar="METHOD")],
    as_json: AsJson = False,
) -> None:
    """Check a method against the contract; exit code 1 if a check fails.

    \b
    slicebench check-method confidence
    slicebench check-method my_module:MyMethod
    """
    from dataclasses import asdict

    from slicebench.testing import check_method

    checked = _method_class(method)
    with redirect_stdout(sys.stderr):  # what a method prints is no result of ours
        results = check_method(checked)
    counts = Counter(result.status for result in results)
    if as_json:
        typer.echo(json.dumps([asdict(result) for result in results], indent=1))
    else:
        for result in results:
            typer.echo(f"{result.status:<8}{result.name}" + (f": {result.message}" if result.message else ""))
        typer.echo(f"{method}: " + ", ".join(f"{counts[s]} {s}" for s in ("passed", "failed", "skipped") if counts[s]))
    if counts["failed"]:
        raise typer.Exit(1)


def _method_class(name: str) -> type[SliceMethod]:
    """Class of a registered name, or of module:Class, also from the current folder."""
    from slicebench.plugins.method import SliceMethod
    from slicebench.plugins.registry import METHODS

    if ":" not in name:
        return METHODS.load(name)
    module_name, _, attribute = name.partition(":")
    if not (all(part.isidentifier() for part in module_name.split(".")) and attribute.isidentifier()):
        raise ConfigError(f"{name!r} names no class: {EXPECTED}")
    module = _imported(module_name)
    found = getattr(module, attribute, None)
    if found is None:
        raise ConfigError(f"{module_name} has no {attribute!r}; {did_you_mean(attribute, _methods_in(module))}")
    if not (isinstance(found, type) and issubclass(found, SliceMethod)):
        what = f"the class {found.__name__}" if isinstance(found, type) else f"an instance of {type(found).__name__}"
        raise ConfigError(f"{name!r} is {what}, not a subclass of slicebench.SliceMethod")
    return found


def _imported(name: str) -> ModuleType:
    """Module of the current folder, or an installed one; whatever a stranger's module does on import becomes one message."""
    from importlib import import_module

    from slicebench.plugins.allowed import setting

    if setting().allowed is not None:
        raise PluginError(
            f"{setting()} loads no module by its name; unset it to check {name}, or check a registered name"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        with redirect_stdout(sys.stderr):
            return import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and error.name in _prefixes(name):
            raise ConfigError(
                f"there is no module {error.name!r}, neither in {Path.cwd()} nor installed; {EXPECTED}"
            ) from error
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<")]
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(
            f"cannot import {name}: it raised {said} ({frames[-1].filename}:{frames[-1].lineno})"
        ) from error


def _prefixes(name: str) -> set[str]:
    """The module and the packages it lies in."""
    parts = name.split(".")
    return {".".join(parts[: i + 1]) for i in range(len(parts))}


def _methods_in(module: ModuleType) -> list[str]:
    """Names of the methods that a module defines."""
    from slicebench.plugins.method import SliceMethod

    def is_method(value: Any) -> bool:
        return isinstance(value, type) and issubclass(value, SliceMethod) and value.__module__ == module.__name__

    return [name for name, value in vars(module).items() if is_method(value)]


Folder = Annotated[
    Path | None, typer.Option(help="Folder of the new package.  [default: slicebench-NAME]", metavar="DIR")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the files that are there already.")]


def new_method_command(
    name: Annotated[str, typer.Argument(help="Name to register it by, such as my_method.", metavar="NAME")],
    folder: Folder = None,
    force: Force = False,
) -> None:
    """Make a package for a method of your own.

    It is installable, has tests, a CI workflow and a regression gate, and works as it is: a small method, to be replaced by
    yours. docs/add-a-method.md goes on from there.

    \b
    slicebench new method my_method
    slicebench new method my_method --folder ~/code/my-method
    """
    made = _made("method", name, folder, force=force)
    typer.echo(
        f"\nNext, in {made}:\n"
        "  pip install -e '.[test]'\n"
        f"  slicebench check-method {name}\n"
        "  pytest\n"
        "  slicebench run --suite leaderboard/golden.toml\n"
        '  slicebench check runs/golden --update --reason "first baseline"'
    )


def new_dataset_command(
    name: Annotated[str, typer.Argument(help="Name to register it by, such as my_dataset.", metavar="NAME")],
    folder: Folder = None,
    force: Force = False,
) -> None:
    """Make a package for a dataset of your own.

    It is installable, has tests on a miniature of its files and a CI workflow, and works as it is: an adapter of three small
    arrays, to be replaced by yours. docs/add-a-dataset.md goes on from there.

    \b
    slicebench new dataset my_dataset
    """
    made = _made("dataset", name, folder, force=force)
    typer.echo(
        f"\nNext, in {made}:\n"
        "  pip install -e '.[test]'\n"
        "  pytest\n"
        f"  slicebench data check {name}          what is missing, and how to get it\n"
        "  slicebench run --suite suite.toml"
    )


def _made(kind: Kind, name: str, folder: Path | None, *, force: bool) -> Path:
    """Write the package, and say which files."""
    from slicebench.plugins.scaffold import planned, rendered, write_files

    plugin = planned(kind, name)
    target = folder or Path(plugin.distribution)
    for path in write_files(rendered(plugin), target, force=force):
        typer.echo(path)
    return target
