"""Find built problems in the cache, fetch them from its second level, or build them."""

from __future__ import annotations

import logging
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from slicebench.errors import StorageError
from slicebench.files.cache import cache_dir, remote_cache, remote_copy
from slicebench.problems.files_read import adapter_of, check_files, files_read
from slicebench.problems.frozen import (
    FORMAT_VERSION,
    check_problem,
    load_header,
    load_problem,
    move_problem,
    save_problem,
)
from slicebench.problems.remote import DamagedError, fetch_problem, send_problem

if TYPE_CHECKING:
    from slicebench.data.problem import Problem
    from slicebench.problems.planned import PlannedProblem


def frozen_folder(problem: PlannedProblem) -> Path:
    """Return the folder in which a built problem is stored, by its identity.

    Each version of the file format has its own folders. So has a problem whose files are only on the
    workers: its identity does not say what they hold.

    Raises
    ------
    StorageError
        if the cache has a second level that cannot be used; this is checked before any work.

    """
    remote_cache()
    name = f"{problem.identity}-unseen" if problem.unseen else problem.identity
    return cache_dir() / f"problems-{FORMAT_VERSION}" / name


def find_built(folder: Path) -> bool:
    """Check whether an intact copy of a built problem is in the cache.

    If it is not, it is fetched from the second level of the cache, if there is one.
    """
    if folder.exists() and is_whole(folder):
        return True
    remote = remote_copy(folder)
    try:
        return remote is not None and fetch_problem(remote, folder)
    except DamagedError as error:
        logging.getLogger("slicebench").info("building the problem again: %s", error)
        return False


def is_whole(folder: Path) -> bool:
    """Check whether the files of a problem are those that were saved.

    A damaged problem in the cache is deleted, and that is logged.

    Raises
    ------
    StorageError
        for a damaged problem outside the cache, which belongs to the user.

    """
    try:
        check_problem(folder)
    except StorageError as error:
        if not folder.is_relative_to(cache_dir()):
            raise
        logging.getLogger("slicebench").warning(
            "a damaged problem was removed from the cache and will be built again: %s", error
        )
        _remove(folder)
        return False
    return True


def _remove(folder: Path) -> None:
    """Delete a folder at once, so that no other process finds half of it."""
    gone = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    folder.replace(gone / "removed")
    shutil.rmtree(gone, ignore_errors=True)


def build_missing(problem: PlannedProblem, folder: Path) -> None:
    """Build `problem` into `folder` unless it exists.

    If the cache has a second level, look there first, and upload what is built.

    Raises
    ------
    StorageError
        if its files are missing, or are not those of the plan.

    """
    if problem.unseen and folder == frozen_folder(problem):
        _build_from_files_here(problem, folder)
        return
    if find_built(folder):
        return
    remote = remote_copy(folder)
    if remote is None:
        _build(problem, folder)
        return
    unsent = folder.with_name(f"{folder.name}.unsent")  # so that a failed upload is tried again
    _build(problem, unsent)
    try:
        send_problem(unsent, remote)
    except StorageError:
        if not folder.exists():  # another process was faster
            raise
    else:
        move_problem(unsent, folder)


def _build_from_files_here(problem: PlannedProblem, folder: Path) -> None:
    """Build a problem whose files only this machine has, unless `folder` was built from the same files."""
    try:
        here = files_read(adapter_of(problem))
    except StorageError:  # nor has this one: the adapter says what is missing
        here = None
    if folder.exists() and is_whole(folder) and load_header(folder).sources != here:
        _remove(folder)
    _build(problem, folder)


def _build(problem: PlannedProblem, folder: Path) -> None:
    if folder.exists():
        return
    adapter = adapter_of(problem)
    check_files(problem, adapter)
    built = adapter.build(problem.seed)
    files = check_files(problem, adapter)  # again: they may have been replaced while they were read
    save_problem(replace(built, provenance=replace(built.provenance, files=files)), folder)


def built_problem(problem: PlannedProblem) -> Problem:
    """Return `problem` from the cache; build it first if it is not there."""
    folder = frozen_folder(problem)
    build_missing(problem, folder)
    return load_problem(folder)
