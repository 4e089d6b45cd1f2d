"""Tables are read from every usual format, with their values as they were meant."""

from __future__ import annotations

import gzip
import json
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from slicebench.errors import DataError
from slicebench.files.tables import read_frame, write_frame


@pytest.fixture
def written(tmp_path):
    """Function that reads text or bytes from a file of that name."""

    def read(content, name="t.csv"):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return read_frame(tmp_path / name)

    return read


def rows(frame):
    """Rows as lists, None for what is missing."""
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


def test_words_that_look_missing_are_words_and_only_empty_cells_are_missing(written):
    frame = written("region,n\nNA,1\nNone,2\nnull,3\nN/A,4\nnan,5\n,6\n")
    assert rows(frame[["region"]]) == [["NA"], ["None"], ["null"], ["N/A"], ["nan"], [None]]


@pytest.mark.parametrize("word", ["NA", "nan", "None", "null", "N/A", " "])
def test_among_numbers_and_booleans_they_are_missing(written, word):
    frame = written(f"x,y,z\n1,TRUE,a\n{word},{word},{word}\n2.5,FALSE,b\n")
    assert frame["x"].dtype == np.float64
    assert rows(frame) == [[1.0, True, "a"], [None, None, word], [2.5, False, "b"]]


def test_numbers_and_booleans_are_what_pandas_makes_of_them(written):
    frame = written("i,f,b,g\n1,1e3,True,True\n2,-0.5,False,\n")
    assert [kind.kind for kind in frame.dtypes] == ["i", "f", "b", "O"]
    assert rows(frame) == [[1, 1000.0, True, True], [2, -0.5, False, None]]


def test_codes_with_leading_zeros_stay_text(written):
    frame = written("id,gap,code,n,zero,small\n007,01,00,7,0,0.7\n010,,12,10,1,0.1\n011,30,NA,11,0,0.2\n")
    assert frame["id"].tolist() == ["007", "010", "011"]
    assert rows(frame[["gap", "code"]]) == [["01", "00"], [None, "12"], ["30", "NA"]]
    assert [frame[name].dtype.kind for name in ("n", "zero", "small")] == ["i", "i", "f"]


@pytest.mark.parametrize("header_ends", ["", ","])
def test_rows_that_end_in_a_comma_keep_their_columns(written, header_ends):
    frame = written(f"label,prediction,n{header_ends}\n0,dog,1,\n1,cat,2,\n")
    assert rows(frame[["label", "prediction", "n"]]) == [[0, "dog", 1], [1, "cat", 2]]


@pytest.mark.parametrize(
    "text", ["a,b\n1,x,2\n2,y,3\n", "a,b\n1,x,\n2,y,z\n", "a,b\n1,x,,\n2,y,,\n", '"a","b"\n"1",5,"x"\n"2",6,"y"\n']
)
def test_rows_with_more_fields_than_the_header_are_refused(written, text):
    with pytest.raises(DataError, match=r"t\.csv: the rows have more fields than the header: name every"):
        written(text)


def test_a_longer_row_is_named(written):
    with pytest.raises(DataError, match="line 3 has 3 fields, but the lines before have 2"):
        written("a,b\n1,x\n2,y,3\n")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_the_separator_is_found(written, separator, name):
    frame = written(f"a{separator}b\n1{separator}x\n2{separator}y\n", name)
    assert rows(frame) == [[1, "x"], [2, "y"]]


def test_one_column_of_sentences_is_one_column(written):
    assert rows(written('text\n"a, b"\n"c; d | e"\n')) == [["a, b"], ["c; d | e"]]


def test_decimal_commas(written):
    frame = written("a;b;c;d\n1,5;1,500;x,1;NA\n2;2,250;y,2;0,5\n")
    assert frame["a"].tolist() == [1.5, 2.0]
    assert frame["b"].tolist() == ["1,500", "2,250"]  # thousands or thousandths
    assert frame["c"].tolist() == ["x,1", "y,2"]
    assert frame["d"].isna().tolist() == [True, False]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings(written, encoding, caplog):
    with caplog.at_level(logging.WARNING):
        frame = written("größe,b\nklein,1\nÜber,2\n".encode(encoding))
    assert rows(frame) == [["klein", 1], ["Über", 2]]
    assert frame.columns[0] == "größe"
    assert ("t.csv is not UTF-8; it is read as Windows-1252" in caplog.text) == (encoding == "cp1252")


