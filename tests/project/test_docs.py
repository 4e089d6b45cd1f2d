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
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "index.md"),
    *(
        page
        for shelf in ("tutorial", "how-to", "concepts", "reference")
        for page in sorted((ROOT / "docs" / shelf).glob("*.md"))
    ),
]


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


def commands(blocks):
    """Lines of the page's shell blocks."""
    return {line for language, _, body in blocks if language in {"sh", "console"} for line in body.splitlines()}


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
    blocks, package, site = scaffolded("method", "loss_neighbours", "tutorial/own-method.md", tmp_path)
    assert {"slicebench list methods", "slicebench check-method loss_neighbours", "pytest"} <= commands(blocks)
    assert "loss_neighbours" in shell("slicebench list methods", tmp_path, site)
    assert "failed" not in shell("slicebench check-method loss_neighbours", tmp_path, site)
    assert "3 passed" in shell(f"{sys.executable} -m pytest -q -p no:cacheprovider", package, site)
    (loose,) = [body for language, name, body in blocks if language == "python" and not name]
    status, value = shell(f"{sys.executable} -c '{loose}'", tmp_path, site).split()
    assert status == "ok"
    assert float(value) > 0.1


def test_add_a_dataset_works_as_written(tmp_path):
    """Makes the page's package, puts the page's adapter, tests and suite into it; runs the tests, plans the suite."""
    blocks, package, site = scaffolded("dataset", "leaves", "how-to/add-a-dataset.md", tmp_path)
    assert {"pytest", "slicebench run --suite suite.toml"} <= commands(blocks)
    assert "4 passed" in shell(f"{sys.executable} -m pytest -q -p no:cacheprovider", package, site)
    shell("mkdir -p data/leaves && touch data/leaves/leaves.csv", package, "")
    assert "layout 'csv': complete" in shell("SLICEBENCH_DATA=data slicebench data check leaves", package, site)
    assert "run  leaves s0 oracle" in shell("slicebench run --suite suite.toml --dry-run --verbose", package, site)


def test_your_own_data_works_as_written(tmp_path):
    """Runs the page's code from top to bottom, then all its commands, the suite among them."""
    blocks = BLOCK.findall((ROOT / "docs" / "how-to" / "own-data.md").read_text())
    (tmp_path / "page.py").write_text("\n".join(body for language, _, body in blocks if language == "python"))
    out = shell(f"{sys.executable} page.py", tmp_path, "")
    assert "1 of 6 tested slices is significant" in out
    assert "digit is 8" in out
    assert "digit == 8" in out
    assert "look at these first: [" in out
    scores = {words[0]: float(words[2]) for line in out.splitlines() if (words := line.split())[1:2] == ["ok"]}
    assert scores["svm_directions"] > 0.5 > abs(scores["random"])
    for _, name, body in blocks:
        if name:
            (tmp_path / name).write_text(body)
    first, second, suite = (shell(body, tmp_path, "") for language, _, body in blocks if language == "sh")
    assert "1 of 6 tested slices" in first
    assert "digit is 8" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "slices.csv").exists()
    assert "mcsd" in second
    assert "digits" in suite


def test_large_tables_works_as_written(tmp_path):
    """Runs the page's code on a folder of Parquet files."""
    from tests.discovery.large.test_dask import parts_of, trips

    parts_of(trips(), tmp_path / "predictions")
    blocks = BLOCK.findall((ROOT / "docs" / "how-to" / "large-tables.md").read_text())
    (tmp_path / "page.py").write_text("\n".join(body for language, _, body in blocks if language == "python"))
    out = shell(f"{sys.executable} page.py", tmp_path, "")
    assert out.count("device is old") == 2
    (command,) = (line for line in commands(blocks) if "discover" in line)
    assert "device is old" in shell(command.removeprefix("$ "), tmp_path, "")


def test_label_more_works_as_written(tmp_path):
    """Runs the page's code, its command between; the choice holds more of the failing subgroup than the pool."""
    blocks = BLOCK.findall((ROOT / "docs" / "how-to" / "label-more.md").read_text())
    make, choose = (body for language, _, body in blocks if language == "python")
    (command,) = (body for language, _, body in blocks if language == "sh")
    (tmp_path / "make.py").write_text(make)
    (tmp_path / "page.py").write_text(make + choose)
    shell(f"{sys.executable} make.py", tmp_path, "")
    assert "50 examples in next.csv" in shell(command, tmp_path, "")
    chosen, pool = re.findall(r"(\d+)%", shell(f"{sys.executable} page.py", tmp_path, ""))
    assert int(chosen) > 2 * int(pool)


@pytest.mark.parametrize("name", list(modules()))
def test_docstring_examples_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
