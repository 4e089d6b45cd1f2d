"""Built problems: where they are kept, and a shelf of those that somebody else has built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slicebench.cache import cache_dir, content_key
from slicebench.errors import StorageError
from slicebench.frozen import FORMAT_VERSION, load_header, load_problem, save_problem, without_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from slicebench.dataset import DatasetAdapter
    from slicebench.problem import Problem
    from slicebench.suite import Cell, PlannedProblem


@dataclass(frozen=True)
class Kept:
    """A frozen problem on a shelf: its folder, bytes, and whether it was written now."""

    folder: Path
    size: int
    written: bool


def frozen_folder(problem: PlannedProblem) -> Path:
    """Where a built problem is kept, by its identity; another format of the files has another folder."""
    return cache_dir() / f"problems-{FORMAT_VERSION}" / problem.identity


def build_missing(problem: PlannedProblem, folder: Path) -> None:
    """Build `problem` into `folder` unless it is there."""
    from slicebench.registry import DATASETS

    if not folder.exists():
        save_problem(DATASETS.load(problem.dataset)(**problem.params).build(problem.seed), folder)


def built_problem(problem: PlannedProblem) -> Problem:
    """`problem` from the cache, built first if it is not there."""
    folder = frozen_folder(problem)
    build_missing(problem, folder)
    return load_problem(folder)


def shelved(shelf: Path) -> dict[str, Path]:
    """Frozen problems in the folders of `shelf`, by identity: dataset, version, parameters and seed.

    Raises
    ------
    StorageError
        if there is no such folder, none in it holds a problem, or one cannot be read.

    """
    folders = sorted(path.parent for path in shelf.glob("*/problem.json"))
    if not folders:
        raise StorageError(
            f"{shelf} holds no frozen problems; expected folders with a problem.json, from `slicebench freeze`"
        )
    return {_identity(folder): folder for folder in folders}


def ready(cells: Sequence[Cell], shelf: Path) -> list[Cell]:
    """Those `cells` whose problem stands on the shelf or is generated: those that no local data are needed for."""
    from slicebench.registry import DATASETS

    there = shelved(shelf) if shelf.is_dir() else {}
    return [c for c in cells if c.problem.identity in there or not _reads_files(DATASETS.load(c.problem.dataset))]


def _reads_files(adapter: type[DatasetAdapter]) -> bool:
    return adapter.card is not None and bool(adapter.card.layouts)


def freeze(problem: PlannedProblem, shelf: Path) -> Kept:
    """Build `problem`, from the cache if it is there, and put it on the shelf without its raw inputs.

    Raises
    ------
    StorageError
        if another problem stands in its place.

    """
    folder = shelf / f"{problem.name}.s{problem.seed}"
    written = not folder.exists()
    if written:
        built = frozen_folder(problem)
        build_missing(problem, built)
        save_problem(without_inputs(load_problem(built)), folder)
    elif _identity(folder) != problem.identity:
        raise StorageError(f"{folder} holds another problem or version; delete it to freeze this one")
    return Kept(folder, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()), written)


def _identity(folder: Path) -> str:
    header = load_header(folder)
    return content_key(header.dataset, header.dataset_version, header.params, header.seed)
