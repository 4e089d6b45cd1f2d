"""The command line as a user meets it: real processes, exit codes, streams."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
import typer

from slicebench.metrics.ranking import METRICS
from tests.support.paths import HOSTILE, ROOT

SUITE = """
name = "small"
seeds = [0, 1]
methods = ["gentle", "random"]
[[problems]]
name = "first"
dataset = "tiny"
"""


@pytest.fixture
def cli(tmp_path, monkeypatch):
    paths = [str(p) for p in (HOSTILE, ROOT, ROOT / "methods", ROOT / "datasets")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "small.toml").write_text(SUITE)

    def call(*arguments):
        command = [sys.executable, "-m", "slicebench", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    return call


def test_run_prints_results_on_stdout_and_progress_on_stderr(cli, tmp_path):
    done = cli("run", "--suite", "small.toml", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert "gentle" in done.stdout
    assert "methods sorted by mean" in done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert len(lines) == 4
    assert re.match(r"\[1/4(, about \S+ \S+ left)?\] first s0 gentle: ok nAMF 0\.", lines[0])
    assert "\x1b" not in done.stdout + done.stderr
    assert (tmp_path / "runs" / "small" / "run.json").exists()
    again = cli("run", "--suite", "small.toml")
    assert again.stdout == done.stdout
    assert "0 cells run" in again.stderr
    assert cli("show", "runs/small").stdout == done.stdout


def test_json_is_the_machine_interface(cli):
    done = cli("run", "--suite", "small.toml", "--json", "--method", "gentle", "--method", "declines")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert [(r["method"], r["seed"], r["status"]) for r in said["records"]] == [
        ("gentle", 0, "ok"), ("declines", 0, "skipped"), ("gentle", 1, "ok"), ("declines", 1, "skipped"),
    ]  # fmt: skip
    record = said["records"][0]
    assert {"schema_version", "problem", "family", "dataset", "method", "seed", "status", "reason"} <= set(record)
    assert set(record["metrics"]) == set(record["chance"]) == set(METRICS)
    assert {"fit_s", "score_s", "cpu_s", "peak_rss_mb", "training_s"} <= set(record["cost"])
    assert said["records"][1]["reason"] == "needs a quieter place"
    assert {row["name"] for row in said["board"]["methods"]} == {"gentle", "declines"}
    assert json.loads(cli("show", "runs/small", "--json").stdout)["records"] == said["records"]


def test_a_failed_cell_gives_exit_code_1_and_the_command_to_repeat_it(cli):
    done = cli("run", "--suite", "small.toml", "--method", "raises", "--method", "gentle")
    assert done.returncode == 1
    assert "failed: first s0 raises: RuntimeError: no such luck" in done.stderr
    command = next(line for line in done.stderr.splitlines() if "again: " in line).split("again: slicebench ")[1]
    assert command == "run --suite small.toml --problem first --seed 0 --method raises --out runs/small"
    assert cli(*command.split()).returncode == 1
    assert "raises is not ranked: 2 of 2 failed" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "--suite", "small.toml", "--method", "gentel"), "did you mean 'gentle'"),
        (("run", "--suite", "small.toml", "--problem", "frist"), "did you mean 'first'"),
        (("run", "--suite", "smal"), "no suite named 'smal'"),
        (("run", "--suite", "absent.toml"), "cannot read the suite"),
        (("run", "--suite", "small.toml", "--timeout", "0"), "expected more than 0"),
        (("run", "--suite", "small.toml", "--jobs", "0"), "jobs"),
        (("run", "--suite", "small.toml", "--scheduler", "x", "--jobs", "2"), "Dask workers"),
        (("run", "--suite", "small.toml", "--device", "tpu"), "auto, cpu, cuda"),
        (("run", "--suite", "small.toml", "--device", "cpu", "--scheduler", "x"), "SLICEBENCH_DEVICE=cpu"),
        (("run", "--nonsense"), "nonsense"),
        (("show", "nowhere"), "not a run folder"),
        (("check-method", "no.such.module:Thing"), "expected module:Class"),
        (("check-method", "json:JSONDecoder"), "not a subclass"),
        (("check-method", "confidense"), "did you mean 'confidence'"),
        (("list", "cheese"), "cheese"),
    ],
)
def test_usage_errors_are_one_message_and_exit_code_2(cli, tmp_path, arguments, says):
    done = cli(*arguments)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_dry_run_shows_the_plan_and_does_nothing(cli, tmp_path):
    done = cli("run", "--suite", "small.toml", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2:] == ["4 to run: no record yet", "4 to run, 0 done"]
    assert re.search(r"gentle +│ +2 │ +0 ", done.stdout)
    assert "s0" not in done.stdout
    lines = cli("run", "--suite", "small.toml", "--dry-run", "--verbose").stdout.splitlines()
    assert lines[0] == "run  first s0 gentle: no record yet"
    assert len(lines) == 5
    assert lines[-1] == "4 to run, 0 done"
    assert not (tmp_path / "runs").exists()
    cli("run", "--suite", "small.toml", "--seed", "0")
    plan = json.loads(cli("run", "--suite", "small.toml", "--dry-run", "--json").stdout)
    assert [p["action"] for p in plan] == ["done", "done", "run", "run"]


def test_list_is_complete_and_light(cli):
    done = cli("list", "methods", "--json")
    listed = {item["name"]: item for item in json.loads(done.stdout)}
    assert listed["gentle"]["distribution"] == "hostile"
    assert all({"name", "distribution", "requires", "status"} <= set(item) for item in listed.values())
    assert "gentle" in cli("list").stdout
    code = (
        "import sys; sys.argv = ['slicebench', 'list']\n"
        "from slicebench.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'pandas', 'rich'} & set(sys.modules)\n"
        "print(heavy, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.strip() == "set()"


def test_check_method_reports_and_fails(cli, tmp_path):
    done = cli("check-method", "gentle")
    assert done.returncode == 1  # its noise goes by row order
    assert "failed" in done.stdout
    good = cli("check-method", "confidence", "--json")
    assert good.returncode == 0, good.stdout
    assert {item["status"] for item in json.loads(good.stdout)} <= {"passed", "skipped"}
    (tmp_path / "mine.py").write_text("from slicebench_methods.confidence import Confidence as Mine\n")
    assert cli("check-method", "mine:Mine").returncode == 0


COMMANDS = ("run", "list", "show", "check-method", "controls", "sweep", "check", "report", "intervene", "select")


@pytest.mark.parametrize(
    "command", [(), *((name,) for name in COMMANDS), ("leaderboard", "build"), ("new", "method"), ("new", "dataset")]
)
def test_every_help_has_a_worked_example(cli, command):
    done = cli(*command, "--help")
    assert done.returncode == 0
    assert f"  slicebench {' '.join(command)}" in done.stdout


def test_a_bare_call_prints_help_to_stdout(cli):
    done = cli()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == cli("--help").stdout
    assert cli("data").stdout == cli("data", "--help").stdout


def test_the_help_lists_every_command_in_a_section_with_its_whole_summary(cli):
    from slicebench.cli import app
    from slicebench.cli.layout import COMMANDS, summary

    commands = typer.main.get_command(app).commands
    assert sorted(commands) == sorted(name for names in COMMANDS.values() for name in names)
    said = " ".join(cli("--help").stdout.split())
    for name, command in commands.items():
        assert f" {name} {summary(command)}" in said
    assert "..." not in said.replace("[ARGS]...", "")


def test_every_option_of_a_long_command_has_a_section(cli):
    done = cli("run", "--help").stdout
    assert [line for line in done.splitlines() if re.fullmatch(r"[A-Z].*:", line)] == [
        "Input:", "Output:", "Limits:", "Options:",
    ]  # fmt: skip
    assert done.split("Options:\n")[1].split() == ["-h,", "--help", "Show", "this", "message", "and", "exit."]
    assert "--jobs N " in done
    assert "--out DIR " in done


@pytest.mark.parametrize("kind", ["method", "dataset", "encoder", "suite"])
def test_list_takes_the_singular(cli, kind):
    assert cli("list", kind).stdout == cli("list", f"{kind}s").stdout != ""


@pytest.mark.parametrize("columns", ["80", "140"])
def test_names_stand_unbroken_at_every_width(cli, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    for kind in ("methods", "datasets"):
        out = cli("list", kind).stdout
        for item in json.loads(cli("list", kind, "--json").stdout):
            assert re.search(rf"^ *{re.escape(item['name'])}( |$)", out, re.MULTILINE), item["name"]
            if kind == "methods" and item["distribution"] == "slicebench":
                assert re.search(rf"^  {item['name']} +\w", out, re.MULTILINE)  # and it says what it is


def test_version(cli):
    from slicebench.version import __version__

    assert cli("--version").stdout == cli("-V").stdout == f"slicebench {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("slicebench disc", {"discover", "discover-bench"}),
        ("slicebench run --suite qu", {"quick"}),
        ("slicebench run --method dom", {"domino", "domino_reference"}),
        ("slicebench sweep --dataset gau", {"gaussian"}),
    ],
)
def test_the_shell_completes_commands_and_names(typed, offered):
    environment = os.environ | {
        "_SLICEBENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    command = [sys.executable, "-c", "from slicebench.cli import app; app(prog_name='slicebench')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered


@pytest.mark.parametrize("command", ["run", "intervene"])
def test_verbose_belongs_to_a_plan(cli, command):
    done = cli(command, "--verbose")
    assert done.returncode == 2
    assert "--dry-run" in done.stderr
