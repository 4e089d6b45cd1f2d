"""The results of a set of cells (records, scores, truth).

They are read from a run folder or a committed leaderboard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from slicebench.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.evaluation.record import ProblemFacts, Record, TestTruth
    from slicebench.runs.store import Entry, RunStore


Slot = tuple[str, int, str]
"""Problem, seed, method."""


class Outcomes(Protocol):
    """Results of cells by slot, in the order of the request."""

    @property
    def records(self) -> Mapping[Slot, Record | None]:
        """Record of every requested cell; None if there is none yet."""
        ...

    def facts(self, problem: str) -> ProblemFacts | None:
        """Return the facts of a problem; None if none of its cells has run."""
        ...

    def truth(self, problem: str, seed: int) -> TestTruth:
        """Return labels and planted membership of a test split."""
        ...

    def hardness(self, slot: Slot) -> NDArray[np.float64]:
        """Return the hardness of the test examples, in the order of `truth`.

        It exists for cells whose record is "ok".
        """
        ...


class RunOutcomes:
    """The `Outcomes` of cells in a run folder.

    Methods raise a `StorageError` for a file that is missing, cannot be read, or is about other
    examples.
    """

    def __init__(self, store: RunStore, cells: Sequence[tuple[Entry, Record | None]]) -> None:
        self.store = store
        self.entries = {entry.slot: entry for entry, _ in cells}
        self.records: dict[Slot, Record | None] = {entry.slot: record for entry, record in cells}
        self._splits = {(entry.problem, entry.seed): entry for entry, _ in cells}
        self._truths: dict[tuple[str, int], TestTruth] = {}
        self._hardness: dict[Slot, NDArray[np.float64]] = {}
        store.read_ahead(entry for entry, record in cells if record is not None and record.status == "ok")

    def facts(self, problem: str) -> ProblemFacts | None:
        """Return the facts of a problem, as stored at its first seed that has run."""
        return next((f for e in self.entries.values() if e.problem == problem and (f := self.store.facts(e))), None)

    def truth(self, problem: str, seed: int) -> TestTruth:
        """Return labels and planted membership of a test split, which is read once."""
        key = problem, seed
        if key not in self._truths:
            self._truths[key] = self.store.truth(self._splits[key])
        return self._truths[key]

    def hardness(self, slot: Slot) -> NDArray[np.float64]:
        """Return the hardness of a finished cell, which is read once and checked against the test split."""
        if slot not in self._hardness:
            self._hardness[slot] = self._read(self.entries[slot])
        return self._hardness[slot]

    def _read(self, entry: Entry) -> NDArray[np.float64]:
        ids, scores = self.store.scores(entry)
        if not np.array_equal(ids, self.truth(entry.problem, entry.seed).ids):
            raise StorageError(
                f"{entry.folder}/{entry.record}.safetensors and {entry.truth}.safetensors hold different ids; "
                "delete both and run again"
            )
        return scores.hardness
