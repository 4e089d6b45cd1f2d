"""The shape of the project: who may import whom, what is public, what is never used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import slicebench

ROOT = Path(__file__).parents[1]
PACKAGES = {"slicebench": ROOT, "slicebench_methods": ROOT / "methods", "slicebench_datasets": ROOT / "datasets"}
SOURCES = sorted(p for name, home in PACKAGES.items() for p in (home / name).rglob("*.py"))

LAYERS = [
    {"errors", "logs"},
    {"locations", "strangers"},
    {
        "validation",
        "parameters",
        "cache",
        "cost",
        "devices",
        "record",
        "metrics",
        "caption_metrics",
        "captions",
        "documents",
        "pictures",
        "datafiles",
        "images",
        "frozen_files",
        "assignments",
        "slice_metrics",
        "imagefolder",
        "board",
        "tables",
        "plots",
        "model_files",
    },
    {"split"},
    {"problem", "own_data", "own_table", "own_part", "own_pool"},
    {"directions"},
    {
        "method",
        "metadata_codes",
        "dataset",
        "training",
        "registry",
        "plugins",
        "encoders",
        "captioning",
        "decoding",
        "aligned",
        "unclip",
        "slices",
        "generation",
        "pipelines",
        "diffusion",
        "sparse",
    },
    {"frozen", "frozen_remote", "building", "huggingface"},
    {"evaluation", "testing", "scaffold", "store", "suite", "statistics", "outcomes"},
    {
        "executor",
        "shelf",
        "parcels",
        "station",
        "cluster",
        "runner",
        "inspection",
        "data_report",
        "standings",
        "controls",
        "strength",
        "interventions",
        "selection",
        "interchange",
        "submissions",
    },
    {"caption_report", "intervention_report", "discovery", "markdown", "sweep", "page", "report", "timing"},
    {"leaderboard"},
    {"gate"},
    {"console"},
    {"cli"},
]
"""From the ground up; a module imports from layers below its own, or from its own."""


def imported(path: Path, *, at_run_time: bool = True) -> set[str]:
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
        if at_run_time and id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer_of(module: str) -> int | None:
    return next((i for i, layer in enumerate(LAYERS) if module in layer), None)


def own(path: Path) -> str:
    return path.relative_to(ROOT / "slicebench").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", [p for p in SOURCES if p.is_relative_to(ROOT / "slicebench")], ids=str)
def test_imports_point_downwards(path):
    module = own(path)
    if module == "__init__":
        return
    layer = layer_of(module)
    assert layer is not None, f"slicebench/{module} has no layer; give it one in LAYERS and in docs/architecture.md"
    for name in imported(path):
        if name.startswith("slicebench."):
            other = layer_of(name.split(".")[1])
            assert other is None or other <= layer, f"{module} imports {name}, a layer above it"


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_forbidden_imports(path):
    names = imported(path)
    roots = {name.split(".")[0] for name in names}
    assert not roots & {"pickle", "shelve", "marshal", "joblib"}, "nothing that is read back is pickled"
    assert not roots & {"requests", "urllib", "http", "socket"}, "no network"
    if not path.is_relative_to(ROOT / "slicebench" / "console"):
        assert "rich" not in roots, "only the console package imports rich"
    if path.is_relative_to(ROOT / "slicebench"):
        assert not roots & {"slicebench_methods", "slicebench_datasets"}, "the harness knows its plugins by name only"
    assert "allow_pickle=True" not in path.read_text()


def test_the_two_plugin_folders_are_no_packages():
    """The import name `datasets` belongs to Hugging Face."""
    assert not (ROOT / "methods" / "__init__.py").exists()
    assert not (ROOT / "datasets" / "__init__.py").exists()


def test_public_names():
    assert sorted(slicebench.__all__) == [
        "AuditData",
        "DATASETS",
        "DatasetAdapter",
        "Findings",
        "METHODS",
        "PlantedTruth",
        "Problem",
        "Record",
        "SliceMethod",
        "SliceScores",
        "Split",
        "__version__",
        "discover",
        "evaluate",
        "load_problem",
        "save_problem",
    ]
    for name in slicebench.__all__:
        assert getattr(slicebench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = slicebench.nothing


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
