"""Fingerprints say whether the content of files is still the same, and read a large file once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from slicebench.errors import StorageError
from slicebench.files import fingerprints
from slicebench.files.fingerprints import Source, fingerprint


def old(path, content):
    """Write a file that looks settled: it was changed a minute ago, also by the clock that cannot be set."""
    path.write_bytes(content)
    os.utime(path, ns=(0, path.stat().st_mtime_ns - 60 * 10**9))
    return path


@pytest.fixture
def settled(monkeypatch):
    monkeypatch.setattr(fingerprints, "SETTLED_NS", -(10**12))


@pytest.fixture
def read(monkeypatch):
    """Names of the files whose content was read."""
    names, digest = [], hashlib.file_digest

    def counted(file, kind):
        names.append(Path(file.name).name)
        return digest(file, kind)

    monkeypatch.setattr(fingerprints.hashlib, "file_digest", counted)
    return names


def test_a_file_has_its_sha256(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"hello")
    said = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # as sha256sum says
    assert fingerprint(Source.at(tmp_path / "a.csv")) == f"sha256:{said}"


def test_the_same_content_elsewhere_has_the_same_one(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_bytes(b"x")
    assert fingerprint(Source.at(tmp_path / "one" / "a.csv")) == fingerprint(Source.at(tmp_path / "two" / "a.csv"))
    assert fingerprint(Source.at(tmp_path / "one")) == fingerprint(Source.at(tmp_path / "two"))


def test_a_file_is_read_once_until_it_changes(tmp_path, settled, read):
    path = old(tmp_path / "a.csv", b"one")
    first = [fingerprint(Source.at(path)) for _ in range(3)]
    assert len(set(first)) == 1
    assert read == ["a.csv"]
    path.write_bytes(b"two")
    assert fingerprint(Source.at(path)) != first[0]
    assert read == ["a.csv", "a.csv"]


def test_another_file_of_the_same_size_and_time_is_noticed(tmp_path, settled):
    path = old(tmp_path / "a.csv", b"one")
    first, about = fingerprint(Source.at(path)), path.stat()
    other = tmp_path / "b.csv"
    other.write_bytes(b"two")
    os.utime(other, ns=(about.st_atime_ns, about.st_mtime_ns))
    other.replace(path)  # as `cp -p` and `mv` do
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (about.st_size, about.st_mtime_ns)
    assert fingerprint(Source.at(path)) != first


def test_a_file_that_was_just_written_is_not_remembered(tmp_path, read):
    """It could change again within one tick of the file system's clock."""
    (tmp_path / "a.csv").write_bytes(b"one")
    assert fingerprint(Source.at(tmp_path / "a.csv")) == fingerprint(Source.at(tmp_path / "a.csv"))
    assert read == ["a.csv", "a.csv"]


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path, settled, monkeypatch):
    (tmp_path / "blocked").write_text("a file in the place of the cache folder")
    monkeypatch.setenv("SLICEBENCH_CACHE", str(tmp_path / "blocked"))
    path = old(tmp_path / "a.csv", b"one")
    assert fingerprint(Source.at(path)) == f"sha256:{hashlib.sha256(b'one').hexdigest()}"


def test_every_file_of_a_folder_counts(tmp_path):
    (tmp_path / "data" / "part=1").mkdir(parents=True)
    (tmp_path / "data" / "a.parquet").write_bytes(b"1")
    (tmp_path / "data" / "part=1" / "b.parquet").write_bytes(b"2")
    found = [fingerprint(Source.at(tmp_path / "data"))]
    (tmp_path / "data" / "part=1" / "b.parquet").write_bytes(b"3")
    found.append(fingerprint(Source.at(tmp_path / "data")))
    (tmp_path / "data" / "part=1" / "b.parquet").rename(tmp_path / "data" / "b.parquet")
    found.append(fingerprint(Source.at(tmp_path / "data")))
    (tmp_path / "data" / "b.parquet").unlink()
    found.append(fingerprint(Source.at(tmp_path / "data")))
    assert len(set(found)) == 4
    assert all(one.startswith("sha256:") for one in found)


def test_many_files_count_by_name_size_and_time(tmp_path, monkeypatch, read):
    monkeypatch.setattr(fingerprints, "MANY", 2)
    for i in range(3):
        old(tmp_path / f"{i}.jpg", b"picture")
    source = Source(tmp_path, "*.jpg")
    first = fingerprint(source)
    assert first.startswith("listing:")
    assert fingerprint(source) == first
    (tmp_path / "1.jpg").write_bytes(b"another")  # the same size at another time
    assert fingerprint(source) != first
    assert not read, "no picture is read"


def test_a_pattern_leaves_other_files_alone(tmp_path):
    (tmp_path / "train-0.parquet").write_bytes(b"1")
    first = fingerprint(Source(tmp_path, "train-*.parquet"))
    (tmp_path / "notes.txt").write_bytes(b"2")
    assert fingerprint(Source(tmp_path, "train-*.parquet")) == first


def test_a_name_with_a_star_or_brackets_is_a_name(tmp_path):
    (tmp_path / "of [x]").mkdir()
    path = tmp_path / "of [x]" / "a*.csv"
    path.write_bytes(b"1")
    (tmp_path / "of [x]" / "ab.csv").write_bytes(b"2")
    assert fingerprint(Source.at(path)) == f"sha256:{hashlib.sha256(b'1').hexdigest()}"
    assert fingerprint(Source(tmp_path / "of [x]", "a*.csv")) == f"sha256:{hashlib.sha256(b'1').hexdigest()}"


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(StorageError, match=r"there is no file .*gone\.csv; put it there, or correct the path"):
        fingerprint(Source.at(tmp_path / "gone.csv"))
    with pytest.raises(StorageError, match=r"there is no file .*x-\*\.csv"):
        fingerprint(Source(tmp_path, "x-*.csv"))


def test_names_do_not_say_where_the_folder_is(tmp_path):
    assert Source(tmp_path, "*.jpg").name == "*.jpg"
    assert Source.at(tmp_path / "a.csv").name == "a.csv"
    assert Source.at(tmp_path, "classifier").name == "classifier: **/*"
