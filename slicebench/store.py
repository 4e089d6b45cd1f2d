"""The run folder: one JSON record per cell at a path that is its identity, the scores beside it, both written atomically.

run.json                                                    suite, versions and the cells asked for so far
records/<problem>.s<seed>/<method>-<identity>.json          the record: that it exists means that the cell is done
records/<problem>.s<seed>/<method>-<identity>.safetensors   hardness, flagged, membership; the ids in the metadata
records/<problem>.s<seed>/problem-<identity>.safetensors    labels and minority of the test split, so that every metric
                                                            and interval can be recomputed from this folder alone
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from slicebench import __version__
from slicebench.cache import write_atomically, write_text
from slicebench.errors import StorageError
from slicebench.method import SliceScores
from slicebench.record import SCHEMA_VERSION, Record
from slicebench.suite import Suite  # noqa: TC001 - pydantic reads it at run time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.suite import Cell, PlannedProblem

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, eq=False)
class TestTruth:
    """What statistics need of a test split: `ids` (n,) strings, `labels` (n,) int64, `minority` (n,) bool."""

    __test__ = False  # the name is not pytest's

    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    minority: NDArray[np.bool_]


class ProblemFacts(BaseModel):
    """What a reader of results wants to know of a problem, beside the numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modality: str
    how: str
    """How the plant was made, in words."""
    groups: tuple[str, ...]
    class_names: tuple[str, ...]


