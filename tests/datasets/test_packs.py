"""Every pack: its card and files, what methods can see, and its problems."""

from __future__ import annotations

import tomllib
from functools import cache

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from slicebench import DATASETS, METHODS, evaluate
from slicebench.data.metadata_codes import coded, learnt_codes
from slicebench_datasets.packs.card import FOLDER, PackCard, pack_names, read_card
from slicebench_datasets.packs.contents import read_table_of

PROBLEMS = [(name, problem.name) for name in pack_names() for problem in read_card(name).problems]
MOST_BYTES = 40 * 2**20
SMALL = {"n_train": 600, "n_val": 300, "n_test": 500}


@cache
def raw(family, problem):
    return DATASETS.load(family)(problem=problem).raw(0)


def test_all_packs_together_are_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < MOST_BYTES


@pytest.mark.parametrize("name", pack_names())
def test_the_card_describes_the_files(name):
    card = read_card(name)
    table = read_table_of(name)
    assert set(card.columns) == set(table.columns)
    assert {path.name for path in (FOLDER / name).iterdir()} == {"card.toml", *card.files}
    assert len({problem.name for problem in card.problems}) == len(card.problems)


def test_natural_groups_are_those_that_were_frozen():
    frozen = {one["name"]: one for one in tomllib.loads((FOLDER / "natural_groups.toml").read_text())["families"]}
    for name in pack_names():
        for problem in read_card(name).problems:
            if problem.kind == "natural":
                assert {group.name for group in problem.groups} <= set(frozen[name]["groups"]), problem.name


@pytest.mark.parametrize(("family", "problem"), PROBLEMS)
def test_splits_share_no_unit_and_no_example(family, problem):
    splits = raw(family, problem).splits
    assert set(splits) == {"train", "val", "test"}
    seen = [{row.tobytes() for row in np.asarray(split.inputs)} for split in splits.values()]
    assert len(set.union(*seen)) == sum(map(len, seen)), "an example is in two splits"
    for split in splits.values():
        assert len(np.unique(split.labels)) == len(raw(family, problem).class_names)
        assert split.groups.any(axis=0).all(), "a group is absent from a split"
    assert splits["test"].groups.sum(axis=0).min() >= 20, "a group is too small to measure"


@pytest.mark.parametrize(("family", "problem"), PROBLEMS)
def test_no_visible_column_tells_the_group(family, problem):
    """Within a class, no column and no short tree over all columns finds the group among the metadata."""
    split = raw(family, problem).splits["test"]
    if split.metadata is None:
        return
    codes = coded(split.metadata, learnt_codes(split.metadata, 20))
    for group in split.groups.T:
        for label in np.unique(split.labels[group]):
            rows = split.labels == label
            if group[rows].all():
                continue
            tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5).fit(codes[rows], group[rows])
            found = tree.predict(codes[rows])
            caught, right = found[group[rows]].mean(), group[rows][found].mean() if found.any() else 0
            assert min(caught, right) < 0.9, "the metadata tell the group"


@pytest.mark.parametrize(("family", "problem"), PROBLEMS)
def test_oracle_finds_the_group_and_random_does_not(family, problem):
    built = DATASETS.load(family)(problem=problem).build(0)
    assert evaluate(METHODS.load("oracle")(), built).record.metrics["namf"] == pytest.approx(1.0)
    by_chance = [evaluate(METHODS.load("random")(seed=seed), built).record.metrics["namf"] for seed in range(20)]
    assert abs(np.mean(by_chance)) < max(0.05, 4 * np.std(by_chance) / 20**0.5)
    assert built.provenance.licence == read_card(family).licence.name


@pytest.mark.parametrize("family", pack_names())
def test_a_control_has_nothing_to_find(family):
    control = DATASETS.load(family)(control=True).raw(0)
    assert list(control.group_names) == []
    planted = raw(family, read_card(family).problems[0].name)
    assert len(control.splits["train"].labels) >= len(planted.splits["train"].labels)


def test_a_wrong_card_is_refused_in_one_line_each():
    from slicebench.errors import ConfigError
    from slicebench.files.toml_documents import parsed
    from slicebench_datasets.packs.card import _known_keys

    text = (FOLDER / "satimage" / "card.toml").read_text()
    for old, new, message in (
        ('kind = "natural"', 'kind = "planted"', "expected a plant if and only if it is 'planted'"),
        ('unit = "block"', 'unit = "blok"', "names the column 'blok', which \\[columns\\] lacks"),
        ("sizes =", "size =", r"problems\[0\].size: unknown key; .*sizes"),
        ('inputs = "columns"', 'inputs = "pixels"', "inputs is 'pixels'; expected one of"),
        ("title =", "titel =", "titel: unknown key; .*title"),
    ):
        with pytest.raises(ConfigError, match=message):
            parsed(PackCard, text.replace(old, new), "card.toml", "card", _known_keys)


def test_rules_of_values_that_do_not_exist_are_refused():
    from slicebench.errors import DataError
    from slicebench_datasets.packs.rules import rows_where

    with pytest.raises(DataError, match="column 'soil' has no value 'clay'; it has 'cotton crop'"):
        rows_where(read_table_of("satimage"), {"soil": ("clay",)})
