"""What a method cannot score without, or an error that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from slicebench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.split import Split


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
