"""Readers of our own formats, on folders in which one file is broken: frozen problems, runs, leaderboards, models."""

from __future__ import annotations

import io
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from slicebench.evaluation.cell import evaluate
from slicebench.files.arrays import map_arrays
from slicebench.models.encoders.file import FileEncoder
from slicebench.models.synthesis.captioned_folder import captioned_files
from slicebench.models.training.fitted import FittedModel
from slicebench.plugins.registry import METHODS
from slicebench.problems.archive import pack, unpack
from slicebench.problems.frozen import load_header, load_problem, save_problem
from slicebench.problems.frozen_files import read_inputs, read_table
from slicebench.problems.shelf import shelved
from slicebench.results.leaderboard.settings import load_controls, load_tolerances, load_updates
from slicebench.results.leaderboard.store import LeaderboardStore
from slicebench.results.leaderboard.timing import load_ratios
from slicebench.results.standings import standings
from slicebench.runs.outcomes import RunOutcomes
from slicebench.runs.plan import plan
from slicebench.runs.store import RunStore, load_run
from slicebench.runs.suite import parse_suite
from slicebench.testing import example_problem
from tests.fuzz.harness import Entry
from tests.fuzz.values import File, broken_file, changed_json, changed_safetensors, changed_text
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

SUITE = """
name = "small"
seeds = [0]
methods = ["random", "confidence"]
[[problems]]
name = "blobs"
dataset = "gaussian"
params = { n_test = 400 }
[method_params.random]
seed = 3
"""


KEPT = tempfile.TemporaryDirectory(prefix="slicebench-fuzz-")  # made before any box is entered, so that none empties it


@cache
def valid(name: str) -> Path:
    """A folder that is as it should be, made once."""
    folder = Path(KEPT.name) / name
    MAKERS[name](folder)
    return folder


def frozen(folder: Path) -> None:
    save_problem(example_problem(n=20, d=3), folder)


def run_folder(folder: Path) -> None:
    """A finished run of two methods, without its worker processes."""
    from slicebench.evaluation.record import ProblemFacts, TestTruth
    from slicebench.runs.store import entry_of

    suite = parse_suite(SUITE, "x")
    cells, store, problem = plan(suite), RunStore(folder), example_problem(n=20, d=3)
    store.open(suite, cells)
    truth = TestTruth(problem.test.ids, np.asarray(problem.test.labels), problem.truth.minority(problem.test.ids))
    facts = ProblemFacts(modality="vector", how="so", groups=("g",), class_names=("a", "b", "c"))
    for cell in cells:
        store.save_truth(entry_of(cell), truth, facts)
        result = evaluate(METHODS.load(cell.method)(), problem, cell.method)
        record = result.record.model_copy(update={"problem": "blobs", "method_params": cell.method_params})
        store.save(entry_of(cell), record, result.scores)


def board(folder: Path) -> None:
    from slicebench.results.leaderboard.store import write_outcomes

    found = load_run(valid("run"))
    write_outcomes(RunOutcomes(found.store, found.cells), found.suite, folder / "small", with_hardness=["random"])
    (folder / "tolerances.toml").write_text(
        'headline = "small"\nexact = ["random"]\nnamf_drop = 0.02\n[fwer_exempt]\nrandom = "why"\n'
    )
    (folder / "updates.jsonl").write_text(
        '{"date": "2026-01-01", "suite": "small", "methods": ["random"], "reason": "r"}\n' * 2
    )
    shutil.copy(ROOT / "leaderboard" / "controls.json", folder / "controls.json")
    (folder / "timings.json").write_text('{"ratios": {"random": 0.5, "domino": 2}}')


def model(folder: Path) -> None:
    folder.mkdir()
    problem = example_problem(n=20, d=3)
    problem.data.trainer.fit().save(folder / "model.safetensors")


