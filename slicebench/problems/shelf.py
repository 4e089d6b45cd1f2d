"""Shelves: folders of frozen problems that somebody built and shared."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slicebench.errors import StorageError
from slicebench.files.cache import cache_dir, content_key
from slicebench.files.locations import bytes_if_there, listed, read_all
from slicebench.problems.cache import build_missing, frozen_folder, is_whole
from slicebench.problems.frozen import (
    FORMAT_VERSION,
    HEADER,
    load_header,
    load_problem,
    parse_header,
    save_problem,
    without_inputs,
)
from slicebench.problems.remote import fetch_problem, send_problem

if TYPE_CHECKING:
    from upath import UPath

    from slicebench.files.locations import Location
    from slicebench.problems.frozen import Header
    from slicebench.problems.planned import PlannedProblem


@dataclass(frozen=True)
class Kept:
    """A frozen problem on a shelf: its folder, its size in bytes, and whether it was written now."""

    folder: Location
    size: int
    written: bool


class RemoteShelf(Mapping[str, Path]):
    """Frozen problems under a URL, by identity; each is fetched into the cache on first access."""

    def __init__(self, problems: Mapping[str, tuple[UPath, str]]) -> None:
        self._problems = problems

    def __getitem__(self, identity: str) -> Path:
        source, content = self._problems[identity]
        folder = cache_dir() / f"fetched-{FORMAT_VERSION}" / content
        if not (folder.exists() and is_whole(folder)) and not fetch_problem(source, folder):
            raise StorageError(f"the frozen problem {source} no longer exists; freeze or upload it again")
        return folder

    def __contains__(self, identity: object) -> bool:
        return identity in self._problems

    def __iter__(self) -> Iterator[str]:
        return iter(self._problems)

    def __len__(self) -> int:
        return len(self._problems)


def shelved(shelf: Location) -> Mapping[str, Path]:
    """Find the frozen problems in the folders of `shelf`, by identity.

    The identity is dataset, version, parameters and seed.

    Raises
    ------
    StorageError
        if the folder is missing or holds no problem, or if a problem cannot be read.

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


def freeze(problem: PlannedProblem, shelf: Location) -> Kept:
    """Put `problem` on the shelf without its raw inputs.

    It is taken from the cache, or built if it is not there.

    Raises
    ------
    StorageError
        if its folder on the shelf holds another problem.

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
