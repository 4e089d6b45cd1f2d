"""The README: short, its examples and commands run, and its numbers are those of the committed leaderboard."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import mean

import pandas as pd
import pytest

from slicebench import discover
from tests.support.paths import ROOT

TEXT = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"

INSTALL = ["git clone https://github.com/slicebench/slicebench && cd slicebench", "pip install ."]
"""Not run here: the first needs the network, and .ci/run installs the package."""
RUN = {
    "slicebench discover predictions.parquet --html report.html": None,
    "slicebench run": "--problem gaussian-linear --seed 0 --method confidence",
    "slicebench run --suite standard": "--problem gaussian-linear --seed 0 --method confidence",
    "slicebench new method my_method": None,
    "slicebench check-method my_method": None,
    "slicebench run --method my_method --method confidence --method random": "--problem gaussian-linear --seed 0",
}
"""Each command of the README, and the options that make it short enough for a test; None: it runs as it is written."""
PLUGIN = "pip install -e slicebench-my-method"
"""Runs as an installation into a folder of its own, so that the environment of the tests stays as it is."""


def blocks(language):
    return [body for kind, body in BLOCK.findall(TEXT) if kind == language]


def commands():
    lines = [line.partition("#")[0].strip() for body in blocks("sh") for line in body.splitlines()]
    return [part for line in lines if line not in INSTALL for part in line.split(" && ")]


def shell(command, folder, site=""):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(site), "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def written(line):
    return f"{line} {RUN[line] or ''}".strip()


def rows(section):
    """Cells of the table of a section, without its two header lines."""
    (body,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    lines = [line for line in body.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_it_is_short():
    assert len(TEXT.split()) <= 700
    assert not [line for line in TEXT.splitlines() if len(line) > 100]
    prose = BLOCK.sub("", TEXT).split("\n\n")
    assert not [part for part in prose if not part.startswith(("|", "- ")) and len(part.split()) > 60]


def test_every_command_is_run_here():
    assert blocks("sh")[0].splitlines() == INSTALL
    assert set(commands()) == {*RUN, PLUGIN}
    assert len(commands()) == len(set(commands()))


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """Folder in which the example was run, what it printed, and its table with the vectors in a file."""
    folder = tmp_path_factory.mktemp("example")
    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line]) == 8
    save = (
        "table.assign(prediction=model.predict(pixels), embedding=list(pixels))[900:].to_parquet('predictions.parquet')"
    )
    (folder / "example.py").write_text(f"{code}\n{save}\n")
    return folder, shell(f"{sys.executable} example.py", folder)


def test_the_example_prints_what_is_shown(example):
    """The same words; numbers may differ in their last digits, but not counts of slices and p."""
    _, printed = example
    (shown,) = blocks("text")
    assert re.sub(NUMBER, "#", printed).split() == re.sub(NUMBER, "#", shown).split()
    for line, ours in zip(shown.splitlines(), printed.splitlines(), strict=True):
        (*wanted, p), (*found, q) = ([float(n) for n in re.findall(NUMBER, text)] for text in (line, ours))
        assert found == pytest.approx(wanted, rel=0.02, abs=0.01)
        assert p == q


def test_the_slice_is_what_the_readme_says(example):
    folder, _ = example
    table = pd.read_parquet(folder / "predictions.parquet")
    found = discover(table)
    eights = set(table.index[table["digit"] == 8])
    (only,) = found.standing
    assert only.method == "rules"
    assert set(table.index[list(only.rows)]) == eights
    assert len(found.examples.folds.tested) == 5


def test_the_report_command_runs(example):
    folder, _ = example
    command = "slicebench discover predictions.parquet --html report.html"
    assert "digit is 8" in shell(written(command), folder)
    assert (folder / "report.html").stat().st_size > 1000


@pytest.mark.parametrize("command", ["slicebench run", "slicebench run --suite standard"])
def test_the_run_commands_run(command, tmp_path):
    assert "confidence" in shell(written(command), tmp_path)


def test_the_commands_that_add_a_method_run(tmp_path):
    made, installed, checked, ran = commands()[-4:]
    site, package = tmp_path / "site", installed.rpartition(" ")[2]
    shell(written(made), tmp_path)
    assert installed == PLUGIN
    shell(
        f"{sys.executable} -m pip install -q --no-deps --no-build-isolation --no-index --target {site} ./{package}",
        tmp_path,
    )
    assert "failed" not in shell(written(checked), tmp_path, site)
    assert "my_method" in shell(written(ran), tmp_path, site)


def test_the_five_rows_are_those_of_the_leaderboard():
    lines = (ROOT / "leaderboard" / "README.md").read_text().splitlines()
    lines = lines[lines.index("## Methods") : lines.index("## Comparison")]
    board = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in lines if line.startswith("| ")}
    shown = rows("Compare methods")
    assert len(shown) == 5
    for name, score, alarms, seconds in shown:
        namf, false_alarms, spent = (board[name.strip("`")][column] for column in (1, 5, 6))
        assert score == re.split("[=<]", namf)[0]
        assert alarms == f"{float(false_alarms.split()[0]):.0%}"
        assert seconds == spent


def namf(method, family=""):
    """Mean over the problems of the committed leaderboard whose names begin so, and how many they are."""
    by_problem = {}
    for line in (ROOT / "leaderboard" / "standard-1" / "records" / f"{method}.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["status"] == "ok" and record["problem"].startswith(family):
            by_problem.setdefault(record["problem"], []).append(record["metrics"]["namf"])
    return mean(map(mean, by_problem.values())), len(by_problem)


def test_the_scores_of_the_methods_to_use_are_those_of_the_leaderboard():
    for _, methods, scores in rows("Which method should I use?"):
        if scores == "not ranked":
            continue
        names, values = re.findall(r"`(\w+)`", methods), re.findall(r"\d\.\d\d", scores)
        family = "scenes" if "(scenes)" in scores else ""
        for name, value in zip(names, values, strict=True):
            measured, problems = namf(name, family)
            assert value == f"{measured:.2f}"
            assert family or problems == int((re.findall(r"\((\d+) problems\)", scores) or [23])[0])


def test_its_pictures_are_small():
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT):
        assert (ROOT / path).stat().st_size < 150_000
