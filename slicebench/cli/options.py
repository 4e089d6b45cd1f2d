"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.errors import ConfigError, did_you_mean
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


def column_of(what: str, default: str) -> Any:
    """Return an option that names the column of a user's table that holds `what`."""
    return typer.Option(help=f"Column of {what}.  [default: {default}]", metavar="COLUMN")


IdColumn = Annotated[
    str | None, typer.Option("--id", help="Column of ids.  [default: id, or row numbers]", metavar="COLUMN")
]
FeatureColumns = Annotated[
    list[str] | None,
    typer.Option(
        help="Column of numbers or words that describes the example, instead of --embedding; repeatable.",
        metavar="COLUMN",
    ),
]


ClassNames = Annotated[
    list[str] | None,
    typer.Option("--class-name", help="Names of the classes in the order of --probs; repeatable.", metavar="NAME"),
]
Score = Annotated[
    str | None,
    typer.Option(
        help="Column of scores of the positive class, instead of --probs.  [default: found by name, as score]",
        metavar="COLUMN",
    ),
]
Positive = Annotated[
    str | None, typer.Option(help="Class that --score is about.  [default: 1, True, yes or positive]", metavar="CLASS")
]
Threshold = Annotated[
    float | None, typer.Option(help="Score from which on the positive class is predicted.  [default: 0.5]")
]
Ignored = Annotated[
    list[str] | None, typer.Option("--ignore", help="Column to use for nothing; repeatable.", metavar="COLUMN")
]
Kept = Annotated[
    list[str] | None,
    typer.Option(
        "--keep", help="Column to use although it seems made from the predictions; repeatable.", metavar="COLUMN"
    ),
]
Declined = Annotated[
    list[str] | None,
    typer.Option("--no", help="Role that no column has, such as image or split; repeatable.", metavar="ROLE"),
]


def roles_given(declined: list[str] | None, **given: Any) -> dict[str, Any]:
    """Return the roles and parameters that the command line gives, and None for those that --no declines.

    Raises `ConfigError` for an unknown role.
    """
    from slicebench.data.columns import ROLES

    for role in declined or ():
        if role not in ROLES:
            raise ConfigError(f"--no {role}: {did_you_mean(role, list(ROLES))}")
    return {name: value for name, value in given.items() if value is not None} | dict.fromkeys(declined or ())


def one_or_listed(names: list[str] | None) -> str | list[str] | None:
    """Return the value of a repeatable option: a string if it is given once, else the list."""
    return names[0] if names and len(names) == 1 else names


def check_verbose(*, verbose: bool, dry_run: bool) -> None:
    """Raise `ConfigError` if `--verbose` is given without `--dry-run`."""
    if verbose and not dry_run:
        raise ConfigError("--verbose prints the lines of a plan; give it together with --dry-run")
