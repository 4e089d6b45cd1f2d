"""Read and write users' tables: Parquet, CSV, TSV, JSON, JSON lines, Arrow and Excel."""

from __future__ import annotations

import logging
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError, DataError, SlicebenchError, StorageError
from slicebench.files.atomic import write_atomically
from slicebench.files.json_tables import read_json, read_json_lines
from slicebench.files.separated import as_meant, read_separated
from slicebench.files.untrusted import check_room, plain_file, read_parquet, read_parquet_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd


READ = (
    ".parquet (also a folder of such files), .csv, .tsv, .json, .jsonl or .ndjson (these five also as .gz), .arrow, .feather or "
    ".xlsx"
)
WRITTEN = (".csv", ".jsonl", ".parquet")


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a table from a file, in the format that the file's ending names, or from a folder of Parquet files.

    An index with a name is a column. `separated.read_separated` says how text becomes numbers.

    Raises
    ------
    DataError
        if the file does not exist, is truncated, is not in that format, or the format is unknown.

    """
    file = Path(path).expanduser()
    reader = _reader(file)
    if reader is None:
        raise DataError(f"cannot read the table {file}: its ending is not a known format; expected {READ}")
    if not file.is_file() and not file.is_dir():
        raise DataError(f"cannot read the table {file}: there is no such file")
    try:
        return index_as_columns(reader(file))
    except SlicebenchError as error:
        raise DataError(f"cannot read the table {file}: {error}") from error
    except Exception as error:  # each format's library has errors of its own
        if isinstance(error, OSError) and error.strerror is not None:  # the system's: no permission, for example
            raise DataError(f"cannot read the table {file}: {error.strerror}") from error
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"cannot read the table {file}: its content is not what its name says, or it is damaged ({said}); "
            "write it again, or correct the ending of its name"
        ) from error


def _reader(file: Path) -> Callable[[Path], pd.DataFrame] | None:
    if file.is_dir():
        return read_parquet_folder
    if file.suffix.lower() != ".gz":
        return _READERS.get(file.suffix.lower())
    inner = Path(file.stem).suffix.lower()
    return _READERS.get(inner) if inner in ZIPPED else None


def index_as_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the named levels of its index as its first columns, and rows numbered."""
    named = [name for name in frame.index.names if name is not None and name not in frame]
    return (frame.reset_index(level=named) if named else frame).reset_index(drop=True)


def _arrow(file: Path) -> Any:
    return read_arrow(file).to_pandas()


def read_arrow(file: Path) -> Any:
    """Read an Arrow table in Arrow's file format (Feather) or stream format (Hugging Face)."""
    import pyarrow as pa

    with pa.OSFile(str(file)) as source:
        streamed = source.read(6) != b"ARROW1"
        source.seek(0)
        opened = pa.ipc.open_stream(source) if streamed else pa.ipc.open_file(source)
        return opened.read_all()


def _excel(file: Path) -> pd.DataFrame:
    """Read the first sheet of a workbook; others are logged."""
    import zipfile
    from importlib.util import find_spec

    import pandas as pd

    if find_spec("openpyxl") is None:
        raise DataError(".xlsx files need the package openpyxl: pip install openpyxl, or save the sheet as .csv")
    with zipfile.ZipFile(plain_file(file)) as archive:
        check_room(file, sum(member.file_size for member in archive.infolist()))
    with pd.ExcelFile(file, engine="openpyxl") as book:
        first, *others = book.sheet_names
        if others:
            message = "%s: only the first sheet, %r, is read, not %s"
            logging.getLogger("slicebench").warning(message, file, first, ", ".join(map(repr, others)))
        frame = pd.read_excel(book, sheet_name=first, dtype=object, keep_default_na=False, na_values=[""])
    return as_meant(frame).infer_objects()


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": read_parquet,
    ".csv": partial(read_separated, separator=","),
    ".tsv": partial(read_separated, separator="\t"),
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".xlsx": _excel,
}
ZIPPED = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
"""Formats that are also read as .gz."""


def check_out(option: str, out: Path, endings: Sequence[str], *, force: bool) -> None:
    """Raise an error, before any work, if the file `out` cannot be written.

    This is the case if its ending is unknown, if it is a folder, or if it exists and `force` is not
    set.
    """
    if out.suffix not in endings:
        raise ConfigError(f"{option} {out}: the ending sets the format; expected {', '.join(endings)}")
    if out.is_dir():
        raise StorageError(f"{out} is a folder; expected a file")
    if out.exists() and not force:
        raise StorageError(f"{out} already exists; overwrite it with --force, or choose another {option}")


FORMULA = re.compile(r"[=+\-@\t\r]")
"""First character of a cell that a spreadsheet takes for a formula."""


def _guarded(table: pd.DataFrame, out: Path) -> pd.DataFrame:
    """Return the table with an apostrophe before each text that a spreadsheet would run as a formula.

    Numbers keep their sign. What was changed is logged.
    """
    changed = 0

    def guard(value: Any) -> Any:
        nonlocal changed
        if not (isinstance(value, str) and FORMULA.match(value)) or _is_number(value):
            return value
        changed += 1
        return f"'{value}"

    guarded = table.copy(deep=False)
    guarded.columns = [guard(name) for name in table.columns]
    for place, kind in enumerate(table.dtypes):
        before = changed
        safe = [guard(cell) for cell in table.iloc[:, place]] if kind.kind == "O" else []
        if changed > before:
            guarded.isetitem(place, safe)
    if changed:
        message = "%s: an apostrophe is before %s texts that a spreadsheet would run as formulas; .parquet keeps them as they are"
        logging.getLogger("slicebench").warning(message, out, f"{changed:,}")
    return guarded


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_frame(table: pd.DataFrame, out: Path) -> None:
    """Write a table in the format that the ending of `out` names, one of `WRITTEN`.

    In a .csv, texts that a spreadsheet would run as formulas get an apostrophe; see `_guarded`.

    Raises
    ------
    StorageError
        if the file cannot be written.
    DataError
        for a column that the format cannot hold.

    """
    import pyarrow as pa

    writers: dict[str, Callable[[Path], object]] = {
        ".parquet": lambda temporary: table.to_parquet(temporary, index=False),
        ".jsonl": lambda temporary: table.to_json(
            temporary, orient="records", lines=True, double_precision=15, force_ascii=False
        ),
        ".csv": lambda temporary: _guarded(table, out).to_csv(temporary, index=False),
    }
    try:
        write_atomically(out, writers[out.suffix])
    except pa.ArrowException as error:
        raise DataError(
            f"cannot write {out}: {error}; write a .csv or .jsonl file, which can hold columns of mixed types"
        ) from error