def tables(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    n, X = 6, rng.normal(size=(6, 3)).astype(np.float32)
    ids = [f"id{i}" for i in range(n)]
    np.savez(folder / "e.npz", ids=np.array(ids), embeddings=X)
    np.savez_compressed(folder / "c.npz", ids=np.array(ids), embeddings=X)
    pd.DataFrame({"id": ids, "embedding": list(X)}).to_parquet(folder / "e.parquet")
    from safetensors.numpy import save_file

    save_file({"embeddings": X}, folder / "e.safetensors", {"ids": str(ids).replace("'", '"')})
    np.save(folder / "e.npy", X)
    (folder / "images").mkdir()
    for name in ("a.png", "b.png"):
        (folder / "images" / name).write_bytes(b"x")
    (folder / "images" / "metadata.csv").write_text('file_name,text\na.png,a dog\nb.png,"a cat"\n')
    (folder / "jsonl").mkdir()
    (folder / "jsonl" / "a.png").write_bytes(b"x")
    (folder / "jsonl" / "metadata.jsonl").write_text(
        '{"file_name": "a.png", "text": "a dog"}\n{"file_name": "a.png", "text": "b"}\n'
    )


MAKERS: dict[str, Callable[[Path], None]] = {
    "frozen": frozen,
    "run": run_folder,
    "board": board,
    "model": model,
    "tables": tables,
}
WAYS = {
    ".json": [changed_json],
    ".jsonl": [changed_json],
    ".safetensors": [changed_safetensors],
    ".toml": [changed_text],
    ".csv": [changed_text],
}


@cache
def broken(folder: str, pattern: str) -> st.SearchStrategy[tuple[str, File]]:
    """One file of a folder, by its path in it, and what is put in its place."""
    root = valid(folder)
    names = sorted(p.relative_to(root).as_posix() for p in root.glob(pattern) if p.is_file())
    assert names, (folder, pattern)
    return st.one_of(
        *[st.tuples(st.just(n), broken_file((root / n).read_bytes(), *WAYS.get(Path(n).suffix, []))) for n in names]
    )


def in_folder(folder: str, call: Callable[[Path], Any]) -> Callable[[Any, Path], Any]:
    """Reader of a copy of `folder` in which one file is broken."""

    def tried(change: tuple[str, File], named: Path) -> Any:
        name, file = change
        shutil.copytree(valid(folder), named / "x")
        file.put(named / "x" / name)
        return call(named / "x")

    return tried


def on_file(folder: str, call: Callable[[Path], Any]) -> Callable[[Any, Path], Any]:
    """Reader of one broken file."""

    def tried(change: tuple[str, File], named: Path) -> Any:
        name, file = change
        file.put(named / Path(name).name)
        return call(named / Path(name).name)

    return tried


def entry(
    name: str, folder: str, pattern: str, call: Callable[[Path], Any], share: float = 1.0, *, alone: bool = False
) -> Entry:
    strategy = st.deferred(lambda: broken(folder, pattern))
    return Entry(name, strategy, (on_file if alone else in_folder)(folder, call), share)


def read_problem(folder: Path) -> None:
    """All of a problem, what is mapped too, and a method on it."""
    load_header(folder)
    found = load_problem(folder)
    for split in (found.data.train, found.data.val, found.test):
        if split.inputs is not None:
            np.asarray(split.inputs[:3])


def read_run(folder: Path) -> None:
    found = load_run(folder)
    outcomes = RunOutcomes(found.store, found.cells)
    standings(outcomes, found.suite)


def read_board(folder: Path) -> None:
    store = LeaderboardStore(folder / load_tolerances(folder).headline)
    load_controls(folder / "controls.json")
    load_updates(folder)
    standings(store, store.suite, kind="leaderboard")


def embed(path: Path) -> None:
    FileEncoder(str(path)).encode([0, 1], np.array(["id0", "id3"]))


def unpacked(data: bytes, named: Path) -> None:
    unpack(data, named / "there" / "x")


def zips() -> st.SearchStrategy[bytes]:
    """Archives of a problem, changed, and archives with hostile names."""
    import zipfile

    from tests.fuzz.values import NAMES, changed_bytes

    def hostile(names: list[str]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name in dict.fromkeys(names):
                archive.writestr(name.encode("utf-8", "replace").decode(), "x")
        return out.getvalue()

    made = st.lists(
        st.sampled_from([n for n in NAMES if n.isprintable() and 0 < len(n) < 1000]), min_size=1, max_size=3
    ).map(hostile)
    return st.one_of(st.deferred(lambda: changed_bytes(pack(valid("tables")))), made)


ENTRIES = [
    entry("frozen problem", "frozen", "**/*", read_problem, share=3),
    entry("frozen problem: header", "frozen", "problem.json", load_header, alone=True),
    entry("frozen problems of a shelf", "frozen", "problem.json", lambda p: shelved(p.parent)),
    entry(
        "safetensors of a problem",
        "frozen",
        "data/*.safetensors",
        lambda p: sum(a.astype(float).sum() for a in map_arrays(p).values()),
        alone=True,
    ),
    entry("Parquet of a problem", "frozen", "data/test.parquet", read_table, alone=True),
    entry("mapped .npy of a problem", "tables", "e.npy", lambda p: read_inputs(p)[:2].sum(), alone=True),
    entry("run folder", "run", "**/*", read_run, share=1.5),
    entry("record of a run", "run", "records/**/*.json", load_run),
    entry("leaderboard", "board", "**/*", read_board, share=0.5),
    entry(
        "leaderboard settings",
        "board",
        "*",
        lambda p: (
            load_tolerances(p),
            load_updates(p),
            load_controls(p / "controls.json"),
            load_ratios(p / "timings.json"),
        ),
    ),
    entry("trained model", "model", "*.safetensors", FittedModel.load, alone=True),
    entry("embeddings from a file", "tables", "[ec].*[tz]*", embed, share=1.5, alone=True),
    entry("folder of captioned images", "tables", "images/metadata.csv", lambda p: captioned_files(p / "images")),
    entry(
        "folder of captioned images, lines", "tables", "jsonl/metadata.jsonl", lambda p: captioned_files(p / "jsonl")
    ),
    Entry("packed problem", zips(), unpacked),
]
