"""`slicebench check-method` and `slicebench new`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slicebench.cli.options import AsJson

if TYPE_CHECKING:
    from slicebench.plugins.scaffold import Kind


def check_method_command(
    method: Annotated[str, typer.Argument(help="Registered name, or module:Class.", metavar="METHOD")],
    as_json: AsJson = False,
) -> None:
    """Check a method against the method contract; exit code 1 if a check fails.

    \b
    slicebench check-method confidence
    slicebench check-method my_module:MyMethod
    """
    from dataclasses import asdict

    from slicebench.plugins.method_class import method_class
    from slicebench.testing import check_method

    checked = method_class(method)
    with redirect_stdout(sys.stderr):  # stdout holds results only; a method's own prints go to stderr
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


Folder = Annotated[
    Path | None, typer.Option(help="Folder of the new package.  [default: slicebench-NAME]", metavar="DIR")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]


def new_method_command(
    name: Annotated[str, typer.Argument(help="Name to register it by, such as my_method.", metavar="NAME")],
    folder: Folder = None,
    force: Force = False,
) -> None:
    """Create a package for your own method.

    The package can be installed and works as it is. It holds a small method to replace with yours,
    tests, a CI workflow and a regression gate. docs/tutorial/own-method.md describes the next steps.

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
        '  slicebench check --update --reason "first baseline"'
    )


def new_dataset_command(
    name: Annotated[str, typer.Argument(help="Name to register it by, such as my_dataset.", metavar="NAME")],
    folder: Folder = None,
    force: Force = False,
) -> None:
    """Create a package for your own dataset.

    The package can be installed and works as it is. It holds an adapter of three small arrays to
    replace with yours, tests on miniature files and a CI workflow. docs/how-to/add-a-dataset.md describes
    the next steps.

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
    """Write the package, print its files and return its folder."""
    from slicebench.plugins.scaffold import planned, rendered, write_files

    plugin = planned(kind, name)
    target = folder or Path(plugin.distribution)
    for path in write_files(rendered(plugin), target, force=force):
        typer.echo(path)
    return target
