"""Fresh seeds: what is compared, what is left out, and the verdict."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from slicebench.errors import ConfigError, PluginError, StorageError
from slicebench.metrics.estimate import Estimate
from slicebench.runs.runner import run
from slicebench.runs.suite import load_suite, parse_suite
from slicebench.studies.verification import (
    SEEDS,
    fresh_seeds,
    published_records,
    verdict_of,
    verification_design,
    verify,
)
from tests.support.paths import ROOT

SMALL = "n_train = 200, n_val = 150, n_test = 200, epochs = 2"
SUITE = 'name = "small"\nseeds = [0, 1]\nmethods = ["confidence", "random"]\n' + "".join(
    f'[[problems]]\nname = "{plant}"\ndataset = "gaussian"\nparams = {{ plant = "{plant}", {SMALL} }}\n'
    for plant in ("linear", "radial", "xor")
)


@pytest.fixture(scope="module")
def suite():
    return parse_suite(SUITE, "small.toml")


@pytest.fixture(scope="module")
def published(suite, tmp_path_factory):
    """Run folder of the suite at its own seeds."""
    from slicebench.runs.plan import plan

    folder = tmp_path_factory.mktemp("runs") / "published"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICEBENCH_CACHE", str(folder.parent / "cache"))
        run(suite, plan(suite), out=folder)
    return folder


@pytest.fixture
def records(published):
    return published_records(ROOT / "leaderboard", published)


@pytest.fixture
def by_problem(suite, records):
    """Design, and records at fresh seeds with given values of nAMF."""

    def made(method, **values):
        design = verification_design(suite, method, tuple(values), (7, 8), records)
        return verify(
            design,
            [
                design.published[cell.problem.name][0].model_copy(
                    update={"seed": cell.problem.seed, "metrics": {"namf": values[cell.problem.name]}}
                )
                for cell in design.cells
            ],
        )

    return made


def test_seeds_are_distinct_and_above_those_that_anyone_would_try():
    drawn = fresh_seeds(200)
    assert len(set(drawn)) == 200
    assert all(SEEDS[0] <= seed < SEEDS[1] for seed in drawn)
    assert drawn != fresh_seeds(200)


def test_a_method_that_repeats_bears_out_its_rows(suite, records, by_problem):
    was = {
        p: [r.metrics["namf"] for r in records if (r.problem, r.method) == (p, "confidence")]
        for p in ("linear", "radial", "xor")
    }
    found = by_problem("confidence", **{p: sum(v) / len(v) + 0.01 for p, v in was.items()})
    assert found.verdict == "bears out"
    assert [row.difference for row in found.problems] == pytest.approx([0.01] * 3)
    assert {row.published_seeds for row in found.problems} == {(0, 1)}
    assert found.left_out == {}
    assert found.notes == ()


def test_a_method_that_knew_the_seeds_is_lower(records, by_problem):
    found = by_problem("confidence", linear=-0.5, radial=-0.6, xor=-0.55)
    assert found.verdict == "lower than published"
    assert found.difference.high < 0


@pytest.mark.parametrize("values", [{"linear": -0.9}, {"linear": -0.9, "radial": -0.8}])
def test_one_or_two_problems_are_too_few(by_problem, values):
    assert by_problem("confidence", **values).verdict == "too few problems to tell"


def test_a_wide_interval_gives_no_verdict():
    assert verdict_of(Estimate(mean=-0.2, low=-0.5, high=0.1), 5) == "too few problems to tell"
    assert verdict_of(Estimate(mean=-0.03, low=-0.05, high=-0.01), 5) == "bears out", "a small loss is no fraud"
    assert verdict_of(Estimate(mean=0.0), 5) == "bears out", "equal everywhere"
    assert verdict_of(Estimate(mean=-1.0), 5) == "lower than published"


def test_problems_without_fresh_values_are_named(suite, records):
    design = verification_design(suite, "confidence", (), (7,), records)
    failed = records[0].model_copy(update={"problem": "linear", "status": "failed", "reason": "no luck", "metrics": {}})
    empty = records[0].model_copy(update={"problem": "radial", "metrics": {"namf": None}})
    found = verify(design, [failed, empty])
    assert found.left_out == {
        "linear": "failed: no luck",
        "radial": "nothing is planted at the fresh seeds",
        "xor": "not run",
    }
    assert found.problems == ()
    assert found.difference is None


def test_other_versions_and_parameters_are_noted(suite, records):
    old = [r.model_copy(update={"method_version": "0", "method_params": {"depth": 3}}) for r in records]
    design = verification_design(suite, "confidence", (), (7,), old)
    notes = verify(design, []).notes
    assert notes == ("published with version 0, now version 1", "published with other parameters")


def test_what_cannot_be_verified_says_why(suite, records, tmp_path):
    with pytest.raises(ConfigError, match=r"'loss' cannot be verified .* linear \(no published row of loss\)"):
        verification_design(suite, "loss", (), (7,), records)
    with pytest.raises(ConfigError, match="linear is published at this seed"):
        verification_design(suite, "confidence", (), (7, 1), records)
    with pytest.raises(PluginError, match="did you mean 'confidence'"):
        verification_design(suite, "confidense", (), (7,), records)
    with pytest.raises(ConfigError, match="no problem 'liner'"):
        verification_design(suite, "confidence", ("liner",), (7,), records)
    with pytest.raises(StorageError, match="not a leaderboard"):
        published_records(tmp_path, None)


def test_the_committed_leaderboard_has_rows_for_the_default_suite():
    """All of it but what is built from files."""
    rows = published_records(ROOT / "leaderboard", None)
    golden = verification_design(load_suite("golden"), "domino", (), (7,), rows)
    assert len(golden.published) == 8
    assert {n for n, why in golden.left_out.items() if "files" in why} == {
        "colored-mnist",
        "bias-madlibs",
        "uci-sentiment",
    }


def test_the_command_repeats_and_lists_its_seeds(published, tmp_path):
    (tmp_path / "small.toml").write_text(SUITE)
    base = [
        sys.executable,
        "-m",
        "slicebench",
        "verify",
        "random",
        "--suite",
        "small.toml",
        "--against",
        str(published),
    ]
    first = subprocess.run([*base, "--seeds", "2", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False)
    # the seeds are drawn now: one time in some dozens, noise is lower by chance
    assert first.returncode in (0, 1), first.stderr
    found = json.loads(first.stdout)
    assert len(found["seeds"]) == 2
    seeds = ",".join(map(str, found["seeds"]))
    assert f"--fresh-seeds {seeds}" in first.stderr
    second = subprocess.run([*base, "--fresh-seeds", seeds], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert second.returncode == first.returncode, second.stderr
    assert "0 cells run" in second.stderr, "the run folder still has them"
    assert f"verdict: {found['verdict']}" in second.stdout
    assert "fresh − published" in second.stdout


@pytest.mark.parametrize("text", ["", "x", "1,,2", "-1", "4294967296", "²"])
def test_seeds_that_are_none_are_refused(text, tmp_path):
    command = [sys.executable, "-m", "slicebench", "verify", "random", "--fresh-seeds", text]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "is no seed" in ended.stderr
