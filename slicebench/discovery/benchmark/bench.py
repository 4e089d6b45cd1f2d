"""Run finders on the tables of a set, keep a row per table and finder, and sum them up per finder."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from slicebench.discovery.benchmark.finders.own import finder_of
from slicebench.discovery.benchmark.finders.peers import Skipped
from slicebench.discovery.benchmark.score import score
from slicebench.discovery.benchmark.tables import recipes
from slicebench.errors import StorageError, message_of
from slicebench.files.json_models import save_model, stored_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from slicebench.discovery.benchmark.finders.own import Finder
    from slicebench.discovery.benchmark.tables import Recipe

UNKNOWN = ("class", "null")
"""Kinds whose tables have no causes within classes: their slices are counted apart."""


class BenchRow(BaseModel):
    """One finder on one table. The scores are those of `TableScore`, and 0 unless `status` is "done"."""

    model_config = ConfigDict(extra="forbid")

    set: str
    seed: int
    table: str
    kind: str
    finder: str
    status: Literal["done", "skipped", "failed"]
    reason: str = ""
    rows: int = 0
    causes: int = 0
    found: int = 0
    alone: int = 0
    alone_found: int = 0
    shown: int = 0
    false: int = 0
    right: int | None = None
    precision_at_10: tuple[float, ...] = ()
    class_first: bool | None = None
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What the row is about: set, seed, table and finder."""
        return self.set, self.seed, self.table, self.finder


class BenchResults(BaseModel):
    """The rows of a benchmark, as they are stored."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    rows: list[BenchRow] = []


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The results of one finder.

    `found` of `causes` and `alone_found` of `alone` leave out faulty classes, which have
    `class_first` of `class_tables`. `false` and `seconds` are means per table: of those with causes
    within classes, and of all. `nulls_shown` of `nulls` show a slice. `right` of `named` found
    causes are named right, on kinds with visible attributes.
    """

    finder: str
    found: int
    causes: int
    alone_found: int
    alone: int
    false: float | None
    nulls_shown: int
    nulls: int
    right: int
    named: int
    precision_at_10: float | None
    class_first: int
    class_tables: int
    seconds: float | None
    skipped: int
    failed: int


def run_benchmark(
    set_name: str,
    finders: Sequence[str],
    *,
    kind: str | None = None,
    tables: Sequence[str] | None = None,
    seed: int = 0,
    quick: bool = False,
    slow: bool = False,
    out: Path | None = None,
    on_progress: Callable[[int, int, str], None] = lambda *_: None,
) -> list[BenchRow]:
    """Run finders on the tables of a set, and return a row per table and finder.

    Rows that `out` already holds are not computed again, unless they failed; each new row is written
    at once. `tables` takes the tables of these names, `quick` the first table of each generator, and
    `slow` adds the large tables.

    Raises
    ------
    ConfigError
        for an unknown set, kind or finder.
    StorageError
        if `out` cannot be read or written.

    """
    chosen = {name: finder_of(name) for name in finders}
    todo = [
        one
        for one in recipes(set_name, kind=kind, seed=seed, slow=slow)
        if (not quick or one.name.endswith("-0")) and (tables is None or one.name in tables)
    ]
    stored = BenchResults() if out is None else _stored(out)
    done = {row.key: row for row in stored.rows if row.status != "failed"}
    total, rows = len(todo) * len(chosen), list[BenchRow]()
    for recipe in todo:
        missing = [name for name in chosen if (set_name, seed, recipe.name, name) not in done]
        on_progress(len(rows), total, f"making {recipe.name}")
        for row in _rows(recipe, {name: chosen[name] for name in missing}):
            done[row.key] = row
            if out is not None:
                save_model(out, BenchResults(rows=[*done.values()]))
            on_progress(len(rows), total, f"{row.finder} on {row.table}: {row.status} {row.reason}".strip())
        rows += [done[set_name, seed, recipe.name, name] for name in chosen]
    return rows


def _stored(out: Path) -> BenchResults:
    if out.is_dir():
        raise StorageError(f"{out} is a folder; name a file for the results")
    return stored_model(BenchResults, out, "name another file, or delete this one to start again") or BenchResults()


def _rows(recipe: Recipe, finders: dict[str, Finder]) -> Iterable[BenchRow]:
    """Yield a row per finder; the table is made only if there is one."""
    if not finders:
        return
    table = recipe.make()
    about: dict[str, Any] = {"set": recipe.set, "seed": recipe.seed, "table": recipe.name, "kind": recipe.kind}
    for name, finder in finders.items():
        start = perf_counter()
        try:
            shown = finder(table)
        except Skipped as error:
            yield BenchRow(finder=name, status="skipped", reason=message_of(error), rows=len(table.frame), **about)
            continue
        except Exception as error:  # noqa: BLE001  # one finder that fails must not end the run
            yield BenchRow(finder=name, status="failed", reason=message_of(error), rows=len(table.frame), **about)
            continue
        seconds = perf_counter() - start
        values = vars(score(table, shown))
        yield BenchRow(finder=name, status="done", rows=len(table.frame), seconds=seconds, **about, **values)


def summed_up(rows: Iterable[BenchRow]) -> list[Summary]:
    """Return a summary per finder, in the order of the rows."""
    of_finder: dict[str, list[BenchRow]] = {}
    for row in rows:
        of_finder.setdefault(row.finder, []).append(row)
    return [_summary(name, its) for name, its in of_finder.items()]


def by_kind(rows: Iterable[BenchRow]) -> dict[str, list[Summary]]:
    """Return a summary per kind and finder."""
    of_kind: dict[str, list[BenchRow]] = {}
    for row in rows:
        of_kind.setdefault(row.kind, []).append(row)
    return {kind: summed_up(its) for kind, its in of_kind.items()}


def _summary(name: str, rows: Sequence[BenchRow]) -> Summary:
    done = [row for row in rows if row.status == "done"]
    within = [row for row in done if row.kind not in UNKNOWN]
    nulls = [row for row in done if row.kind == "null"]
    classes = [row for row in done if row.kind == "class"]
    top = [value for row in within for value in row.precision_at_10]
    return Summary(
        finder=name,
        found=sum(row.found for row in within),
        causes=sum(row.causes for row in within),
        alone_found=sum(row.alone_found for row in within),
        alone=sum(row.alone for row in within),
        false=_mean([row.false for row in within]),
        nulls_shown=sum(row.shown > 0 for row in nulls),
        nulls=len(nulls),
        right=sum(row.right or 0 for row in within),
        named=sum(row.found for row in within if row.right is not None),
        precision_at_10=_mean(top),
        class_first=sum(bool(row.class_first) for row in classes),
        class_tables=len(classes),
        seconds=_mean([row.seconds for row in done]),
        skipped=sum(row.status == "skipped" for row in rows),
        failed=sum(row.status == "failed" for row in rows),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
