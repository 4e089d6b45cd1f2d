"""`slicebench new method` and `slicebench new dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from slicebench.scaffold import Kind

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
    from slicebench.scaffold import planned, rendered, write_files

    plugin = planned(kind, name)
    target = folder or Path(plugin.distribution)
    for path in write_files(rendered(plugin), target, force=force):
        typer.echo(path)
    return target
