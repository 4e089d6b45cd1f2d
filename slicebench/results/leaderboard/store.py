"""Store a suite's results in a few files that fit into a repository.

There are two files per method, so a change of one method changes only these.

suite.json                     the suite, facts about its problems, and a digest of each test split's ids
truth.safetensors              labels and minority of every test split
records/<method>.jsonl         a record per line, floats to six digits
scores/<method>.safetensors    the ranking of every test split as dense ranks (ranking metrics need nothing else), and the
                               hardness itself of methods for which the gate compares it
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from slicebench.data.checks import array_of, labels_of
from slicebench.errors import DataError, StorageError
from slicebench.evaluation.record import ProblemFacts, Record, TestTruth
from slicebench.files.arrays import read_arrays, write_arrays
from slicebench.files.atomic import write_text
from slicebench.files.json_models import sealed, unsealed
from slicebench.files.locations import read_bytes
from slicebench.runs.suite import Suite  # noqa: TC001 - pydantic reads it at run time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.runs.outcomes import Outcomes, Slot


FORMAT_VERSION = 1
DIGITS = 6
RESTORE = "restore the file, or write it again with `slicebench check --update`"


class _Header(BaseModel):
    """Content of `suite.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int
    suite: Suite
    facts: dict[str, ProblemFacts]
    examples: dict[str, str]
    """Digest of the test split's ids, by problem and seed."""
    with_hardness: tuple[str, ...]


class LeaderboardStore:
    """Reader of one suite's folder; it implements `Outcomes`.

    Methods raise a `StorageError` that names a file that is missing or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._header = _read_header(folder / "suite.json")
        self._truth = read_arrays(folder / "truth.safetensors", RESTORE)[0]
        self._scores: dict[str, dict[str, NDArray[Any]]] = {}
        self.records: dict[Slot, Record | None] = self._read_records()

    @property
    def suite(self) -> Suite:
        """Suite of the results."""
        return self._header.suite

    def keeps_hardness(self, method: str) -> bool:
        """Check whether the hardness itself of `method` is stored, not only its ranks."""
        return method in self._header.with_hardness

    def facts(self, problem: str) -> ProblemFacts | None:
        """Return the facts of a problem."""
        return self._header.facts.get(problem)

    def truth(self, problem: str, seed: int) -> TestTruth:
        """Return labels and minority; the ids are positions."""
        key = split_key(problem, seed)
        try:
            labels = labels_of("labels", self._truth[f"{key}.labels"], len(self._truth[f"{key}.labels"]))
            minority = array_of("minority", self._truth[f"{key}.minority"], np.bool_, 1, len(labels))
        except (KeyError, DataError) as error:
            raise StorageError(
                f"{self.folder}/truth.safetensors lacks {key}, or it is damaged: {error}; {RESTORE}"
            ) from error
        return TestTruth(np.arange(len(labels)).astype(str), labels, minority)

    def hardness(self, slot: Slot) -> NDArray[np.float64]:
        """Return the hardness of a finished cell, or its ranks if only those are stored."""
        arrays, key = self._of(slot[2]), split_key(slot[0], slot[1])
        found = arrays.get(f"{key}.hardness", arrays.get(key))
        if found is None:
            raise StorageError(f"{self.folder}/scores/{slot[2]}.safetensors lacks {key}; {RESTORE}")
        return found.astype(np.float64)

    def same_examples(self, problem: str, seed: int, ids: NDArray[np.str_]) -> bool:
        """Check whether a test split has the same examples as in the leaderboard."""
        return self._header.examples.get(split_key(problem, seed)) == digest(ids)

    def _of(self, method: str) -> dict[str, NDArray[Any]]:
        if method not in self._scores:
            self._scores[method] = read_arrays(self.folder / "scores" / f"{method}.safetensors", RESTORE)[0]
        return self._scores[method]

    def _read_records(self) -> dict[Slot, Record | None]:
        """Read the records of every cell of the suite, in its order.

        Methods that are not in the suite come last.
        """
        files = sorted((self.folder / "records").glob("*.jsonl"))
        found = {(r.problem, r.seed, r.method): r for file in files for r in _read_lines(file)}
        listed = [*self.suite.methods, *(file.stem for file in files)]
        problems, seeds = (p.name for p in self.suite.problems), self.suite.seeds
        slots = [(p, s, m) for p in problems for s in seeds for m in dict.fromkeys(listed)]
        return {slot: found.get(slot) for slot in slots if split_key(slot[0], slot[1]) in self._header.examples}


def write_outcomes(
    outcomes: Outcomes,
    suite: Suite,
    folder: Path,
    *,
    with_hardness: Iterable[str] = (),
    methods: Iterable[str] | None = None,
) -> None:
    """Write the cells of `methods`, by default all, into `folder`; files of other methods do not change.

    For the methods in `with_hardness`, the hardness is stored in addition to its ranks.

    Raises
    ------
    StorageError
        if the folder has results of other methods on other test examples, which would have to run
        again.

    """
    chosen = set(methods if methods is not None else (m for _, _, m in outcomes.records))
    finished = {s: r for s, r in outcomes.records.items() if r is not None and s[2] in chosen}
    splits = list(dict.fromkeys((problem, seed) for problem, seed, _ in finished))
    truths = {split_key(p, s): outcomes.truth(p, s) for p, s in splits if _has_scores(finished, p, s)}
    examples = {key: digest(truth.ids) for key, truth in truths.items()}
    _check_examples(folder, examples, chosen)
    facts = {problem: found for problem, _ in splits if (found := outcomes.facts(problem)) is not None}
    header = _Header(
        format_version=FORMAT_VERSION, suite=suite, facts=facts, examples=examples, with_hardness=tuple(with_hardness)
    )
    write_text(folder / "suite.json", header.model_dump_json(indent=1) + "\n")
    arrays: dict[str, NDArray[Any] | None] = {
        f"{key}.labels": truth.labels.astype(np.uint16) for key, truth in truths.items()
    }
    arrays |= {f"{key}.minority": truth.minority for key, truth in truths.items()}
    write_arrays(folder / "truth.safetensors", arrays, {})
    for method in sorted(chosen):
        own = {slot: record for slot, record in finished.items() if slot[2] == method}
        lines = "".join(
            json.dumps(sealed(_rounded(r.model_dump(mode="json"))), allow_nan=False) + "\n" for r in own.values()
        )
        write_text(folder / "records" / f"{method}.jsonl", lines)
        scores: dict[str, NDArray[Any] | None] = {}
        for slot, record in own.items():
            if record.status == "ok":
                hardness, key = outcomes.hardness(slot), split_key(slot[0], slot[1])
                scores[key] = dense_ranks(hardness)
                scores[f"{key}.hardness"] = hardness if method in header.with_hardness else None
        write_arrays(folder / "scores" / f"{method}.safetensors", scores, {})


def split_key(problem: str, seed: int) -> str:
    """Return the name of a test split among arrays."""
    return f"{problem}.s{seed}"


def digest(ids: NDArray[np.str_]) -> str:
    """Return 16 hex digits of the ids in their order."""
    return hashlib.sha256("\n".join(ids.tolist()).encode()).hexdigest()[:16]


def dense_ranks(hardness: NDArray[np.float64]) -> NDArray[np.unsignedinteger[Any]]:
    """Rank each value among the distinct values; 0 is the least hard.

    Order and ties are those of `hardness`.
    """
    ranks = np.unique(hardness, return_inverse=True)[1]
    kind = np.uint16 if len(ranks) < 2**16 else np.uint32
    dense: NDArray[np.unsignedinteger[Any]] = ranks.astype(kind)
    return dense


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return the first few names, and "..." if there are more.

    >>> listed(["a", "b", "c", "d"])
    'a, b, c ...'
    """
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def _has_scores(finished: Mapping[Slot, Record], problem: str, seed: int) -> bool:
    return any(s[:2] == (problem, seed) and r.status == "ok" for s, r in finished.items())


def _check_examples(folder: Path, examples: Mapping[str, str], chosen: set[str]) -> None:
    """Raise `StorageError` if results on different test examples would be mixed."""
    if not (folder / "suite.json").exists():
        return
    old = _read_header(folder / "suite.json").examples
    others = sorted(file.stem for file in (folder / "records").glob("*.jsonl") if file.stem not in chosen)
    changed = sorted(key for key in old.keys() | examples.keys() if old.get(key) != examples.get(key))
    if changed and others:
        raise StorageError(
            f"the test examples of {listed(changed)} differ from those of {folder}, which also has results of {listed(others)}; "
            "run those methods too and update all of them"
        )


def _rounded(value: Any) -> Any:
    """Return a JSON value with floats rounded to `DIGITS` significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def _read_header(path: Path) -> _Header:
    if not path.is_file():
        raise StorageError(
            f"{path.parent} is not a leaderboard: it has no {path.name}; "
            '`slicebench check --update --reason "first baseline"` creates one'
        )
    try:
        header = _Header.model_validate_json(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValidationError) as error:
        raise StorageError(f"cannot read {path}: {str(error).splitlines()[0]}; {RESTORE}") from error
    if header.format_version != FORMAT_VERSION:
        raise StorageError(f"{path} has format {header.format_version}, but this slicebench reads {FORMAT_VERSION}")
    return header


def _read_lines(path: Path) -> list[Record]:
    try:
        lines = read_bytes(path).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error}; {RESTORE}") from error
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(Record.model_validate(unsealed(line)[0]))
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise StorageError(f"cannot read {path}, line {number}: {reason}; {RESTORE}") from error
    return records
