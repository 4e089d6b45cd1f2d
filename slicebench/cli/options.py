"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slicebench.locations import location

if TYPE_CHECKING:
    from slicebench.locations import Location as Location
else:
    Location = Path  # typer reads no unions; the parser makes it what it is


def parsed_location(text: str | Path) -> Location:
    """Parser of options that take a folder or a URL; a default is parsed too."""
    return location(str(text))


DeviceName = Annotated[
    str | None, typer.Option("--device", help="Where torch computes: cpu, cuda or auto.  [default: auto, a GPU if any]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
SuiteName = Annotated[str, typer.Option(help="Packaged suite, or path of a .toml file.")]
