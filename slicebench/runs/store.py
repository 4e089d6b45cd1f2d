"""Read and write the run folder: a JSON record per cell, and the scores beside it.

A record's path is the cell's identity. Both files are written atomically. The folder may be a URL.

run.json                                                    suite, versions and the cells requested so far
records/<problem>.s<seed>/<method>-<identity>.json          the record; the cell is done if it exists
records/<problem>.s<seed>/<method>-<identity>.safetensors   hardness, flagged, membership; the ids in the metadata
records/<problem>.s<seed>/problem-<identity>.safetensors    labels and minority of the test split, so that every metric
                                                            and interval can be recomputed from this folder alone
"""

from __future__ import annotations

import json
import logging
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, StringConstraints

from slicebench.data.checks import array_of, ids_of, labels_of
from slicebench.errors import StorageError
from slicebench.evaluation.record import SCHEMA_VERSION, SEALED_SINCE, ProblemFacts, Record, TestTruth
from slicebench.files.arrays import parse_arrays, read_arrays, write_arrays
from slicebench.files.atomic import sweep, write_text
from slicebench.files.json_models import sealed, unsealed
from slicebench.files.locations import bytes_if_there, listed, read_all
from slicebench.plugins.method import SliceScores
from slicebench.runs.suite import Suite  # noqa: TC001 - pydantic reads it at run time
from slicebench.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from upath import UPath

    from slicebench.files.locations import Location
    from slicebench.problems.planned import PlannedProblem
    from slicebench.runs.plan import Cell


Model = TypeVar("Model", bound=BaseModel)

_LOG = logging.getLogger("slicebench")

_PART = r"[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*"  # as of `safe_name`, but not "." or ".."
FileName = Annotated[str, StringConstraints(pattern=f"^{_PART}$")]
FolderName = Annotated[str, StringConstraints(pattern=f"^records/{_PART}$")]

REMEDY = "delete the records beside it and run again"

HELD = 16
"""Problems whose truth a store keeps in memory; more are seldom in progress at a time."""


