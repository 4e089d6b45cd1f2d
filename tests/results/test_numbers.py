"""Numbers as text: the same in the terminal and in Markdown, but for what each needs."""

from __future__ import annotations

import pytest

from slicebench.cli.console import numbers as console
from slicebench.metrics.estimate import Estimate
from slicebench.results.numbers import between, estimated, interval, optional, p_value, probability, rate, short, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.52, ".52"), (-0.04, "-.04"), (1.0, "1.00"), (-1.0, "-1.00"), (-0.001, ".00"), (0.999, "1.00"), (-0.25, "-.25")],
)
def test_short_numbers(value, text):
    assert short(value) == optional(value) == text


def test_what_is_not_there_is_a_dash():
    assert {optional(None), estimated(None), console.cell(None), console.change(None)} == {"–"}
    assert between(None) == between(Estimate(mean=0.5)) == ""


def test_an_estimate_is_marked_and_has_its_interval():
    one = Estimate(mean=-0.004, low=-0.1, high=0.5, behind=True)
    assert estimated(one) == "0.00↓ [-0.10, 0.50]"
    assert estimated(one, gap="<br>", ends=short) == "0.00↓<br>[-.10, .50]"
    assert estimated(Estimate(mean=0.25), signed) == "+0.250"
    assert between(one, 1) == "[−0.1, 0.5]"


def test_the_terminal_keeps_brackets_from_being_markup():
    one = Estimate(mean=0.25, low=0.1, high=0.5)
    assert console.cell(one) == "0.25\n\\[.10, .50]"
    assert console.change(one, " ") == "+0.250 \\[+0.100, +0.500]"
    assert console.between(0.1, 0.5) == "\\" + interval(0.1, 0.5)


@pytest.mark.parametrize(
    ("p", "text", "without_zero"),
    [
        (0.25, "0.250", ".250"),
        (0.00012, "1e-4", "1e-4"),
        (0.001, "0.001", ".001"),
        (1.0, "1.000", "1.000"),
        (0.0, "0e+00", "< 1e-6"),
    ],
)
def test_probabilities(p, text, without_zero):
    assert (probability(p), console.p_value(p)) == (text, without_zero)


@pytest.mark.parametrize(
    ("p", "text"), [(0.25, "0.250"), (2e-6, "2e-6"), (1e-6, "1e-6"), (9.9e-7, "< 1e-6"), (0.0, "< 1e-6")]
)
def test_small_p_values_are_printed_as_a_bound(p, text):
    assert p_value(p) == text
    assert console.p_value(p) == text.removeprefix("0")


def test_rates_are_per_cent_and_losses_are_not():
    assert (rate(0.1234, percent=True), rate(1.2345, percent=False)) == ("12.3%", "1.23")
