"""Rules name sets of values, cuts and gaps, and their numbers are those of the rows that meet them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slicebench.discovery.describing import describing_rule
from slicebench.discovery.searches.conditions import Coded

N = 2000
RNG = np.random.default_rng(0)
CODE = RNG.integers(1, 15, N)
LEARN, CHECK = np.arange(0, N, 2), np.arange(1, N, 2)


@pytest.mark.parametrize(
    ("column", "inside", "text"),
    [
        (CODE, np.isin(CODE, [3, 11]), "x is 3 or 11"),
        (CODE.astype(str), np.isin(CODE, [3, 11]), "x is 11 or 3"),
        (CODE, CODE == 7, "x is 7"),
        (CODE, CODE >= 9, "x >= 9"),
        (CODE, CODE < 4, "x < 4"),
        (np.where(CODE < 3, None, CODE.astype(str)), CODE < 3, "x is missing"),
        (pd.Timestamp("2024-01-01") + pd.to_timedelta(CODE, unit="D"), CODE >= 9, "x >= 2024-01-10"),
    ],
)
def test_the_condition_is_found(column, inside, text):
    rule = describing_rule(Coded.of(pd.DataFrame({"noise": RNG.normal(size=N), "x": column})), inside, LEARN, CHECK)
    assert rule.text == text
    assert (rule.precision, rule.recall, rule.kappa) == (1, 1, 1)


def test_conditions_are_joined_and_counted_on_rows_not_looked_at():
    place = RNG.choice(["sea", "land"], N)
    inside = (CODE >= 9) & (place == "sea")
    blurred = inside ^ (RNG.random(N) < 0.05)
    rule = describing_rule(Coded.of(pd.DataFrame({"code": CODE, "place": place})), blurred, LEARN, CHECK)
    assert set(rule.text.split(" and ")) == {"code >= 9", "place is sea"}
    every = np.concatenate([LEARN, CHECK])
    met = inside[every]
    assert rule.precision == pytest.approx(blurred[every][met].mean())
    assert rule.recall == pytest.approx(met[blurred[every]].mean())


def test_a_rare_word_that_is_the_cause_is_named():
    word = np.where(RNG.random(N) < 0.03, "cause", [f"w{i}" for i in RNG.integers(200, size=N)])
    rule = describing_rule(Coded.of(pd.DataFrame({"x": word})), word == "cause", LEARN, CHECK)
    assert rule.text == "x is cause"


def test_noise_gives_no_rule():
    assert describing_rule(Coded.of(pd.DataFrame({"x": CODE})), RNG.random(N) < 0.2, LEARN, CHECK) is None
