"""Say which files a problem is built from, and notice when they are not the planned ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicebench.errors import StorageError
from slicebench.files.fingerprints import fingerprint
from slicebench.plugins.registry import DATASETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from slicebench.files.fingerprints import Source
    from slicebench.plugins.dataset import DatasetAdapter
    from slicebench.problems.planned import PlannedProblem


def files_read(adapter: DatasetAdapter, known: dict[Source, str] | None = None) -> dict[str, str]:
    """Return the fingerprints of the files that `adapter` and its encoders read, by name.

    `known` keeps fingerprints from one call to the next, for adapters that read the same files.

    Raises
    ------
    StorageError
        if files are missing or cannot be read.

    """
    known = {} if known is None else known
    found = {}
    for source in (*adapter.sources(), *files_of_encoders(adapter)):
        if source not in known:
            known[source] = fingerprint(source)
        found[source.name] = known[source]
    return found


def files_of_encoders(adapter: DatasetAdapter) -> Iterator[Source]:
    """Yield the files that encoders are named by: that of the embeddings, and that of the base model."""
    from slicebench.models.encoders.encoder import make_encoder

    params = adapter.get_params()
    recipe = params.get("recipe")
    names = {
        "encoder": params.get("encoder"),
        "recipe.features": recipe.get("features") if isinstance(recipe, dict) else None,
    }
    for parameter, name in names.items():
        if isinstance(name, str):
            for source in make_encoder(name).sources():
                yield source.of(parameter)


def adapter_of(problem: PlannedProblem) -> DatasetAdapter:
    """Return the adapter that builds `problem`."""
    adapter: DatasetAdapter = DATASETS.load(problem.dataset)(**problem.params)
    return adapter


def check_files(problem: PlannedProblem, adapter: DatasetAdapter) -> Mapping[str, str]:
    """Return the fingerprints of the files that `problem` is built from on this machine.

    If files are missing, they are those of the plan; the adapter reports what is missing.

    Raises
    ------
    StorageError
        if the files are not those that the problem was planned with.

    """
    try:
        here = files_read(adapter)
    except StorageError:
        return problem.sources
    other = [] if problem.unseen else _different(problem.sources, here)
    if other:
        raise StorageError(
            f"{problem}: not the files with which this run was planned: {', '.join(other)}. If they were replaced, run "
            "again; if this is another machine, copy the same files to it"
        )
    return here


def _different(planned: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Name the files that differ; a listing holds times, which are each machine's own."""
    return sorted(
        name
        for name in {**planned, **here}
        if (one := planned.get(name, "")) != (other := here.get(name, ""))
        and not (one.startswith("listing:") and other.startswith("listing:"))
    )
