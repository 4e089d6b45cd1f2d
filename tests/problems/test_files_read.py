"""A problem is identified by the content of the files that it reads; a frozen one says which they were."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slicebench.errors import StorageError
from slicebench.files.cache import content_key
from slicebench.plugins.registry import DATASETS
from slicebench.problems.cache import build_missing, built_problem, frozen_folder
from slicebench.problems.frozen import HEADER, load_header, load_problem, save_problem
from slicebench.problems.shelf import freeze, shelved
from slicebench.runs.plan import on_shelf, plan, shelved_cells
from slicebench.runs.suite import load_suite, parse_suite

SUITE = """
name = "mine"
seeds = [0, 1]
methods = ["random"]
[[problems]]
name = "mine"
dataset = "table"
params = { path = "mine.csv", label = "label", prediction = "prediction", features = ["x"], groups = ["night"] }
"""


def write(accuracy, path="mine.csv"):
    """Write 200 predictions of which the share `accuracy` is right."""
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=200)
    right = np.arange(200) < 200 * accuracy
    table = {"x": rng.normal(size=200), "label": label, "prediction": np.where(right, label, 1 - label)}
    pd.DataFrame(table | {"night": rng.random(200) < 0.3}).sample(frac=1, random_state=0).to_csv(path, index=False)


def digest(path="mine.csv"):
    with Path(path).open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def planned():
    return plan(parse_suite(SUITE, "here"))[0].problem


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An own folder with a table."""
    monkeypatch.chdir(tmp_path)
    write(0.7)
    return tmp_path


@pytest.mark.parametrize("name", ["quick", "standard", "golden"])
def test_problems_without_files_have_the_identity_that_they_always_had(name, tmp_path, monkeypatch):
    """Also those of adapters whose files are not here, such as golden's on the shelf."""
    monkeypatch.setenv("SLICEBENCH_DATA", str(tmp_path))
    for cell in plan(load_suite(name)):
        one = cell.problem
        assert one.identity == content_key(one.dataset, one.dataset_version, one.params, one.seed)
        assert one.sources == {}
        assert one.unseen == bool(DATASETS.load(one.dataset).card.layouts)
        assert one.unseen or frozen_folder(one).name == one.identity


def test_an_identity_of_the_first_version():
    """Problems in caches and run folders of version 0.1 are found under it."""
    cells = {cell.problem.name: cell.problem for cell in plan(load_suite("quick")) if cell.problem.seed == 0}
    assert cells["gaussian-linear"].identity == "98792f4f545b1082be631b03420490a6"


def test_the_content_is_in_the_identity_and_the_path_too(here):
    first = planned()
    assert first.sources == {"mine.csv": digest()}
    assert planned().identity == first.identity, "nothing has changed"
    write(0.9)
    second = planned()
    assert second.identity != first.identity
    assert second.recipe == first.recipe
    write(0.7)
    assert planned().identity == first.identity, "the old file is back"


def test_all_seeds_share_the_fingerprint(here, monkeypatch):
    asked = []
    table = DATASETS.load("table")
    monkeypatch.setattr(table, "sources", lambda self, sources=table.sources: asked.append(self) or sources(self))
    cells = plan(parse_suite(SUITE.replace("[0, 1]", str(list(range(50)))), "here"))
    assert len({cell.problem.identity for cell in cells}) == 50
    assert len(asked) == 1


def test_a_built_problem_is_of_the_file_that_is_there(here):
    assert float(built_problem(planned()).test.correct.mean()) == pytest.approx(0.7, abs=0.12)
    write(1.0)
    assert built_problem(planned()).test.correct.all()


def test_a_problem_says_from_which_bytes_it_was_made(here):
    built = built_problem(planned())
    assert built.provenance.files == {"mine.csv": digest()}
    kept = freeze(planned(), here / "shelf")
    assert load_problem(kept.folder).provenance.files == {"mine.csv": digest()}
    assert json.loads((kept.folder / HEADER).read_text())["provenance"]["files"] == {"mine.csv": digest()}


def test_a_problem_without_files_is_written_as_before(problem, tmp_path):
    """So older versions still read it."""
    save_problem(problem, tmp_path / "one")
    assert set(json.loads((tmp_path / "one" / HEADER).read_text())["provenance"]) == {
        "source",
        "licence",
        "revision",
        "planted_rate",
    }
    assert load_problem(tmp_path / "one").provenance.files == {}


def test_a_file_that_is_replaced_after_planning_is_noticed(here):
    first = planned()
    write(0.9)
    with pytest.raises(StorageError, match=r"mine s0: not the files with which this run was planned: mine\.csv"):
        build_missing(first, frozen_folder(first))
    assert not frozen_folder(first).exists()


def test_a_file_that_is_replaced_while_it_is_read_is_noticed(here, monkeypatch):
    table, first = DATASETS.load("table"), planned()

    def build(self, seed, build=table.build):
        built = build(self, seed)
        write(0.9)
        return built

    monkeypatch.setattr(table, "build", build)
    with pytest.raises(StorageError, match=r"not the files with which this run was planned"):
        build_missing(first, frozen_folder(first))
    assert not frozen_folder(first).exists()


