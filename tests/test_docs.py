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

ROOT = Path(__file__).parents[1]
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


def test_add_a_method_works_as_written(tmp_path):
    """Builds the page's package, installs it into a folder of its own, and runs the page's code and commands."""
    blocks = BLOCK.findall((ROOT / "docs" / "add-a-method.md").read_text())
    package, site = tmp_path / "package", tmp_path / "site"
    package.mkdir()
    for _, name, body in blocks:
        if name:
            (package / name).write_text(body)
    shell(
        f"{sys.executable} -m pip install -q --no-deps --no-build-isolation --no-index --target {site} .", package, ""
    )
    assert "loss_neighbours" in shell("slicebench list methods", tmp_path, site)
    assert "failed" not in shell("slicebench check-method loss_neighbours", tmp_path, site)
    shell(f"{sys.executable} -m pytest -q -p no:cacheprovider test_contract.py", package, site)
    (loose,) = [body for language, name, body in blocks if language == "python" and not name]
    status, value = shell(f"{sys.executable} -c '{loose}'", tmp_path, site).split()
    assert status == "ok"
    assert float(value) > 0.1


def test_your_own_dataset_works_as_written(tmp_path):
    """Runs the page's code from top to bottom, then its suite."""
    blocks = BLOCK.findall((ROOT / "docs" / "your-own-dataset.md").read_text())
    (tmp_path / "page.py").write_text("\n".join(body for language, _, body in blocks if language == "python"))
    out = shell(f"{sys.executable} page.py", tmp_path, "")
    assert "look at these first: [" in out
    scores = {words[0]: float(words[2]) for line in out.splitlines() if (words := line.split())[1:2] == ["ok"]}
    assert scores["svm_directions"] > 0.5 > abs(scores["random"])
    assert "minority_accuracy" in out
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