class Entry(BaseModel):
    """One cell that a run was asked for; `folder` and the two names say where its files are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: str
    seed: int
    method: str
    folder: str
    record: str
    truth: str

    @property
    def slot(self) -> tuple[str, int, str]:
        """What a cell is to a reader: later parameters of the same method take the place of earlier ones."""
        return self.problem, self.seed, self.method


class RunHeader(BaseModel):
    """`run.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    code_version: str = __version__
    suite: Suite
    cells: tuple[Entry, ...] = ()


class RunStore:
    """Reads and writes one run folder; only the parent process of a run writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, suite: Suite, cells: Iterable[Cell]) -> None:
        """Enter `cells` into `run.json`, keeping those of earlier runs, and sweep what a killed run left half-written."""
        for leftover in self.folder.glob("**/.*.tmp"):
            leftover.unlink(missing_ok=True)
        known = {e.slot: e for e in self.header().cells} if self._header_path.exists() else {}
        known |= {e.slot: e for e in map(entry_of, cells)}
        header = RunHeader(suite=suite, cells=tuple(known.values()))
        write_text(self._header_path, header.model_dump_json(indent=1))

    @property
    def _header_path(self) -> Path:
        return self.folder / "run.json"

    def header(self) -> RunHeader:
        """Read `run.json`.

        Raises
        ------
        StorageError
            if there is none, or one that this version cannot read.

        """
        if not self._header_path.is_file():
            raise StorageError(
                f"{self.folder} is not a run folder: it has no run.json; `slicebench run --out` makes one"
            )
        return _parsed(RunHeader, self._header_path, "move the folder away and run again")

    def record(self, entry: Entry) -> Record | None:
        """Record of a cell, or None if there is none yet.

        Raises
        ------
        StorageError
            if the file cannot be read, naming it.

        """
        path = self.folder / entry.folder / f"{entry.record}.json"
        if not path.exists():
            return None
        return _parsed(Record, path, "delete this file and run again: only its cell is recomputed")

    def save(self, entry: Entry, record: Record, scores: SliceScores | None) -> None:
        """Write scores, then the record: a record on disk vouches for its scores."""
        folder = self.folder / entry.folder
        if scores is not None:
            ids = self.truth(entry).ids
            arrays = {"hardness": scores.hardness, "flagged": scores.flagged, "membership": scores.membership}
            names = {} if scores.names is None else {"names": json.dumps(scores.names)}
            write_arrays(folder / f"{entry.record}.safetensors", arrays, {"ids": json.dumps(ids.tolist()), **names})
        write_text(folder / f"{entry.record}.json", record.model_dump_json(indent=1))

    def scores(self, entry: Entry) -> tuple[NDArray[np.str_], SliceScores]:
        """Ids and scores of a cell whose record is "ok"."""
        path = self.folder / entry.folder / f"{entry.record}.safetensors"
        arrays, metadata = read_arrays(path)
        names = tuple(json.loads(metadata["names"])) if "names" in metadata else None
        return np.array(json.loads(metadata["ids"])), SliceScores(**arrays, names=names)

    def save_truth(self, entry: Entry, truth: TestTruth, facts: ProblemFacts) -> None:
        """Write labels and minority of a problem's test split, and what the problem is."""
        arrays = {"labels": truth.labels, "minority": truth.minority}
        metadata = {"ids": json.dumps(truth.ids.tolist()), "facts": facts.model_dump_json()}
        write_arrays(self._truth_path(entry), arrays, metadata)

    def truth(self, entry: Entry) -> TestTruth:
        """Labels and minority of the test split of a cell's problem."""
        arrays, metadata = read_arrays(self._truth_path(entry))
        return TestTruth(np.array(json.loads(metadata["ids"])), **arrays)

    def facts(self, entry: Entry) -> ProblemFacts | None:
        """What a cell's problem is; None if it has not been built for this run, or by a version that did not note it."""
        path = self._truth_path(entry)
        said = read_arrays(path)[1].get("facts") if path.exists() else None
        return None if said is None else ProblemFacts.model_validate_json(said)

    def _truth_path(self, entry: Entry) -> Path:
        return self.folder / entry.folder / f"{entry.truth}.safetensors"


@dataclass(frozen=True, eq=False)
class Run:
    """A run folder as read: what was asked for, and the records there are."""

    store: RunStore
    suite: Suite
    entries: tuple[Entry, ...]
    records: Mapping[tuple[str, int, str], Record]
    """By (problem, seed, method); a cell without a record has not run yet."""

    @property
    def cells(self) -> list[tuple[Entry, Record | None]]:
        """Every cell asked for so far, with its record if there is one."""
        return [(entry, self.records.get(entry.slot)) for entry in self.entries]


def load_run(folder: Path) -> Run:
    """Read a run folder.

    Raises
    ------
    StorageError
        naming the file that is missing or cannot be read.

    """
    store = RunStore(folder)
    header = store.header()
    found = {entry.slot: store.record(entry) for entry in header.cells}
    return Run(
        store, header.suite, header.cells, {slot: record for slot, record in found.items() if record is not None}
    )


def entry_of(cell: Cell) -> Entry:
    """Where the files of `cell` are."""
    folder = f"records/{safe_name(cell.problem.name)}.s{cell.problem.seed}"
    return Entry(
        problem=cell.problem.name,
        seed=cell.problem.seed,
        method=cell.method,
        folder=folder,
        record=f"{safe_name(cell.method)}-{cell.identity[:8]}",
        truth=truth_name(cell.problem),
    )


def truth_name(problem: PlannedProblem) -> str:
    """File name, without ending, of what a run folder keeps of a problem."""
    return f"problem-{problem.identity[:8]}"


def safe_name(name: str) -> str:
    """Name with every character replaced that a file name may not have everywhere."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def _parsed(kind: type[Model], path: Path, remedy: str) -> Model:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        _check_version(path, described)
        return kind.model_validate(described)
    except (UnicodeDecodeError, json.JSONDecodeError, ValidationError) as error:
        raise StorageError(f"cannot read {path}: {str(error).splitlines()[0]}; {remedy}") from error


def _check_version(path: Path, described: object) -> None:
    version = described.get("schema_version") if isinstance(described, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise StorageError(f"{path} has schema version {version}, this slicebench reads {SCHEMA_VERSION}; update it")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any] | None], metadata: dict[str, str]) -> None:
    """Write those `arrays` that there are to a safetensors file, which appears complete or not at all."""
    from safetensors.numpy import save_file

    present = {name: np.ascontiguousarray(value) for name, value in arrays.items() if value is not None}
    write_atomically(path, lambda temporary: save_file(present, temporary, metadata))


def read_arrays(
    path: Path, remedy: str = "delete the records beside it and run again"
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Arrays and metadata of a safetensors file; `StorageError` with `remedy` if it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise StorageError(f"cannot read {path}: {error}; {remedy}") from error
