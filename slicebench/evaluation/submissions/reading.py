"""Read files of submissions: tables or JSON documents, as docs/how-to/scores-from-elsewhere.md describes them.

Tables are read by pyarrow, not by `slicebench.files.tables`: ids must not change ("007" in a .csv
file), a missing number is not NaN, and only the columns of the format are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicebench.errors import DataError, SlicebenchError, StorageError
from slicebench.evaluation.submissions.json_files import submissions_of_json
from slicebench.evaluation.submissions.table_files import STRINGS, WANTED, check_columns, submissions_of_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from slicebench.evaluation.submissions.contents import Submission


MOST_ROWS = 50_000_000
"""Most rows of a table; in some formats a few bytes can declare any number of rows."""
LARGEST_JSON = 2**30
"""Most bytes of a JSON document, which is parsed as a whole."""


def read_submissions(path: Path) -> list[Submission]:
    """Read the submissions in a file, one for each method in it.

    If a file names no method, the method gets the file's name.

    Raises
    ------
    StorageError
        if the file is missing, truncated or not of the format that its ending names.
    DataError
        that names file, method, and the invalid column, id or slice.

    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path} has an unknown file ending; expected one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise StorageError(
            f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; expected a file of scores or slices"
        )
    try:
        return reader(path)
    except SlicebenchError:
        raise
    except Exception as error:  # each format's library has its own errors
        reason = " ".join(str(error).split())[:300]
        raise StorageError(f"cannot read {path} as {path.suffix}: {reason or type(error).__name__}") from error


def _read_json(path: Path) -> list[Submission]:
    if path.stat().st_size > LARGEST_JSON:
        raise DataError(f"{path} has more than {LARGEST_JSON:,} bytes; write a table instead, as .parquet")
    return submissions_of_json(path.read_bytes(), str(path), path.stem)


def _table_reader(read: Callable[[Path], Any]) -> Callable[[Path], list[Submission]]:
    return lambda path: submissions_of_table(read(path), str(path), path.stem)


def _read_parquet(path: Path) -> Any:
    """Read the columns of the format from a Parquet file.

    Strings stay dictionary-encoded, so that a repeated string is held once.
    """
    import pyarrow.parquet as pq

    names = pq.read_schema(path).names
    check_columns(names, str(path))
    names = [name for name in names if name in WANTED]
    with pq.ParquetFile(path, read_dictionary=[name for name in names if name in STRINGS]) as file:
        _check_rows(path, file.metadata.num_rows)
        return file.read(columns=names)


def _read_arrow(path: Path) -> Any:
    from slicebench.files.tables import read_arrow

    table = read_arrow(path)
    _check_rows(path, table.num_rows)
    check_columns(table.column_names, str(path))
    wanted = table.select([name for name in table.column_names if name in WANTED])
    wanted.validate(full=True)
    return wanted


def _read_csv(separator: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        import pyarrow as pa
        import pyarrow.csv as pc

        words = dict.fromkeys(STRINGS, pa.string())  # an id 007 is not the number 7
        table = pc.read_csv(
            path,
            parse_options=pc.ParseOptions(delimiter=separator),
            convert_options=pc.ConvertOptions(column_types=words),
        )
        _check_rows(path, table.num_rows)
        return table

    return read


def _read_jsonl(path: Path) -> Any:
    import pyarrow.json as pj

    table = pj.read_json(path)
    _check_rows(path, table.num_rows)
    return table


def _check_rows(path: Path, n: int) -> None:
    if n > MOST_ROWS:
        raise DataError(f"{path} has {n:,} rows; expected at most {MOST_ROWS:,}, one for each example and slice")


_READERS: dict[str, Callable[[Path], list[Submission]]] = {
    ".parquet": _table_reader(_read_parquet),
    ".csv": _table_reader(_read_csv(",")),
    ".tsv": _table_reader(_read_csv("\t")),
    ".jsonl": _table_reader(_read_jsonl),
    ".arrow": _table_reader(_read_arrow),
    ".feather": _table_reader(_read_arrow),
    ".json": _read_json,
}

FORMATS = tuple(_READERS)
"""Endings of the files that can be read."""
