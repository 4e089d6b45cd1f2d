"""Adapters on miniatures of the official layouts in which one file is broken, and the parsers of pickles and IDX files."""

from __future__ import annotations

import io
import pickle
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from slicebench.plugins.dataset_card import Place
from slicebench_datasets._digits import _mnist, _read_idx
from slicebench_datasets._movielens_files import GENRES, OCCUPATIONS
from slicebench_datasets._pickled_data import read_pickled_data
from slicebench_datasets._squad_files import OFFICIAL, from_json
from slicebench_datasets.movielens import MovieLens
from tests.datasets import (
    test_celeba,
    test_cifar,
    test_digits,
    test_people_and_xrays,
    test_squad,
    test_text_adapters,
    test_waterbirds,
)
from tests.fuzz.harness import Entry
from tests.fuzz.values import File, broken_file, changed_bytes, changed_json, changed_text
from tests.support.local_data import TINY, python2_pickle

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT = tempfile.TemporaryDirectory(prefix="slicebench-layouts-")


def movielens(root: Path) -> None:
    rng = np.random.default_rng(0)
    (root / "u.user").write_text(
        "".join(f"{u}|{20 + u}|{'FM'[u % 2]}|{OCCUPATIONS[u % 5]}|0{u:04d}\n" for u in range(1, 31))
    )
    flags = ["|".join("01"[int(f)] for f in rng.random(len(GENRES)) < 0.2) for _ in range(20)]
    items = [f"{i}|Amélie {i} (1997)|01-Jan-1997||http://x/{i}|{flags[i - 1]}\n" for i in range(1, 21)]
    (root / "u.item").write_text("".join(items), encoding="latin-1")
    pairs = rng.choice(600, 300, replace=False)
    (root / "u.data").write_text("".join(f"{p // 20 + 1}\t{p % 20 + 1}\t{rng.integers(1, 6)}\t88\n" for p in pairs))


def squad(root: Path) -> None:
    rng = np.random.default_rng(0)
    for name, numbers in (("train", range(4)), ("dev", (8, 9))):
        test_squad.write(root / f"{name}-v1.1.json", [test_squad.article(rng, number) for number in numbers])


def mnist(root: Path) -> None:
    for prefix, n, zipped in (("train", 20, True), ("t10k", 10, False)):
        suffix = ".gz" if zipped else ""
        images = np.random.default_rng(n).integers(0, 256, size=(n, 4, 4))
        test_digits.write_idx(root / f"{prefix}-images-idx3-ubyte{suffix}", images, zipped=zipped)
        test_digits.write_idx(root / f"{prefix}-labels-idx1-ubyte{suffix}", np.arange(n) % 10, zipped=zipped)


def cifar(kind: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        fine = {"train": np.tile(test_cifar.FINE, 2), "test": test_cifar.FINE}
        data = {p: (test_cifar.pictures(len(y), seed=len(y)), y, test_cifar.COARSE_OF[y]) for p, y in fine.items()}
        getattr(test_cifar, kind)(root / "x", data)

    return make


PEOPLE = test_people_and_xrays
QUICK = {"side": 16, "recipe": TINY, "encoder": "own-latent"}
LAYOUTS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any], str]] = {
    "celeba": (lambda r: test_celeba.official(r / "x", 300), lambda r: test_celeba.adapter(r).raw(0), "x/*.txt"),
    "waterbirds": (test_waterbirds.archive, lambda r: test_waterbirds.adapter(r).raw(0), "*/*.csv"),
    "fairface": (PEOPLE.fair_faces, lambda r: PEOPLE.FairFace(root=str(r), keep=0.25, **QUICK).raw(0), "*.csv"),
    "chest_xray14": (PEOPLE.nih, lambda r: PEOPLE.ChestXray14(root=str(r), **QUICK).raw(0), "*.[ct][sx][vt]"),
    "chest_xray_views": (PEOPLE.views_parquet, lambda r: PEOPLE.ChestXrayViews(root=str(r), **QUICK).raw(0), "data/*"),
    "cifar100, pickles": (cifar("python100"), lambda r: test_cifar.superclass(r / "x").raw(0), "x/*"),
    "cifar100, archive": (cifar("archive100"), lambda r: test_cifar.superclass(r / "x").raw(0), "x/*"),
    "cifar100, Parquet": (cifar("parquet100"), lambda r: test_cifar.superclass(r / "x").raw(0), "x/*/*"),
    "mnist": (mnist, lambda r: (_mnist(r, "train"), _mnist(r, "test")), "*"),
    "squad": (squad, lambda r: from_json(Place(OFFICIAL, r)), "*.json"),
    "movielens": (movielens, lambda r: MovieLens(root=str(r)).build(0), "u.*"),
} | {
    key: (writer, lambda r, adapter=adapter, sizes=sizes: adapter(root=str(r), recipe=TINY, **sizes).raw(0), "**/*")
    for key, (writer, adapter, sizes) in test_text_adapters.MADE.items()
}
WAYS = {
    ".csv": [changed_text],
    ".tsv": [changed_text],
    ".txt": [changed_text],
    ".json": [changed_json],
    ".user": [changed_text],
    ".data": [changed_text],
}
SLOW = {
    "celeba",
    "waterbirds",
    "fairface",
    "chest_xray14",
    "chest_xray_views",
    "movielens",
    "cifar100, pickles",
    "cifar100, archive",
    "cifar100, Parquet",
}


