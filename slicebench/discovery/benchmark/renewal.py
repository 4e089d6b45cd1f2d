"""Choose settings of finders on tuning tables, run them on the report tables, and sum it all up as a board.

Decisions
- Settings are chosen on `CHOSEN_ON`: tables of the set tuning with at most 2,600 rows, so that all settings of all
  finders run in an hour; three of columns, three of vectors, and one of each other kind.
- The setting that finds most causes is chosen. Among equal ones it is the one with fewest false slices on all of
  `CHOSEN_ON`, then the first. A table that a setting cannot run on, or not in time, adds no found cause.
- `discover` keeps its defaults. It alone is also run on the set tuning, to show how much its defaults depend on it.
- Rows of finders that are not renewed are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicebench.discovery.benchmark.bench import by_kind, run_benchmark, summed_up
from slicebench.discovery.benchmark.finders.own import TUNED
from slicebench.discovery.benchmark.tables import recipes
from slicebench.errors import ConfigError, did_you_mean
from slicebench.results.board import DiscoveryBoard, DiscoveryKind, DiscoveryRow
from slicebench.results.numbers import rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from slicebench.discovery.benchmark.bench import BenchRow, Summary

    Progress = Callable[[int, int, str], None]

UNTUNED = "discover"
RENEWED = (UNTUNED, *TUNED)
"""Finders of the board."""
CHOSEN_ON = (
    "tabular-2",
    "tabular-4",
    "tabular-5",
    "embedding-0",
    "embedding-3",
    "embedding-8",
    "digits-0",
    "texts-2",
    "images-0",
    "regression-1",
    "class_embedding-0",
    "permuted_tabular-2",
)
"""Tables of the set tuning on which settings are chosen."""


def renewed(
    old: DiscoveryBoard | None,
    finders: Sequence[str] = RENEWED,
    *,
    out: Path,
    seed: int = 0,
    on_progress: Progress = lambda *_: None,
) -> DiscoveryBoard:
    """Return the board with the rows of `finders` measured now, and the other rows of `old`.

    `out` keeps the results of each table; those that it holds are not computed again.

    Raises
    ------
    ConfigError
        for an unknown finder, one that cannot run on any tuning table, or an `old` board of another seed.
    StorageError
        if `out` cannot be read or written.

    """
    for name in finders:
        if name not in RENEWED:
            raise ConfigError(f"unknown finder {name!r} of the board; {did_you_mean(name, [*RENEWED])}")
    if old is not None and old.seed != seed:
        raise ConfigError(f"the board has the tables of seed {old.seed}, not {seed}; renew all finders of a new board")
    rows = list[DiscoveryRow]()
    for name in finders:
        rows += _measured(name, seed, out, on_progress)
    kept = [row for row in (old.rows if old else ()) if row.finder not in finders]
    return board([*kept, *rows], seed=seed)


def board(rows: Iterable[DiscoveryRow], *, seed: int = 0) -> DiscoveryBoard:
    """Return the board of `rows`, in the order of `RENEWED`: the same rows always give the same board."""
    ordered = sorted(rows, key=lambda row: (RENEWED.index(row.finder), row.setting is not None, row.set))
    return DiscoveryBoard(seed=seed, tables=len(recipes("report")), chosen_on=CHOSEN_ON, rows=tuple(ordered))


def _measured(name: str, seed: int, out: Path, on_progress: Progress) -> list[DiscoveryRow]:
    if name == UNTUNED:
        sets = ("report", "tuning")
        return [row_of(run_benchmark(one, [name], seed=seed, out=out, on_progress=on_progress)) for one in sets]
    numbered = [f"{name}@{i}" for i in range(len(TUNED[name]))]
    tried = run_benchmark("tuning", numbered, tables=CHOSEN_ON, seed=seed, out=out, on_progress=on_progress)
    if all(row.status != "done" for row in tried):
        raise ConfigError(f"{name} cannot run on any tuning table: {tried[0].reason}; install it, or name the others")
    chosen = best_setting(tried)
    names = [name, f"{name}@{chosen}"]
    rows = run_benchmark("report", names, seed=seed, out=out, on_progress=on_progress)
    return [row_of([row for row in rows if row.finder == one]) for one in names]


def best_setting(rows: Iterable[BenchRow]) -> int:
    """Return the number of the setting that finds most causes; ties go to fewer false slices, then to the first.

    The finders of `rows` are one finder with its settings, such as "sliceline@0" to "sliceline@7".
    """
    merits: dict[int, tuple[int, int]] = {}
    for row in rows:
        number = int(row.finder.partition("@")[2])
        found, spared = merits.get(number, (0, 0))
        merits[number] = found + (row.found if row.kind != "class" else 0), spared - row.false
    return max(sorted(merits), key=lambda number: merits[number])


def row_of(rows: Sequence[BenchRow]) -> DiscoveryRow:
    """Return the results of one finder with one setting on the tables of one set."""
    (summary,) = summed_up(rows)
    base, _, number = summary.finder.partition("@")
    reasons = [_short(row.reason) for row in rows if row.status != "done"]
    kept = DiscoveryRow.model_fields.keys() & vars(summary).keys() - {"finder"}
    fields = {key: getattr(summary, key) for key in kept}
    for key in ("false", "precision_at_10"):
        fields[key] = rounded(fields[key], 4)
    return DiscoveryRow(
        set=rows[0].set,
        finder=base,
        setting=int(number) if number else None,
        parameters=TUNED[base][int(number)] if number else {},
        tables=len(rows) - len(reasons),
        not_run={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        kinds={kind: _kind(kind, one, rows) for kind, (one,) in by_kind(rows).items() if one.causes},
        **fields,
    )


def _short(reason: str) -> str:
    """Return the first two parts of a reason, without the numbers of a single table behind them."""
    return ": ".join(reason.removeprefix("RuntimeError: ").split(": ")[:2])


def _kind(kind: str, summary: Summary, rows: Sequence[BenchRow]) -> DiscoveryKind:
    false = sum(row.false for row in rows if row.kind == kind)
    return DiscoveryKind(found=summary.found, causes=summary.causes, false=false)
