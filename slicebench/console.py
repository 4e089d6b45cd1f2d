"""What a person sees in a terminal: tables on stdout, progress on stderr. The only module that imports rich."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from slicebench.board import Board, ControlBoard, ControlRate, Estimate, MethodRow, ProblemColumn
    from slicebench.data_report import DataReport
    from slicebench.datafiles import FileReport
    from slicebench.gate import Verdict
    from slicebench.runner import PlannedCell, Progress
    from slicebench.sweep.report import SweepReport

PIPED_WIDTH = 170
"""Columns of a table that does not go to a terminal."""

_FIRST, _COLUMN = 44, 15
"""Widths of method, mean and rank together, and of a problem's column, for splitting the table."""


def results_console() -> Console:
    """Console on stdout: no colour and a fixed width when piped."""
    piped = not sys.stdout.isatty()
    return Console(file=sys.stdout, width=PIPED_WIDTH if piped else None, no_color=piped or None, highlight=False)


def print_board(board: Board, console: Console | None = None) -> None:
    """Print the result table, split where the terminal is too narrow, then the methods left out, then captions and costs."""
    console = console or results_console()
    per_table = max(1, (console.width - _FIRST) // _COLUMN)
    for start in range(0, len(board.problems), per_table):
        console.print(_scores_table(board, board.problems[start : start + per_table]))
    console.print(_legend(board))
    for row in board.methods:
        if row.incomplete:
            console.print(Text(f"{row.name} is not ranked: {row.incomplete}"))
    if any(row.caption_classes for row in board.methods):
        console.print(_caption_table(board))
        console.print(_CAPTION_LEGEND)
    if any(row.seconds is not None for row in board.methods):
        console.print(_cost_table(board))


def _scores_table(board: Board, problems: Sequence[ProblemColumn]) -> Table:
    table = Table(title="nAMF by problem, methods sorted by mean", title_justify="left", show_lines=False)
    table.add_column("method", no_wrap=True)
    table.add_column("mean", justify="center", no_wrap=True)
    table.add_column("rank", justify="right")
    for problem in problems:
        name = problem.name.replace("-", "-\n")
        table.add_column(name, justify="center", min_width=10, max_width=_COLUMN - 3, overflow="fold")
    for label, fields in _HEADER_ROWS:
        values = ["–" if (v := getattr(p, fields)) is None else _plain(label, v) for p in problems]
        table.add_row(Text(label, style="dim"), "", "", *values)
    table.add_section()
    for row in board.methods:
        cells = [_cell(board.cells[p.name][row.name].values.get("namf")) for p in problems]
        rank = "–" if row.rank is None or row.incomplete else f"{row.rank:.1f}"
        table.add_row(_label(row), _cell(row.values.get("namf")), rank, *cells)
    return table


_HEADER_ROWS = (
    ("test examples", "n_test"),
    ("minority share", "minority_rate"),
    ("minority accuracy", "minority_accuracy"),
    ("majority accuracy", "majority_accuracy"),
)


def _plain(label: str, value: float) -> str:
    return f"{value:.0f}" if label == "test examples" else _short(value)


def _label(row: MethodRow) -> str:
    return f"{row.name} (ref)" if row.reference else row.name


def _cell(score: Estimate | None) -> str:
    if score is None:
        return "–"
    interval = "" if score.low is None or score.high is None else f"\n[{_short(score.low)}, {_short(score.high)}]"
    return f"{score.mean:.2f}{'=' if score.tied else ''}".replace("-0.00", "0.00") + interval.replace("[", "\\[")


def _short(value: float) -> str:
    """Two decimals without the leading zero.

    >>> _short(0.52), _short(-0.04), _short(1.0), _short(-0.001)
    ('.52', '-.04', '1.00', '.00')
    """
    text = f"{value:.2f}"
    return (".00" if text == "-0.00" else text).replace("0.", ".", 1) if abs(value) < 0.995 else text


def _legend(board: Board) -> Text:
    seeds = sorted({len(p.seeds) for p in board.problems})
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]}–{seeds[-1]}" if seeds else "0"
    compared = board.comparison
    over = f" Ranks are means over {compared.units} {_UNITS[compared.unit]}." if compared else ""
    return Text(
        f"Mean over {count} seeds, 95 % interval below. Chance 0, ideal 1. = not separated from the column's best: the paired "
        f"interval reaches 0; for the mean, Holm-corrected tests.{over} (ref): ends of the scale, not ranked. "
        "Accuracies are the base model's.",
        style="dim",
    )


