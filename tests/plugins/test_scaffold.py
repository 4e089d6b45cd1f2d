"""`slicebench new`: names are checked, nothing is overwritten, and what is made works in an environment of its own."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from typing import TYPE_CHECKING

import pytest
import yaml

from slicebench.cli import app
from slicebench.errors import ConfigError, SlicebenchError, StorageError
from slicebench.plugins.scaffold import FILES, planned, rendered, write_files
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My-Method", "such as 'my_method'"),
        ("../../evil", "such as 'evil'"),
        ("/etc/passwd", "such as 'etc_passwd'"),
        ("", "a letter first"),
        ("1st", "a letter first"),
        ("a__b", "such as 'a_b'"),
        ("_a", "such as 'a'"),
        ("méthode", "such as"),
        ("a\nb", "such as 'a_b'"),
        ("{{ 7 * 7 }}", "a letter first"),
        ("a" * 41, "up to 40"),
        ("lambda", "a Python keyword"),
        ("methods", "the module slicebench_methods"),
        ("domino", "already registered by slicebench"),
    ],
)
def test_names_that_cannot_be_used(name, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=said):
        app(["new", "method", "--", name], standalone_mode=False)
    assert not list(tmp_path.iterdir())


def test_a_name_is_taken_by_its_kind_only_and_never_by_itself(tmp_path, monkeypatch):
    assert planned("dataset", "domino").name == "domino"
    with pytest.raises(ConfigError, match="a dataset named 'scenes' is already registered"):
        planned("dataset", "scenes")
    info = tmp_path / "slicebench_mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Slicebench_Mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[slicebench.methods]\nmine = slicebench_mine:Mine\nyours = slicebench_mine:Yours\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert planned("method", "mine").distribution == "slicebench-mine"  # to make it again with --force
    monkeypatch.setenv("SLICEBENCH_PLUGINS", "off")
    with pytest.raises(ConfigError, match="already registered by Slicebench_Mine"):
        planned("method", "yours")


@pytest.mark.parametrize("kind", ["method", "dataset"])
@pytest.mark.parametrize("name", ["a", "k_2", "none", "split", "raw_dataset", "x" * 40])
def test_every_file_parses_whatever_the_name(kind, name):
    plugin = planned(kind, name)
    texts = rendered(plugin)
    assert len(texts) == len(FILES[kind])
    for path, text in texts.items():
        assert "{{" not in text
        assert "{%" not in text
        assert text.endswith("\n")
        if path.endswith(".py"):
            compile(text, path, "exec")
        elif path.endswith(".toml"):
            tomllib.loads(text)
        elif path.endswith(".yml"):
            assert yaml.safe_load(text)["jobs"]
    assert plugin.class_name.isidentifier()
    project = tomllib.loads(texts["pyproject.toml"])["project"]
    assert project["entry-points"] == {f"slicebench.{kind}s": {name: f"{plugin.module}:{plugin.class_name}"}}
    assert "license" not in project


@pytest.mark.parametrize("kind", ["method", "dataset"])
def test_what_is_made_imports_public_names_only(kind):
    public = {"slicebench", "slicebench.errors", "slicebench.testing"}
    trees = [ast.parse(text) for path, text in rendered(planned(kind, "mine")).items() if path.endswith(".py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert {name for name in imported if name.partition(".")[0] == "slicebench"} <= public
    assert "slicebench" in imported


def test_the_example_plugin_is_what_is_made():
    """To bring it up to date: slicebench new method nearest_error --folder tests/plugin --force."""
    for path, text in rendered(planned("method", "nearest_error")).items():
        assert (ROOT / "tests" / "plugin" / path).read_text() == text, path


def test_nothing_is_overwritten_unless_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    new = lambda *words: app(["new", "method", "mine", *words], standalone_mode=False)
    new()
    assert "pip install -e '.[test]'" in capsys.readouterr().out
    file = tmp_path / "slicebench-mine" / "slicebench_mine.py"
    made = file.read_text()
    file.write_text("my own work")
    (file.parent / "LICENSE").write_text("mine")
    with pytest.raises(StorageError, match=r"has pyproject.toml, slicebench_mine.py, .* --force"):
        new()
    assert file.read_text() == "my own work"
    new("--force")
    assert file.read_text() == made
    assert (file.parent / "LICENSE").read_text() == "mine"
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "LICENSE").write_text("mine")
    new("--folder", "clone")
    assert {"LICENSE", "pyproject.toml"} <= {p.name for p in clone.iterdir()}


def test_no_link_leads_out_and_what_cannot_be_written_is_said(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (folder / "tests").symlink_to(outside)
    with pytest.raises(StorageError, match="a symbolic link leads there"):
        write_files({"a.txt": "a", "tests/b.txt": "b"}, folder, force=True)
    assert not list(outside.iterdir())
    assert [p.name for p in folder.iterdir()] == ["tests"]
    (outside / "precious").write_text("kept")
    (folder / "c.txt").symlink_to(outside / "precious")
    write_files({"c.txt": "c"}, folder, force=True)
    assert (outside / "precious").read_text() == "kept"
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write to"):
        write_files({"a.txt": "a"}, tmp_path / "file")


SMALL = """
name = "golden"
seeds = [0]
methods = ["company", "confidence", "random"]
[[problems]]
name = "blobs"
dataset = "gaussian"
[problems.params]
plant = "linear"
minority = 0.2
signal = 2.0
attenuation = 0.15
n_train = 400
n_val = 400
n_test = 600
epochs = 3
"""

STORY = """
import sys
from slicebench.cli import app
for line in (
    "check-method company",
    "run --suite leaderboard/golden.toml --method company --method confidence --method random --out runs/mine",
    "show runs/mine",
    "check --update --reason baseline --leaderboard ./leaderboard --jobs 1",
    "leaderboard build ./leaderboard --check",
):
    words = line.split()
    code = app(words, standalone_mode=False)
    assert not code, (words, code)
