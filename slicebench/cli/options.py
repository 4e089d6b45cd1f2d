"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slicebench.errors import ConfigError
from slicebench.files.locations import location

if TYPE_CHECKING:
    from slicebench.files.locations import Location as Location
else:
    Location = Path  # typer cannot read a union; the parser returns the right type


def parsed_location(text: str | Path) -> Location:
    """Return the folder or URL that an option names; typer passes defaults through it too."""
    return location(str(text))


def method_names() -> list[str]:
    """Return the names of methods, for the shell's completion."""
    from slicebench.plugins.registry import METHODS

    return METHODS.names()


def dataset_names() -> list[str]:
    """Return the names of datasets, for the shell's completion."""
    from slicebench.plugins.registry import DATASETS

    return DATASETS.names()


def suite_names() -> list[str]:
    """Return the names of packaged suites, for the shell's completion."""
    from slicebench.runs.suite import suite_names as packaged

    return packaged()


DeviceName = Annotated[
    str | None, typer.Option("--device", help="Where torch computes: cpu, cuda or auto.  [default: auto, a GPU if any]")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="With --dry-run: one line per cell or arm, instead of counts.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
SuiteName = Annotated[str, typer.Option(help="Packaged suite, or path of a .toml file.", autocompletion=suite_names)]


def check_verbose(*, verbose: bool, dry_run: bool) -> None:
    """Raise `ConfigError` if `--verbose` is given without `--dry-run`."""
    if verbose and not dry_run:
        raise ConfigError("--verbose prints the lines of a plan; give it together with --dry-run")