_UNITS = {"problem": "problems", "family": "families of datasets"}

_CAPTION_LEGEND = Text(
    "Share of classes, over all seeds, whose hardest caption (Hit@1) or one of the two hardest (Hit@2) names the planted group; "
    "p: exact, against chance. MRR: reciprocal rank of the first caption that does. Gap: accuracy on the images nearest the "
    "easiest caption minus that nearest the hardest.",
    style="dim",
)


def _caption_table(board: Board) -> Table:
    """Over all problems, and Hit@2 problem by problem, each beside its chance."""
    table = Table(title="Captions, methods sorted by Hit@1", title_justify="left")
    table.add_column("method")
    for name in ("classes", "Hit@1", "p", "Hit@2", "p", "MRR", "gap"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = sorted((r for r in board.methods if r.caption_classes), key=lambda r: -r.values["hit_at_1"].mean)
    cells = {problem: board.cells[problem] for problem in board.cells if _caption_chance(board, problem) is not None}
    for problem in cells:
        table.add_column("Hit@2\n" + problem.replace("-", "-\n"), justify="right")
    chance = rows[0].chance
    said = ["", _short(chance["hit_at_1"]), "", _short(chance["hit_at_2"]), "", _short(chance["mrr"]), ".00"]
    by_problem = [_short(_caption_chance(board, problem) or 0.0) for problem in cells]
    table.add_row(Text("chance", style="dim"), *said, *by_problem)
    table.add_section()
    for row in rows:
        hits = [said for key in ("hit_at_1", "hit_at_2") for said in (_short(row.values[key].mean), _p(row.p[key]))]
        each = [_mean(own[row.name].values.get("hit_at_2")) for own in cells.values()]
        last = (_mean(row.values.get(key)) for key in ("mrr", "gap"))
        table.add_row(row.name, str(row.caption_classes), *hits, *last, *each)
    return table


def _caption_chance(board: Board, problem: str) -> float | None:
    """Chance of Hit@2 on a problem; None if it has no captions."""
    return next((c for one in board.cells[problem].values() if (c := one.chance.get("hit_at_2")) is not None), None)


def _mean(estimate: Estimate | None) -> str:
    return "–" if estimate is None else _short(estimate.mean)


def _p(value: float) -> str:
    """Probability: three decimals, or an exponent below .001."""
    return f"{value:.0e}".replace("e-0", "e-") if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)


def _cost_table(board: Board) -> Table:
    table = Table(title="Cost, median over cells, sorted by fit time", title_justify="left")
    table.add_column("method")
    for name in ("cells", "fit s", "of it training s", "score s", "captions s", "peak MB"):
        table.add_column(name, justify="right")
    fields = {"fit_seconds": 3, "training_seconds": 2, "score_seconds": 3, "caption_seconds": 3, "peak_mb": 0}
    for row in sorted((r for r in board.methods if r.seconds is not None), key=lambda r: r.fit_seconds or 0.0):
        table.add_row(row.name, str(row.n), *(f"{getattr(row, field):.{digits}f}" for field, digits in fields.items()))
    return table


