"""Strategies that entries share: arrays of many kinds, hostile names, and damaged files."""

from __future__ import annotations

import json
import os
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = [
    "../../x", "..", ".", "/etc/x", "a/b", "a\\b", "", " ", "\0", "a\0b", "a\nb", "\r\n", "\u202egnp.exe", "\ud800", "é",
    "e\u0301",
    "☃", "𝔘𝔫𝔦", "con", "NUL", "~", "~root", "$HOME", "%s%n", "{x}", "{0.__class__}", "{{ 7*7 }}", "<script>", "'; drop", "-rf",
    "--help", "a" * 300, "b" * 100_000, "nan", "None", "0", "-1", "1e999", "true", "\ufeff", "\u200b", "\x7f", "\x1b[31m",
    "*", "?", "[a", "a.toml",
    "file:///etc", "memory://x", "s3://", "http://127.0.0.1:9/x", "zip://x", "nosuch://x", "://",
]  # fmt: skip
"""Names that have broken programs."""


def names() -> st.SearchStrategy[str]:
    """Hostile names, and any text."""
    return st.one_of(st.sampled_from(NAMES), st.text(max_size=12))


SCALES = (1.0, 1e-30, 1e30, 1e-38, 3e38, 1e-3, 1e6, 1e300)
DTYPES = ("<f4", "<f8", "<f2", ">f4", ">f8", "<i8", ">i4", "u1", "?")


@dataclass(frozen=True)
class Seeded:
    """Recipe of an input: `rng` numbers plus what a strategy chose, so that a failing one is short to print."""

    number: int
    chosen: dict[str, Any]

    @property
    def rng(self) -> np.random.Generator:
        """Fresh generator."""
        return np.random.default_rng(self.number)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.chosen[name]
        except KeyError:
            raise AttributeError(name) from None


def seeded(**choices: Any) -> st.SearchStrategy[Seeded]:
    """Recipes; every keyword is a list to choose from, or a strategy."""
    parts = {k: v if isinstance(v, st.SearchStrategy) else st.sampled_from(v) for k, v in choices.items()}
    return st.builds(Seeded, st.integers(0, 2**32 - 1), st.fixed_dictionaries(parts))


def floats(rng: np.random.Generator, shape: tuple[int, ...], kind: str, scale: float = 1.0) -> np.ndarray:
    """Numbers of a kind: normal, constant, ties, huge and tiny mixed, with NaN or infinity in one place, spikes."""
    with np.errstate(all="ignore"):
        x = rng.normal(size=shape) * scale
        if kind == "constant":
            x = np.full(shape, scale)
        elif kind == "zero":
            x = np.zeros(shape)
        elif kind == "ties":
            x = np.round(rng.normal(size=shape)) * scale
        elif kind == "mixed":
            x = x * 10.0 ** rng.integers(-30, 30, size=shape)
        elif kind == "spike" and x.size:
            x.flat[rng.integers(x.size)] = scale * 1e8
        elif kind in ("nan", "inf", "-inf") and x.size:
            x.flat[rng.integers(x.size)] = float(kind)
        elif kind == "repeated" and shape and shape[0]:
            x = np.repeat(x[:1], shape[0], axis=0)
    return x


FINE = ("normal", "constant", "zero", "ties", "mixed", "spike", "repeated")
BROKEN = ("nan", "inf", "-inf")


