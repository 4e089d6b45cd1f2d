"""Write the table of docs/reference/standard-suite.md from the suite, the cards and the calibration.

    python scripts/regenerate/suite_page.py

tests/project/test_suite_page.py checks that the page agrees with them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicebench.plugins.registry import DATASETS
from slicebench.runs.suite import load_suite
from slicebench_datasets.packs.card import pack_names, read_card

if TYPE_CHECKING:
    from slicebench.runs.suite import ProblemSpec

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "standard-suite.md"
CALIBRATION = ROOT / "datasets" / "slicebench_datasets" / "calibration.json"
BEGIN, END = "<!-- problems -->", "<!-- end of problems -->"
FIGURES = ("minority_accuracy", "majority_accuracy", "confidence_namf")


def main() -> None:
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def page(text: str) -> str:
    """Return the page with its tables renewed."""
    return text[: text.index(BEGIN)] + f"{BEGIN}\n\n{tables()}\n\n{END}" + text[text.index(END) + len(END) :]


def tables() -> str:
    """Return the table of problems, and the list of those that calibration refuses."""
    recorded: dict[str, Any] = json.loads(CALIBRATION.read_text(encoding="utf-8"))["problems"]
    rows = ["| problem | family | modality | kind | groups | strength | figures |", "|---|---|---|---|---|---|---|"]
    rows += [line(problem, recorded.get(problem.name)) for problem in load_suite("standard").problems]
    refused = [name for name, of in recorded.items() if of["chosen"] is None]
    said = "\n".join(f"- `{name}`: {why_refused(recorded[name])}." for name in refused)
    return "\n".join(rows) + f"\n\nPlanted problems of packs that the rule refuses, and that are in no suite:\n\n{said}"


def line(problem: ProblemSpec, of: dict[str, Any] | None) -> str:
    """Return the row of a problem; `of` is its calibration, if it has one."""
    kind, groups, strength = "planted", "", ""
    if problem.dataset in pack_names():
        card = read_card(problem.dataset).problem(problem.params["problem"])
        kind = card.kind
        groups = ", ".join(group.name for group in card.groups) or "rows with noise"
        strength = "" if card.plant is None else f"{card.plant.kind.replace('_', ' ')} {card.plant.strength:g}"
    modality = DATASETS.load(problem.dataset).modality
    return f"| `{problem.name}` | {problem.dataset} | {modality} | {kind} | {groups} | {strength} | {figures(of)} |"


def figures(of: dict[str, Any] | None) -> str:
    """Return the figures of the chosen point at the benchmark's seeds."""
    if of is None:
        return ""
    best = next(tried for tried in of["grid"] if of["fixed"] | tried["params"] == of["chosen"])
    return " / ".join(f"{best['benchmark'][name]:.2f}" for name in FIGURES)


def why_refused(of: dict[str, Any]) -> str:
    """Say what no strength meets: the ranges, or the least effect of the plant."""
    inside = [tried for tried in of["grid"] if tried["distance"] <= 1]
    if inside:
        most = max(tried["effect"] for tried in inside)
        return f"the plant takes at most {most:.2f} of the groups' accuracy ({of['unplanted']:.2f} without it)"
    nearest = min(of["grid"], key=lambda tried: tried["distance"])
    said = " / ".join(f"{nearest['benchmark'][name]:.2f}" for name in FIGURES)
    return f"outside the ranges at every strength (nearest: {said})"


if __name__ == "__main__":
    main()
