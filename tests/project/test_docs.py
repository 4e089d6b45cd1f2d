"""What the pages say is executed; what the docstrings show is executed; links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def modules():
    for name in ("slicebench", "slicebench_methods", "slicebench_datasets"):
        package = importlib.import_module(name)
        yield name
        yield from (m.name for m in pkgutil.walk_packages(package.__path__, f"{name}."))


def shell(command, folder, site):
    environment = {**os.environ, "PYTHONPATH": str(site), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environment, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def scaffolded(kind, name, page, tmp_path):
    """Package that the page starts from, with the page's files in it, installed into a folder of its own."""
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text())
    package, site = tmp_path / f"slicebench-{name.replace('_', '-')}", tmp_path / "site"
    first = next(body for language, _, body in blocks if language == "sh").splitlines()[0]
    assert first == f"slicebench new {kind} {name}"
    shell(first, tmp_path, "")
    for _, path, body in blocks:
        if path:
            assert (package / path).exists(), f"{page} replaces {path}, which the package does not have"
            (package / path).write_text(body)
    shell(
        f"{sys.executable} -m pip install -q --no-deps --no-build-isolation --no-index --target {site} .", package, ""
    )
    return blocks, package, site


def test_add_a_method_works_as_written(tmp_path):
    """Makes the page's package, puts the page's method into it, and runs the page's code and commands."""
    blocks, package, site = scaffolded("method", "loss_neighbours", "add-a-method.md", tmp_path)
    assert "loss_neighbours" in shell("slicebench list methods", tmp_path, site)
    assert "failed" not in shell("slicebench check-method loss_neighbours", tmp_path, site)
    assert "3 passed" in shell(f"{sys.executable} -m pytest -q -p no:cacheprovider", package, site)
    (loose,) = [body for language, name, body in blocks if language == "python" and not name]
    status, value = shell(f"{sys.executable} -c '{loose}'", tmp_path, site).split()
    assert status == "ok"
    assert float(value) > 0.1


def test_add_a_dataset_works_as_written(tmp_path):
    """Makes the page's package, puts the page's adapter, tests and suite into it; runs the tests, plans the suite."""
    _, package, site = scaffolded("dataset", "leaves", "add-a-dataset.md", tmp_path)
    assert "4 passed" in shell(f"{sys.executable} -m pytest -q -p no:cacheprovider", package, site)
    shell("mkdir -p data/leaves && touch data/leaves/leaves.csv", package, "")
    assert "layout 'csv': complete" in shell("SLICEBENCH_DATA=data slicebench data check leaves", package, site)
    assert "run  leaves s0 oracle" in shell("slicebench run --suite suite.toml --dry-run --verbose", package, site)


def test_your_own_dataset_works_as_written(tmp_path):
    """Runs the page's code from top to bottom, then its suite."""
    blocks = BLOCK.findall((ROOT / "docs" / "your-own-dataset.md").read_text())
    (tmp_path / "page.py").write_text("\n".join(body for language, _, body in blocks if language == "python"))
    out = shell(f"{sys.executable} page.py", tmp_path, "")
    assert "slices stand up to the test" in out
    assert "hour" in out
    assert "look at these first: [" in out
    assert "stand up" in shell(
        "slicebench discover predictions.parquet --html report.html --out slices.csv", tmp_path, ""
    )
    scores = {words[0]: float(words[2]) for line in out.splitlines() if (words := line.split())[1:2] == ["ok"]}
    assert scores["svm_directions"] > 0.5 > abs(scores["random"])
    for _, name, body in blocks:
        if name:
            (tmp_path / name).write_text(body)
    assert "visits" in shell("slicebench run --suite visits.toml", tmp_path, "")


@pytest.mark.parametrize("name", list(modules()))
def test_docstring_examples_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
