"""Miniatures of official layouts, made of real file formats."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from slicebench.evaluation.cell import evaluate
from slicebench.plugins.registry import METHODS

if TYPE_CHECKING:
    from pathlib import Path

TINY = {"arch": "small_cnn", "width": 4, "epochs": 2, "batch_size": 16, "peak_lr": 0.05}


def pictures(n: int, side: int = 32, seed: int = 0) -> np.ndarray:
    """Distinct random images, (n, side, side, 3)."""
    return np.random.default_rng(seed).integers(0, 256, size=(n, side, side, 3), dtype=np.uint8)


def encoded(image: np.ndarray, fmt: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, fmt)
    return file.getvalue()


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def hf_parquet(path: Path, columns: dict[str, list], names: dict[str, list[str]]) -> None:
    """A Parquet file as Hugging Face writes it: images as {bytes, path}, class names in the metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(pd.DataFrame(columns), preserve_index=False)
    features = {column: {"names": listed, "_type": "ClassLabel"} for column, listed in names.items()}
    about = json.dumps({"info": {"features": features}}).encode()
    pq.write_table(table.replace_schema_metadata({b"huggingface": about}), path)


def cells(images: np.ndarray) -> list[dict]:
    return [{"bytes": encoded(image), "path": f"{i}.png"} for i, image in enumerate(images)]


class Python2Pickle:
    """Opcodes as Python 2 wrote CIFAR's batches: protocol 2, byte strings, arrays through `_reconstruct`."""

    def __init__(self) -> None:
        self.out, self.memo = bytearray(b"\x80\x02"), 0

    def put(self) -> None:
        self.out += b"q" + bytes([self.memo]) if self.memo < 256 else b"r" + struct.pack("<I", self.memo)
        self.memo += 1

    def text(self, value: bytes) -> None:
        self.out += (
            b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value
        )
        self.put()

    def number(self, value: int) -> None:
        self.out += b"K" + bytes([value]) if 0 <= value < 256 else b"J" + struct.pack("<i", value)

    def array(self, value: np.ndarray) -> None:
        self.out += b"cnumpy.core.multiarray\n_reconstruct\n"
        self.put()
        self.out += b"cnumpy\nndarray\n"
        self.put()
        self.number(0)
        self.out += b"\x85"
        self.text(b"b")
        self.out += b"\x87"
        self.put()
        self.out += b"R"
        self.put()
        self.out += b"("
        self.number(1)
        for size in value.shape:
            self.number(size)
        self.out += b"\x86"
        self.put()
        self.out += b"cnumpy\ndtype\n"
        self.put()
        self.text(b"u1")
        self.number(0)
        self.number(1)
        self.out += b"\x87"
        self.put()
        self.out += b"R"
        self.put()
        self.out += b"("
        self.number(3)
        self.text(b"|")
        self.out += b"NNN"
        self.number(-1)
        self.number(-1)
        self.number(0)
        self.out += b"tb\x89"
        self.text(value.tobytes())
        self.out += b"tb"

    def listing(self, values: list) -> None:
        self.out += b"]"
        self.put()
        self.out += b"("
        for value in values:
            self.text(value) if isinstance(value, bytes) else self.number(int(value))
        self.out += b"e"

    def dictionary(self, items: dict) -> bytes:
        self.out += b"}"
        self.put()
        self.out += b"("
        for key, value in items.items():
            self.text(key.encode())
            if isinstance(value, np.ndarray):
                self.array(value)
            elif isinstance(value, bytes):
                self.text(value)
            else:
                self.listing(value)
        return bytes(self.out + b"u.")


def python2_pickle(items: dict) -> bytes:
    return Python2Pickle().dictionary(items)


def assert_oracle_is_one(problem) -> None:
    assert evaluate(METHODS.load("oracle")(), problem).record.metrics["namf"] == 1.0


def statuses(problem) -> dict[str, str]:
    """Status of every registered method on `problem`, with the reason where it is not "ok"."""
    found = {}
    for name in METHODS.names():
        record = evaluate(METHODS.load(name)(), problem, name).record
        found[name] = record.status if record.status == "ok" else f"{record.status}: {record.reason}"
    return found
