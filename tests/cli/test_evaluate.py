"""`slicebench evaluate` and `slicebench data export` as a user meets them."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from slicebench import METHODS, evaluate, save_problem
from slicebench.cli import main
from tests.project.test_docs import BLOCK
from tests.support.paths import ROOT


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys, problem):
    """Calls the entry point in this process, in a folder that holds the frozen example problem."""
    save_problem(problem, tmp_path / "frozen")
    monkeypatch.chdir(tmp_path)
    scores = np.random.default_rng(0).normal(size=problem.test.n)
    pd.DataFrame({"id": problem.test.ids, "score": scores}).to_csv("scores.csv", index=False)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["slicebench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out = capsys.readouterr()
        return ended.value.code or 0, out.out, out.err

    return call


EVALUATE = ("evaluate", "--problem", "frozen")


def test_a_table_with_chance_above_and_the_reference_below(cli, problem, tmp_path):
    ids = problem.test.ids.tolist()
    (tmp_path / "slices.json").write_text(json.dumps({"the [bold]first": ids[:20], "second": ids[15:40]}))
    code, out, err = cli(*EVALUATE, "--scores", "scores.csv", "--scores", "slices.json")
    assert (code, err) == (0, "")
    assert out.startswith("example s0, 150 test examples")
    rows = {}
    for line in out.splitlines():
        if line.startswith("│"):
            rows.setdefault(line.split("│")[1].strip(), line.split("│")[2:])
    assert rows["chance"][0].strip() == ".00"
    assert rows["chance"][5].strip() == ".50"
    assert {"scores", "slices", "random (ref)"} <= set(rows)
    record = evaluate(METHODS.load("random")(), problem).record
    assert rows["random (ref)"][0].strip().rstrip("=") == f"{record.metrics['namf']:.2f}"
    assert "Slices against the planted groups" in out
    assert re.search(r"│ slices .*│ +2 │", out)
    assert "slices: 2 slices" in out
    assert rows["the [bold]first"][0].strip() == "20"
    assert "slices: not every example has a score" in out
    assert "covers these test examples at this seed only" in re.sub(r"\s+", " ", out)


def test_where_nothing_is_planted_it_says_so(cli, tmp_path, problem):
    truth = replace(
        problem.truth,
        groups={name: np.zeros((len(ids), 0), bool) for name, ids in problem.truth.ids.items()},
        group_names=(),
    )
    save_problem(replace(problem, truth=truth), tmp_path / "nothing")
    (tmp_path / "one.json").write_text(json.dumps({"one": problem.test.ids[:20].tolist()}))
    code, out, _ = cli("evaluate", "--problem", "nothing", "--scores", "one.json")
    assert code == 0
    assert "Nothing is planted among these examples" in out
    assert "one: 1 slice" in out
    assert "Slices against the planted groups" not in out


def test_a_narrow_terminal_shows_every_column(tmp_path, problem):
    import io

    from rich.console import Console

    from slicebench.cli.console import print_evaluation
    from slicebench.evaluation.submissions import evaluate_submissions, read_submissions

    (tmp_path / "one.json").write_text(json.dumps({"one": problem.test.ids[:20].tolist()}))
    console = Console(file=io.StringIO(), width=80, highlight=False)
    print_evaluation(evaluate_submissions(read_submissions(tmp_path / "one.json"), problem), console)
    shown = console.file.getvalue()
    for word in ("method", "nAMF", "AUROC", "one", "random (ref)", "slices", "about"):
        assert word in shown


def test_json_and_out_hold_records(cli, tmp_path):
    code, out, err = cli(*EVALUATE, "--scores", "scores.csv", "--json", "--out", "records.json")
    said = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert code == 0
    assert "records in records.json" in err
    assert json.loads((tmp_path / "records.json").read_text()) == said
    (one,) = said["submissions"]
    assert one["record"]["method"] == "scores"
    assert one["record"]["method_version"] == "submission-1"
    assert one["record"]["metrics"].keys() == one["record"]["chance"].keys()
    assert one["namf"]["low"] < one["namf"]["mean"] == pytest.approx(one["record"]["metrics"]["namf"])
    assert said["reference"]["record"]["method"] == "random"
    code, _, err = cli(*EVALUATE, "--scores", "scores.csv", "--out", "records.json")
    assert code == 2
    assert "overwrite it with --force" in err
    assert cli(*EVALUATE, "--scores", "scores.csv", "--out", "records.json", "--force")[0] == 0


def test_columns_that_are_not_used_are_listed_on_stderr(cli, tmp_path):
    table = pd.read_csv(tmp_path / "scores.csv").rename(columns={"score": "Difficulty"}).assign(label="x")
    table.to_csv(tmp_path / "theirs.csv", index=False)
    code, out, err = cli(*EVALUATE, "--scores", "theirs.csv", "--json")
    assert code == 0
    assert json.loads(out)["submissions"][0]["record"]["method"] == "theirs"
    assert err.splitlines() == [
        "theirs.csv: by the usual names: 'Difficulty' is read as score",
        "theirs.csv: columns that are not used: 'label'",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((*EVALUATE,), "Missing option '--scores'"),
        ((*EVALUATE, "--scores", "nowhere.csv"), "nowhere.csv does not exist"),
        ((*EVALUATE, "--scores", "scores.csv", "--seed", "3"), "frozen has seed 0, not 3"),
        ((*EVALUATE, "--scores", "scores.csv", "--suite", "quick"), "--suite quick does not apply"),
        ((*EVALUATE, "--scores", "scores.csv", "--out", "x.csv"), "expected .json"),
        (("evaluate", "--problem", "nowhere/here", "--scores", "scores.csv"), "it has no problem.json"),
        (("evaluate", "--problem", "scenes-rair", "--scores", "scores.csv"), "did you mean 'scenes-rare'"),
        (("evaluate", "--problem", "x", "--scores", "scores.csv", "--suite", "quik"), "did you mean 'quick'"),
        (("data", "export", "frozen"), "Missing option '--out'"),
        (("data", "export", "frozen", "--out", "frozen"), "frozen already exists"),
        (("data", "export", "scenes-rair", "--out", "x"), "did you mean 'scenes-rare'"),
    ],
)
def test_usage_errors_are_one_message_and_exit_code_2(cli, arguments, says):
    code, out, err = cli(*arguments)
    assert code == 2
    assert says in err
    assert out == ""


def test_export_names_its_files(cli, tmp_path):
    code, out, err = cli("data", "export", "frozen", "--out", "a/b")
    assert code == 0
    assert out.splitlines()[-1] == "a/b/test.parquet  150 examples"
    assert "a/b/README.md describes" in err
    assert "slicebench evaluate --problem frozen --scores" in (tmp_path / "a/b/README.md").read_text()
    code, out, _ = cli("data", "export", "frozen", "--out", "c", "--json")
    assert json.loads(out) == {"path": "c", "splits": {"train": 150, "val": 150, "pool": 150, "test": 150}}
    assert (tmp_path / "a/b/val.parquet").read_bytes() == (tmp_path / "c/val.parquet").read_bytes()


def test_a_process_says_so_too(cli, tmp_path):
    """Exit code and streams of a real process; nothing but the message on stderr."""
    (tmp_path / "bad.csv").write_text("id,score\n1,nan\n")
    command = [sys.executable, "-m", "slicebench", *EVALUATE, "--scores", "bad.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("slicebench: bad.csv")
    assert len(done.stderr.splitlines()) == 1


def test_the_page_works_as_written(cli, tmp_path):
    """Exports, runs the page's tool, and ranks it, all by the page's own commands; then its Python."""
    blocks = BLOCK.findall((ROOT / "docs" / "how-to" / "scores-from-elsewhere.md").read_text())
    for _, name, body in blocks:
        if name:
            (tmp_path / name).write_text(body)
    commands = "".join(body for language, _, body in blocks if language == "sh")
    assert len(commands.splitlines()) == 3
    out = ""
    for line in commands.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        if program == "python":
            runpy.run_path(arguments[0])
        else:
            code, out, err = cli(*arguments)
            assert code == 0, err
    (line,) = [line for line in out.splitlines() if line.startswith("│ scores")]
    assert float(line.split("│")[2].strip().rstrip("=")) > 0.8
    (python,) = [body for language, name, body in blocks if language == "python" and not name]
    exec(compile(python, "docs/how-to/scores-from-elsewhere.md", "exec"), page := {})
    own = page["own"].record.metrics
    assert page["record"].metrics == own | {key: None for key in own if key.startswith("flagged")}
