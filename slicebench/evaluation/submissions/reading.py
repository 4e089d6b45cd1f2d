"""Read submissions: tables or JSON documents, as docs/how-to/scores-from-elsewhere.md describes them.

Parquet, Arrow, CSV and JSON lines are read by pyarrow, not by `slicebench.files.tables`: ids must not change ("007" in a .csv
file), a missing number is not NaN, and only the columns of the format are read. Everything else that `discover` reads is read
as there, and its ids are turned into text.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicebench.data.schema.frames import as_frame
from slicebench.data.schema.user_table import in_text, named_by_text
from slicebench.errors import DataError, SlicebenchError, StorageError
from slicebench.evaluation.submissions.column_names import STRINGS, chosen_columns, is_string
from slicebench.evaluation.submissions.json_files import are_records, parsed, submissions_of_json
from slicebench.evaluation.submissions.table_files import submissions_of_table
from slicebench.files.separated import SEPARATORS
from slicebench.files.untrusted import opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from slicebench.evaluation.submissions.contents import Submission


MOST_ROWS = 50_000_000
"""Most rows of a table; in some formats a few bytes can declare any number of rows."""
LARGEST_JSON = 2**30
"""Most bytes of a JSON document, which is parsed as a whole."""
LONGEST_HEADER = 2**24
"""Most bytes of the first line of a table of separated values that are looked at."""
NAMELESS = "submission"
"""Name of the method of a table that is no file and names none."""


def read_submissions(source: Any) -> list[Submission]:
    """Read the submissions in a file or table, one for each method in it.

    If a file names no method, the method gets the file's name.

    Parameters
    ----------
    source : path, DataFrame, or anything else that `slicebench.data.schema.frames.as_frame` takes
        A file of one of `FORMATS`, a folder of Parquet files, or a table in memory.

    Raises
    ------
    StorageError
        if the file is missing, truncated or not of the format that its ending names.
    DataError
        that names file, method, and the invalid column, id or slice.

    """
    if not isinstance(source, str | Path):
        return _of_frame(source, "the table", NAMELESS)
    path = Path(source).expanduser()
    reader = _reader(path)
    if reader is None:
        raise DataError(f"{path} has an unknown file ending; expected one of {', '.join(FORMATS)}")
    if not (path.is_file() or (path.is_dir() and reader is _read_frame)):
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


def _reader(path: Path) -> Callable[[Path], list[Submission]] | None:
    ending = path.suffix.lower()
    if path.is_dir() and ending in ("", ".parquet"):
        return _read_frame
    return _READERS.get("".join(Path(path.name.lower()).suffixes[-2:]) if ending == ".gz" else ending)


def _default(path: Path) -> str:
    """Return the name of the method in a file that names none: the file's, without its ending."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def _read_json(path: Path) -> list[Submission]:
    with opened(path) as file:
        content = file.read(LARGEST_JSON + 1)
    if len(content) > LARGEST_JSON:
        raise DataError(f"{path} has more than {LARGEST_JSON:,} bytes; write a table instead, as .parquet")
    document = parsed(content, str(path))
    if are_records(document):
        return _of_frame(document, str(path), _default(path))
    return submissions_of_json(document, str(path), _default(path))


def _table_reader(read: Callable[[Path], Any]) -> Callable[[Path], list[Submission]]:
    return lambda path: submissions_of_table(read(path), str(path), _default(path))


def _read_frame(path: Path) -> list[Submission]:
    return _of_frame(path, str(path), _default(path))


def _of_frame(table: Any, where: str, default: str) -> list[Submission]:
    """Read the submissions of anything that is a table; ids and names become text, 7.0 "7"."""
    import pyarrow as pa

    frame = named_by_text(as_frame(table), where)
    _check_rows(where, len(frame))
    chosen = chosen_columns([*frame], where)
    columns = {name: frame[column] for name, column in chosen.by_name.items()}
    texts = {name: in_text(column) for name, column in columns.items() if name in STRINGS}
    try:
        arrays = [pa.Array.from_pandas(column) for column in (columns | texts).values()]
    except pa.ArrowException as error:
        raise DataError(f"{where} cannot be read as a submission: {error}; expected ids and numbers") from error
    held = pa.table(arrays, names=[*chosen.by_name.values()])
    return submissions_of_table(held, where, default, chosen.notes())


def _read_parquet(path: Path) -> list[Submission]:
    """Read the columns of the format from a Parquet file.

    Strings stay dictionary-encoded, so that a repeated string is held once.
    """
    import pyarrow.parquet as pq

    chosen = chosen_columns(pq.read_schema(path).names, str(path))
    words = [column for name, column in chosen.by_name.items() if name in STRINGS]
    with pq.ParquetFile(path, read_dictionary=words) as file:
        _check_rows(path, file.metadata.num_rows)
        table = file.read(columns=[*chosen.by_name.values()])
    return submissions_of_table(table, str(path), _default(path), chosen.notes())


def _read_arrow(path: Path) -> list[Submission]:
    from slicebench.files.tables import read_arrow

    table = read_arrow(path)
    _check_rows(path, table.num_rows)
    chosen = chosen_columns(table.column_names, str(path))
    wanted = table.select([*chosen.by_name.values()])
    wanted.validate(full=True)
    return submissions_of_table(wanted, str(path), _default(path), chosen.notes())


def _read_csv(separator: str) -> Callable[[Path], list[Submission]]:
    def read(path: Path) -> list[Submission]:
        import pyarrow as pa
        import pyarrow.csv as pc

        names = _header(path, separator)
        if len(names) == 1 and any(other in names[0] for other in SEPARATORS):
            return _read_frame(path)
        words = dict.fromkeys((*STRINGS, *(name for name in names if is_string(name))), pa.string())
        with opened(path) as file:  # an id 007 is not the number 7
            table = pc.read_csv(
                file,
                parse_options=pc.ParseOptions(delimiter=separator),
                convert_options=pc.ConvertOptions(column_types=words),
            )
        _check_rows(path, table.num_rows)
        return submissions_of_table(table, str(path), _default(path))

    return read


def _header(path: Path, separator: str) -> list[str]:
    """Return the names in the first line of a file; bytes that are not UTF-8 are left to pyarrow to refuse."""
    with opened(path) as file:
        line = file.readline(LONGEST_HEADER).decode("utf-8-sig", errors="replace")
    return next(csv.reader([line.rstrip("\r\n")], delimiter=separator), [""])


def _read_jsonl(path: Path) -> Any:
    import pyarrow.json as pj

    with opened(path) as file:
        table = pj.read_json(file)
    _check_rows(path, table.num_rows)
    return table


def _check_rows(where: object, n: int) -> None:
    if n > MOST_ROWS:
        raise DataError(f"{where} has {n:,} rows; expected at most {MOST_ROWS:,}, one for each example and slice")


_READERS: dict[str, Callable[[Path], list[Submission]]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv(","),
    ".tsv": _read_csv("\t"),
    ".jsonl": _table_reader(_read_jsonl),
    ".ndjson": _table_reader(_read_jsonl),
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
    ".xlsx": _read_frame,
    ".json": _read_json,
}
_READERS |= {f"{ending}.gz": _READERS[ending] for ending in (".csv", ".tsv", ".json", ".jsonl", ".ndjson")}

FORMATS = tuple(_READERS)
"""Endings of the files that can be read."""
