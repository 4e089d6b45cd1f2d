"""Take whatever a user hands over for a table, and return a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.layouts.image_folders import NOTES, read_image_folder
from slicebench.data.schema.layouts.part_folders import parts_of_parquet
from slicebench.errors import DataError, message_of
from slicebench.files.tables import index_as_columns, read_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd


ACCEPTED = (
    "a pandas or polars DataFrame, an Arrow table, a Hugging Face Dataset, a dict of columns, a list of records (dicts), "
    "or the path of a file or folder"
)
CLASS_NAMES = "class names"
"""Key of `DataFrame.attrs` under which names of classes are kept, in the order of their numbers, by column."""
FROM_INDEX = "columns made of the index"
"""Key of `DataFrame.attrs` under which the names of columns are kept that were the index of a DataFrame."""


def as_frame(table: Any, name: str = "table") -> pd.DataFrame:
    """Return a table as a pandas DataFrame; `name` is what messages call it.

    - A pandas DataFrame is returned itself; the levels of its index that have a name become its first columns.
    - The path of a file is read; a folder is one of Parquet files, or of images with a metadata.csv.
    - What has Arrow's C stream (polars, pyarrow, duckdb) or the DataFrame interchange protocol is converted. Nested values
      become arrays, dictionaries and bytes.
    - In a dict, columns may be lists, arrays (also of two dimensions: vectors) or tensors, and count by position: the index of a
      Series does not matter.
    - Records are dicts; what one lacks is missing.
    - Of a Hugging Face Dataset, the ClassLabel columns, also lists of them, become the names of their classes, whose order is
      kept for probabilities and for predictions that are numbers. Images stay {"bytes", "path"} and are not decoded.

    Raises
    ------
    DataError
        for anything else, or where columns differ in length.

    """
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return _without_arrow(_with_index(table))
    if isinstance(table, str | Path):
        folder = Path(table).expanduser()
        images = read_image_folder(folder) if folder.is_dir() else None
        return _of_path(folder) if images is None else images
    reader = next((reader for fits, reader in _READERS if fits(table)), None)
    if reader is None:
        raise DataError(f"the {name} is {_said(table)}; expected {ACCEPTED}")
    try:
        return reader(table)
    except DataError as error:
        raise DataError(f"the {name} cannot be read: {error}") from error
    except Exception as error:  # each library has errors of its own
        raise DataError(f"the {name} is {_said(table)}; expected {ACCEPTED} ({message_of(error)})") from error


def _of_path(path: Path) -> pd.DataFrame:
    """Read a file, or a folder of Parquet files, whose folders train and test are the column `split`."""
    frame = read_frame(path)
    if path.is_dir() and (notes := parts_of_parquet(frame, path)):
        frame.attrs[NOTES] = (*frame.attrs.get(NOTES, ()), *notes)
    return frame


def _without_arrow(table: pd.DataFrame) -> pd.DataFrame:
    """Return a DataFrame whose columns that are backed by Arrow have pandas' own types."""
    import pandas as pd

    found = [i for i, kind in enumerate(table.dtypes) if isinstance(kind, pd.ArrowDtype)]
    if not found:
        return table
    columns: list[Any] = [table.iloc[:, i] for i in range(table.shape[1])]
    for i in found:
        columns[i] = columns[i].array.__arrow_array__().to_pandas().set_axis(table.index)
    out: pd.DataFrame = pd.concat(columns, axis=1, keys=table.columns)
    out.attrs = table.attrs
    return out


def _with_index(table: pd.DataFrame) -> pd.DataFrame:
    """Return a DataFrame with the named levels of its index as columns; `attrs` say which, and what is not used.

    Numbers without a name count rows, so that nothing is said of them.
    """
    levels = [(name, table.index.get_level_values(i)) for i, name in enumerate(table.index.names)]
    named = tuple(str(name) for name, _ in levels if name is not None and name not in table)
    notes = [
        f"The index {name!r} of the table is not used: a column has its name and other values."
        for name, values in levels
        if name is not None and name in table and not values.equals(_as_index(table[name]))
    ]
    if any(name is None and values.dtype.kind not in "iu" for name, values in levels):
        notes.append(
            "The index of the table has no name and is not used; table.rename_axis('id') makes it the column 'id'."
        )
    if not named and not notes:
        return table
    frame = index_as_columns(table)
    frame.attrs = {**table.attrs, FROM_INDEX: named, NOTES: (*table.attrs.get(NOTES, ()), *notes)}
    return frame


def _as_index(column: pd.Series[Any]) -> pd.Index[Any]:
    import pandas as pd

    index: pd.Index[Any] = pd.Index(column)
    return index