class Entry(BaseModel):
    """A requested cell; its files are in `folder`, with the names `record` and `truth`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: str
    seed: int
    method: str
    folder: FolderName
    record: FileName
    truth: FileName

    @property
    def slot(self) -> tuple[str, int, str]:
        """Key of a cell for readers: problem, seed and method.

        Later parameters of the same method replace earlier ones.
        """
        return self.problem, self.seed, self.method


class RunHeader(BaseModel):
    """Content of `run.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    code_version: str = __version__
    suite: Suite
    cells: tuple[Entry, ...] = ()


class RunStore:
    """Reader and writer of a run folder; only the parent process of a run writes."""

    def __init__(self, folder: Location) -> None:
        self.folder = folder
        self._read: dict[str, bytes] = {}
        self._held: dict[str, tuple[TestTruth, ProblemFacts | None]] = {}

    def open(self, suite: Suite, cells: Iterable[Cell]) -> None:
        """Add `cells` to those in `run.json`, and delete half-written files of killed runs."""
        if isinstance(self.folder, Path):
            sweep(self.folder)
        known = {e.slot: e for e in self.known()}
        known |= {e.slot: e for e in map(entry_of, cells)}
        header = RunHeader(suite=suite, cells=tuple(known.values()))
        _write_sealed(self._header_path, header)

    def reopen(self, suite: Suite, cells: Iterable[Cell]) -> None:
        """Add `cells` again if a concurrent run has replaced `run.json` with one without them."""
        wanted = list(cells)
        if not {entry_of(cell) for cell in wanted} <= set(self.known()):
            self.open(suite, wanted)

    @property
    def _header_path(self) -> Location:
        return self.folder / "run.json"

    def known(self) -> tuple[Entry, ...]:
        """Return the cells requested so far; there are none if there is no `run.json`."""
        content = bytes_if_there(self._header_path)
        return () if content is None else self._parsed_header(content).cells

    def header(self) -> RunHeader:
        """Read `run.json`.

        Raises
        ------
        StorageError
            if it is missing, or this version cannot read it.

        """
        content = bytes_if_there(self._header_path)
        if content is None:
            raise StorageError(
                f"{self.folder} is not a run folder: it has no run.json; `slicebench run --out` creates one"
            )
        return self._parsed_header(content)

    def _parsed_header(self, content: bytes) -> RunHeader:
        return _parsed(RunHeader, self._header_path, content, "move the folder away and run again")

    def record(self, entry: Entry) -> Record | None:
        """Return the record of a cell, or None if there is none yet.

        Raises
        ------
        StorageError
            if the file cannot be read.

        """
        path = self._record_path(entry)
        content = bytes_if_there(path)
        return None if content is None else _record_of(entry, path, content)

    def records(self, entries: Sequence[Entry]) -> dict[Entry, Record]:
        """Return the records of those `entries` that have one.

        If the folder is a URL, they are read in parallel. Raises the same errors as `record`.
        """
        found = self._local(entries) if isinstance(self.folder, Path) else self._remote(self.folder, entries)
        unchecked = sum(record.schema_version < SEALED_SINCE for record in found.values())
        if unchecked:
            message = (
                "%s: %s of %s records have no checksum (an older slicebench wrote them), so damage may go unnoticed"
            )
            _LOG.info(message, self.folder, f"{unchecked:,}", f"{len(found):,}")
        return found

    def _local(self, entries: Sequence[Entry]) -> dict[Entry, Record]:
        return {entry: record for entry in entries if (record := self.record(entry)) is not None}

    def _remote(self, folder: UPath, entries: Sequence[Entry]) -> dict[Entry, Record]:
        there = listed(folder / "records")
        names = {f"{entry.folder}/{entry.record}.json": entry for entry in entries}
        wanted = [name for name in names if name.removeprefix("records/") in there]
        found = read_all(folder, wanted)
        return {names[name]: _record_of(names[name], folder / name, found[name]) for name in wanted if name in found}

    def _record_path(self, entry: Entry) -> Location:
        return self.folder / entry.folder / f"{entry.record}.json"

    def read_ahead(self, entries: Iterable[Entry]) -> None:
        """Read scores and truths of `entries` in parallel, if the folder is a URL.

        Each file is kept until it is used.
        """
        if not isinstance(self.folder, Path):
            names = [f"{e.folder}/{name}.safetensors" for e in entries for name in (e.record, e.truth)]
            self._read |= read_all(self.folder, list(dict.fromkeys(names)))

    def _write(self, name: str, arrays: Mapping[str, NDArray[Any] | None], metadata: dict[str, str]) -> None:
        self._read.pop(name, None)
        write_arrays(self.folder / name, arrays, metadata)

    def _arrays(self, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        content = self._read.pop(name, None)
        path = self.folder / name
        return read_arrays(path, REMEDY) if content is None else parse_arrays(path, content, REMEDY)

    def save(self, entry: Entry, record: Record, scores: SliceScores | None) -> None:
        """Write scores, then the record, so that the scores of an existing record are complete.

        The truth of the problem is written again if it was deleted in the meantime.
        """
        held = self._held.get(_truth_name(entry))
        if held is not None and self._is_gone(_truth_name(entry)):
            self._write_truth(entry, *held)
        if scores is not None:
            arrays = {"hardness": scores.hardness, "flagged": scores.flagged, "membership": scores.membership}
            names = {} if scores.names is None else {"names": json.dumps(scores.names)}
            metadata = {"ids": json.dumps(self._truth_of(entry).ids.tolist()), **names}
            self._write(f"{entry.folder}/{entry.record}.safetensors", arrays, metadata)
        _write_sealed(self._record_path(entry), record)

    def scores(self, entry: Entry) -> tuple[NDArray[np.str_], SliceScores]:
        """Return ids and scores of a cell whose record is "ok"."""
        name = f"{entry.folder}/{entry.record}.safetensors"
        with self._intact(name):
            arrays, metadata = self._arrays(name)
            names = tuple(json.loads(metadata["names"])) if "names" in metadata else None
            return np.array(json.loads(metadata["ids"]), dtype=np.str_), SliceScores(**arrays, names=names)

    def save_truth(self, entry: Entry, truth: TestTruth, facts: ProblemFacts) -> None:
        """Write labels and minority of a problem's test split, and the facts about the problem."""
        self._write_truth(entry, truth, facts)
        self._hold(entry, truth, facts)

    def _write_truth(self, entry: Entry, truth: TestTruth, facts: ProblemFacts | None) -> None:
        arrays = {"labels": truth.labels, "minority": truth.minority}
        known = {} if facts is None else {"facts": facts.model_dump_json()}
        self._write(_truth_name(entry), arrays, {"ids": json.dumps(truth.ids.tolist()), **known})

    def lost(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return those `entries` whose record is no longer there; for a URL, none are looked for."""
        return [entry for entry in entries if self._is_gone(f"{entry.folder}/{entry.record}.json")]

    def _is_gone(self, name: str) -> bool:
        return isinstance(self.folder, Path) and not (self.folder / name).is_file()

    def truth(self, entry: Entry) -> TestTruth:
        """Return labels and minority of the test split of a cell's problem."""
        with self._intact(_truth_name(entry)):
            arrays, metadata = self._arrays(_truth_name(entry))
            ids = ids_of("ids", json.loads(metadata["ids"]))
            labels = labels_of("labels", arrays["labels"], len(ids))
            return TestTruth(ids, labels, array_of("minority", arrays["minority"], np.bool_, 1, len(ids)))

    def facts(self, entry: Entry) -> ProblemFacts | None:
        """Return the facts of a cell's problem.

        None if it was not built for this run, or by a version that did not store them.
        """
        name = _truth_name(entry)
        content = self._read.get(name) or bytes_if_there(self.folder / name)
        with self._intact(name):
            said = None if content is None else parse_arrays(self.folder / name, content, REMEDY)[1].get("facts")
            return None if said is None else ProblemFacts.model_validate_json(said)

    @contextmanager
    def _intact(self, name: str) -> Iterator[None]:
        """Turn errors in a file's content into a `StorageError` that names the file."""
        try:
            yield
        except StorageError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            why = str(error).partition("\n")[0]
            raise StorageError(f"{self.folder / name} is damaged ({type(error).__name__}: {why}); {REMEDY}") from error

    def _truth_of(self, entry: Entry) -> TestTruth:
        if _truth_name(entry) not in self._held:
            self._hold(entry, self.truth(entry), self.facts(entry))
        return self._held[_truth_name(entry)][0]

    def _hold(self, entry: Entry, truth: TestTruth, facts: ProblemFacts | None) -> None:
        self._held.pop(_truth_name(entry), None)
        if len(self._held) >= HELD:
            del self._held[next(iter(self._held))]
        self._held[_truth_name(entry)] = truth, facts


@dataclass(frozen=True, eq=False)
class Run:
    """Content of a run folder: the requested cells and their records."""

    store: RunStore
    suite: Suite
    entries: tuple[Entry, ...]
    records: Mapping[tuple[str, int, str], Record]
    """By (problem, seed, method); a cell without a record has not run yet."""

    @property
    def cells(self) -> list[tuple[Entry, Record | None]]:
        """Every requested cell, with its record or None."""
        return [(entry, self.records.get(entry.slot)) for entry in self.entries]


def load_run(folder: Location) -> Run:
    """Read a run folder.

    Raises
    ------
    StorageError
        that names a file that is missing or cannot be read.

    """
    store = RunStore(folder)
    header = store.header()
    found = store.records(header.cells)
    return Run(store, header.suite, header.cells, {entry.slot: record for entry, record in found.items()})


def entry_of(cell: Cell) -> Entry:
    """Return the entry of `cell`, with the names of its files."""
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
    """Return the file name, without ending, of a problem's data in a run folder."""
    return f"problem-{problem.identity[:8]}"


def _truth_name(entry: Entry) -> str:
    return f"{entry.folder}/{entry.truth}.safetensors"


def safe_name(name: str) -> str:
    """Replace every character that some file systems do not allow in a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def _write_sealed(path: Location, model: BaseModel) -> None:
    described = sealed(json.loads(model.model_dump_json()))
    write_text(path, json.dumps(described, indent=1, ensure_ascii=False))


def _parsed(kind: type[Model], path: Location, content: bytes, remedy: str) -> Model:
    try:
        described, checked = unsealed(content)
        _check_version(path, described, checked=checked)
        return kind.model_validate(described)
    except ValueError as error:
        raise StorageError(f"cannot read {path}: {str(error).splitlines()[0]}; {remedy}") from error


def _parsed_record(path: Location, content: bytes) -> Record:
    return _parsed(Record, path, content, "delete this file and run again: only its cell is recomputed")


def _record_of(entry: Entry, path: Location, content: bytes) -> Record:
    record = _parsed_record(path, content)
    if (record.problem, record.seed, record.method) != entry.slot:
        raise StorageError(
            f"{path} is the record of {record.problem} s{record.seed} {record.method}; expected that of "
            f"{entry.problem} s{entry.seed} {entry.method}; delete this file and run again"
        )
    return record


def _check_version(path: Location, described: object, *, checked: bool) -> None:
    version = described.get("schema_version") if isinstance(described, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise StorageError(
            f"{path} has schema version {version}, but this slicebench reads {SCHEMA_VERSION}; update slicebench"
        )
    if isinstance(version, int) and version >= SEALED_SINCE and not checked:
        raise ValueError(f"it has schema version {version} but no checksum")
