"""Files that anybody may have made: what is no file, or claims more than there is room for, is refused before it is read."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import tarfile
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slicebench.data.captions.grammar import load_grammar
from slicebench.data.checks import ids_of, labels_of
from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.files.arrays import read_arrays, write_arrays
from slicebench.files.image_arrays import ImageFiles, decoded
from slicebench.files.untrusted import check_room, mapped_npy, opened, plain_file, read_npz, read_parquet
from slicebench.models.encoders.file import FileEncoder
from slicebench.results.contact_sheets import contact_sheet
from slicebench_datasets._pickled_data import read_pickled_data
from slicebench_datasets._tables import read_csv


@pytest.fixture
def little_room(monkeypatch):
    """A machine with 16 MiB to spare."""
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**25))


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "loop", "nothing"])
def test_only_files_are_files(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to("x")
    with pytest.raises(OSError):  # noqa: PT011 - StorageError is one
        plain_file(path)
    for read in (read_npz, read_parquet, opened):
        with pytest.raises(OSError):  # noqa: PT011
            read(path)
    with pytest.raises(StorageError, match=str(path)):
        mapped_npy(path)


def test_what_unpacks_to_more_than_there_is_room_for_is_refused(tmp_path, little_room):
    np.savez_compressed(tmp_path / "x.npz", ids=np.array(["a"]), embeddings=np.zeros((2**23, 1), np.float32))
    assert (tmp_path / "x.npz").stat().st_size < 2**17
    with pytest.raises(StorageError, match=r"x.npz unpacks to 0.0 GiB"):
        read_npz(tmp_path / "x.npz")
    with pytest.raises(StorageError, match="unpacks to"):
        FileEncoder(str(tmp_path / "x.npz")).encode([0], np.array(["a"]))
    table = pa.table({"x": pa.array(np.zeros(2**22, np.int64))})
    pq.write_table(table, tmp_path / "x.parquet", compression="zstd")
    assert (tmp_path / "x.parquet").stat().st_size < 2**17
    with pytest.raises(StorageError, match=r"x.parquet unpacks to"):
        read_parquet(tmp_path / "x.parquet")
    with pytest.raises(
        StorageError, match=r"a lot unpacks to 931\.3 GiB; the limit is half of the free memory, which is 0\.0 GiB"
    ):
        check_room("a lot", 10**12)


def test_a_bomb_in_a_gz_is_noticed_while_it_unpacks(tmp_path, little_room, monkeypatch):
    monkeypatch.setattr("slicebench.files.untrusted._Counted.STEP", 2**22)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 2**24))
    with pytest.raises(StorageError, match=r"x.csv.gz unpacks to"):
        read_csv(tmp_path / "x.csv.gz", ["a"])
    (tmp_path / "y.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert read_csv(tmp_path / "y.csv.gz", ["a"])["a"].tolist() == ["1"]


def test_what_is_fine_is_read(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.arange(3), b=np.arange(2))
    assert read_npz(tmp_path / "x.npz", ["a"])["a"].tolist() == [0, 1, 2]
    np.save(tmp_path / "x.npy", np.arange(3))
    assert mapped_npy(tmp_path / "x.npy").tolist() == [0, 1, 2]
    pd.DataFrame({"a": [1], "b": [2]}).to_parquet(tmp_path / "x.parquet")
    assert read_parquet(tmp_path / "x.parquet", ["b"]).columns.tolist() == ["b"]
    with opened(tmp_path / "x.npy") as file:
        assert file.read(6) == b"\x93NUMPY"


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'f 3), }\n" + b" " * 90, b"\x93NUMPY\x01\x00"],
)
def test_headers_that_numpy_stumbles_over_are_told(tmp_path, content):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(StorageError, match=r"x\.npy"):
        mapped_npy(tmp_path / "x.npy")


def test_an_archive_of_arrays_is_no_array(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.arange(3))
    with pytest.raises(StorageError, match="archive of arrays"):
        mapped_npy(tmp_path / "x.npz")


def shared(depth):
    out = [1]
    for _ in range(depth):
        out = [out, out]
    return out


def test_a_pickle_cannot_grow_or_go_in_circles():
    big = read_pickled_data(io.BytesIO(pickle.dumps(shared(60), 2)), "x")  # 2 ** 60 numbers, written out
    assert big[0] is big[1]
    circle = []
    circle.append(circle)
    for data in (pickle.dumps(circle, 2), b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b"."):
        with pytest.raises(StorageError, match="cannot read x"):
            read_pickled_data(io.BytesIO(data), "x")


def test_an_image_that_claims_to_be_huge_is_told(tmp_path):
    from tests.fuzz.documents import huge_png

    (tmp_path / "x.png").write_bytes(huge_png())
    with pytest.raises(StorageError, match="cannot be decoded"):
        decoded(ImageFiles(tmp_path, ["x.png"]))


def test_a_caption_of_a_hundred_thousand_letters_is_cut(tmp_path):
    contact_sheet([("a" * 10**5, np.zeros((1, 8, 8), np.uint8), None)], tmp_path / "x.png")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a" + ".a" * 20_000 + " = 1"])
def test_toml_that_is_nested_too_deeply_is_told(tmp_path, text):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ConfigError, match="nested too deeply"):
        load_grammar(str(tmp_path / "x.toml"))


def test_ids_that_utf8_cannot_write_and_empty_labels():
    with pytest.raises(DataError, match="row 1, which UTF-8 cannot encode"):
        ids_of("ids", ["a", "b\udc80"])
    with pytest.raises(DataError, match="labels is empty"):
        labels_of("labels", np.zeros(0, int), 0)


def test_metadata_are_written_in_one_order(tmp_path):
    arrays = {"x": np.arange(3.0), "flag": np.array([True])}
    for i, metadata in enumerate(({"b": "é\n", "a": "1"}, {"a": "1", "b": "é\n"})):
        write_arrays(tmp_path / f"{i}.safetensors", arrays, metadata)
    assert (tmp_path / "0.safetensors").read_bytes() == (tmp_path / "1.safetensors").read_bytes()
    found, metadata = read_arrays(tmp_path / "0.safetensors", "")
    assert list(metadata.items()) == [("a", "1"), ("b", "é\n")]
    np.testing.assert_array_equal(found["x"], arrays["x"])
    content = (tmp_path / "0.safetensors").read_bytes()
    assert int.from_bytes(content[:8], "little") % 8 == 0
    assert json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["x"]["shape"] == [3]


def test_a_member_of_an_archive_has_to_fit_too(tmp_path, little_room):
    from slicebench.plugins.dataset_card import Place
    from slicebench_datasets._cifar import _pickled

    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("x/test_batch")
        info.size = 2**25
        tar.addfile(info, io.BytesIO(bytes(2**25)))
    with pytest.raises(StorageError, match="unpacks to"):
        _pickled(Place("python archive", tmp_path), "test_batch")


def test_an_archive_that_was_sent_claims_no_more_than_was_sent(tmp_path):
    from slicebench.problems.archive import unpack

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", bytes(2**20))
    with pytest.raises(StorageError, match="claims to hold more bytes than were sent"):
        unpack(out.getvalue(), tmp_path / "x")
    assert not (tmp_path / "x").exists()