def test_listings_hold_times_which_are_each_machines_own(here):
    first = planned()
    moved = replace(first, sources={"mine.csv": digest(), "images": "listing:1"})
    with pytest.raises(StorageError, match="planned: images"):
        build_missing(moved, frozen_folder(moved))
    from slicebench.problems.files_read import _different

    assert _different({"images": "listing:1"}, {"images": "listing:2"}) == []
    assert _different({"images": "listing:1"}, {"images": "sha256:2"}) == ["images"]


def test_a_missing_file_is_no_old_result(here):
    """The cache has the problem, but nothing says that it is of the file that will come back."""
    built_problem(planned())
    (here / "mine.csv").unlink()
    gone = planned()
    assert (gone.sources, gone.unseen) == ({}, True)
    with pytest.raises(Exception, match=r"mine\.csv.*there is no such file"):
        built_problem(gone)


def test_a_problem_of_an_older_version_is_no_result_for_a_missing_file(here):
    """Older versions kept it under the identity without files."""
    (here / "mine.csv").rename(here / "away.csv")
    gone = planned()
    (here / "away.csv").rename(here / "mine.csv")
    save_problem(DATASETS.load("table")(**gone.params).build(0), frozen_folder(replace(gone, unseen=False)))
    (here / "mine.csv").unlink()
    with pytest.raises(Exception, match="there is no such file"):
        built_problem(planned())


def test_files_that_only_a_worker_has_are_built_again_when_they_change(here):
    unseen = replace(planned(), sources={}, unseen=True)  # as planned where the file is not
    assert not built_problem(unseen).test.correct.all()
    before = frozen_folder(unseen).stat().st_mtime_ns
    assert built_problem(unseen).provenance.files == {"mine.csv": digest()}
    assert frozen_folder(unseen).stat().st_mtime_ns == before, "not built again"
    write(1.0)
    assert built_problem(unseen).test.correct.all()


def test_freezing_a_changed_file_is_refused(here):
    freeze(planned(), here / "shelf")
    assert not freeze(planned(), here / "shelf").written
    write(0.9)
    with pytest.raises(StorageError, match=r"mine\.s0 holds this problem from other files .*mine\.csv.*; delete it"):
        freeze(planned(), here / "shelf")


def test_a_shelf_stands_in_for_files_that_are_not_here(here):
    first = planned()
    freeze(first, here / "shelf")
    (here / "mine.csv").unlink()
    shelf = shelved(here / "shelf")
    assert set(shelf) == {first.identity}
    gone = planned()
    assert gone.identity not in shelf
    assert shelf.instead_of(gone) == first
    cells = shelved_cells(plan(parse_suite(SUITE, "here")), shelf)
    assert [cell.problem.identity in shelf for cell in cells] == [True, False], "seed 1 was not frozen"
    frozen, others = on_shelf(plan(parse_suite(SUITE, "here")), here / "shelf")
    assert ([cell.problem.seed for cell in frozen], [cell.problem.seed for cell in others]) == ([0], [1])


def test_a_shelf_of_other_files_does_not_stand_in(here):
    freeze(planned(), here / "shelf")
    write(0.9)
    second, shelf = planned(), shelved(here / "shelf")
    assert shelf.instead_of(second) is second
    assert shelf.has_of_other_files(second)


def test_a_frozen_problem_that_does_not_say_its_files_stands_in(here):
    """As an older version wrote it: whoever chooses the shelf chooses what it holds."""
    kept = freeze(planned(), here / "shelf")
    header = json.loads((kept.folder / HEADER).read_text())
    del header["provenance"]["files"], header["files"]
    (kept.folder / HEADER).write_text(json.dumps(header))
    assert load_header(kept.folder).sources == {}
    assert load_problem(kept.folder).provenance.files == {}
    shelf, one = shelved(here / "shelf"), planned()
    assert shelf.instead_of(one).identity == one.recipe
    assert one.recipe in shelf
    with pytest.raises(StorageError, match=r"from an older version, which did not write down from which files"):
        freeze(one, here / "shelf")


def test_several_files_on_a_shelf_and_none_here_is_told(here):
    freeze(planned(), here / "shelf")
    (here / "shelf" / "mine.s0").rename(here / "shelf" / "old")
    write(0.9)
    second = planned()
    freeze(second, here / "shelf")
    assert shelved(here / "shelf").instead_of(second) is second
    (here / "mine.csv").unlink()
    with pytest.raises(StorageError, match=r"mine s0 was frozen from different files, and none is here: .*mine\.s0"):
        shelved(here / "shelf").instead_of(planned())


def test_a_problem_without_files_is_itself_on_every_shelf(tmp_path):
    one = plan(load_suite("quick"))[0].problem
    freeze(one, tmp_path)
    assert shelved(tmp_path).instead_of(one) is one
    shutil.rmtree(tmp_path)