def _said(table: Any) -> str:
    """Return what was given, and what makes a table of it if that is known."""
    kind = type(table)
    if _is_dict_of_datasets(table):
        return f"a {kind.__name__} of the splits {', '.join(map(repr, table))}: choose one, as table[{next(iter(table))!r}]"
    own = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    ways = ("to_pandas", "toPandas", "to_frame", "collect", "compute")
    way = next((way for way in ways if callable(getattr(table, way, None))), None)
    return f"of type {own}" + (f", which .{way}() may turn into one that fits" if way else "")


def _is_dict_of_datasets(table: Any) -> bool:
    return isinstance(table, Mapping) and len(table) > 0 and all(_is_dataset(one) for one in table.values())


def _is_dataset(table: Any) -> bool:
    """Return True for a Hugging Face Dataset that lies in memory or on disk, not for one that streams, or several."""
    ours = type(table).__module__.startswith("datasets.") and hasattr(type(table), "data")
    return ours and not isinstance(table, Mapping)


def _of_dataset(table: Any) -> pd.DataFrame:
    """Convert a Hugging Face Dataset, whose rows may be selected or shuffled."""
    frame: pd.DataFrame = table.with_format("arrow")[:].to_pandas()
    names = {name: own for name in frame if (own := getattr(table.features[name], "names", None)) is not None}
    for column, own in names.items():
        known = frame[column].isin(range(len(own)))  # -1 is no class
        frame[column] = frame[column].where(known).map(dict(enumerate(own)))
    several = {name: own for name in frame if (own := names_in_lists(table.features[name])) is not None}
    for column, own in several.items():
        frame[column] = frame[column].map(partial(_named, own), na_action="ignore")
    frame.attrs[CLASS_NAMES] = {column: tuple(own) for column, own in (names | several).items()}
    return frame


def names_in_lists(feature: Any) -> list[str] | None:
    """Return the names of classes of a Hugging Face column of lists of ClassLabel; None for other columns."""
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    names: list[str] | None = getattr(inner, "names", None)
    return names


def _named(names: Sequence[str], numbers: Sequence[int]) -> list[str]:
    return [names[number] for number in numbers if 0 <= number < len(names)]


def _of_arrow(table: Any) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    held = pa.table(table)
    try:
        return index_as_columns(held.to_pandas())
    except pa.ArrowNotImplementedError:  # lists of polars' string views
        columns = [_of_array(column) for column in held.columns]
        return pd.concat(columns, axis=1, keys=held.column_names)


def _of_array(column: Any) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa

    try:
        values: pd.Series[Any] = column.to_pandas()
    except pa.ArrowNotImplementedError:
        values = pd.Series(column.to_pylist(), dtype=object)
    return values


def _of_interchange(table: Any) -> pd.DataFrame:
    import pyarrow.interchange

    frame: pd.DataFrame = pyarrow.interchange.from_dataframe(table).to_pandas()
    return frame


def _of_columns(table: Mapping[Any, Any]) -> pd.DataFrame:
    import pandas as pd

    if all(isinstance(values, Mapping) for values in table.values()):  # DataFrame.to_dict()
        return pd.DataFrame(table)
    columns = {name: _values(name, values) for name, values in table.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    first = next(iter(lengths))
    for name, length in lengths.items():
        if length != lengths[first]:
            raise DataError(
                f"column {first!r} has {lengths[first]:,} values, column {name!r} has {length:,}; expected as "
                "many in each column"
            )
    return pd.DataFrame(columns)


def _values(name: Any, values: Any) -> Any:
    """Return the values of a column, of one dimension."""
    import pandas as pd

    if isinstance(values, list | tuple):
        return pd.Series([*values], dtype=object).infer_objects() if values else []
    if isinstance(values, pd.Series | pd.Index):
        return values.array
    if hasattr(values, "detach"):  # a tensor, maybe on another device
        values = values.detach().cpu().numpy()
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__len__") or not hasattr(values, "__array__"):
        raise DataError(f"column {name!r} is of type {type(values).__name__}; expected a list or an array")
    array = np.asarray(values)
    return array if array.ndim == 1 else [*array]


def _of_records(table: Sequence[Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([*table])


def _of_structured(table: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: [*table[name]] if table[name].ndim > 1 else table[name] for name in table.dtype.names})


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], pd.DataFrame]], ...] = (
    (_is_dataset, _of_dataset),
    (lambda table: hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__"), _of_arrow),
    (lambda table: hasattr(table, "__dataframe__"), _of_interchange),
    (lambda table: isinstance(table, Mapping) and len(table) > 0 and not _is_dict_of_datasets(table), _of_columns),
    (
        lambda table: (
            isinstance(table, list | tuple) and len(table) > 0 and all(isinstance(row, Mapping) for row in table)
        ),
        _of_records,
    ),
    (lambda table: isinstance(table, np.ndarray) and table.dtype.names is not None, _of_structured),
)
"""What is accepted besides DataFrames and paths, in the order in which it is tried."""
