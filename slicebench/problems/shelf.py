"""Shelves: folders of frozen problems that somebody built and shared."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
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
from slicebench.problems.planned import identity_of, recipe_of
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


@dataclass(frozen=True)
class _Shelved:
    """A problem on a shelf: its recipe, the files that it was built from, its folder.

    `content` is the key of the header of a problem under a URL, which is fetched when it is used.
    """

    recipe: str
    sources: Mapping[str, str]
    folder: Location
    content: str = ""

    @property
    def identity(self) -> str:
        return identity_of(self.recipe, self.sources)


class Shelf(Mapping[str, Path]):
    """Frozen problems by identity; one under a URL is fetched into the cache on first access."""

    def __init__(self, problems: Iterable[_Shelved] = ()) -> None:
        self._problems = {problem.identity: problem for problem in problems}
        self._variants: dict[str, list[_Shelved]] = {}
        for problem in self._problems.values():
            self._variants.setdefault(problem.recipe, []).append(problem)

    def __getitem__(self, identity: str) -> Path:
        problem = self._problems[identity]
        if isinstance(problem.folder, Path):
            return problem.folder
        folder = cache_dir() / f"fetched-{FORMAT_VERSION}" / problem.content
        if not (folder.exists() and is_whole(folder)) and not fetch_problem(problem.folder, folder):
            raise StorageError(f"the frozen problem {problem.folder} no longer exists; freeze or upload it again")
        return folder

    def __contains__(self, identity: object) -> bool:
        return identity in self._problems

    def __iter__(self) -> Iterator[str]:
        return iter(self._problems)

    def __len__(self) -> int:
        return len(self._problems)

    def has_of_other_files(self, problem: PlannedProblem) -> bool:
        """Return True if the shelf has `problem` only as it was built from other files."""
        return problem.recipe in self._variants and problem.identity not in self

    def instead_of(self, problem: PlannedProblem) -> PlannedProblem:
        """Return `problem` with the files that the shelf's problem was built from.

        It is unchanged if the shelf lacks it, or has it from other files than those here. Files that
        are not here, and those that an older version did not write down, cannot be compared.

        Raises
        ------
        StorageError
            if the files are not here, and the shelf has the problem from several.

        """
        variants = self._variants.get(problem.recipe, [])
        fitting = [v for v in variants if v.sources == problem.sources and not problem.unseen] or [
            v for v in variants if problem.unseen or not v.sources
        ]
        if not fitting:
            return problem
        if len(fitting) > 1:
            raise StorageError(
                f"{problem} was frozen from different files, and none is here: "
                f"{', '.join(str(v.folder) for v in fitting)}; delete all but one"
            )
        if fitting[0].sources == problem.sources and not problem.unseen:
            return problem
        return replace(problem, sources=fitting[0].sources, unseen=False)


def shelved(shelf: Location) -> Shelf:
    """Find the frozen problems in the folders of `shelf`, by identity.

    The identity is dataset, version, parameters, seed and files.

    Raises
    ------
    StorageError
        if the folder is missing or holds no problem, or if a problem cannot be read.

    """
    found = Shelf(
        [_described(path.parent, load_header(path.parent)) for path in sorted(shelf.glob(f"*/{HEADER}"))]
        if isinstance(shelf, Path)
        else _shelved_remotely(shelf)
    )
    if not found:
        raise StorageError(
            f"{shelf} holds no frozen problems; expected folders with a problem.json, from `slicebench freeze`"
        )
    return found


def _shelved_remotely(shelf: UPath) -> list[_Shelved]:
    names = sorted(name for name in listed(shelf) if name.count("/") == 1 and name.endswith(f"/{HEADER}"))
    problems = []
    for name, text in read_all(shelf, names).items():
        folder = shelf / name.removesuffix(f"/{HEADER}")
        problems.append(_described(folder, parse_header(folder, text), content_key(str(folder), text.decode())))
    return problems


def _described(folder: Location, header: Header, content: str = "") -> _Shelved:
    recipe = recipe_of(header.dataset, header.dataset_version, header.params, header.seed)
    return _Shelved(recipe, header.sources, folder, content)


def freeze(problem: PlannedProblem, shelf: Location, *, with_inputs: bool = False) -> Kept:
    """Put `problem` on the shelf, without its raw inputs unless `with_inputs`.

    It is taken from the cache, or built if it is not there.

    Raises
    ------
    StorageError
        if its folder on the shelf holds another problem.

    """
    folder = shelf / f"{problem.name}.s{problem.seed}"
    there = folder.exists() if isinstance(folder, Path) else bytes_if_there(folder / HEADER) is not None
    if not there:
        _put_on_shelf(problem, folder, with_inputs=with_inputs)
    elif (kept := _described(folder, load_header(folder))).recipe != problem.recipe:
        raise StorageError(f"{folder} holds another problem or version; delete it to freeze this one")
    elif kept.sources != problem.sources and not problem.unseen:
        raise StorageError(f"{folder} {_of_other_files(kept.sources)}; delete it to freeze this one")
    return Kept(folder, _size(folder), not there)


def _of_other_files(said: Mapping[str, str]) -> str:
    if not said:
        return "holds this problem from an older version, which did not write down from which files it was built"
    return f"holds this problem from other files of the same names ({', '.join(sorted(said))})"


def _put_on_shelf(problem: PlannedProblem, folder: Location, *, with_inputs: bool) -> None:
    built = frozen_folder(problem)
    build_missing(problem, built)
    whole = load_problem(built)
    kept = whole if with_inputs else without_inputs(whole)
    if isinstance(folder, Path):
        save_problem(kept, folder)
        return
    with tempfile.TemporaryDirectory(prefix="slicebench-") as temporary:
        save_problem(kept, Path(temporary) / "problem")
        send_problem(Path(temporary) / "problem", folder)


def _size(folder: Location) -> int:
    if isinstance(folder, Path):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return sum(listed(folder).values())
