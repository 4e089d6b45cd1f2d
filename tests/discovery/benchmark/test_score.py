"""A cause is found, a slice is false and a name is right exactly as the definitions say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slicebench.discovery.benchmark.planted import Cause, Condition, PlantedTable
from slicebench.discovery.benchmark.score import (
    Shown,
    finds,
    is_false,
    mentioned,
    names_right,
    precision,
    precision_at,
    recall,
    score,
)
from slicebench.discovery.holdout.masks import overlap

N = 100


def rows(start, stop):
    mask = np.zeros(N, bool)
    mask[start:stop] = True
    return mask


def cause(mask, *, attributes=("age", "city"), class_name=None, alone=False):
    rule = tuple(Condition(name, "is", 1) for name in attributes) or None
    return Cause(rows=mask, rule=rule, attributes=attributes, class_name=class_name, alone_in_class=alone, gap=0.5)


def table(*causes, kind="tabular", visible=("age", "city", "size")):
    return PlantedTable(
        name="t", kind=kind, frame=pd.DataFrame(index=range(N)), roles={}, causes=causes, visible=visible
    )


@pytest.mark.parametrize(
    ("shown", "p", "r", "found"),
    [
        (rows(0, 20), 1.0, 1.0, True),
        (rows(0, 10), 1.0, 0.5, True),
        (rows(0, 9), 1.0, 0.45, False),
        (rows(0, 25), 0.8, 1.0, True),
        (rows(0, 26), 20 / 26, 1.0, False),
        (rows(50, 60), 0.0, 0.0, False),
        (rows(0, 0), 0.0, 0.0, False),
    ],
)
def test_found_needs_precision_and_recall(shown, p, r, found):
    assert (precision(shown, rows(0, 20)), recall(shown, rows(0, 20))) == (pytest.approx(p), pytest.approx(r))
    assert finds(shown, rows(0, 20)) is found


def test_a_slice_is_false_outside_the_union_of_the_causes():
    causes = [rows(0, 20), rows(20, 40)]
    assert not is_false(rows(10, 30), causes)
    assert not is_false(rows(0, 50), causes)
    assert is_false(rows(0, 51), causes)
    assert is_false(rows(0, 20), [])


def test_precision_at_10_takes_the_most_typical_members_of_the_slice_that_overlaps_most():
    first = tuple(range(15, 25))
    shown = [Shown(rows(60, 90)), Shown(rows(0, 25), first=first)]
    assert precision_at(rows(0, 20), shown) == 0.5
    assert precision_at(rows(0, 20), [Shown(rows(18, 22))]) == 0.5
    assert precision_at(rows(0, 20), []) == 0
    assert overlap(rows(0, 20), rows(10, 30)) == pytest.approx(1 / 3)


def test_a_name_is_right_if_it_names_all_attributes_and_no_other():
    one = cause(rows(0, 20))
    visible = ("age", "city", "size")
    assert names_right("age >= 3 and city is Oslo", one, visible)
    assert not names_right("age >= 3", one, visible)
    assert not names_right("age >= 3 and city is Oslo and size < 2", one, visible)
    assert names_right("hour of age >= 3; city is outsized", one, visible)
    assert mentioned("ages and average", ["age"]) == set()


def test_the_score_of_a_table():
    causes = (cause(rows(0, 20), alone=True), cause(rows(40, 60)))
    shown = [Shown(rows(0, 20), "age is 1 and city is 1"), Shown(rows(70, 90), "size is 1")]
    got = score(table(*causes), shown)
    assert (got.causes, got.found, got.alone, got.alone_found, got.shown, got.false) == (2, 1, 1, 1, 2, 1)
    assert (got.right, got.precision_at_10, got.class_first) == (1, (1.0, 0.0), None)


def test_hidden_attributes_have_no_right_name():
    assert score(table(cause(rows(0, 20)), visible=()), []).right is None


def test_a_null_has_false_slices_only():
    got = score(table(kind="null"), [Shown(rows(0, 20))])
    assert (got.causes, got.found, got.shown, got.false, got.precision_at_10) == (0, 0, 1, 1, ())


def test_a_faulty_class_is_to_be_shown_first():
    faulty = table(cause(rows(0, 50), attributes=(), class_name="cat", alone=True), kind="class")
    whole, part = Shown(rows(0, 50)), Shown(rows(0, 10))
    assert score(faulty, [whole, part]).class_first is True
    assert score(faulty, [part, whole]).class_first is False
    assert score(faulty, []).class_first is False


def test_a_fact_is_no_slice():
    fact = Shown(rows(0, 50), fact=True)
    faulty = score(table(cause(rows(0, 50), attributes=(), class_name="cat"), kind="class"), [fact])
    assert (faulty.class_first, faulty.shown, faulty.found) == (True, 0, 0)
    null = score(table(kind="null"), [fact])
    assert (null.shown, null.false) == (0, 0)