def _read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def _as(dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: x.astype(dtype)


PRESENTED: dict[str, Callable[[np.ndarray], Any]] = {
    "plain": lambda x: x,
    "read-only": _read_only,
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "reversed": lambda x: x[::-1],
    "fortran": np.asfortranarray,
    "list": lambda x: x.tolist(),
    **{f"as {dtype}": _as(dtype) for dtype in (*DTYPES, "<i4", ">i8", "<U3")},
    "object": _as("O"),
    "text": _as("U"),
    "complex": _as("c16"),
    "more axes": lambda x: x[..., None],
    "ragged": lambda x: [*x.tolist()[:-1], [1, 2, 3, 4, 5, 6, 7]],
    "masked": lambda x: np.ma.masked_array(x, mask=np.arange(x.size).reshape(x.shape) % 5 == 0),
}
"""The same numbers in other containers, by kind."""


def presented(x: np.ndarray, how: str) -> Any:
    """`x` in one of the ways of `PRESENTED`."""
    with np.errstate(all="ignore"):
        return PRESENTED[how](x)


HOWS = ("plain", "read-only", "strided", "reversed", "fortran", "list", *(f"as {d}" for d in DTYPES))
WRONG = ("object", "text", "complex", "more axes", "ragged", "masked")


def odd_json() -> st.SearchStrategy[Any]:
    """JSON values in the place of others."""
    return st.sampled_from(
        [None, True, 0, -1, 2**63, 2**70, 1.5, float("nan"), float("inf"), -0.0, 1e308, "", "x", "../../x", "\0", "\ud800",
         "a" * 5000,
         [], [[]], {}, {"x": 1}, [None], ["../x"], [1, "a"], {"": {}}]
    )  # fmt: skip


@dataclass(frozen=True)
class File:
    """What is put in the place of a file: changed bytes, or something that is no file."""

    kind: str
    data: bytes = b""

    def put(self, path: Path) -> None:
        """Put it at `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if self.kind == "folder":
            path.mkdir()
        elif self.kind == "loop":
            path.symlink_to(path.name)
        elif self.kind == "dangling":
            path.symlink_to("nowhere")
        elif self.kind == "pipe":
            os.mkfifo(path)
        elif self.kind == "endless":
            path.symlink_to("/dev/zero")
        elif self.kind == "bytes":
            path.write_bytes(self.data)


NO_FILE = tuple(File(kind) for kind in ("missing", "folder", "loop", "dangling", "pipe", "endless"))
LENGTHS = (0, 1, 7, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1)
WHOLE = (
    b"", b"\0", b"\0" * 4096, b"{}", b"[]", b"null", b"NaN", b"Infinity", b'"x"', b"1e999", b"[" * 100_000, b'{"a":' * 20_000,
    b"a=" + b"[" * 5000, b"a" + b".a" * 20_000 + b"=1", b"\xff\xfe", b"\x93NUMPY", b"PK\x03\x04", b"PAR1", b"\x1f\x8b",
    b"\x80\x02",
    b"cos\nsystem\n(S'touch pwned'\ntR.", b"\x80\x04\x95" + b"\xff" * 8, b"\n" * 1000, b",\n" * 100, "ü".encode("latin-1"),
)  # fmt: skip
"""Files that were never valid."""


@st.composite
def changed_bytes(draw: Any, valid: bytes) -> bytes:
    """`valid` after one to four of: a flipped bit, a length written over it, a cut, a piece doubled, moved or left out,
    junk."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.one_of(st.integers(0, max(0, len(data) - 1)), st.integers(0, min(64, max(0, len(data) - 1)))))
        length = draw(st.integers(1, 40))
        op = draw(st.sampled_from(["flip", "set", "length", "cut", "double", "drop", "junk", "append", "tail"]))
        if op == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif op == "set" and data:
            data[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, ord('"'), ord("}"), ord("-")]))
        elif op == "length":
            size, order = draw(st.sampled_from("BHIQ")), draw(st.sampled_from("<>"))
            packed = struct.pack(order + size, draw(st.sampled_from(LENGTHS)) % 2 ** (8 * struct.calcsize("<" + size)))
            data[at : at + len(packed)] = packed
        elif op == "cut":
            del data[at:]
        elif op == "tail":
            del data[:at]
        elif op == "double":
            data[at:at] = data[at : at + length]
        elif op == "drop":
            del data[at : at + length]
        elif op == "junk":
            data[at:at] = draw(st.binary(min_size=1, max_size=12))
        else:
            data += draw(st.binary(min_size=1, max_size=12))
    return bytes(data)


@st.composite
def changed_json(draw: Any, valid: bytes) -> bytes:
    """JSON (or lines of it) with a value replaced, taken away, doubled or named otherwise somewhere in it."""
    lines = valid.decode().splitlines() if b"}\n{" in valid else [valid.decode()]
    row = draw(st.integers(0, len(lines) - 1))
    whole = json.loads(lines[row])
    for _ in range(draw(st.integers(1, 2))):
        whole = _changed(draw, whole)
    lines[row] = json.dumps(whole)
    text = "\n".join(lines)
    if draw(st.booleans()):
        text = draw(
            st.sampled_from([text, "\ufeff" + text, text.replace("{", '{"name": 1, ', 1), text + text, text + ","])
        )
    return text.encode("utf-8", "surrogatepass")


def _changed(draw: Any, value: Any) -> Any:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not keys or draw(st.integers(0, 4)) == 0:
        return draw(odd_json())
    key, how = draw(st.sampled_from(keys)), draw(st.integers(0, 9))
    out = dict(value) if isinstance(value, dict) else list(value)
    if how == 0:
        del out[key]
    elif how == 1 and isinstance(out, dict):
        out[draw(names())] = out.pop(key)
    elif how == 2 and isinstance(out, list):
        out = out + out
    else:
        out[key] = _changed(draw, out[key])
    return out


@st.composite
def changed_safetensors(draw: Any, valid: bytes) -> bytes:
    """A safetensors file whose JSON header was changed and its length mended, so that the change is read."""
    length = int.from_bytes(valid[:8], "little")
    header = draw(changed_json(valid[8 : 8 + length]))
    return len(header).to_bytes(8, "little") + header + valid[8 + length :]


TOKENS = (
    "nan", "inf", "-1", "0", "1e999", "9" * 30, "true", '""', "[]", "{}", "[[]]", '"../../x"', '"\\u0000"', "1979-05-27",
    "'''a", "0x", '"{"', '"{class}"',
)  # fmt: skip


@st.composite
def changed_text(draw: Any, valid: bytes) -> bytes:
    """Text with a word, number or line replaced, doubled or left out."""
    text = valid.decode()
    for _ in range(draw(st.integers(1, 3))):
        found = list(re.finditer(r'"[^"\n]*"|[\w.+-]+|[\[\]{}=,]', text))
        if not found:
            break
        match = found[draw(st.integers(0, len(found) - 1))]
        new = draw(st.one_of(st.sampled_from(TOKENS), st.just(match.group() * 2), st.just(""), names()))
        text = text[: match.start()] + new + text[match.end() :]
    return text.encode("utf-8", "surrogatepass")


def broken_file(valid: bytes, *structured: Any) -> st.SearchStrategy[File]:
    """Something in the place of a valid file: no file, one that never was valid, or the valid one changed.

    `structured` are strategies that change it knowing its format, as `changed_json`.
    """
    ways = [changed_bytes(valid), *(way(valid) for way in structured)]
    data = st.one_of(*ways, *ways, st.sampled_from(WHOLE))
    return st.one_of(*[st.builds(File, st.just("bytes"), data)] * 9, st.sampled_from(NO_FILE))
