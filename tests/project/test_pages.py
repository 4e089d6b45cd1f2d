"""Every command and every example of the documentation runs as it is written, or shortened as listed here."""

from __future__ import annotations

import shlex
import sys

import pytest
from typer.main import get_command

from slicebench.cli import app
from tests.project.test_docs import BLOCK, PAGES, shell
from tests.support.paths import ROOT

ELSEWHERE = {
    "README.md": "tests/project/test_readme.py",
    "docs/how-to/add-a-dataset.md": "tests/project/test_docs.py",
    "docs/how-to/large-tables.md": "tests/project/test_docs.py",
    "docs/how-to/label-more.md": "tests/project/test_docs.py",
    "docs/how-to/other-tools.md": "tests/discovery/interop/test_docs_examples.py",
    "docs/how-to/own-data.md": "tests/project/test_docs.py",
    "docs/how-to/scores-from-elsewhere.md": "tests/cli/test_evaluate.py",
    "docs/tutorial/own-method.md": "tests/project/test_docs.py",
    "docs/tutorial/own-predictions.md": "tests/project/test_site.py",
}
"""Pages whose blocks a test of their own runs; the last one is a notebook, which the site executes."""
ONE_CELL = "--problem gaussian-linear --seed 0 --method confidence"
SMALL_SCENES = "--set n_train=600 --set n_val=400 --set n_test=400 --set epochs=3"
SHORTER = {
    "slicebench run": ONE_CELL,
    "slicebench run --problem scenes-correlation --method domino --set domino.n_slices=10": "--seed 0",
    "slicebench run --method kmeans_errors": "--problem gaussian-linear --seed 0",
    "slicebench run --suite mine.toml": "--seed 0",
    "slicebench controls": "--replicates 2 --jobs 1",
    "slicebench intervene": "--retrain 1 --jobs 1",
    "slicebench sweep": "--seed 0 --method confidence --jobs 1",
    "slicebench sweep --problem scenes": f"--seed 0 --method confidence --jobs 1 {SMALL_SCENES}",
}
"""What is added to a command, by its longest beginning, so that it is short enough for a test."""
PLANNED = (
    "slicebench intervene --problem digit-subtypes --seed 0 --method svm_directions --intervention",
    "slicebench intervene --problem scenes-rare",
    "slicebench intervene --problem digit-subtypes --seed 0 --intervention",
)
"""Beginnings of commands that are planned only (--dry-run), unless slow tests are asked for: each takes half a minute."""


PARSED = ("slicebench controls", "slicebench sweep --problem scenes-rare")
"""Beginnings of commands of which only the options are read, unless slow tests are asked for; tests/studies runs both."""


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(autouse=True)
def one_cache(own_cache, shared_cache, monkeypatch):
    """Pages that use the same problem build it once."""
    monkeypatch.setenv("SLICEBENCH_CACHE", str(shared_cache))


def parse(command):
    """Read the options of a command as slicebench does; an unknown or wrong one is an error."""
    _, name, *arguments = shlex.split(command)
    get_command(app).commands[name].make_context(name, arguments)


def shortened(command, *, whole):
    """The command with what makes it short; options of a dry run are left as they are."""
    if not whole and command.startswith(PLANNED):
        return f"{command} --dry-run"
    known = [start for start in SHORTER if command == start or command.startswith(f"{start} ")]
    is_one_cell = "--problem" in command and max(known, key=len, default="") == "slicebench run"
    as_it_is = "--dry-run" in command or is_one_cell or not known
    return command if as_it_is else f"{command} {SHORTER[max(known, key=len)]}"


def with_blocks():
    return [
        page for page in PAGES
        if any(language in {"sh", "python"} for language, _, _ in BLOCK.findall(page.read_text()))
        and page.relative_to(ROOT).as_posix() not in ELSEWHERE
    ]  # fmt: skip


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["", "whole"])
@pytest.mark.parametrize("page", with_blocks(), ids=lambda p: p.stem)
def test_every_command_and_example_of_a_page_runs(page, whole, tmp_path):
    """Runs the page from top to bottom in an empty folder: files are written, commands run, Python keeps its names."""
    steps = ["import subprocess"]
    for language, name, body in BLOCK.findall(page.read_text()):
        if name:
            steps.append(f"open({name!r}, 'w').write({body!r})")
        elif language == "python":
            steps.append(body)
        elif language == "sh":
            lines = [" ".join(line.partition(" #")[0].split()) for line in body.replace("\\\n", " ").splitlines()]
            for line in filter(None, lines):
                if not whole and line.startswith(PARSED):
                    parse(line)
                else:
                    steps.append(f"subprocess.run({shortened(line, whole=whole)!r}, shell=True, check=True)")
    (tmp_path / "page.py").write_text("\n".join(steps))
    shell(f"{sys.executable} page.py", tmp_path, "")


def test_an_option_that_is_not_there_is_noticed_although_a_command_is_only_parsed():
    parse("slicebench controls --replicates 2 --method kmeans_errors")
    with pytest.raises(Exception, match="No such option"):
        parse("slicebench controls --replicate 2")


def test_pages_that_are_run_elsewhere_are_there():
    assert all((ROOT / page).exists() and (ROOT / test).exists() for page, test in ELSEWHERE.items())
