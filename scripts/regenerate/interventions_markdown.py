"""Boards of interventions as the Markdown tables of docs/reference/interventions.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicebench.results.markdown import table
from slicebench.results.numbers import NONE, estimated
from slicebench.results.numbers import signed as with_sign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.metrics.estimate import Estimate
    from slicebench.studies.interventions.record import ArmRow, InterventionBoard

    Arms = dict[str, ArmRow]
    """Arms of one variant on one problem, by method."""


RANDOM = "random"
DEBUGGING = ("debugging", "spaces", "multi")
"""Boards of Data-Centric Debugging."""
GAINS_ONLY = ("flagged",)
"""Boards whose change of overall accuracy the page does not show."""


def page_table(name: str, board: InterventionBoard) -> str:
    """Return the tables of the board called `name`, as the page quotes them."""
    if name in DEBUGGING:
        return debugging_table(board)
    if name == "synthesis":
        return synthesis_table(board, "svm_directions")
    if name == "native":
        return changes_table(board, "minority") + "\n" + changes_table(board, "overall")
    if name in GAINS_ONLY:
        return gains_table(board)
    return gains_table(board) + "\n" + changes_table(board, "overall", interval=False)


def gains_table(board: InterventionBoard) -> str:
    """Write minority accuracy without intervention and by chance, and the gain of every other method over chance."""
    methods = [name for name in _methods(board) if name != RANDOM]
    label = _labels(board)
    head = [*label, "none", RANDOM, *(f"{name}, gain over random" for name in methods)]
    rows = []
    for (problem, variant), arms in _variants(board).items():
        none, by_chance = _untreated(board, problem), arms.get(RANDOM)
        gains = [signed(arms[name].against.get("minority")) if name in arms else NONE for name in methods]
        rows.append([*_named(label, problem, variant), _level(none, "minority"), _level(by_chance, "minority"), *gains])
    return table(head, rows)


def changes_table(board: InterventionBoard, part: str, *, interval: bool = True) -> str:
    """Write the change of one accuracy against no intervention, a column per method."""
    methods, label = _methods(board), _labels(board)
    rows = []
    for (problem, variant), arms in _variants(board).items():
        changes = [signed(arms[name].change.get(part), interval=interval) if name in arms else NONE for name in methods]
        rows.append([*_named(label, problem, variant), *changes])
    return table([*label, *(f"{name}, {part}" for name in methods)], rows)


def synthesis_table(board: InterventionBoard, method: str) -> str:
    """Write the change of minority accuracy by every method, and what else changes with `method`.

    The parts of test near captions are measured against the reference caption.
    """
    methods = _methods(board)
    head = ["problem", "arm", *(f"{name}, minority" for name in methods)]
    head += ["near the hard caption", "near the easy caption", "overall"]
    rows = []
    for (problem, variant), arms in _variants(board).items():
        one = arms[method]
        near = [signed(one.against.get(name)) for name in ("near_hard", "near_easy")]
        changes = [signed(arms[name].change.get("minority")) for name in methods]
        rows.append([problem, variant, *changes, *near, signed(one.change.get("overall"))])
    return table(head, rows)


def debugging_table(*boards: InterventionBoard) -> str:
    """Write the accuracy of Data-Centric Debugging on seed, heldout and test.

    With a column for the test examples that several models get wrong, where they are known, and one for the problem if a board
    has several. An arm that repeats the accuracies of an earlier one, and is compared with no other, is left out.
    """
    rows = [row for board in boards for row in board.rows if row.values]
    parts = ["seed", "heldout", "heldout_all", "overall"]
    if not any("heldout_all" in row.values for row in rows):
        parts.remove("heldout_all")
    several = any(len({row.problem for row in board.rows}) > 1 for board in boards)
    names = {"overall": "test", "heldout_all": "heldout, all models"}
    head = [*(["problem"] if several else []), "arm", "added", *(names.get(part, part) for part in parts)]
    lines, seen = [], set()
    for row in rows:
        about = [row.problem] if several else []
        means = [_level(row, part) for part in parts]
        known = (*about, *means)
        if known not in seen or row.against:
            lines.append([*about, row.variant, f"{row.chosen or 0:,.0f}", *means, signed(row.against.get("heldout"))])
        seen.add(known)
    return table([*head, "heldout, gain over random"], lines)


def signed(one: Estimate | None, *, interval: bool = True) -> str:
    """Write a difference with its interval, bold where that excludes 0."""
    if one is None:
        return NONE
    text = estimated(one, with_sign) if interval else with_sign(one.mean)
    excludes_0 = one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
    return f"**{text}**" if excludes_0 else text


def _level(row: ArmRow | None, part: str) -> str:
    return NONE if row is None or part not in row.values else f"{row.values[part].mean:.3f}"


def _labels(board: InterventionBoard) -> Sequence[str]:
    """Return the headings that tell variants apart: problem, arm or both."""
    problems, variants = map(set, zip(*_variants(board), strict=True))
    both = len(problems) > 1 and len(variants) > 1
    return ("problem", "arm") if both else ("problem",) if len(problems) > 1 else ("arm",)


def _named(label: Sequence[str], problem: str, variant: str) -> list[str]:
    return [{"problem": problem, "arm": variant}[heading] for heading in label]


def _methods(board: InterventionBoard) -> Sequence[str]:
    """Methods in the board's order, `random` first."""
    names = dict.fromkeys(row.method for row in board.rows if row.method is not None and row.values)
    return sorted(names, key=lambda name: name != RANDOM)


def _untreated(board: InterventionBoard, problem: str) -> ArmRow | None:
    return next((row for row in board.rows if (row.problem, row.variant) == (problem, "none")), None)


def _variants(board: InterventionBoard) -> dict[tuple[str, str], Arms]:
    """Guided arms that ended well, by problem and variant."""
    found: dict[tuple[str, str], Arms] = {}
    for row in board.rows:
        if row.method is not None and row.values:
            found.setdefault((row.problem, row.variant), {})[row.method] = row
    return found
