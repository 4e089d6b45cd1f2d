"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slicebench.files.locations import location

if TYPE_CHECKING:
    from slicebench.files.locations import Location as Location
else:
    Location = Path  # typer reads no unions; the parser makes it what it is


def parsed_location(text: str | Path) -> Location:
    """Parser of options that take a folder or a URL; a default is parsed too."""
    return location(str(text))


def method_names() -> list[str]:
    """Names of methods, for the shell's completion."""
    from slicebench.plugins.registry import METHODS

    return METHODS.names()


def dataset_names() -> list[str]:
    """Names of datasets, for the shell's completion."""
    from slicebench.plugins.registry import DATASETS

    return DATASETS.names()


def suite_names() -> list[str]:
    """Names of packaged suites, for the shell's completion."""
    from slicebench.runs.suite import suite_names as packaged

    return packaged()


DeviceName = Annotated[
    str | None, typer.Option("--device", help="Where torch computes: cpu, cuda or auto.  [default: auto, a GPU if any]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
SuiteName = Annotated[str, typer.Option(help="Packaged suite, or path of a .toml file.", autocompletion=suite_names)]
