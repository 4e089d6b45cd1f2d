"""docs/how-to/captions.md quotes the committed figures."""

from __future__ import annotations

import json
import re

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "how-to" / "captions.md").read_text(encoding="utf-8")


def test_the_table_of_the_standard_suite_is_the_leaderboard_s():
    rows = PAGE.partition("<!-- standard -->\n")[2].partition("<!-- /standard -->")[0].splitlines()
    there = (ROOT / "leaderboard" / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(rows) > 8
    assert not [row for row in rows if row not in there]


def test_the_table_of_cifar100_has_the_committed_figures():
    found = json.loads((ROOT / "leaderboard" / "cifar100-captions.json").read_text(encoding="utf-8"))
    rows = re.findall(r"^\| (conse|projection) \| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 8
    for encoder, method, figures in rows:
        one = found["encoders"][encoder]["methods"][method]
        metrics, p = one["captions"]["metrics"], one["captions"]["p"]
        hits = [text for key in ("hit_at_1", "hit_at_2") for text in (f"{metrics[key]:.2f}", f"{p[key]:.1e}")]
        assert figures.split(" | ") == [f"{one['namf']:.2f}", *hits, f"{metrics['gap']:.2f}".replace("-0.00", "0.00")]
