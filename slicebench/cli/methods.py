"""`slicebench check-method`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slicebench.cli.options import AsJson
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from slicebench.method import SliceMethod


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

    results = check_method(_method_class(method))
    if as_json:
        typer.echo(json.dumps([asdict(result) for result in results], indent=1))
    else:
        for result in results:
            typer.echo(f"{result.status:<8}{result.name}" + (f": {result.message}" if result.message else ""))
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)


def _method_class(name: str) -> type[SliceMethod]:
    """Class of a registered name, or of module:Class, also from the current folder."""
    from importlib import import_module

    from slicebench.method import SliceMethod
    from slicebench.registry import METHODS

    if ":" not in name:
        return METHODS.load(name)
    module, _, attribute = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"cannot import {name!r}: {error}; expected module:Class") from error
    if not (isinstance(found, type) and issubclass(found, SliceMethod)):
        raise ConfigError(f"{name!r} is not a subclass of slicebench.SliceMethod")
    return found
