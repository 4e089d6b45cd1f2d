"""Tables as wide as a terminal allows: all parts have the names, and nothing is cut or broken."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from slicebench.cli.console.numbers import p_value, share_cell
from slicebench.cli.console.split import Column, print_split, wrapped
from slicebench.metrics.estimate import Estimate

NAMES = ["early_stopping", "hdbscan_errors", "cifar100_superclass"]


def printed(columns, width):
    out = StringIO()
    kept = [Column("method", NAMES, "left")]
    print_split(Console(file=out, width=width, no_color=True, highlight=False), "A title", kept, columns, head=1)
    return out.getvalue()


def column(i):
    return Column(f"column\n{i}", [f"{i}.{row}\n\\[.10, .{i}{row}]" for row in range(len(NAMES))])


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("count", [1, 7, 30])
def test_every_part_has_the_names_and_no_cell_is_lost(width, count):
    text = printed([column(i) for i in range(count)], width)
    parts = text.split("A title\n")[1:]
    for part in parts:
        assert all(f"│ {name} " in part for name in NAMES)
        assert max(map(len, part.splitlines())) <= width
    for i in range(count):
        for row in range(len(NAMES)):
            assert f" {i}.{row} " in text
            assert f"[.10, .{i}{row}]" in text
    assert "…" not in text


def test_one_part_where_everything_fits():
    assert printed([column(i) for i in range(5)], 140).count("A title") == 1


def test_words_are_not_broken():
    assert str(wrapped("a verylongwordindeed and-more", 8)) == "a\nverylongwordindeed\nand-more"
    assert str(wrapped("", 8)) == ""


def test_shares_stay_in_their_range_and_small_p_are_said_to_be_small():
    assert share_cell(Estimate(mean=0.4, low=-0.91, high=1.7)) == "0.40\n\\[.00, 1.00]"
    assert share_cell(Estimate(mean=0.4)) == "0.40"
    assert share_cell(None) == "–"
    assert Text.from_markup(share_cell(Estimate(mean=0.4, low=0.3, high=0.5))).plain == "0.40\n[.30, .50]"
    assert (p_value(0.0), p_value(9.9e-7), p_value(2e-6), p_value(0.05)) == ("< 1e-6", "< 1e-6", "2e-6", ".050")
