"""Entries that take names and small texts: suites, caption grammars, parameters, locations, own tables, pictures."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

import slicebench
from slicebench.data.captions import CaptionSet
from slicebench.data.captions.grammar import caption_set, load_grammar
from slicebench.data.captions.naming import captions_naming
from slicebench.discovery.selection import select
from slicebench.files.image_arrays import ImageFiles, ParquetImages, decoded
from slicebench.files.locations import bytes_if_there, location
from slicebench.plugins.dataset_card import inspect_data, is_ready, locate
from slicebench.plugins.parameters import assignment, read_value
from slicebench.plugins.registry import DATASETS, METHODS
from slicebench.results.contact_sheets import contact_sheet
from slicebench.runs.plan import Filters, plan, with_settings
from slicebench.runs.store import safe_name
from slicebench.runs.suite import load_suite, parse_suite
from tests.fuzz.arrays import troubled
from tests.fuzz.harness import Entry
from tests.fuzz.values import NAMES, Seeded, broken_file, changed_text, names, seeded

if TYPE_CHECKING:
    from tests.fuzz.values import File

SUITE = """
name = "mine"
description = "two"
seeds = [0, 1]
methods = ["random", "domino"]
unit = "problem"
[[problems]]
name = "blobs"
dataset = "gaussian"
params = { plant = "linear", encoder = "own-latent", n_test = 500, flip = 0.1 }
[[problems]]
name = "pictures"
dataset = "scenes"
[method_params.domino]
n_slices = 5
"""
TOML = """description = "Pets"
source = "mine"
templates = ["a photo of a {adjective} {class} {phrase}", "{class}"]
reference = "a photo of a {class}"
[slots]
adjective = ["", "white"]
phrase = ["", "outside"]
[classes.dog]
phrase = ["on the grass"]
[classes.cat]
"""


def on_path(call: Any, name: str) -> Any:
    """Entry that puts a file under `name` into its folder and reads it."""

    def tried(file: File, folder: Path) -> Any:
        file.put(folder / name)
        return call(folder / name)

    return tried


def try_settings(given: tuple[str, str, str], _: Path) -> None:
    method, name, value = given
    suite = with_settings(parse_suite(SUITE, "x"), [f"{method}.{name}={value}"])
    plan(suite, Filters(problems=("blobs",)))


def try_assignment(text: str, _: Path) -> None:
    name, value = assignment("--set", text)
    for plugin in (METHODS.load("domino"), DATASETS.load("gaussian")):
        read_value(plugin, "x", name, value)


def try_location(name: str, folder: Path) -> None:
    """Only local ones and those in memory are read: nothing here may reach for a network."""
    found = location(name)
    if isinstance(found, Path):
        bytes_if_there(folder / found.name if found.name else folder)


def try_name(name: str, folder: Path) -> None:
    safe = safe_name(name)
    assert "/" not in safe
    assert "\0" not in safe
    if safe.strip(".") and len(safe) < 200:
        (folder / safe).write_text("x")


def try_caption_set(given: tuple[list[list[str]], list[str]], _: Path) -> None:
    made = CaptionSet.of(*given)
    for c in range(len(given[1])):
        assert set(made.of_class(c)) <= set(made.texts)


def try_naming(given: tuple[list[str], list[str]], _: Path) -> None:
    captions_naming(*given)


def try_sheet(s: Seeded, folder: Path) -> None:
    rng = s.rng
    shape = (s.k, s.h, s.w, *(() if s.grey else (s.channels,)))
    images = rng.integers(0, 256, size=shape).astype(s.dtype)
    rows = [(s.label, images, rng.random(s.k) < 0.5 if s.marks else None, [s.text] * (s.k + s.off))] * s.rows
    contact_sheet(rows, folder / s.file, scale=s.scale)


TEXTS = [name for name in NAMES if len(name) < 1000]
SHEETS = seeded(
    k=[1, 3, 0],
    h=[1, 8, 70],
    w=[1, 8, 70],
    grey=[True, False],
    channels=[3, 3, 3, 1, 4],
    dtype=["u1", "u1", "u1", "f4", "i8"],
    label=NAMES,
    text=NAMES,
    marks=[False, True],
    off=[0, 0, 0, 1],
    rows=[1, 2, 0],
    scale=[None, None, 1, 3, 0, -1],
    file=["a.png", "b/c.png", "a", "\u202e.png", "a\0.png", "x" * 300 + ".png"],
)


def picture(kind: str) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3)).save(out, kind)
    return out.getvalue()


def huge_png() -> bytes:
    """A hundred bytes that stand for 60,000 × 60,000 pixels."""
    data = bytearray(picture("PNG"))
    import struct
    import zlib

    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def try_images(given: tuple[File, int | None, str], folder: Path) -> None:
    file, side, mode = given
    file.put(folder / "a.img")
    decoded(ImageFiles(folder, ["a.img"]), side=side, mode=mode)


@cache
def image_table() -> bytes:
    out = io.BytesIO()
    pd.DataFrame({"image": [{"bytes": picture("PNG"), "path": "a.png"}] * 3, "label": [0, 1, 2]}).to_parquet(out)
    return out.getvalue()


def try_image_table(file: File, folder: Path) -> None:
    file.put(folder / "a.parquet")
    decoded(ParquetImages([folder / "a.parquet"], "image", np.array([0, 2])), side=4)


CELLS = [
    "numbers",
    "words",
    "gaps",
    "text numbers",
    "huge",
    "nan",
    "mixed",
    "bools",
    "dates",
    "vectors",
    "ragged vectors",
    "categories",
    "bytes",
]


def column(rng: np.random.Generator, n: int, kind: str) -> Any:
    return {
        "numbers": lambda: rng.normal(size=n),
        "words": lambda: [f"w{i}" for i in rng.integers(3, size=n)],
        "gaps": lambda: [None if i % 5 == 0 else "x" for i in range(n)],
        "text numbers": lambda: [str(i % 3) for i in range(n)],
        "huge": lambda: rng.normal(size=n) * 1e300,
        "nan": lambda: np.where(rng.random(n) < 0.3, np.nan, 1.0),
        "mixed": lambda: [i if i % 2 else f"x{i}" for i in range(n)],
        "bools": lambda: rng.random(n) < 0.5,
        "dates": lambda: pd.date_range("2020", periods=n),
        "vectors": lambda: list(rng.normal(size=(n, 3)).astype(np.float32)),
        "ragged vectors": lambda: [rng.normal(size=2 + i % 2) for i in range(n)],
        "categories": lambda: pd.Categorical([f"c{i % 2}" for i in range(n)]),
        "bytes": lambda: [b"x"] * n,
        "labels": lambda: rng.integers(2, size=n),
        "ids": lambda: [f"id{i}" for i in range(n)],
        "probability": lambda: np.full(n, 0.5),
    }[kind]()


def frame(s: Seeded, n: int, rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: column(rng, n, getattr(s, name))
            for name in ("label", "prediction", "embedding", "id", "other", "p_0", "p_1", "loss")
        }
    )


FRAMES = {
    "n": [30, 40],
    "label": ["labels", "text numbers", "categories", "bools"],
    "prediction": ["labels"],
    "embedding": ["vectors"],
    "id": ["ids"],
    "other": ["words", "bools", "numbers", "categories"],
    "p_0": ["probability"],
    "p_1": ["probability"],
    "loss": ["numbers"],
    "how": ["probs", "predictions", "loss", "features", "groups"],
}
BAD_FRAMES = (
    {"n": [0, 1, 2]}
    | dict.fromkeys(("label", "prediction", "embedding", "id", "other", "p_0", "p_1", "loss"), CELLS)
    | {"how": ["absent"]}
)


def columns(s: Seeded) -> dict[str, Any]:
    return {
        "probs": {"label": "label", "probs": "p_", "embedding": "embedding", "id": "id"},
        "predictions": {"label": "label", "prediction": "prediction", "embedding": "embedding"},
        "loss": {"loss": "loss", "embedding": "embedding"},
        "features": {"label": "label", "prediction": "prediction", "features": ["other", "loss"]},
        "absent": {"label": "nowhere", "prediction": "prediction", "embedding": "embedding"},
        "groups": {
            "label": "label",
            "prediction": "prediction",
            "embedding": "embedding",
            "groups": {"g": ("other", "x")},
            "metadata": ["other"],
        },
    }[s.how]


def try_frame(s: Seeded, _: Path) -> None:
    slicebench.from_frame(frame(s, s.n, s.rng), **columns(s))


def try_select(s: Seeded, _: Path) -> None:
    rng, about = s.rng, columns(s)
    for name in ("groups", "metadata"):
        about.pop(name, None)
    select(frame(s, s.n, rng), frame(s, 9, rng).assign(id=[f"p{i}" for i in range(9)]), method=s.method, k=s.k, **about)


@cache
def table(suffix: str) -> bytes:
    rng, out = np.random.default_rng(0), io.BytesIO()
    made = pd.DataFrame(
        {
            "label": rng.integers(2, size=30),
            "prediction": rng.integers(2, size=30),
            "x": rng.normal(size=30),
            "y": rng.normal(size=30),
        }
    )
    if suffix == ".parquet":
        made.to_parquet(out)
    elif suffix == ".jsonl":
        made.to_json(out, orient="records", lines=True)
    else:
        made.to_csv(
            out,
            index=False,
            sep="\t" if ".tsv" in suffix else ",",
            compression="gzip" if suffix.endswith(".gz") else None,
        )
    return out.getvalue()


def tables() -> st.SearchStrategy[tuple[str, File]]:
    ways = {".csv": [changed_text], ".tsv": [changed_text]}
    return st.one_of(
        *[
            st.tuples(st.just(s), broken_file(table(s), *ways.get(s, [])))
            for s in (".parquet", ".csv", ".csv.gz", ".tsv", ".jsonl")
        ]
    )


def try_table(given: tuple[str, File], folder: Path) -> None:
    suffix, file = given
    file.put(folder / f"t{suffix}")
    slicebench.from_parquet(folder / f"t{suffix}", label="label", prediction="prediction", features=["x", "y"])


def try_data(given: tuple[str, str, File], folder: Path) -> None:
    """What `slicebench data check` does, on a folder with one file of a layout that is not what it should be."""
    dataset, pattern, file = given
    card = DATASETS.load(dataset).card
    file.put(folder / pattern.replace("*", "1"))
    inspect_data(card, folder, checksums=file.kind == "bytes")
    if is_ready(card, folder):
        locate(card, folder)


def wanted_files() -> st.SearchStrategy[tuple[str, str, File]]:
    cards = {name: DATASETS.load(name).card for name in DATASETS.names()}
    listed = [(name, w.path) for name, card in cards.items() if card for layout in card.layouts for w in layout.files]
    return st.builds(lambda pair, file: (*pair, file), st.sampled_from(listed), broken_file(b"x" * 40))


ENTRIES = [
    Entry(
        "suite",
        st.deferred(lambda: broken_file(SUITE.encode(), changed_text, changed_text)),
        on_path(lambda p: plan(load_suite(str(p))), "s.toml"),
    ),
    Entry("suite by name", names(), lambda name, _: load_suite(name), share=0.3),
    Entry(
        "run --set",
        st.tuples(
            st.one_of(st.just("domino"), names()),
            st.one_of(st.sampled_from(["n_slices", "seed"]), names()),
            st.one_of(st.integers().map(str), st.floats().map(str), names()),
        ),
        try_settings,
    ),
    Entry(
        "name=value",
        st.one_of(
            names(),
            st.builds(
                "{}={}".format,
                st.sampled_from(["n_slices", "seed", "plant", "flip", "encoder", "y_weight"]),
                st.one_of(names(), st.floats().map(str)),
            ),
        ),
        try_assignment,
    ),
    Entry(
        "caption grammar",
        st.deferred(lambda: broken_file(TOML.encode(), changed_text, changed_text)),
        on_path(lambda p: (load_grammar(str(p)), caption_set(str(p), ["dog", "cat"])), "g.toml"),
    ),
    Entry(
        "caption set",
        st.tuples(st.lists(st.lists(names(), max_size=3), max_size=3), st.lists(names(), max_size=3)),
        try_caption_set,
    ),
    Entry(
        "captions that name",
        st.tuples(st.lists(names(), max_size=3), st.lists(names(), max_size=2)),
        try_naming,
        share=0.5,
    ),
    Entry("location", names(), try_location, share=0.5),
    Entry("file name", names(), try_name, share=0.5),
    Entry("contact sheet", SHEETS, try_sheet),
    Entry(
        "image file",
        st.deferred(
            lambda: st.tuples(
                st.one_of(
                    *[broken_file(picture(k)) for k in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")],
                    broken_file(huge_png()),
                ),
                st.sampled_from([None, 4]),
                st.sampled_from(["RGB", "L"]),
            )
        ),
        try_images,
        share=2,
    ),
    Entry("images in Parquet", st.deferred(lambda: broken_file(image_table())), try_image_table),
    Entry("slicebench.from_frame", troubled(FRAMES, BAD_FRAMES), try_frame, share=2),
    Entry("slicebench.from_parquet", st.deferred(tables), try_table, share=2),
    Entry(
        "select",
        troubled(FRAMES, BAD_FRAMES, method=["svm_directions", "domino", "confidence", "oracle"], k=[1, 3, 0, 100]),
        try_select,
    ),
    Entry("data check", st.deferred(wanted_files), try_data),
]
