"""The standard suite: many families, natural and planted; quick and natural are parts of it; tuning is elsewhere."""

from __future__ import annotations

from collections import Counter

import pytest

from slicebench.plugins.registry import DATASETS, METHODS
from slicebench.runs.plan import plan
from slicebench.runs.suite import load_suite
from slicebench_datasets.packs.card import pack_names, read_card


@pytest.fixture(scope="module")
def suite():
    return load_suite("standard")


def kind(problem):
    if problem.dataset not in pack_names():
        return "planted"
    return read_card(problem.dataset).problem(problem.params["problem"]).kind


def test_its_shape(suite):
    assert len(suite.problems) >= 45
    assert len({p.dataset for p in suite.problems}) >= 25
    assert len({DATASETS.load(p.dataset).modality for p in suite.problems}) >= 8
    assert (len(suite.seeds), suite.unit) == (5, "family")
    assert set(suite.methods) == set(METHODS.names())
    assert len(plan(suite)) == len(suite.problems) * 5 * len(suite.methods)


def test_the_description_counts_right(suite):
    kinds = Counter(kind(problem) for problem in suite.problems)
    families = len({p.dataset for p in suite.problems})
    assert suite.description == (
        f"{len(suite.problems)} offline problems of {families} families: {kinds['natural']} with natural groups that are "
        f"hard by themselves, {kinds['planted']} with planted ones"
    )


def test_quick_has_ten_families_of_five_modalities(suite):
    quick = load_suite("quick")
    assert {p.name: p for p in suite.problems if p in quick.problems} == {p.name: p for p in quick.problems}
    assert len({p.dataset for p in quick.problems}) == len(quick.problems) == 10
    assert len({DATASETS.load(p.dataset).modality for p in quick.problems}) >= 5


def test_natural_has_the_natural_problems(suite):
    natural = load_suite("natural")
    assert list(natural.problems) == [p for p in suite.problems if kind(p) == "natural"]
    assert (natural.methods, natural.method_params) == (suite.methods, suite.method_params)
