"""Tables of verdicts, captions, sparse layers and sweeps: at every width, rows keep their names and no text is cut."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from slicebench.cli.console import print_captions, print_sparse, print_sweep, print_verdicts
from slicebench.metrics.estimate import Estimate
from slicebench.results.leaderboard.gate import GateVerdict, Moved
from slicebench.studies.sweep.summary import SweepReport, Trend

WIDTHS = pytest.mark.parametrize("width", [80, 140])


def printed(show, shown, width):
    out = StringIO()
    show(shown, Console(file=out, width=width, no_color=True, highlight=False))
    text = out.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    return text


def words(text):
    """All words of the tables' cells, in order, without what frames them."""
    return text.translate(str.maketrans("│┃", "  ")).split()


@WIDTHS
def test_a_verdict_keeps_its_whole_reason_and_its_numbers_together(width):
    why = "hardness changed in 18 of 30 cells, by up to 0.78 (scenes-correlation-with-a-long-name s0); allowed 1e-06"
    change = Estimate(mean=-0.0104, low=-0.0231, high=0.0009)
    moved = (Moved("scenes-correlation", change),)
    verdicts = [
        GateVerdict("logistic_directions", "scores", "fail", why, change, 30, moved),
        GateVerdict("margin", "false alarms", "pass", "unchanged"),
    ]
    text = printed(print_verdicts, verdicts, width)
    assert text.count("-0.010 [-0.023, +0.001]") == 2
    assert set(why.split()) <= set(words(text))
    for part in text.split("Against the baseline")[1:]:
        assert "│ logistic_directions │ scores " in part
    assert "│ logistic_directions │ scenes-correlation │" in text.split("Problems on which nAMF changed")[1]


@WIDTHS
def test_captions_stand_whole_with_the_accuracy_behind_them(width):
    ends = {
        "hardest": ["a circle on a light background", "a small circle", "an orange circle", "not shown"],
        "easiest": ["a circle on a checked background", "a large circle", "a circle lit from the right"],
    }
    metrics = {"mrr": 1.0, "gap": 0.71, "gap_low": 0.61, "gap_high": 0.79}
    one = {**ends, "metrics": metrics, "naming": ["a circle on a light background"], "candidates": 21}
    near = {text: 0.22 for texts in ends.values() for text in texts}
    report = {
        "method": "M", "problem": "p", "seed": 0, "encoder": "e", "captions": {"per_class": {"circle": one}},
        "accuracy_near": {"circle": near}, "judges": {"in open_clip:ViT-B-32/openai": {"gap": 0.4, "retention": None}},
    }  # fmt: skip
    text = printed(print_captions, report, width)
    flat = " ".join(words(text))
    assert "not shown" not in flat
    assert "│ in open_clip:ViT-B-32/openai │ .40 │" in text
    assert "[.61, .79]" in text
    if width == 140:
        assert "│ * a circle on a light background .22 │ a circle on a checked background .22 │ yes: rank 1" in text
    for column, texts in ((2, ends["hardest"][:3]), (3, ends["easiest"])):
        lines = [line.split("│")[column] for line in text.splitlines() if line.count("│") > 3]
        below = " ".join(" ".join(lines).split())
        for caption in texts:
            assert f"{caption} .22" in below


@WIDTHS
def test_every_row_of_a_sparse_layer_names_its_class(width):
    accuracy = {"all": 0.95, "minority": 0.88, "majority": 0.98, "gap": 0.1}
    features = [
        {"index": i, "weight": 0.5, "described": [f"a circle on a dark background {i}"] * 4, "without": accuracy}
        for i in range(12)
    ]
    report = {
        "problem": "p", "seed": 0, "encoder": "e", "n_features": 64, "ablated": None,
        "layer": {"features_per_class": 2.5, "test_accuracy": 0.96, "dense_test_accuracy": 0.99},
        "classes": {"circle": {"accuracy": accuracy, "features": features}},
    }  # fmt: skip
    text = printed(print_sparse, report, width)
    for part in text.split("Features, and the accuracy")[1:]:
        rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in part.splitlines() if line.startswith("│")]
        assert [name for kind, name in rows if kind == "circle"] == ["all", *map(str, range(10)), "2 more"]


@WIDTHS
def test_correlations_of_a_sweep_name_what_they_are_of(width):
    follows = {"method": "logistic_directions", "per_class": True, "rho": 0.5, "points": 12}
    trends = (
        Trend(what="strength", against="minority_share_of_errors", p=2e-9, **follows),
        Trend(what="minority_share_of_errors", against="minority_accuracy", p=0.245, **follows),
    )
    about = {"base": "gaussian", "dataset": "gaussian", "param": "signal", "fixed": {}, "seeds": (0,), "metric": "namf"}
    report = SweepReport(**about, methods=(), permutations=0, rows=(), trends=trends)
    text = printed(print_sweep, report, width)
    assert "over 1 seed\n" in text
    assert text.count("Correlations") == 1
    first, second = (row for row in text.splitlines() if row.startswith("│ logistic_directions: "))
    assert first.rstrip(" │").endswith("12 │ .50 │ < 1e-6")
    assert second.rstrip(" │").endswith("12 │ .50 │   .245")
    flat = " ".join(words(text))
    assert "minority share" in flat
    assert "of errors" in flat
    assert "of the class" in flat