"""


class Environment:
    """A virtual environment, into which the pip of this one installs, and the commands of a plugin's author in it."""

    def __init__(self, folder: Path, package: Path, *, with_pip: bool = False) -> None:
        venv.create(folder, with_pip=with_pip)
        self.python, self.package = folder / "bin" / "python", package
        clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SLICEBENCH_PLUGINS")}
        clean["PYTHONSAFEPATH"] = "1"  # the installed module, not the file in the current folder
        self.variables = {**clean, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}

    @property
    def site(self) -> Path:
        (found,) = self.python.parents[1].glob("lib/python*/site-packages")
        return found

    def sees_the_packages_of_this_one(self) -> None:
        here = sysconfig.get_path("purelib")
        (self.site / "test_environment.pth").write_text(f"import site; site.addsitedir({here!r})\n")

    def pip(self, *words: str) -> None:
        self.call(
            sys.executable, "-m", "pip", "--python", str(self.python), "install", "-q", *words, cwd=self.package.parent
        )

    def slicebench(self, *words: str, code: int = 0) -> str:
        return self.call(str(self.python), "-m", "slicebench", *words, code=code)

    def call(self, *words: str, code: int = 0, cwd: Path | None = None) -> str:
        done = subprocess.run(
            words, cwd=cwd or self.package, env=self.variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def made_worse(plugin: Path) -> None:
    """The method, turned upside down."""
    text = plugin.read_text()
    assert "return SliceScores(hardness=hardness)" in text
    plugin.write_text(text.replace("return SliceScores(hardness=hardness)", "return SliceScores(hardness=-hardness)"))


def test_a_plugin_in_an_environment_of_its_own(tmp_path):
    """From a name to a local leaderboard, and a gate that notices, without editing a line of slicebench."""
    package = tmp_path / "company"
    app(["new", "method", "company", "--folder", str(package)], standalone_mode=False)
    environment = Environment(tmp_path / "venv", package)
    environment.sees_the_packages_of_this_one()
    environment.pip("--no-deps", "--no-build-isolation", "--no-index", str(package))
    assert "company" in environment.slicebench("list", "methods")
    (package / "leaderboard" / "golden.toml").write_text(SMALL)
    out = environment.call(str(environment.python), "-c", STORY)
    assert "failed" not in out.replace("0 failed", "")
    assert "] blobs s0 company: ok nAMF 0." in out
    assert "company" in (package / "leaderboard" / "README.md").read_text()
    assert (package / "leaderboard" / "index.html").stat().st_size > 10_000
    made_worse(environment.site / "slicebench_company.py")
    out = environment.slicebench("check", "--method", "company", "--jobs", "1", code=1)
    assert "failed: company: certainly loses more than 0.02" in out


@pytest.mark.slow
def test_a_plugin_in_a_clean_environment(tmp_path):
    """The same as an outside author does it: pip fetches everything, and the steps of the plugin's workflow run."""
    package = tmp_path / "company"
    app(["new", "method", "company", "--folder", str(package)], standalone_mode=False)
    environment = Environment(tmp_path / "venv", package, with_pip=True)
    environment.variables |= {"RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    environment.pip(str(ROOT), str(package))
    command = str(environment.python.parent / "slicebench")
    assert "company" in environment.call(command, "list", "methods", cwd=tmp_path)
    assert "has no suite.json" in environment.call(command, "check", code=2)
    environment.call(command, "check", "--update", "--reason", "first baseline")
    (job,) = yaml.safe_load((package / ".github" / "workflows" / "ci.yml").read_text())["jobs"].values()
    steps = {step["name"]: step["run"] for step in job["steps"] if "run" in step}
    assert list(steps) == ["Install", "Tests", "Contract", "Gate", "Summary"]
    said = {name: environment.call("bash", "-eo", "pipefail", "-c", run) for name, run in steps.items()}
    assert "3 passed" in said["Tests"]
    assert "failed" not in said["Contract"]
    assert "unchanged" in said["Gate"]
    assert "unchanged" in (tmp_path / "summary.md").read_text()
    made_worse(package / "slicebench_company.py")
    environment.call("bash", "-eo", "pipefail", "-c", steps["Install"])
    assert "failed: company: certainly loses" in environment.call(
        "bash", "-eo", "pipefail", "-c", steps["Gate"], code=1
    )


def test_usage_errors_are_ours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SlicebenchError, match="cannot write to file"):
        app(["new", "dataset", "mine", "--folder", "file"], standalone_mode=False)
