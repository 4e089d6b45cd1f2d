"""Tables of interventions as a terminal shows them."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from slicebench.cli.console import print_interventions
from slicebench.metrics.estimate import Estimate
from slicebench.studies.interventions.record import ArmRow, InterventionBoard


def arm(variant, method=None, **came_to):
    about = {"problem": "p", "intervention": variant.split()[0], "params": {}}
    return ArmRow(variant=variant, method=method, **(about | came_to))


def ends(mean, low, high):
    return Estimate(mean=mean, low=low, high=high)


NONE = arm("none", values={"minority": ends(0.5, 0.41, 0.59), "overall": Estimate(mean=0.9)})
ORACLE = arm(
    "filter k=25",
    "oracle",
    values={"minority": ends(0.8, 0.7, 1.0), "worst_group": ends(0.75, 0.7, 0.8), "overall": ends(0.87, 0.85, 0.89)},
    change={"minority": ends(0.3, 0.25, 0.35), "overall": ends(-0.03, -0.05, -0.01)},
    against={"minority": ends(0.2, 0.125, 0.275)},
    recovery=None,
    chosen=25.4,
    chosen_minority=0.96,
)
METHOD = arm("filter k=25", "m", values={"minority": ends(0.6, 0.5, 0.7)}, recovery=ends(0.5, -0.1, 1.1), chosen=25.0)
MISSING = arm("filter k=25", "broken", missing="failed at 1 of 2 seeds: it [really] broke")
DCD = arm(
    "dcd",
    values={"seed": ends(0.71, 0.61, 0.81), "heldout": Estimate(mean=0.42), "overall": Estimate(mean=0.91)},
    chosen=140.0,
    measures={"seeds": 14.0, "dimensions": 64.0, "megabytes": 3.14159, "retrieval_s": 0.25},
    notes=("3 pool images were near copies of test images",),
)


def board_of(*rows, base=None, **about):
    base = {"p": {"minority": 0.48, "worst_group": 0.31, "overall": 0.9}} if base is None else base
    return InterventionBoard(**({"suite": "s", "seeds": (0, 1), "retrain": 3, "base": base} | about), rows=rows)


def printed(board, width=200):
    out = StringIO()
    print_interventions(board, Console(file=out, width=width, no_color=True, highlight=False))
    return out.getvalue()


def cells(text, label):
    """Cells of the row of `label` with their second lines, one string each."""
    lines = [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")]
    start = next(i for i, line in enumerate(lines) if line[0].strip() == label)
    below = lines[start + 1 : start + 2]
    second = below[0] if below and not below[0][0].strip() else [""] * len(lines[start])
    return [f"{a.strip()} {b.strip()}".strip() for a, b in zip(lines[start], second, strict=True)]


def test_an_arm_shows_accuracies_differences_and_intervals():
    text = printed(board_of(NONE, ORACLE, METHOD))
    assert text.splitlines()[0].startswith(
        "p: accuracy, 2 draws × 3 models; audited model: minority .48, worst group .31, overall .90"
    )
    accuracy, effect = text.split("p: what changed")
    assert cells(accuracy, "none") == ["none", "0.50 [.41, .59]", "–", "0.90", "–", "–", "–"]
    accuracies = ["0.80 [.70, 1.00]", "0.75 [.70, .80]", "0.87 [.85, .89]", "–"]
    effects = ["+0.300 [+0.250, +0.350]", "+0.200 [+0.125, +0.275]", "–", "-0.030 [-0.050, -0.010]"]
    assert cells(accuracy, "filter k=25 oracle") == ["filter k=25 oracle", *accuracies, "25", ".96"]
    assert cells(effect, "filter k=25 oracle") == ["filter k=25 oracle", *effects, "–"]
    assert cells(effect, "filter k=25 m")[-1] == "0.50 [-.10, 1.10]"
    assert "debugging" not in text


def test_an_arm_that_did_not_end_well_says_why_below():
    text = printed(board_of(NONE, MISSING))
    for part in text.split("p: what changed"):
        assert set(cells(part, "filter k=25 broken")[1:]) == {"–"}
    assert text.splitlines()[-1] == "p filter k=25 broken: failed at 1 of 2 seeds: it [really] broke"


def test_a_run_in_which_nothing_ended_well_still_prints():
    text = printed(board_of(MISSING, base={}))
    assert "audited model:" not in text
    assert "it [really] broke" in text


def test_arms_that_searched_have_a_table_of_their_own():
    text = printed(board_of(NONE, DCD))
    both, search = text.split("p: debugging")
    assert "dcd" in both
    assert cells(search, "dcd") == ["dcd", "0.71 [.61, .81]", "0.42", "0.91", "14", "140", "64", "3.142", "0.25"]
    assert "│ none" not in search
    assert text.splitlines()[-1] == "p dcd: 3 pool images were near copies of test images"


def test_a_search_without_seeds_shows_dashes():
    nothing = arm("dcd", values={"overall": Estimate(mean=0.9)}, measures={"seeds": 0.0})
    search = printed(board_of(nothing)).split("p: debugging")[1]
    assert cells(search, "dcd") == ["dcd", "–", "–", "0.90", "0", "0", "–", "–", "–"]


def test_every_problem_has_its_own_table():
    other = METHOD.model_copy(update={"problem": "q"})
    text = printed(board_of(METHOD, other, NONE, base={"q": {"minority": 0.2}}))
    first, second = text.split("q: accuracy, 2 draws")
    assert cells(first, "none")[0] == "none"  # rows of a problem stay together though `q` came between
    assert "│ none" not in second
    assert "minority .20" in second
    assert "minority .20" not in first


@pytest.mark.parametrize("width", [60, 100])
def test_a_narrow_terminal_is_not_overrun(width):
    text = printed(board_of(NONE, ORACLE, DCD), width)  # no note here is longer; those are left to the terminal to wrap
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("width", [80, 120])
def test_a_narrow_terminal_loses_no_number(width):
    text = printed(board_of(NONE, ORACLE), width)
    for number in ("0.80", "0.75", "0.87", "+0.300", "+0.200", "-0.030", ".96"):
        assert number in text, number