def test_row_numbers_of_pandas_stay(written):
    assert written(",a\n0,x\n1,y\n").columns.tolist() == ["Unnamed: 0", "a"]


RECORDS = [{"id": "007", "n": 1, "v": [0.5, 1.0]}, {"id": "2024-01-01", "n": 2, "v": [1.5, 2.0]}]


@pytest.mark.parametrize(
    "document",
    [
        RECORDS,
        {"id": ["007", "2024-01-01"], "n": [1, 2], "v": [[0.5, 1.0], [1.5, 2.0]]},
        {"data": RECORDS},
        {"data": {"id": ["007", "2024-01-01"], "n": [1, 2], "v": [[0.5, 1.0], [1.5, 2.0]]}},
        {"columns": ["id", "n", "v"], "index": [0, 1], "data": [[*row.values()] for row in RECORDS]},
        {"id": {"0": "007", "1": "2024-01-01"}, "n": {"0": 1, "1": 2}, "v": {"0": [0.5, 1.0], "1": [1.5, 2.0]}},
        {"0": RECORDS[0], "1": RECORDS[1]},
    ],
)
def test_json_in_every_orientation(written, document):
    assert rows(written(json.dumps(document), "t.json")) == [[*row.values()] for row in RECORDS]


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.jsonl.gz", "t.ndjson.gz", "t.json", "t.json.gz"])
def test_json_lines(written, name):
    text = "\n".join(map(json.dumps, RECORDS)).encode() + b"\n\n"
    assert rows(written(gzip.compress(text) if name.endswith("gz") else text, name)) == [
        [*row.values()] for row in RECORDS
    ]


def test_what_lies_beside_data_is_said(written, caplog):
    with caplog.at_level(logging.WARNING):
        written(json.dumps({"data": RECORDS, "model": "m", "schema": {}}), "t.json")
    assert "only \"data\" is read, not 'model'" in caplog.text


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("3", "it holds a number; expected a list of objects"),
        ("[1, 2]", "it holds a list, but not of objects only"),
        ('{"a": [1], "b": [1, 2]}', r"it holds an object of 'a' \(a list\), 'b' \(a list\)"),
        ('{"a": 1', "it is no valid JSON: line 1, column 8"),
        ('{"a": 1}\n[2]', "line 2 is a list"),
    ],
)
def test_other_json_is_refused(written, document, said):
    with pytest.raises(DataError, match=said):
        written(document, "t.json")


def test_a_folder_of_parquet_files(tmp_path):
    folder = tmp_path / "all"
    for camera, more in (("A", {}), ("B", {"late": [1, 2]})):
        (folder / f"camera={camera}" / "year=2024").mkdir(parents=True)
        part = pd.DataFrame({"label": ["x", "y"], **more})
        part.to_parquet(folder / f"camera={camera}" / "year=2024" / "part-0.parquet")
    (folder / "_SUCCESS").touch()
    empty = tmp_path / "empty"
    empty.mkdir()
    frame = read_frame(folder)
    assert frame["label"].tolist() == ["x", "y", "x", "y"]
    assert frame["camera"].astype(str).tolist() == ["A", "A", "B", "B"]
    assert frame["year"].tolist() == [2024] * 4
    assert frame["late"].isna().tolist() == [True, True, False, False]
    with pytest.raises(DataError, match=r"is a folder without \.parquet files"):
        read_frame(empty)


def test_a_named_index_is_a_column(tmp_path):
    pd.DataFrame({"a": [1, 2]}, index=pd.Index(["p", "q"], name="patient")).to_parquet(tmp_path / "t.parquet")
    assert rows(read_frame(tmp_path / "t.parquet")) == [["p", 1], ["q", 2]]


