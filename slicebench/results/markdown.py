"""Write tables of a `Board` in Markdown, for pages in a repository."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from slicebench.evaluation.markdown_text import code, plain
from slicebench.results.numbers import NONE, estimated, fixed, interval, opposite, optional, part_of, probability

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from slicebench.metrics.estimate import Estimate
    from slicebench.results.board import Board, ControlBoard, ControlRate, ControlRow, DiscoveryBoard, MethodRow


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are centred."""
    lines = [head, ["---", *[":-:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def scores_table(board: Board) -> str:
    """Return the table of methods by mean nAMF, with a column per problem and the base model on top."""
    head = ["method", "mean", "rank", *(plain(problem.name) for problem in board.problems)]
    rows = [
        [f"*{field.replace('_', ' ')}*", "", "", *(_fact(getattr(p, field), field) for p in board.problems)]
        for field in ("n_test", "minority_accuracy", "majority_accuracy")
    ]
    for row in board.methods:
        cells = [_cell(board.cells[p.name][row.name].values.get("namf")) for p in board.problems]
        rows.append([_label(row), _cell(row.values.get("namf")), _rank(row), *cells])
    return table(head, rows)


def methods_table(board: Board) -> str:
    """Return a line per method: mean, rank, stability, controls, cost.

    Incomplete methods come last, unranked.
    """
    head = ["method", "nAMF", "rank", "rank without a family", "best in", "false alarms", "s per 10,000", "cells"]
    controls = {row.method: row for row in board.controls.rows} if board.controls else {}
    rows = []
    for row in board.methods:
        span = row.rank_without_a_family
        rows.append(
            [
                _label(row),
                _cell(row.values.get("namf")),
                _rank(row),
                NONE if span is None or row.incomplete else f"{span[0]:.1f}–{span[1]:.1f}",
                optional(row.wins, "{:.0%}".format),
                _false_alarms(controls.get(row.name)),
                optional(row.seconds_per_10k, "{:.2g}".format),
                str(row.n),
            ]
        )
    return table(head, rows) + "".join(
        f"\n{code(row.name)} is not ranked: {plain(row.incomplete)}.\n" for row in board.methods if row.incomplete
    )


def kinds_table(board: Board) -> str:
    """Return mean nAMF and mean rank on natural and on planted problems, by the mean on the former; "" for one kind."""
    if not board.kinds:
        return ""
    head = ["method", *(part for view in board.kinds for part in (f"{view.kind} ({view.problems})", "rank"))]
    names = [row.name for row in board.methods if any(row.name in view.values for view in board.kinds)]
    names.sort(key=lambda name: -(one.mean if (one := board.kinds[0].values.get(name)) else -1.0))
    rows = [
        [
            plain(name),
            *(
                text
                for view in board.kinds
                for text in (_cell(view.values.get(name)), optional(view.rank.get(name), "{:.1f}".format))
            ),
        ]
        for name in names
    ]
    return table(head, rows)


def pairs_table(board: Board) -> str:
    """Return every pair of ranked methods over the units, the better one first, with p after Holm."""
    if board.comparison is None:
        return ""
    head = ["better", "worse", "difference in nAMF", "p", "p over families", "ahead on"]
    rows = []
    for pair in sorted(board.comparison.pairs, key=lambda p: p.p_holm):
        d, swap = pair.difference, pair.difference.mean < 0
        better, worse = map(plain, (pair.b, pair.a) if swap else (pair.a, pair.b))
        ahead, behind = (pair.b_better, pair.a_better) if swap else (pair.a_better, pair.b_better)
        shown = estimated(opposite(d) if swap else d)
        over = optional(pair.p_families, probability)
        rows.append([better, worse, shown, probability(pair.p_holm), over, f"{ahead} of {ahead + behind}"])
    return table(head, rows)


def captions_table(board: Board) -> str:
    """Return the caption metrics over the suite, then Hit@1 by problem."""
    rows = sorted((r for r in board.methods if r.caption_classes), key=lambda r: -r.values["hit_at_1"].mean)
    if not rows:
        return ""
    by_chance = [fixed(rows[0].chance[key]) for key in ("hit_at_1", "hit_at_2", "mrr")]
    lines = [["*chance*", "", by_chance[0], "", by_chance[1], "", by_chance[2], ".00"]]
    for row in rows:
        hits = [said for key in ("hit_at_1", "hit_at_2") for said in (_mean(row.values[key]), f"{row.p[key]:.1e}")]
        lines.append(
            [plain(row.name), str(row.caption_classes), *hits, _mean(row.values["mrr"]), _mean(row.values.get("gap"))]
        )
    cells = {p.name: board.cells[p.name] for p in board.problems}
    cells = {name: own for name, own in cells.items() if any("hit_at_1" in c.values for c in own.values())}
    each = [[plain(row.name), *(_mean(own[row.name].values.get("hit_at_1")) for own in cells.values())] for row in rows]
    by_problem = [fixed(own[rows[0].name].chance["hit_at_1"]) for own in cells.values()]
    return (
        "Classes of all problems with captions, over all seeds; *p* is exact, against chance.\n\n"
        + table(["method", "classes", "Hit@1", "p", "Hit@2", "p", "MRR", "gap"], lines)
        + "\nHit@1 problem by problem:\n\n"
        + table(["method", *map(plain, cells)], [["*chance*", *by_problem], *each])
    )


def controls_table(controls: ControlBoard) -> str:
    """Return the rates of declared slices by method and control."""
    keys = [
        info.key for info in controls.controls if any(r.control == info.key for row in controls.rows for r in row.rates)
    ]
    rows = []
    for row in controls.rows:
        by = {rate.control: rate for rate in row.rates}
        shown = [_rate(by[k], "<br>") if k in by else NONE for k in keys]
        rows.append([plain(row.method), *shown, _cell(row.namf)])
    return table(["method", *map(plain, keys), "nAMF in C1"], rows)


def _label(row: MethodRow) -> str:
    return f"{plain(row.name)} (ref)" if row.reference else plain(row.name)


def _rank(row: MethodRow) -> str:
    return NONE if row.rank is None or row.incomplete else f"{row.rank:.1f}"


_cell = partial(estimated, gap="<br>")


def _mean(score: Estimate | None) -> str:
    return NONE if score is None else fixed(score.mean)


def _fact(value: float | None, field: str) -> str:
    return optional(value, "{:.0f}".format if field == "n_test" else fixed)


def _false_alarms(row: ControlRow | None) -> str:
    clean = None if row is None else next((rate for rate in row.rates if rate.control == "C0"), None)
    return NONE if clean is None else _rate(clean, " ")


def _rate(rate: ControlRate, gap: str) -> str:
    return f"{fixed(rate.rate)}{gap}{interval(rate.low, rate.high, fixed)}"


def discovery_table(board: DiscoveryBoard) -> str:
    """Return a line per finder and setting on the tables of the set report, most found causes first.

    Below it, a list says which tables have no result, and why.
    """
    head = ["finder", "settings", "tables", "found", "alone", "P@10", "false per table"]
    head += ["nulls with a slice", "named right", "faulty class first"]
    rows = []
    for row in board.reported:
        found = part_of(row.found, row.causes), part_of(row.alone_found, row.alone)
        means = optional(row.precision_at_10, fixed), optional(row.false, fixed)
        pairs = (row.nulls_shown, row.nulls), (row.right, row.named), (row.class_first, row.class_tables)
        rest = [part_of(*pair) for pair in pairs]
        rows.append([f"`{row.name}`", row.settings, str(row.tables), *found, *means, *rest])
    missing = {row.name: row.missing(board.tables) for row in board.reported}
    listed = "".join(f"- `{name}`: {why}.\n" for name, why in missing.items() if why)
    return table(head, rows) + (f"\nTables without a result:\n\n{listed}" if listed else "")


def discovery_kinds_table(board: DiscoveryBoard) -> str:
    """Return the found causes of each kind, with the false slices in brackets."""
    kinds = list(dict.fromkeys(kind for row in board.rows for kind in row.kinds))
    rows = []
    for row in [*board.reported, *(row for row in board.rows if row.set != "report")]:
        of_kinds = [row.kinds.get(kind) for kind in kinds]
        cells = [NONE if one is None else f"{part_of(one.found, one.causes)} ({one.false})" for one in of_kinds]
        rows.append([row.set, f"`{row.name}`", *cells])
    return table(["set", "finder", *kinds], rows)
