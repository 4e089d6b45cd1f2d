"""The shape of the project: who may import whom, what is public, what is never used."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import slicebench
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = {"slicebench": ROOT, "slicebench_methods": ROOT / "methods", "slicebench_datasets": ROOT / "datasets"}
SOURCES = sorted(p for name, home in PACKAGES.items() for p in (home / name).rglob("*.py"))

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"
"""`lint-imports`, wherever its script lies."""
MOST_MODULES, MOST_ENTRIES = 13, 15
PLANTS = {
    "slicebench/files/log.py": "from slicebench.runs import plan",
    "slicebench/studies/sweep/stored.py": "from slicebench.studies.controls import run",
    "slicebench/data/split.py": "from slicebench.data import problem",
    "slicebench/metrics/ranking.py": "from slicebench.files import cache",
    "slicebench/evaluation/cell.py": "import slicebench_methods.loss",
    "methods/slicebench_methods/loss.py": "def late():\n    from slicebench.results import board",
    "slicebench/results/markdown.py": "import rich",
}
"""A forbidden import for each contract, where it is planted."""


def linted(folder: Path) -> dict[str, str]:
    """Verdict on each contract of the project in `folder`."""
    path = os.pathsep.join(str(folder / part) for part in ("", "methods", "datasets"))
    command = [sys.executable, "-c", LINT, "--no-cache"]
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    found = dict(re.findall(r"^(\S.*) (KEPT|BROKEN)$", done.stdout, re.MULTILINE))
    assert done.returncode == int("BROKEN" in found.values()), done.stdout + done.stderr
    return found


def test_every_import_keeps_the_contracts():
    verdicts = linted(ROOT)
    assert len(verdicts) == len(PLANTS)
    assert set(verdicts.values()) == {"KEPT"}


def test_an_import_that_points_the_wrong_way_breaks_its_contract(tmp_path):
    """One for each contract, so that none of them passes because it looks at nothing."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, home in PACKAGES.items():
        copied = tmp_path / home.relative_to(ROOT) / name
        shutil.copytree(home / name, copied, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    for path, line in PLANTS.items():
        with (tmp_path / path).open("a") as file:
            file.write(f"\n\n{line}\n")
    verdicts = linted(tmp_path)
    assert len(verdicts) == len(PLANTS)
    assert set(verdicts.values()) == {"BROKEN"}


def test_no_folder_is_crowded():
    """The folder tree is the map: few entries at the top, and no folder that has to be searched."""
    top = {p.stem for p in (ROOT / "slicebench").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert len(top - {"__init__", "__main__"}) <= MOST_ENTRIES
    folders = Counter(
        p.parent for p in SOURCES if p.is_relative_to(ROOT / "slicebench") and not p.stem.startswith("__")
    )
    assert max(folders.values()) <= MOST_MODULES, folders.most_common(3)


def imported(path: Path) -> set[str]:
    """Modules that a file imports anywhere, except under TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_forbidden_imports(path):
    names = imported(path)
    roots = {name.split(".")[0] for name in names}
    assert not roots & {"pickle", "shelve", "marshal", "joblib"}, "nothing that is read back is pickled"
    between_processes = {"socket"} if path.parent.name == "isolation" else set()
    assert not (roots - between_processes) & {"requests", "urllib", "http", "socket"}, "no network"
    assert "allow_pickle=True" not in path.read_text()


def test_the_two_plugin_folders_are_no_packages():
    """The import name `datasets` belongs to Hugging Face."""
    assert not (ROOT / "methods" / "__init__.py").exists()
    assert not (ROOT / "datasets" / "__init__.py").exists()


FIRST = {
    "AuditData", "DATASETS", "DatasetAdapter", "Findings", "METHODS", "PlantedTruth", "Problem", "Record", "SliceMethod",
    "SliceScores", "Split", "__version__", "discover", "evaluate", "load_problem", "save_problem",
}  # fmt: skip
"""Public since version 0.1."""
SINCE = {
    "Added", "Audit", "Board", "CaptionSet", "Captions", "Columns", "DatasetCard", "Decoder", "Encoder", "Filters", "Found",
    "Generator", "Intervention", "Layout", "Limits", "ModelTrainer", "Place", "Provenance", "RawDataset", "RawProblem",
    "RawSplit", "Recipe", "Selection", "SliceTransformer", "Source", "Submission", "Suite", "Treatment", "Wanted", "errors",
    "evaluate_submissions", "export_problem", "found_by", "frame_to_split", "from_arrays", "from_frame", "from_huggingface",
    "from_parquet", "load_run", "load_suite", "location", "plan", "problem_columns", "problem_to_frame", "provenance_of",
    "read_submissions", "run", "select", "split_to_frame", "standings", "testing", "to_huggingface", "to_issues",
}  # fmt: skip
"""Public since the layout of version 0.2."""


def test_public_names():
    assert set(slicebench.__all__) == FIRST | SINCE
    assert dir(slicebench) == sorted(slicebench.__all__), "tab completion shows what is public and nothing else"
    for name in slicebench.__all__:
        assert getattr(slicebench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = slicebench.nothing


def test_type_checkers_are_told_of_every_public_name():
    tree = ast.parse((ROOT / "slicebench" / "__init__.py").read_text())
    told = {
        alias.name: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    homes = {name: f"slicebench.{home}" for name, home in slicebench._HOME.items()}
    assert {name: told.get(name) for name in homes} == homes


def test_the_function_discover_is_not_hidden_by_a_module():
    """A folder of that name would take its place as soon as anything in it is imported."""
    code = "import slicebench, slicebench.discovery.search as s; assert slicebench.discover is s.discover"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_slicebench_is_cheap_and_offline():
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "import slicebench, slicebench.cli\n"
        "print(sorted({'torch', 'sklearn', 'pandas', 'scipy', 'numpy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_version_is_the_projects():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == slicebench.__version__
    assert f"## {slicebench.__version__}" in (ROOT / "CHANGELOG.md").read_text()
