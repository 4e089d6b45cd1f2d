"""Checks of what a method needs: fields of a split, a trainer, parameters in range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from slicebench.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split
    from slicebench.data.trainer import Trainer
    from slicebench.plugins.method import SliceMethod


def needed(split: Split, field: str, method: str) -> NDArray[Any]:
    """Return the array `split.field`, which `method` needs.

    Raises
    ------
    DataError
        if the split does not have it.

    """
    value: NDArray[Any] | None = getattr(split, field)
    if value is None:
        raise DataError(
            f"this split has no {field}, which {method} needs; give Split(..., {field}=...) or use another method"
        )
    return value


def metadata_of(split: Split, method: str) -> pd.DataFrame:
    """Return the metadata of `split`, which `method` needs; raise `DataError` if there are none."""
    return cast("pd.DataFrame", needed(split, "metadata", method))


def needed_trainer(data: AuditData, method: str) -> Trainer:
    """Return the trainer of `data`, which `method` needs; raise `DataError` if there is none."""
    if data.trainer is None:
        raise DataError(f"{method} trains a model, but data.trainer is None; give AuditData a trainer")
    return data.trainer


def at_least(least: int, method: SliceMethod, *names: str) -> None:
    """Raise `ConfigError` for the first of the named parameters of `method` that is below `least`."""
    for name in names:
        if getattr(method, name) < least:
            raise ConfigError(f"{name} is {getattr(method, name)}; expected at least {least}")
