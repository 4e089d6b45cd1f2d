"""Findings as tables: made of a method's scores, joined by id with another tool's data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slicebench.discovery.interop import Found, found_by
from slicebench.discovery.interop.found import align
from slicebench.errors import DataError
from slicebench.evaluation.slices import returned_slices
from slicebench.plugins.method import SliceScores


def small():
    """Two slices of four examples, of which "d" is in none."""
    members = pd.DataFrame(
        {
            "method": "m",
            "slice": ["dark", "dark", "wet", "wet"],
            "id": ["b", "a", "b", "c"],
            "rank": [1, 2, 1, 2],
            "membership": [0.9, 0.8, 0.95, 0.1],
        }
    )
    return Found(members, pd.DataFrame({"method": "m", "id": list("abcd"), "hardness": [0.3, 0.9, 0.2, -1.0]}))


def test_members_are_those_of_the_slices(problem):
    membership = np.random.default_rng(0).random((150, 3)).astype(np.float32)
    scores = SliceScores(hardness=membership[:, 0], membership=membership, names=("x", "y", "z"))
    found = found_by(scores, problem.test, method="mine")
    slices = returned_slices(scores, problem.test)
    assert list(found.members.columns) == ["method", "slice", "id", "rank", "membership"]
    for j, name in enumerate("xyz"):
        own = found.members[found.members["slice"] == name]
        assert set(own["id"]) == set(problem.test.ids[slices.hard[:, j]])
        assert own["rank"].tolist() == list(range(1, len(own) + 1))
        assert own["membership"].is_monotonic_decreasing
    assert found.hardness["id"].tolist() == problem.test.ids.tolist()
    assert found.hardness["hardness"].tolist() == scores.hardness.tolist()


def test_a_method_that_only_ranks_has_no_members(problem):
    found = found_by(SliceScores(hardness=np.arange(150)), problem.test)
    assert len(found.members) == 0
    assert list(found.members.columns) == ["method", "slice", "id", "rank", "membership"]
    aligned = align(found, problem.test.ids)
    assert not aligned.inside().any()
    assert aligned.names == ()
    with pytest.raises(DataError, match="150 scores for 100 examples"):
        found_by(SliceScores(hardness=np.arange(150)), problem.test.take(np.arange(100)))


def test_flags_are_slices(problem):
    flagged = np.arange(150) < 30
    found = found_by(SliceScores(hardness=np.arange(150), flagged=flagged), problem.test, ["cat", "dog", "owl"])
    assert set(found.members["slice"]) == {"flagged cat", "flagged dog", "flagged owl"}
    assert set(found.members["id"]) == set(problem.test.ids[:30])


def test_joins_are_by_id():
    aligned = align(small(), ["d", "c", "x", "b", "a"])
    np.testing.assert_array_equal(aligned.hardness, [-1.0, 0.2, np.nan, 0.9, 0.3])
    assert aligned.inside().tolist() == [False, True, False, True, True]
    assert aligned.of_rows() == [[], [("wet", 0.1)], [], [("wet", 0.95), ("dark", 0.9)], [("dark", 0.8)]]
    assert aligned.names == ("dark", "wet")
    assert aligned.method == "m"


def test_integers_match_their_decimal_form():
    found = small()
    found.members["id"] = [1, 0, 1, 2]
    found.hardness["id"] = range(4)
    assert align(found, [0, 1, 2, 3]).inside().tolist() == [True, True, True, False]
    assert align(found, ["0", "1", "2", "3"]).inside().tolist() == [True, True, True, False]


def test_ranks_and_memberships_may_be_absent():
    found = Found(small().members[["method", "slice", "id"]], small().hardness)
    aligned = align(found, list("abcd"))
    assert aligned.members["membership"].tolist() == [1.0] * 4
    assert aligned.members["rank"].tolist() == [1, 2, 1, 2]


def test_what_does_not_fit_is_said():
    found = small()
    two = Found(found.members, pd.concat([found.hardness, found.hardness.assign(method="other")]))
    assert align(two, list("abcd"), "m").inside().sum() == 3
    assert align(two, list("abcd"), "other").inside().sum() == 0
    for bad, ids, method, says in [
        (two, "abcd", None, r"findings of 2 methods \(m, other\); name one"),
        (found, "abcd", "n", "no findings of the method 'n'; known: m"),
        (found, "aab", None, "an id more than once"),
        (found, "xyz", None, r"none of the 3 ids of the data is in the findings: .* with \['x'\], .* with \['a'\]"),
        (pd.DataFrame(), "a", None, "DataFrame has no members; expected a result of"),
        (
            Found(found.members.drop(columns="slice"), found.hardness),
            "a",
            None,
            "table of members has no column 'slice'",
        ),
        (Found(found.members, found.hardness.rename(columns={"hardness": "hard"})), "a", None, "did you mean 'hard'"),
    ]:
        with pytest.raises(DataError, match=says):
            align(bad, list(ids), method)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_findings_are_joined(data):
    """Whatever order the tables are in, and whoever is missing: what is known of an id stands in its row."""
    ids = data.draw(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=12, unique=True))
    known = data.draw(st.lists(st.sampled_from(ids), min_size=1, unique=True))
    order = data.draw(st.permutations(known))
    pairs = data.draw(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from(known)), max_size=8, unique=True))
    members = pd.DataFrame({"method": "m", "slice": [s for s, _ in pairs], "id": [i for _, i in pairs]})
    hardness = pd.DataFrame({"method": "m", "id": order, "hardness": [float(known.index(i)) for i in order]})
    aligned = align(Found(members, hardness), ids, "m")
    for row, key in enumerate(ids):
        assert (aligned.hardness[row] == known.index(key)) if key in known else np.isnan(aligned.hardness[row])
        assert {name for name, _ in aligned.of_rows()[row]} == {s for s, i in pairs if i == key}
    assert aligned.inside().sum() == len({i for _, i in pairs})