@cache
def made(key: str) -> Path:
    """The miniature of a layout, made once."""
    root = Path(KEPT.name) / key
    root.mkdir()
    LAYOUTS[key][0](root)
    return root


@cache
def broken(key: str) -> st.SearchStrategy[tuple[str, File]]:
    root = made(key)
    found = sorted(p.relative_to(root).as_posix() for p in root.glob(LAYOUTS[key][2]) if p.is_file())
    assert found, key
    return st.one_of(
        *[st.tuples(st.just(n), broken_file((root / n).read_bytes(), *WAYS.get(Path(n).suffix, []))) for n in found]
    )


def reading(key: str) -> Callable[[Any, Path], None]:
    def call(change: tuple[str, File], folder: Path) -> None:
        name, file = change
        shutil.copytree(made(key), folder / "r", copy_function=link)
        file.put(folder / "r" / name)
        LAYOUTS[key][1](folder / "r")

    return call


def link(source: str, target: str) -> None:
    """Images are not changed, so that they need no copy; `File.put` replaces a file and does not write into it."""
    Path(target).hardlink_to(source)


CELLS = {
    "data": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "labels": [0, 1, 2],
    "names": [b"a", b"b"],
    "batch_label": b"x",
}


class Evil:
    """What a hostile download would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch pwned",)


def shared(depth: int) -> list[Any]:
    """A list of two lists that are one, and so on: small as a pickle, 2 to the power of `depth` written out."""
    out: list[Any] = [1]
    for _ in range(depth):
        out = [out, out]
    return out


def circle() -> list[Any]:
    out: list[Any] = []
    out.append(out)
    return out


def deep(depth: int) -> bytes:
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


def pickles() -> st.SearchStrategy[bytes]:
    whole = [python2_pickle(CELLS), *(pickle.dumps(CELLS, protocol) for protocol in (0, 1, 2, 3, 4, 5))]
    odd = [
        pickle.dumps(thing, 2)
        for thing in (Evil(), shared(60), circle(), {"a": shared(3)}, [1, "x"], 2**100, {1: 2}, {(1,): 2}, None, 1.5)
    ]
    return st.one_of(*[changed_bytes(data) for data in whole], st.sampled_from([*whole, *odd, deep(100_000)]))


def try_pickle(data: bytes, _: Path) -> None:
    read_pickled_data(io.BytesIO(data), "a pickle")


def try_idx(given: tuple[str, File], folder: Path) -> None:
    suffix, file = given
    file.put(folder / f"x{suffix}")
    _read_idx(folder / f"x{suffix}", 3)


def idx_files() -> st.SearchStrategy[tuple[str, File]]:
    root = made("mnist")
    return st.one_of(
        st.tuples(st.just(""), broken_file((root / "t10k-images-idx3-ubyte").read_bytes())),
        st.tuples(st.just(".gz"), broken_file((root / "train-images-idx3-ubyte.gz").read_bytes())),
    )


ENTRIES = [
    Entry("pickle of CIFAR", st.deferred(pickles), try_pickle, share=3),
    Entry("IDX file", st.deferred(idx_files), try_idx, share=2),
    *(
        Entry(f"dataset {k}", st.deferred(lambda k=k: broken(k)), reading(k), 0.3 if k in SLOW else 1.0)
        for k in LAYOUTS
    ),
]
