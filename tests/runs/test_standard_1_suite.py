"""The first standard suite, behind the committed leaderboard: its plants as calibrated, its methods as tuned."""

from __future__ import annotations

import json
from statistics import fmean

import pytest

from slicebench.plugins.registry import METHODS
from slicebench.runs.plan import plan
from slicebench.runs.suite import load_suite
from tests.support.paths import ROOT, load_script


@pytest.fixture(scope="module")
def suite():
    return load_suite("standard-1")


@pytest.fixture(scope="module")
def tuning():
    return json.loads((ROOT / "leaderboard" / "tuning.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script():
    return load_script("once/tune")


def test_its_shape(suite):
    assert len(suite.problems) >= 20
    assert len({p.dataset for p in suite.problems}) >= 5
    assert len(suite.seeds) == 5
    assert set(suite.methods) == set(METHODS.names())
    assert suite.unit == "problem"
    assert len(plan(suite)) == len(suite.problems) * 5 * len(suite.methods)


def test_its_methods_are_the_tuned_ones(suite, tuning):
    chosen = {name: of["chosen"] for name, of in tuning["methods"].items() if of["chosen"]}
    assert suite.method_params == chosen


def test_tuning_was_fair_and_elsewhere(suite, tuning):
    assert {len(of["trials"]) for of in tuning["methods"].values()} == {8}
    without_parameters = {"random", "confidence", "margin", "entropy", "loss", "oracle"}
    without_problems = {"b2t", "sliceline", "tree_rules"}  # no captions, or no metadata, where it is tuned
    assert set(tuning["methods"]) == set(METHODS.names()) - without_parameters - without_problems
    families = {name.rsplit(".s", 1)[0].replace("-", "_") for name in tuning["problems"]}
    assert not families & {p.dataset for p in suite.problems}


def test_the_record_is_of_these_trials_and_follows_the_rule(tuning, script):
    recorded = {name: [trial["params"] for trial in of["trials"]] for name, of in tuning["methods"].items()}
    assert recorded == json.loads(json.dumps(script.TRIALS))
    for of in tuning["methods"].values():
        assert of["trials"][0]["params"] == {}, "the defaults come first"
        assert of["chosen"] == script.choice(of["trials"])["params"]
        for trial in of["trials"]:
            assert list(trial["problems"]) == tuning["problems"]
            values = [v for v in trial["problems"].values() if v is not None]
            assert trial["score"] == pytest.approx(sum(values) / len(values), abs=1e-3)


def test_the_defaults_stay_unless_clearly_beaten_and_the_earlier_trial_wins_a_tie(script):
    def chosen(*scores):
        return script.choice([{"params": i, "score": score} for i, score in enumerate(scores)])["params"]

    assert chosen(0.5, 0.5 + 0.9 * script.MARGIN, 0.3) == 0
    assert chosen(0.5, 0.5 + 1.1 * script.MARGIN, 0.3) == 1
    assert chosen(0.5, 0.7, 0.7) == 1


@pytest.fixture(scope="module")
def rows():
    """Cells of the rows of the page's tables, the first one a name in backticks."""
    lines = (ROOT / "docs" / "reference" / "standard-1-suite.md").read_text(encoding="utf-8").splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]


def test_the_page_has_the_plants_figures(suite, rows):
    calibration = ROOT / "datasets" / "slicebench_datasets" / "calibration.json"
    recorded = json.loads(calibration.read_text(encoding="utf-8"))["problems"]
    for problem in suite.problems:
        (row,) = [row for row in rows if row[0] == f"`{problem.name}`"]
        best = min(recorded[problem.name]["grid"], key=lambda tried: tried["distance"])
        found = [tuple(map(float, cell.split(" / "))) for cell in row[2:4]]
        for key, figures in zip(("calibration", "benchmark"), found, strict=True):
            expected = [best[key][name] for name in ("minority_accuracy", "majority_accuracy", "confidence_namf")]
            assert figures == pytest.approx(expected, abs=0.0051)


def written(value):
    if isinstance(value, list):
        return " + ".join(map(written, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_page_has_the_trials(tuning, rows):
    """The defaults and the best other trial of each method, and which of the two is used."""
    found = {row[0].strip("`"): row[1:] for row in rows if row[-1] in {"defaults", "best trial"}}
    assert set(found) == set(tuning["methods"])
    for name, of in tuning["methods"].items():
        defaults, *others = of["trials"]
        best = max(others, key=lambda trial: trial["score"])
        assert [float(score) for score in found[name][:2]] == pytest.approx(
            [defaults["score"], best["score"]], abs=5e-4
        )
        assert found[name][2] == ", ".join(f"{key} {written(value)}" for key, value in best["params"].items())
        assert (found[name][3], of["chosen"]) in [("defaults", {}), ("best trial", best["params"])]


def test_the_page_has_the_scores_of_the_leaderboard(suite, rows):
    dataset = {p.name: p.dataset for p in suite.problems}
    families = list(dict.fromkeys(dataset.values()))
    found = {row[0].strip("`"): row[1:] for row in rows if len(row) == len(families) + 2}
    assert set(found) == set(suite.methods) - {"random", "oracle"}
    for method, cells in found.items():
        values: dict[str, list[float]] = {}
        path = ROOT / "leaderboard" / "standard-1" / "records" / f"{method}.jsonl"
        for record in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if record["status"] == "ok":
                values.setdefault(record["problem"], []).append(record["metrics"]["namf"])
        means = {problem: fmean(of) for problem, of in values.items()}
        groups = [*({p for p in dataset if dataset[p] == family} for family in families), set(dataset)]
        for cell, problems in zip(cells, groups, strict=True):
            whole = problems <= set(means)
            assert (
                cell == "–"
                if not whole
                else float(cell) == pytest.approx(fmean(means[p] for p in problems), abs=0.0051)
            )
