"""Read tables of separated values (.csv, .tsv), as R, Excel, databases and pandas write them.

pandas reads the numbers and booleans. What is decided here is what it would guess wrongly: separator, encoding, which words
mean that a value is missing, and which numbers are codes.
"""

from __future__ import annotations

import codecs
import csv
import io
import logging
import re
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import DataError
from slicebench.files.untrusted import opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd


SEPARATORS = (",", ";", "\t", "|")
NOT_KNOWN = frozenset((
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN",
    "None", "n/a", "nan", "null",
))  # fmt: skip
"""Words that mean a missing value among numbers and booleans (pandas' list); among words they may be words."""
YES, NO = ("True", "TRUE", "true"), ("False", "FALSE", "false")
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Marks at the beginning of a file that tell its encoding; UTF-16's is the beginning of UTF-32's."""
FALLBACK = "cp1252"
"""Encoding of files that are not UTF-8: Windows in the west, of which Latin-1 is nearly a part."""
HEAD = 2**20
"""Characters in which header and first row are looked for."""
CODE = r"\s*[+-]?0\d"
"""Beginning of "007", which is a code and not the number 7."""


def read_separated(file: Path, separator: str) -> pd.DataFrame:
    """Read a table whose ending stands for `separator`; another one is used if only that makes columns.

    - In a column of words only an empty cell is missing: "NA", "None" and "null" are words. In one of numbers, or of true and
      false, they mean that a value is missing.
    - Columns in which a number has a leading zero stay text.
    - Rows may all end in a separator that the header does not have.
    - A file that is not UTF-8 (or UTF-16 with its mark) is read as Windows-1252, which is logged.

    Raises
    ------
    DataError
        if rows have more fields than the header, a quote is not closed, or nothing is in the file.

    """
    encoding = encoding_of(file)
    separator = _separator(file, encoding, separator)
    read = partial(_parsed, file, sep=separator, encoding=encoding)
    frame = read()
    _log_repeated(file, frame, read)
    frame = _codes_as_text(frame, read)
    return as_meant(frame, decimal_comma=separator != ",")


def encoding_of(file: Path) -> str:
    """Return the encoding of a text file, by its mark, or because it is UTF-8."""
    with opened(file) as source:
        start = source.read(4)
        for mark, name in BOMS:
            if start.startswith(mark):
                return name
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(start)
            while block := source.read(HEAD):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            message = "%s is not UTF-8; it is read as Windows-1252, so check letters with accents"
            logging.getLogger("slicebench").warning(message, file)
            return FALLBACK
    return "utf-8"


def _separator(file: Path, encoding: str, usual: str) -> str:
    """Return the first separator by which header and first row have several fields, `usual` before others."""
    with io.TextIOWrapper(opened(file), encoding=encoding, newline="") as text:
        head = text.read(HEAD)
    for separator in (usual, *SEPARATORS):
        header, row = _first_rows(head, separator)
        if header > 1 and (row is None or row in (header, header + 1)):
            return separator
    return usual


def _first_rows(head: str, separator: str) -> tuple[int, int | None]:
    """Return how many fields header and first row have: 0 and None where `head` does not hold them as a whole."""
    counts: list[int] = []
    try:
        for row in csv.reader(io.StringIO(head, newline=""), delimiter=separator):
            if row:
                counts.append(len(row))
            if len(counts) > 2:
                break
    except csv.Error:  # a field that is too long; the rows before it are counted
        counts.append(0)
    if len(head) == HEAD and len(counts) < 3:
        counts = counts[:-1]
    return counts[0] if counts else 0, counts[1] if len(counts) > 1 and counts[1] else None


def _parsed(file: Path, **how: Any) -> pd.DataFrame:
    import pandas as pd

    try:
        with opened(file) as source, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # else pandas cuts rows that are too long
            frame: pd.DataFrame = pd.read_csv(
                source, index_col=False, keep_default_na=False, na_values=[""], low_memory=False, **how
            )
            return frame
    except pd.errors.EmptyDataError as error:
        raise DataError("the file is empty") from error
    except pd.errors.ParserWarning as error:
        raise DataError(
            "the rows have more fields than the header: name every column in the header (R: col.names = NA), or "
            "remove the separators at the end of the rows"
        ) from error
    except pd.errors.ParserError as error:
        raise DataError(_unparsed(str(error), str(how["sep"]))) from error


def _unparsed(said: str, separator: str) -> str:
    """Return why pandas cannot parse a file, where its message tells."""
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", said):
        expected, line, seen = found.groups()
        return (
            f"line {line} has {seen} fields, but the lines before have {expected}; put a field that contains "
            f"{separator!r} into quotation marks, or remove what is too much"
        )
    if found := re.search(r"EOF inside string starting at row (\d+)", said):
        return f"a quotation mark that opens in line {int(found[1]) + 1} is never closed; close it, or remove it"
    return " ".join(said.split())


def _log_repeated(file: Path, frame: pd.DataFrame, read: Callable[..., pd.DataFrame]) -> None:
    """Log columns of one name: pandas calls the second one name.1."""
    header = read(header=None, nrows=1, dtype="str").iloc[0]
    repeated = [*dict.fromkeys(header[header.duplicated()].dropna())]
    if repeated:
        new = [str(name) for name in frame if name not in {*header} and not str(name).startswith("Unnamed: ")]
        message = "%s: the header has %s more than once; the later ones are called %s"
        logging.getLogger("slicebench").warning(
            message, file, ", ".join(map(repr, repeated)), ", ".join(map(repr, new))
        )


def _codes_as_text(frame: pd.DataFrame, read: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """Return the table with the columns as text in which a whole number has a leading zero."""
    whole = [i for i in range(frame.shape[1]) if _is_whole(frame.iloc[:, i])]
    if not whole:
        return frame
    text = read(usecols=whole, dtype="str")
    for i, name in zip(whole, text, strict=True):
        if text[name].str.match(CODE).any():
            frame.isetitem(i, text[name].array)
    return frame


def _is_whole(column: pd.Series[Any]) -> bool:
    if column.dtype.kind in "iu":
        return True
    if column.dtype.kind != "f":
        return False
    known = column.dropna().to_numpy()
    return len(known) > 0 and bool((known == np.floor(known)).all())


def as_meant(frame: pd.DataFrame, *, decimal_comma: bool = False) -> pd.DataFrame:
    """Return the table with "NA" and the like missing in columns whose other values are numbers, or true and false.

    With `decimal_comma`, text such as "3,5" becomes a number if the whole column is that.
    """
    import pandas as pd

    for i in range(frame.shape[1]):
        column: pd.Series[Any] = frame.iloc[:, i]
        if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
            frame.isetitem(i, _meant(column, decimal_comma=decimal_comma).array)
    return frame


def _meant(column: pd.Series[Any], *, decimal_comma: bool) -> pd.Series[Any]:
    import pandas as pd

    texts = pd.Series(column.dropna().unique()).astype(str)
    rest = texts[~texts.str.strip().isin([*NOT_KNOWN])]
    if not len(rest):
        return column
    if decimal_comma and _has_decimal_commas(rest):
        logging.getLogger("slicebench").info("column %r has decimal commas", column.name)
        return _numbers(column.str.replace(",", "."))
    if len(rest) == len(texts):
        return column
    if pd.to_numeric(rest, errors="coerce").notna().all() and not rest.str.match(CODE).any():
        return _numbers(column)
    if rest.isin([*YES, *NO]).all():
        answers = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
        return column.map(lambda cell: answers.get(str(cell))).astype(object)
    return column


def _numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    numbers: pd.Series[Any] = pd.to_numeric(column, errors="coerce")
    return numbers


def _has_decimal_commas(texts: pd.Series[Any]) -> bool:
    """Return True for "3,5"; False for "3,500" alone, which may be thousands."""
    if not texts.str.fullmatch(r"\s*[+-]?\d+(,\d+)?\s*").all():
        return False
    fractions = texts[texts.str.contains(",")]
    return len(fractions) > 0 and not fractions.str.fullmatch(r"\s*[+-]?\d{1,3},\d{3}\s*").all()
