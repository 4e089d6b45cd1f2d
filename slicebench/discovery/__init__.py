"""Slices of a user's own predictions: found by any method, tested, named, and shown.

The tests are on held-out examples.

`examples` and `inputs` turn a table into splits (`data.columns` assigns columns to roles). `methods` runs the
methods, `verdicts` tests their slices, `rules` and `naming` describe them, and `assembly` joins all that.
`findings` holds the result, `page` shows it, and `search` runs all these steps. `selection` and `pool` choose
what to label next; `interop/` reads and writes other tools' formats. The package is not called `discover`:
it would hide the public function of that name.

Decisions
- Discovery tests what controls test: methods assign every example without its outcome, and slices are tested on held-out rows.
- Holm's correction runs over all slices of all methods that are shown together.
- Names (rules, captions, words) are chosen on val and measured on test.
"""

from __future__ import annotations

from slicebench.data.columns import Columns
from slicebench.discovery.findings import Findings, FoundSlice, Match, MethodNote
from slicebench.discovery.naming import Name
from slicebench.discovery.rules import Rule, Word
from slicebench.discovery.search import discover
from slicebench.discovery.verdicts import Verdict

__all__ = ["Columns", "Findings", "FoundSlice", "Match", "MethodNote", "Name", "Rule", "Verdict", "Word", "discover"]
