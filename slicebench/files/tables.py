"""Read and write users' tables: Parquet, CSV, TSV, JSON lines and Arrow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.files.atomic import write_atomically
from slicebench.files.untrusted import opened, read_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd


READ = ".parquet, .csv, .tsv (these two also as .gz), .jsonl, .arrow or .feather"
WRITTEN = (".csv", ".jsonl", ".parquet")


def read_frame(path: str | Path, *, as_written: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table from a file, in the format that the file's ending names.

    In a .csv or .tsv file, the columns `as_written` stay text. Otherwise ids such as "007" would
    become numbers.

    Raises
    ------
    DataError
        if the file does not exist, is truncated, is not in that format, or the format is unknown.

    """
    file = Path(path).expanduser()
    kind = file.suffixes[-2:-1] if file.suffix == ".gz" else file.suffixes[-1:]
    reader = _READERS.get(kind[0].lower() if kind else "")
    if reader is None:
        raise DataError(f"cannot read the table {file}: its ending is not a known format; expected {READ}")
    if not file.is_file():
        missing = "it is a folder" if file.is_dir() else "there is no such file"
        raise DataError(f"cannot read the table {file}: {missing}; expected {READ}")
    try:
        return reader(file, as_written)
    except Exception as error:  # each format's library has errors of its own
        raise DataError(f"cannot read the table {file}: {type(error).__name__}: {error}; expected {READ}") from error


def _parquet(file: Path, _: Sequence[str]) -> pd.DataFrame:
    return read_parquet(file)


def _separated(separator: str) -> Callable[[Path, Sequence[str]], pd.DataFrame]:
    def read(file: Path, as_written: Sequence[str]) -> pd.DataFrame:
        import pandas as pd

        with opened(file) as source:
            return pd.read_csv(source, sep=separator, dtype=dict.fromkeys(as_written, "str"), encoding="utf-8-sig")

    return read


def _json_lines(file: Path, _: Sequence[str]) -> pd.DataFrame:
    """Read one object per line, as written: no text becomes a number or a date."""
    import pandas as pd

    with file.open(encoding="utf-8-sig") as lines:
        return pd.DataFrame([_object(line, number) for number, line in enumerate(lines, 1) if line.strip()])


def _object(line: str, number: int) -> dict[str, Any]:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise DataError(f"line {number} is a {type(found).__name__}; expected a JSON object")
    return found


def _arrow(file: Path, _: Sequence[str]) -> Any:
    return read_arrow(file).to_pandas()


def read_arrow(file: Path) -> Any:
    """Read an Arrow table in Arrow's file format (Feather) or stream format (Hugging Face)."""
    import pyarrow as pa

    with pa.OSFile(str(file)) as source:
        streamed = source.read(6) != b"ARROW1"
        source.seek(0)
        opened = pa.ipc.open_stream(source) if streamed else pa.ipc.open_file(source)
        return opened.read_all()


_READERS: dict[str, Callable[[Path, Sequence[str]], pd.DataFrame]] = {
    ".parquet": _parquet,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".jsonl": _json_lines,
    ".arrow": _arrow,
    ".feather": _arrow,
}


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


def write_frame(table: pd.DataFrame, out: Path) -> None:
    """Write a table in the format that the ending of `out` names, one of `WRITTEN`.

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
        ".csv": lambda temporary: table.to_csv(temporary, index=False),
    }
    try:
        write_atomically(out, writers[out.suffix])
    except pa.ArrowException as error:
        raise DataError(
            f"cannot write {out}: {error}; write a .csv or .jsonl file, which can hold columns of mixed types"
        ) from error