@pytest.mark.parametrize("name", ["t.feather", "t.arrow"])
def test_arrow(tmp_path, name):
    pd.DataFrame({"a": ["x", None]}).to_feather(tmp_path / name)
    assert rows(read_frame(tmp_path / name)) == [["x"], [None]]
    table = pa.table({"a": [[1.0], [2.0]]})
    with pa.OSFile(str(tmp_path / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert [cell.tolist() for cell in read_frame(tmp_path / name)["a"]] == [[1.0], [2.0]]


def test_excel(tmp_path, caplog):
    pytest.importorskip("openpyxl")
    columns = {"id": ["007", "008"], "region": ["NA", "None"], "n": [1, 2], "x": [0.5, None]}
    frame = pd.DataFrame(columns).assign(when=pd.to_datetime(["2024-01-01"] * 2))
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        frame.to_excel(book, sheet_name="answers", index=False)
        frame.to_excel(book, sheet_name="notes")
    with caplog.at_level(logging.WARNING):
        found = read_frame(tmp_path / "t.xlsx")
    assert rows(found) == rows(frame)
    assert [kind.kind for kind in found.dtypes[2:]] == ["i", "f", "M"]
    assert "only the first sheet, 'answers', is read, not 'notes'" in caplog.text


def test_excel_without_its_library(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="need the package openpyxl: pip install openpyxl"):
        read_frame(tmp_path / "t.xlsx")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("t.txt", "not a known format; expected .parquet"),
        ("t.parquet.gz", "not a known format; expected .parquet"),
        ("gone.csv", "there is no such file$"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, said):
    (tmp_path / "t.txt").write_text("a,b\n")
    with pytest.raises(DataError, match=f"cannot read the table .*{name}: .*{said}"):
        read_frame(tmp_path / name)


def test_bombs_are_refused(tmp_path, monkeypatch):
    from types import SimpleNamespace

    pd.DataFrame({"a": np.zeros(2**20)}).to_parquet(tmp_path / "t.parquet", compression="zstd")
    (tmp_path / "t.json").write_text(json.dumps([{"a": 1}] * 1000))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**14))
    for name in (".", "t.json"):
        with pytest.raises(DataError, match="unpacks to"):
            read_frame(tmp_path / name)


def test_a_quote_that_is_never_closed_is_named(written):
    with pytest.raises(DataError, match="opens in line 3 is never closed"):
        written('a,b\n1,x\n"2,y\n3,z\n')


def test_an_empty_file_is_named(written):
    with pytest.raises(DataError, match=r"t\.csv: the file is empty$"):
        written("")


def test_a_name_that_is_twice_in_the_header_is_said(written, caplog):
    frame = written("a,b,a\n1,2,3\n")
    assert [*frame] == ["a", "b", "a.1"]
    assert "the header has 'a' more than once; the later ones are called 'a.1'" in caplog.text


def test_the_line_of_broken_json_is_named(written):
    with pytest.raises(DataError, match="line 2 is no valid JSON"):
        written('{"a": 1}\n{"a": \n', "t.jsonl")


def test_a_csv_holds_no_formulas_and_says_what_it_changed(tmp_path, caplog):
    frame = pd.DataFrame(
        {
            "id": ["=cmd|' /C calc'!A0", "+1-1", "@SUM(A1)", "-none", "plain"],
            "=name": ["-1.5", "+2", "a=b", None, "\t=1"],
            "n": [-1.5, 2.0, 3.0, 4.0, 5.0],
            "whole": pd.Series([1, 2, None, 4, 5], dtype=object),
        }
    )
    write_frame(frame, tmp_path / "t.csv")
    read = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)
    assert read["id"].tolist() == ["'=cmd|' /C calc'!A0", "'+1-1", "'@SUM(A1)", "'-none", "plain"]
    assert read["'=name"].tolist() == ["-1.5", "+2", "a=b", "", "'\t=1"]
    assert read["n"].tolist() == ["-1.5", "2.0", "3.0", "4.0", "5.0"]
    assert read["whole"].tolist() == ["1", "2", "", "4", "5"]
    assert "6 texts" in caplog.text
    write_frame(frame, tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["id"].tolist() == frame["id"].tolist()
