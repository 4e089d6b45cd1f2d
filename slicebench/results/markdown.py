"""Tables of a `Board` in Markdown, for pages that live in a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from slicebench.metrics.estimate import Estimate
    from slicebench.results.board import Board, ControlBoard, ControlRow, MethodRow


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown table, its columns centred but for the first."""
    lines = [head, ["---", *[":-:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def scores_table(board: Board) -> str:
    """Methods by mean nAMF, a column per problem, the base model above."""
    head = ["method", "mean", "rank", *(problem.name for problem in board.problems)]
    rows = [
        [f"*{field.replace('_', ' ')}*", "", "", *(_fact(getattr(p, field), field) for p in board.problems)]
        for field in ("n_test", "minority_accuracy", "majority_accuracy")
    ]
    for row in board.methods:
        cells = [_cell(board.cells[p.name][row.name].values.get("namf")) for p in board.problems]
        rows.append([_label(row), _cell(row.values.get("namf")), _rank(row), *cells])
    return table(head, rows)


def methods_table(board: Board) -> str:
    """A line per method: mean, rank, stability, controls, cost; incomplete methods last, unranked."""
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
                "–" if span is None or row.incomplete else f"{span[0]:.1f}–{span[1]:.1f}",
                "–" if row.wins is None else f"{row.wins:.0%}",
                _rate(controls.get(row.name)),
                "–" if row.seconds_per_10k is None else f"{row.seconds_per_10k:.2g}",
                str(row.n),
            ]
        )
    return table(head, rows) + "".join(
        f"\n`{row.name}` is not ranked: {row.incomplete}.\n" for row in board.methods if row.incomplete
    )


def pairs_table(board: Board) -> str:
    """Every pair of ranked methods over the units, the better one first; p after Holm."""
    if board.comparison is None:
        return ""
    head = ["better", "worse", "difference in nAMF", "p", "p over families", "ahead on"]
    rows = []
    for pair in sorted(board.comparison.pairs, key=lambda p: p.p_holm):
        d, swap = pair.difference, pair.difference.mean < 0
        low, high = (d.low or 0.0, d.high or 0.0) if not swap else (-(d.high or 0.0), -(d.low or 0.0))
        better, worse = (pair.b, pair.a) if swap else (pair.a, pair.b)
        ahead, behind = (pair.b_better, pair.a_better) if swap else (pair.a_better, pair.b_better)
        shown = f"{abs(d.mean):.2f} [{low:.2f}, {high:.2f}]".replace("-0.00", "0.00")
        over = "–" if pair.p_families is None else probability(pair.p_families)
        rows.append([better, worse, shown, probability(pair.p_holm), over, f"{ahead} of {ahead + behind}"])
    return table(head, rows)


def captions_table(board: Board) -> str:
    """Caption metrics over the suite, then Hit@1 by problem."""
    rows = sorted((r for r in board.methods if r.caption_classes), key=lambda r: -r.values["hit_at_1"].mean)
    if not rows:
        return ""
    chance = rows[0].chance
    lines = [
        [
            "*chance*",
            "",
            f"{chance['hit_at_1']:.2f}",
            "",
            f"{chance['hit_at_2']:.2f}",
            "",
            f"{chance['mrr']:.2f}",
            ".00",
        ]
    ]
    for row in rows:
        hits = [said for key in ("hit_at_1", "hit_at_2") for said in (_two(row.values[key]), f"{row.p[key]:.1e}")]
        lines.append([row.name, str(row.caption_classes), *hits, _two(row.values["mrr"]), _two(row.values.get("gap"))])
    cells = {p.name: board.cells[p.name] for p in board.problems}
    cells = {name: own for name, own in cells.items() if any("hit_at_1" in c.values for c in own.values())}
    each = [[row.name, *(_two(own[row.name].values.get("hit_at_1")) for own in cells.values())] for row in rows]
    by_problem = [f"{own[rows[0].name].chance['hit_at_1']:.2f}" for own in cells.values()]
    return (
        "Classes of all problems with captions, over all seeds; *p* is exact, against chance.\n\n"
        + table(["method", "classes", "Hit@1", "p", "Hit@2", "p", "MRR", "gap"], lines)
        + "\nHit@1 problem by problem:\n\n"
        + table(["method", *cells], [["*chance*", *by_problem], *each])
    )


def controls_table(controls: ControlBoard) -> str:
    """Rates of declared slices by method and control."""
    keys = [
        info.key for info in controls.controls if any(r.control == info.key for row in controls.rows for r in row.rates)
    ]
    rows = []
    for row in controls.rows:
        by = {rate.control: rate for rate in row.rates}
        shown = [f"{by[k].rate:.2f}<br>[{by[k].low:.2f}, {by[k].high:.2f}]" if k in by else "–" for k in keys]
        rows.append([row.method, *shown, _cell(row.namf)])
    return table(["method", *keys, "nAMF in C1"], rows)


def probability(p: float) -> str:
    """P value with three decimals, or its exponent."""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}".replace("e-0", "e-")


def _label(row: MethodRow) -> str:
    return f"{row.name} (ref)" if row.reference else row.name


def _rank(row: MethodRow) -> str:
    return "–" if row.rank is None or row.incomplete else f"{row.rank:.1f}"


def _cell(score: Estimate | None) -> str:
    if score is None:
        return "–"
    interval = "" if score.low is None else f"<br>[{score.low:.2f}, {score.high:.2f}]"
    return f"{score.mean:.2f}{'=' if score.tied else ''}{interval}".replace("-0.00", "0.00")


def _two(score: Estimate | None) -> str:
    return "–" if score is None else f"{score.mean:.2f}".replace("-0.00", "0.00")


def _fact(value: float | None, field: str) -> str:
    return "–" if value is None else f"{value:.0f}" if field == "n_test" else f"{value:.2f}"


def _rate(row: ControlRow | None) -> str:
    clean = None if row is None else next((rate for rate in row.rates if rate.control == "C0"), None)
    return "–" if clean is None else f"{clean.rate:.2f} [{clean.low:.2f}, {clean.high:.2f}]"
