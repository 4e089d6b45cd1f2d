"""Planted tables are what they claim to be: sizes, rates, rules, and two sets that share nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from slicebench.discovery.benchmark import tables
from slicebench.discovery.benchmark.planted import (
    LEAST_ROWS,
    MOST_OF_CLASS,
    MOST_OVERLAP,
    Condition,
    Style,
    World,
    plant,
    predictions,
)
from slicebench.errors import ConfigError

SETS = ("tuning", "report")
FIRST = [one for name in SETS for one in tables.recipes(name) if one.name.endswith("-0")]
MADE = {}


def made(recipe):
    key = recipe.set, recipe.name
    return MADE.setdefault(key, recipe.make()) if key not in MADE else MADE[key]


def same(one, other):
    pictures = [np.asarray(table.roles.get("image", 0)) for table in (one, other)]
    return (
        np.array_equal(*pictures)
        and one.frame.shape == other.frame.shape
        and one.frame.astype(str).equals(other.frame.astype(str))
        and np.array_equal(one.loss, other.loss)
    )


@pytest.mark.parametrize("recipe", FIRST, ids=lambda one: f"{one.set}-{one.name}")
def test_causes_have_the_size_and_the_rates_they_were_drawn_with(recipe):
    table = made(recipe)
    n = len(table.frame)
    assert table.kind == recipe.kind
    assert len(table.loss) == n
    assert len(table.causes) <= 4
    assert bool(table.causes) == (table.kind != "null")
    outside = table.loss[~np.any([np.zeros(n, bool), *(one.rows for one in table.causes)], axis=0)]
    if table.kind not in ("null", "regression"):
        low, high = recipe.style.outside
        assert binom.ppf(1e-4, len(outside), low) <= outside.sum() <= binom.ppf(1 - 1e-4, len(outside), high)
    for one in table.causes:
        size = int(one.rows.sum())
        assert one.gap == pytest.approx(table.loss[one.rows].mean() - outside.mean())
        assert one.gap > 0
        if table.kind not in ("class", "regression"):
            low, high = recipe.style.inside
            assert max(LEAST_ROWS, 0.01 * n) <= size <= 0.2 * n
            assert (
                binom.ppf(1e-4, size, low) <= table.loss[one.rows].sum() <= binom.ppf(1 - 1e-4, size, high) + 0.1 * size
            )


@pytest.mark.parametrize("recipe", FIRST, ids=lambda one: f"{one.set}-{one.name}")
def test_losses_are_those_of_the_columns(recipe):
    table, roles = made(recipe), made(recipe).roles
    if "loss" in roles:
        assert np.array_equal(table.frame["loss"], table.loss)
    elif roles.get("task") == "regression":
        assert np.allclose((table.frame["prediction"] - table.frame[roles["label"]]).abs(), table.loss)
    else:
        assert np.array_equal(table.frame["label"] != table.frame["prediction"], table.loss > 0)


@pytest.mark.parametrize("recipe", [one for one in FIRST if one.kind == "tabular"], ids=lambda one: one.set)
def test_the_rule_of_a_cause_selects_its_rows_from_the_visible_columns(recipe):
    table = made(recipe)
    for one in table.causes:
        mask = np.ones(len(table.frame), bool) if one.class_name is None else table.classes == one.class_name
        for condition in one.rule:
            mask &= condition.holds(table.frame)
        assert np.array_equal(mask, one.rows)
        assert set(one.attributes) <= set(table.visible)
        classes = [set(table.classes[other.rows]) for other in table.causes if other is not one]
        assert one.alone_in_class == (not set(table.classes[one.rows]) & set().union(*classes))
        assert one.class_name is None or one.rows.sum() <= MOST_OF_CLASS * (table.classes == one.class_name).sum()
        assert all(
            (one.rows & b.rows).sum() <= MOST_OVERLAP * min(one.rows.sum(), b.rows.sum())
            for b in table.causes
            if b is not one
        )


@pytest.mark.parametrize(
    "recipe",
    [one for one in FIRST if one.kind in ("embedding", "digits", "image")],
    ids=lambda one: f"{one.set}-{one.name}",
)
def test_hidden_attributes_are_not_in_the_table(recipe):
    table = made(recipe)
    assert table.visible == ()
    assert set(table.frame) <= {"embedding", "label", "prediction"}


@pytest.mark.parametrize("name", SETS)
def test_words_of_a_cause_are_in_its_texts(name):
    table = made(next(one for one in FIRST if one.set == name and one.kind == "text"))
    for one in table.causes:
        for word in one.attributes:
            assert table.frame["text"][one.rows].str.contains(word).all()


@pytest.mark.parametrize("recipe", [one for one in FIRST if one.set == "tuning"], ids=lambda one: one.name)
def test_a_recipe_always_makes_the_same_table(recipe):
    assert same(made(recipe), recipe.make())


def test_the_two_sets_and_the_seeds_share_no_table():
    one, other = (next(r for r in FIRST if r.set == name and r.kind == "tabular") for name in SETS)
    assert not same(made(one), made(other))
    assert not same(made(one), tables.recipes("tuning", seed=1)[0].make())
    assert len(set(tables.STREAMS.values())) == len(SETS)


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_about_forty_tables_and_the_large_ones_on_request(name):
    found = tables.recipes(name)
    assert 35 <= len(found) <= 45
    assert len({one.name for one in found}) == len(found)
    assert not any(one.slow for one in found)
    assert sum(one.slow for one in tables.recipes(name, slow=True)) == 2
    assert {one.kind for one in tables.recipes(name, kind="null")} == {"null"}


def test_unknown_sets_and_kinds_are_refused():
    with pytest.raises(ConfigError, match="unknown set of tables 'reprot'"):
        tables.recipes("reprot")
    with pytest.raises(ConfigError, match="unknown kind of tables 'nul'"):
        tables.recipes("report", kind="nul")


def test_nulls_keep_the_errors_of_each_class_and_groups_are_wrong_together():
    table = made(next(one for one in FIRST if one.name == "copies_embedding-0"))
    grouped = pd.DataFrame({"group": table.frame["group"], "loss": table.loss, "label": table.classes}).groupby("group")
    assert (grouped["loss"].nunique() == 1).all()
    assert (grouped["label"].nunique() == 1).all()
    assert grouped.size().max() <= 12


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        (Condition("x", ">=", 2.0), [False, True, True, False]),
        (Condition("x", "<", 2.0), [True, False, False, False]),
        (Condition("x", "is", 3.0), [False, False, True, False]),
        (Condition("x", "is missing"), [False, False, False, True]),
    ],
)
def test_a_condition_never_holds_for_a_missing_value_unless_it_asks_for_one(condition, held):
    assert condition.holds(pd.DataFrame({"x": [1.0, 2.0, 3.0, np.nan]})).tolist() == held


def test_a_table_without_room_for_a_cause_is_refused():
    world = World(
        pd.DataFrame({"a": np.zeros(50, int), "b": np.zeros(50, int), "c": np.zeros(50, int)}), np.full(50, "ant")
    )
    with pytest.raises(ConfigError, match="no cause fits a table of 50 rows"):
        plant(world, Style(), np.random.default_rng(0))


def test_wrong_predictions_name_another_class():
    rng = np.random.default_rng(0)
    labels = rng.choice(["ant", "bear", "cat"], 300)
    wrong = rng.random(300) < 0.3
    assert np.array_equal(predictions(labels, wrong, rng) != labels, wrong)
