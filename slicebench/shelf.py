"""Built problems: where they are kept, and a shelf of those that somebody else has built."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slicebench.cache import cache_dir, content_key, remote_cache, remote_copy
from slicebench.errors import StorageError
from slicebench.frozen import (
    FORMAT_VERSION,
    HEADER,
    check_problem,
    load_header,
    load_problem,
    move_problem,
    parse_header,
    save_problem,
    without_inputs,
)
from slicebench.frozen_remote import DamagedError, fetch_problem, send_problem
from slicebench.locations import bytes_if_there, listed, read_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upath import UPath

    from slicebench.dataset import DatasetAdapter
    from slicebench.frozen import Header
    from slicebench.locations import Location
    from slicebench.problem import Problem
    from slicebench.suite import Cell, PlannedProblem


@dataclass(frozen=True)
class Kept:
    """A frozen problem on a shelf: its folder, bytes, and whether it was written now."""

    folder: Location
    size: int
    written: bool


def frozen_folder(problem: PlannedProblem) -> Path:
    """Where a built problem is kept, by its identity; another format of the files has another folder.

    Raises
    ------
    StorageError
        if the cache has a second level that cannot be used: before any work, not after.

    """
    remote_cache()
    return cache_dir() / f"problems-{FORMAT_VERSION}" / problem.identity


def find_built(folder: Path) -> bool:
    """Whether a built problem is in the cache and whole, fetched from its second level if it must be."""
    if folder.exists() and is_whole(folder):
        return True
    remote = remote_copy(folder)
    try:
        return remote is not None and fetch_problem(remote, folder)
    except DamagedError as error:
        logging.getLogger("slicebench").info("building again: %s", error)
        return False


def is_whole(folder: Path) -> bool:
    """Whether the files of a problem are those that were saved. Of the cache, a damaged one is taken away, which is said.

    Raises
    ------
    StorageError
        for a damaged one that lies elsewhere: that is the user's own.

    """
    try:
        check_problem(folder)
    except StorageError as error:
        if not folder.is_relative_to(cache_dir()):
            raise
        logging.getLogger("slicebench").warning(
            "a problem in the cache is damaged and was taken away, to be made again: %s", error
        )
        gone = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        folder.replace(gone / "damaged")  # at once, so that no other process finds half of it
        shutil.rmtree(gone, ignore_errors=True)
        return False
    return True


def build_missing(problem: PlannedProblem, folder: Path) -> None:
    """Build `problem` into `folder` unless it is there; in a cache with a second level, look there first and upload it."""
    if find_built(folder):
        return
    remote = remote_copy(folder)
    if remote is None:
        _build(problem, folder)
        return
    unsent = folder.with_name(f"{folder.name}.unsent")  # so that an upload that failed is tried again
    _build(problem, unsent)
    try:
        send_problem(unsent, remote)
    except StorageError:
        if not folder.exists():  # another process was faster
            raise
    else:
        move_problem(unsent, folder)


def _build(problem: PlannedProblem, folder: Path) -> None:
    from slicebench.registry import DATASETS

    if not folder.exists():
        save_problem(DATASETS.load(problem.dataset)(**problem.params).build(problem.seed), folder)


def built_problem(problem: PlannedProblem) -> Problem:
    """`problem` from the cache, built first if it is not there."""
    folder = frozen_folder(problem)
    build_missing(problem, folder)
    return load_problem(folder)


class RemoteShelf(Mapping[str, Path]):
    """Frozen problems under a URL, by identity; each is fetched into the cache folder when it is asked for."""

    def __init__(self, problems: Mapping[str, tuple[UPath, str]]) -> None:
        self._problems = problems

    def __getitem__(self, identity: str) -> Path:
        source, content = self._problems[identity]
        folder = cache_dir() / f"fetched-{FORMAT_VERSION}" / content
        if not (folder.exists() and is_whole(folder)) and not fetch_problem(source, folder):
            raise StorageError(f"{source} is gone; expected the frozen problem that was there")
        return folder

    def __contains__(self, identity: object) -> bool:
        return identity in self._problems

    def __iter__(self) -> Iterator[str]:
        return iter(self._problems)

    def __len__(self) -> int:
        return len(self._problems)


def shelved(shelf: Location) -> Mapping[str, Path]:
    """Frozen problems in the folders of `shelf`, by identity: dataset, version, parameters and seed.

    Raises
    ------
    StorageError
        if there is no such folder, none in it holds a problem, or one cannot be read.

    """
    found = (
        {_identity(load_header(path.parent)): path.parent for path in sorted(shelf.glob(f"*/{HEADER}"))}
        if isinstance(shelf, Path)
        else _shelved_remotely(shelf)
    )
    if not found:
        raise StorageError(
            f"{shelf} holds no frozen problems; expected folders with a problem.json, from `slicebench freeze`"
        )
    return found


def _shelved_remotely(shelf: UPath) -> RemoteShelf:
    names = sorted(name for name in listed(shelf) if name.count("/") == 1 and name.endswith(f"/{HEADER}"))
    problems = {}
    for name, text in read_all(shelf, names).items():
        folder = shelf / name.removesuffix(f"/{HEADER}")
        problems[_identity(parse_header(folder, text))] = folder, content_key(str(folder), text.decode())
    return RemoteShelf(problems)


def ready(cells: Sequence[Cell], shelf: Path) -> list[Cell]:
    """Those `cells` whose problem stands on the shelf or is generated: those that no local data are needed for."""
    from slicebench.registry import DATASETS

    there = shelved(shelf) if shelf.is_dir() else {}
    return [c for c in cells if c.problem.identity in there or not _reads_files(DATASETS.load(c.problem.dataset))]


def _reads_files(adapter: type[DatasetAdapter]) -> bool:
    return adapter.card is not None and bool(adapter.card.layouts)


def freeze(problem: PlannedProblem, shelf: Location) -> Kept:
    """Build `problem`, from the cache if it is there, and put it on the shelf without its raw inputs.

    Raises
    ------
    StorageError
        if another problem stands in its place.

    """
    folder = shelf / f"{problem.name}.s{problem.seed}"
    there = folder.exists() if isinstance(folder, Path) else bytes_if_there(folder / HEADER) is not None
    if not there:
        _put_on_shelf(problem, folder)
    elif _identity(load_header(folder)) != problem.identity:
        raise StorageError(f"{folder} holds another problem or version; delete it to freeze this one")
    return Kept(folder, _size(folder), not there)


def _put_on_shelf(problem: PlannedProblem, folder: Location) -> None:
    built = frozen_folder(problem)
    build_missing(problem, built)
    small = without_inputs(load_problem(built))
    if isinstance(folder, Path):
        save_problem(small, folder)
        return
    with tempfile.TemporaryDirectory(prefix="slicebench-") as temporary:
        save_problem(small, Path(temporary) / "problem")
        send_problem(Path(temporary) / "problem", folder)


def _size(folder: Location) -> int:
    if isinstance(folder, Path):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return sum(listed(folder).values())


def _identity(header: Header) -> str:
    return content_key(header.dataset, header.dataset_version, header.params, header.seed)