def print_captions(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the report of `slicebench captions`: captions and gap of every class, then the gap before each judge."""
    console = console or results_console()
    title = f"{report['method']} on {report['problem']}, seed {report['seed']}, in {report['encoder']}"
    table = Table(title=title, title_justify="left", show_lines=True)
    for name in ("class", "hardest captions", "easiest captions", "names the plant", "gap"):
        table.add_column(name, justify="right" if name == "gap" else "left")
    for name, one in report["captions"]["per_class"].items():
        near = report["accuracy_near"].get(name, {})
        hardest, easiest = ([_described(text, one, near) for text in one[end][:3]] for end in ("hardest", "easiest"))
        ranked = "–" if one["metrics"]["mrr"] is None else _rank(one)
        table.add_row(
            Text(name),
            Text("\n".join(hardest)),
            Text("\n".join(easiest)),
            ranked,
            _interval(one["metrics"], "gap"),
        )
    console.print(table)
    judges = Table(title="Easy–hard gap by judge", title_justify="left")
    for name in ("judge", "gap", "share of own"):
        judges.add_column(name, justify="left" if name == "judge" else "right")
    for name, judged in report["judges"].items():
        kept = "–" if judged["retention"] is None else _short(judged["retention"])
        judges.add_row(name, "–" if judged["gap"] is None else _short(judged["gap"]), kept)
    console.print(judges)
    for name, accuracy in report.get("decoded", {}).items():
        console.print(Text(f"decoded {name}: the base model is right on {accuracy:.0%}"))
    console.print(_LOOK_LEGEND)


_LOOK_LEGEND = Text(
    "* names a planted group. Captions are ranked by the method, hardest first; behind each the base model's accuracy on the "
    "tenth of the class's test images that is nearest to it.",
    style="dim",
)


def _described(text: str, one: Mapping[str, Any], near: Mapping[str, float]) -> str:
    """A caption with its mark, and the accuracy nearby."""
    accuracy = f"  {_short(near[text])}" if text in near else ""
    return f"{'* ' if text in one['naming'] else ''}{text}{accuracy}"


def _rank(one: Mapping[str, Any]) -> str:
    """Reciprocal rank of the first caption that names a group, as a rank, of how many."""
    rank = 1 / one["metrics"]["mrr"]
    return f"{'yes' if rank < 1.5 else 'no'}: rank {rank:.3g} of {one['candidates']}"


def _interval(metrics: Mapping[str, float | None], name: str) -> str:
    value, low, high = (metrics[key] for key in (name, f"{name}_low", f"{name}_high"))
    if value is None or low is None or high is None:
        return "–"
    return f"{_short(value)}\n\\[{_short(low)}, {_short(high)}]"


def print_plan(planned: Sequence[PlannedCell], console: Console | None = None) -> None:
    """Print one line per cell: whether it would run, and why."""
    console = console or results_console()
    for item in planned:
        line = f"{item.action:<5}{item.cell.problem.name} s{item.cell.problem.seed} {item.cell.method}: {item.why}"
        console.print(Text(line), soft_wrap=True)
    running = sum(item.action == "run" for item in planned)
    console.print(Text(f"{running} to run, {len(planned) - running} done"))


class ProgressReport:
    """Progress on stderr: a bar on a terminal, one plain line per cell when piped. A context manager and a callback.

    What is left is estimated from all that has been done so far, builds and trainings included, so it is "about".
    """

    def __init__(self, *, terminal: bool | None = None, clock: Callable[[], float] = perf_counter) -> None:
        self.terminal = sys.stderr.isatty() if terminal is None else terminal
        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        columns = (
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            TextColumn("{task.description}", markup=False),
        )
        self._bar = Bar(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("starting", total=None, left="")
        self._clock, self._start = clock, clock()
        self._done, self._total = 0, 0

    def __enter__(self) -> Self:
        if self.terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.terminal:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show one event of a run."""
        what = _named(progress.running) or f"building {progress.problem}"
        left = self._show(progress.done, progress.total, what)
        record = progress.record
        if progress.cell is None or record is None:
            return
        if not self.terminal or record.status == "failed":
            namf = record.metrics.get("namf")
            said = record.reason or ("" if namf is None else f"nAMF {namf:.3f}")
            line = f"[{progress.done}/{progress.total}{left}] {progress.cell}: {record.status}" + (
                f" {said}" if said else ""
            )
            self._console.print(Text(line), soft_wrap=True)

    def count(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` are done, and `what` was or is next."""
        left = self._show(done, total, what)
        if not self.terminal:
            self._console.print(Text(f"[{done}/{total}{left}] {what}"), soft_wrap=True)

    def _show(self, done: int, total: int, what: str) -> str:
        """Move the bar; the estimate of what is left, as it stands in a line, or nothing while there is too little to go by."""
        if self._total and (total != self._total or done < self._done):  # other work: its pace is its own
            self._start = self._clock()
        self._done, self._total = done, total
        spent = self._clock() - self._start
        enough = spent > _SOON_S and min(_FEW, total / _FEW) <= done < total and done > 0
        left = f"about {_duration(spent / done * (total - done))} left" if enough else ""
        self._bar.update(self._task, total=total, completed=done, description=what, left=left)
        return f", {left}" if left else ""


_SOON_S = 3.0
"""Seconds before an estimate means anything."""

_FEW = 10
"""An estimate goes by a tenth of the work, or by so many: the first cells wait for their problem and say little."""


def _named(running: Sequence[str]) -> str:
    """What runs now, in a line's width.

    >>> _named(["building a s0", "a s1 m", "b s0 m"])
    'building a s0; a s1 m; …'
    """
    return "; ".join([*running[:2], *(["…"] if len(running) > 2 else [])])


def _duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever is short.

    >>> _duration(8.2), _duration(95), _duration(5000)
    ('8 s', '2 min', '1.4 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def print_datasets(datasets: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print a row per dataset: what is planted, how much of it, licence, where the data are expected, whether they are there."""
    console = console or results_console()
    table = Table(title="datasets", title_justify="left", show_lines=True)
    for column in ("name", "modality", "n", "planted group", "rate", "licence", "expected at", "ready"):
        table.add_column(column, overflow="fold")
    for item in datasets:
        if item["status"] != "ok" or "title" not in item:
            table.add_row(item["name"], *[""] * 6, item["status"])
            continue
        ready = "yes" if item["ready"] else "no"
        place = item["expected"] or (item["obtain"] or "generated")
        fields = (item[key] for key in ("name", "modality", "size", "group", "rate", "licence"))
        table.add_row(*map(Text, fields), Text(place), ready)
    console.print(table)
    console.print(Text("`slicebench data check NAME` says what is missing, how to get it, and under which licence."))


def print_data_report(report: DataReport, console: Console | None = None) -> None:
    """Print a dataset's card and the state of its files."""
    console, card = console or results_console(), report.card
    console.print(Text(f"{card.title} ({report.name})"))
    facts = {"n": card.size, "planted": f"{card.group}; {card.rate}", "licence": card.licence, "source": card.source}
    for label, fact in (facts | ({"obtain": card.obtain} if card.obtain else {})).items():
        console.print(Text(f"  {label:<9}{fact}"))
    if report.layouts and not report.root.is_dir():
        console.print(Text(f"there is no folder {report.root}"))
    for layout in report.layouts:
        state = "complete" if layout.complete else "incomplete"
        console.print(Text(f"layout {layout.layout!r}: {state} in {layout.folder}"))
        for file in layout.files:
            console.print(Text(f"  {file.wanted.path:<34} {file.wanted.what:<18} {_file_state(file)}"))
    usable = "ready" if report.usable else "not ready: fetch what is missing or differs"
    console.print(Text(usable if report.layouts else f"ready: {card.obtain or 'generated, nothing to fetch'}"))


def _file_state(file: FileReport) -> str:
    if not file.found:
        return "missing"
    state = f"{file.found:,} file{'s' if file.found > 1 else ''}, {file.size / 1e6:,.1f} MB"
    checked = "" if file.md5_holds is None else ", checksum as published"
    return f"{state}: {file.problem}" if file.problem else state + checked


def print_verdicts(verdicts: Sequence[Verdict], console: Console | None = None) -> None:
    """Print what the gate says, method by method, and below what moved."""
    console = console or results_console()
    table = Table(title="Against the baseline", title_justify="left")
    for name in ("method", "check", "verdict", "nAMF now − then", "cells", "why"):
        table.add_column(name, justify="right" if name == "cells" else "left", overflow="fold")
    for v in verdicts:
        table.add_row(v.method, v.check, _VERDICTS[v.status], _signed(v.difference), str(v.cells or "–"), Text(v.why))
    console.print(table)
    moved = [(v.method, m) for v in verdicts for m in v.moved]
    if moved:
        table = Table(title="What moved", title_justify="left")
        for name in ("method", "problem", "nAMF now − then"):
            table.add_column(name)
        for method, one in moved:
            table.add_row(method, one.problem, _signed(one.difference))
        console.print(table)


_VERDICTS = {
    "pass": Text("pass", style="green"),
    "warn": Text("warn", style="yellow"),
    "fail": Text("FAIL", style="bold red"),
    "new": Text("new", style="dim"),
}


def _signed(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return "–"
    return f"{estimate.mean:+.3f} \\[{estimate.low:+.3f}, {estimate.high:+.3f}]"


def print_controls(board: ControlBoard, console: Console | None = None) -> None:
    """Print how often each method declares in each control, then what the controls are and what there is to say of a method."""
    console = console or results_console()
    table = Table(
        title=f"Controls: share of {board.replicates} replicates in which a method declares", title_justify="left"
    )
    table.add_column("method", no_wrap=True)
    shown = [info for info in board.controls if info.key != "C1"]
    for info in shown:
        table.add_column(f"{info.key}\n{info.label.replace(' ', chr(10))}", justify="center")
    for title in ("C0\nopen", "C0\nreturned", *(["C1\nnAMF"] if len(shown) < len(board.controls) else [])):
        table.add_column(title, justify="center")
    for row in board.rows:
        blind, seeing = ({rate.control: rate for rate in rates} for rates in (row.rates, row.open_rates))
        returned = row.returned.get("C0")
        cells = [_rate(blind.get(info.key)) for info in shown]
        cells += [_rate(seeing.get("C0")), "–" if returned is None else _short(returned)]
        table.add_row(row.method, *cells, *([_cell(row.namf)] if len(shown) < len(board.controls) else []))
    console.print(table)
    for info in board.controls:
        console.print(Text(f"{info.key}: {info.about}", style="dim"))
    console.print(_CONTROLS_LEGEND)
    for row in board.rows:
        for note in row.notes:
            console.print(Text(f"{row.method}: {note}"))


_CONTROLS_LEGEND = Text(
    "95 % Clopper–Pearson interval below. The held-out part is scored blind, with outcomes permuted within class; open: with the "
    "outcomes that the slices are tested on. returned: before any test, a slice has a member.",
    style="dim",
)


def _rate(rate: ControlRate | None) -> str:
    return "–" if rate is None else f"{_short(rate.rate)}\n\\[{_short(rate.low)}, {_short(rate.high)}]"


def print_sweep(report: SweepReport, console: Console | None = None) -> None:
    """Print a row per value of the parameter, split where the terminal is too narrow, then how everything follows it."""
    console = console or results_console()
    per_table = max(1, (console.width - 62) // 34)
    for start in range(0, len(report.methods), per_table):
        console.print(_sweep_table(report, report.methods[start : start + per_table]))
    console.print(_trend_table(report))
    console.print(_SWEEP_LEGEND)
    for row in report.rows:
        for method, one in row.cells.items():
            if one.missing:
                console.print(Text(f"{row.problem} {method}: {one.missing}"), soft_wrap=True)


def _sweep_table(report: SweepReport, methods: Sequence[str]) -> Table:
    title = f"{report.base}: {report.param}, mean and 95 % interval over {len(report.seeds)} seeds"
    table = Table(title=title, title_justify="left")
    table.add_column(report.param, justify="right", no_wrap=True)
    for name in ("accuracy", "minority\naccuracy", "minority share\nof errors"):
        table.add_column(f"base model\n{name}", justify="center")
    shown = _STRENGTH if report.permutations else _STRENGTH[:1]
    strong = {m for m in methods if any(row.cells[m].strength for row in report.rows)}
    for method in methods:
        for what in (_metric_label(report), *(shown if method in strong else ())):
            table.add_column(f"{method}\n{what}", justify="center")
    for row in report.rows:
        cells = [_cell(row.accuracy), _cell(row.minority_accuracy), _cell(row.minority_share_of_errors)]
        for method in methods:
            one = row.cells[method]
            strength = (_cell(one.strength), _optional(one.by_chance), _optional(one.significant))
            cells += [_cell(one.metric), *(strength[: len(shown)] if method in strong else ())]
        table.add_row(f"{row.value:g}", *cells)
    return table


_STRENGTH = ("strength", "strength\nby chance", "classes with\np ≤ .05")

_SWEEP_LEGEND = Text(
    "Strength: mean over classes. ρ: Spearman, a point for each value and seed, or for each class of those; classes of one base "
    "model are not independent, so their p is a guide.",
    style="dim",
)


def _trend_table(report: SweepReport) -> Table:
    table = Table(title="What follows what", title_justify="left")
    for name in ("of", "what", "against", "points", "ρ", "p"):
        table.add_column(name, justify="right" if name in ("points", "ρ", "p") else "left", no_wrap=True)
    for trend in report.trends:
        what = _metric_label(report) if trend.what == report.metric else trend.what.replace("_", " ")
        against = trend.against.replace("_", " ") + " of the class" if trend.per_class else trend.against
        p = "–" if trend.p is None else _p(trend.p)
        table.add_row(trend.method or "base model", what, against, str(trend.points), _optional(trend.rho), p)
    return table


def _metric_label(report: SweepReport) -> str:
    from slicebench.metrics import METRICS

    return METRICS[report.metric].label


def _optional(value: float | None) -> str:
    return "–" if value is None else _short(value)
