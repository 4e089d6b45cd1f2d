"""What a method cannot do without, fields of a split and parameters that can be used, or an error that says so."""

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
    """Array `split.field`, which `method` cannot do without.

    Raises
    ------
    DataError
        where the split does not have it.

    """
    value: NDArray[Any] | None = getattr(split, field)
    if value is None:
        raise DataError(
            f"this split has no {field}, which {method} needs; give Split(..., {field}=...) or use another method"
        )
    return value


def metadata_of(split: Split, method: str) -> pd.DataFrame:
    """Metadata of `split`, which `method` cannot do without, or a `DataError`."""
    return cast("pd.DataFrame", needed(split, "metadata", method))


def needed_trainer(data: AuditData, method: str) -> Trainer:
    """Trainer of `data`, which `method` cannot do without, or a `DataError`."""
    if data.trainer is None:
        raise DataError(f"{method} trains a model, and data.trainer is None; give AuditData a trainer")
    return data.trainer


def at_least(least: int, method: SliceMethod, *names: str) -> None:
    """Raise `ConfigError` for the first of the named parameters of `method` that is below `least`."""
    for name in names:
        if getattr(method, name) < least:
            raise ConfigError(f"{name} is {getattr(method, name)}; expected at least {least}")
