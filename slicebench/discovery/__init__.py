"""Slices of a user's own predictions: found by any method, tested on held-out examples, named, and shown.

`examples` and `inputs` make a table into splits (`data.columns` says which column plays which part), `methods` asks the methods,
`verdicts` tests what they return, `rules` and `naming` say what it is about, `assembly` puts it together, `findings` holds the
result, `page` shows it, and `search` is the way through all of it. `selection` and `pool` choose what to label next; `interop/`
speaks other tools' formats. The package is not called `discover`: the public function of that name would be hidden by it.

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
