"""Names of others in Markdown tables are shown as they are."""

from __future__ import annotations

import re

from slicebench.evaluation.markdown_text import code, in_cell, plain
from slicebench.results.markdown import methods_table, pairs_table, scores_table
from tests.support.board_example import example_board

EVIL = "a|b<img src=x onerror=alert(1)>[click](https://evil.example) ![i](x) `c` *d*\n| e |"


def test_a_name_ends_no_cell_and_brings_no_html_or_link():
    board = example_board()
    row = board.methods[3].model_copy(update={"name": EVIL, "incomplete": f"1 of 2 failed; {EVIL}"})
    cells = {name: {**own, EVIL: own[board.methods[3].name]} for name, own in board.cells.items()}
    board = board.model_copy(update={"methods": (row, *board.methods[:3]), "cells": cells})
    for text in (methods_table(board), scores_table(board)):
        table = [line for line in text.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
        bare = re.sub(r"`[^`]*`", "", re.sub(r"\\.", "", text))  # without escapes and code
        assert not any(mark in bare for mark in ("<img", "](", "://"))
    assert pairs_table(board)


def test_plain_names_stay_and_code_cannot_be_left():
    assert plain("svm_directions (ref) 1.5–2 s") == "svm_directions (ref) 1.5–2 s"
    assert code("a`b\nc") == "`a'b c`"
    assert in_cell(code("a|b")) == "`a\\|b`"
