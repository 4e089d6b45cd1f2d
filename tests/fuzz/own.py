"""A user's own predictions and other tools' output: tables made of anything, files that were valid once, names for scaffolds."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from slicebench.discovery import discover
from slicebench.evaluation.submissions import read_submissions
from slicebench.files.tables import read_frame
from slicebench.plugins.scaffold import planned, rendered, write_files
from tests.fuzz.harness import Entry
from tests.fuzz.values import Seeded, broken_file, changed_text, names, seeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

METHODS = [
    "kmeans_errors",
    "tree_rules",
    "spotlight",
    "domino",
    "george",
    "mcsd",
    "svm_directions",
    "sliceline",
    "random",
    "barlow",
]
ROLES = [
    "label",
    "prediction",
    "probs",
    "loss",
    "correct",
    "id",
    "split",
    "embedding",
    "image",
    "text",
    "x",
    "y",
    3,
    "p_cat",
    "p_dog",
    "",
]
COLUMNS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "numbers": lambda rng, n: rng.normal(size=n),
    "nan": lambda rng, n: np.where(rng.random(n) < 0.1, np.nan, 1.0),
    "inf": lambda rng, n: np.where(rng.random(n) < 0.1, np.inf, 1.0),
    "huge": lambda rng, n: rng.normal(size=n) * 1e300,
    "half": lambda rng, n: rng.normal(size=n).astype(np.float16),
    "complex": lambda rng, n: rng.normal(size=n) + 1j,
    "whole": lambda rng, n: rng.integers(-5, 5, n),
    "Int64": lambda rng, n: pd.array(rng.integers(0, 3, n), dtype="Int64"),
    "words": lambda rng, n: rng.choice(["cat", "dog"], n),
    "hostile": lambda rng, n: rng.choice(["ü\n", "<b>", "../x", "\x00", "\u202e"], n),
    "gaps": lambda rng, n: rng.choice([None, "a", "b"], n),
    "mixed": lambda rng, n: [[1, "a", None, 2.5][i] for i in rng.integers(0, 4, n)],
    "categories": lambda rng, n: pd.Categorical(rng.choice(["a", "b"], n)),
    "truths": lambda rng, n: rng.random(n) < 0.5,
    "days": lambda rng, n: pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, n), "D"),
    "spans": lambda rng, n: pd.to_timedelta(rng.integers(0, 9, n), "D"),
    "vectors": lambda rng, n: [rng.normal(size=3).tolist() for _ in range(n)],
    "ragged": lambda rng, n: [rng.normal(size=rng.integers(0, 4)).tolist() for _ in range(n)],
    "dictionaries": lambda _, n: [{"bytes": b"x"}] * n,
    "bytes": lambda _, n: [b"ab"] * n,
    "tuples": lambda _, n: [(1, 2)] * n,
    "constant": lambda _, n: np.full(n, 7),
}


def sound(rng: np.random.Generator, n: int, rate: float = 0.2) -> pd.DataFrame:
    """Predictions with nothing wrong about them."""
    y = rng.integers(2, size=n)
    animals = np.array(["cat", "dog"])
    return pd.DataFrame(
        {
            "id": [f"e{i}" for i in range(n)],
            "label": animals[y],
            "prediction": animals[y ^ (rng.random(n) < rate)],
            "x": rng.normal(size=n),
        }
    )


def try_discover(given: Seeded, _: Path) -> None:
    rng = given.rng
    table = pd.DataFrame(index=range(given.n)) if given.bare else sound(rng, given.n, given.rate)
    for role in rng.permutation(np.array(ROLES, dtype=object))[: given.columns]:
        table[role] = COLUMNS[str(rng.choice([*COLUMNS]))](rng, given.n)
    if given.repeated and len(table.columns):
        table = pd.concat([table, table.iloc[:, :1]], axis=1)
    options: dict[str, Any] = {}
    if given.vectors is not None:
        options["embeddings"] = rng.normal(size=(given.n, given.vectors)) * given.scale
    if given.named:
        options |= {"metadata": [*table.columns][:3], "features": [*table.columns][:2]}
    found = discover(table, method=given.method, seed=given.number % 7, **options)
    assert len(found.to_frame()) == len(found.slices)
    assert set(found.members["slice"]) == {one.key for one in found.slices}
    found.to_html()
    found._repr_html_()


TABLES = seeded(
    n=[0, 1, 2, 5, 40, 300],
    columns=[0, 0, 1, 2, 5],
    bare=[False, False, False, True],
    repeated=[False] * 9 + [True],
    vectors=[None, None, 0, 1, 4],
    scale=[1.0, 1e-40, 1e36, 1e300],
    named=[False, False, True],
    method=[None, *METHODS],
    rate=[0.2, 0.0, 1.0],
)


def written(ending: str) -> bytes:
    """A sound table as a file."""
    table, buffer = sound(np.random.default_rng(0), 60), io.BytesIO()
    writers = {
        "parquet": lambda: table.to_parquet(buffer),
        "csv": lambda: table.to_csv(buffer, index=False),
        "tsv": lambda: table.to_csv(buffer, index=False, sep="\t"),
        "jsonl": lambda: table.to_json(buffer, orient="records", lines=True),
        "json": lambda: table.to_json(buffer),
        "feather": lambda: table.to_feather(buffer),
        "csv.gz": lambda: table.to_csv(buffer, index=False, compression="gzip"),
    }
    writers[ending]()
    return buffer.getvalue()


def files() -> st.SearchStrategy[tuple[str, Any]]:
    """Broken tables of every format that is read."""
    text = {"csv", "tsv", "jsonl", "json"}
    kinds = ("parquet", "csv", "tsv", "jsonl", "json", "feather", "csv.gz")
    return st.one_of(
        *[st.tuples(st.just(k), broken_file(written(k), *([changed_text] if k in text else []))) for k in kinds]
    )


def try_file(given: tuple[str, Any], folder: Path) -> None:
    ending, file = given
    file.put(folder / f"t.{ending}")
    read_frame(folder / f"t.{ending}")


def submissions() -> st.SearchStrategy[tuple[str, Any]]:
    """Broken submissions: tables with scores and slices, and JSON."""
    table = pd.DataFrame({"id": [f"e{i}" for i in range(60)], "score": np.arange(60.0), "slice": ["a", "b"] * 30})
    parquet, csv = io.BytesIO(), io.BytesIO()
    table.to_parquet(parquet)
    table.to_csv(csv, index=False)
    text = b'{"slicebench_submission": 1, "method": "m", "slices": {"a": ["e1", "e2"]}, "scores": {"e1": 1.0, "e2": 2}}'
    return st.one_of(
        st.tuples(st.just("parquet"), broken_file(parquet.getvalue())),
        st.tuples(st.just("csv"), broken_file(csv.getvalue(), changed_text)),
        st.tuples(st.just("json"), broken_file(text, changed_text)),
    )


def try_submission(given: tuple[str, Any], folder: Path) -> None:
    ending, file = given
    file.put(folder / f"s.{ending}")
    read_submissions(folder / f"s.{ending}")


def try_scaffold(name: str, folder: Path) -> None:
    write_files(rendered(planned("method", name)), folder / "made")


ENTRIES = [
    Entry("discover", TABLES, try_discover, share=2),
    Entry("table in a file", st.deferred(files), try_file, share=2),
    Entry("submission", st.deferred(submissions), try_submission, share=2),
    Entry("slicebench new", names(), try_scaffold, share=0.5),
]
