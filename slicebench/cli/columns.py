"""Options that say what the columns of a user's table are, which `discover` and `select` share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from slicebench.errors import ConfigError, did_you_mean


def column_of(what: str, default: str) -> Any:
    """Return an option that names the column of a user's table that holds `what`."""
    return typer.Option(help=f"Column of {what}.  [default: {default}]", metavar="COLUMN")


def repeated(option: str, help_text: str, metavar: str = "COLUMN") -> Any:
    """Return an option that may be given several times."""
    return typer.Option(option, help=help_text, metavar=metavar)


Names = list[str] | None
Label = Annotated[str | None, column_of("true classes or numbers", "found by name, as label or y_true")]
Prediction = Annotated[str | None, column_of("predicted classes or numbers", "found by name, as prediction or y_pred")]
Probs = Annotated[
    Names,
    repeated(
        "--probs",
        "Class probabilities or logits: a column of vectors, a prefix (p_ for p_<class>), or one column per class "
        "(repeat the option).  [default: found by name, as probs or p_<class>]",
    ),
]
ClassNames = Annotated[
    Names, repeated("--class-name", "Names of the classes in the order of --probs; repeatable.", "NAME")
]
Score = Annotated[str | None, column_of("scores of the positive class, instead of --probs", "found by name, as score")]
Positive = Annotated[
    str | None, typer.Option(help="Class that --score is about.  [default: 1, True, yes or positive]", metavar="CLASS")
]
Threshold = Annotated[
    float | None, typer.Option(help="Score from which on the positive class is predicted.  [default: 0.5]")
]
IdColumn = Annotated[
    str | None, typer.Option("--id", help="Column of ids.  [default: id, or row numbers]", metavar="COLUMN")
]
Embedding = Annotated[
    Names,
    repeated(
        "--embedding",
        "Column of vectors, prefix of numbered columns (e for e0, e1 ...), or one column per dimension (repeat the "
        "option).  [default: found by name or content]",
    ),
]
FeatureColumns = Annotated[
    Names,
    repeated(
        "--features", "Column of numbers or words that describes the example, instead of --embedding; repeatable."
    ),
]
Ignored = Annotated[Names, repeated("--ignore", "Column to use for nothing; repeatable.")]
Kept = Annotated[Names, repeated("--keep", "Column to use although it seems made from the predictions; repeatable.")]
Declined = Annotated[Names, repeated("--no", "Role that no column has, such as image or split; repeatable.", "ROLE")]


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
