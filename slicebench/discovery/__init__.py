"""Find, test, name and show slices of a user's own predictions.

Rows are dealt to folds. Slices are found without a fold and tested on it.

`reading` turns a table into examples (`data.schema` assigns columns to roles). `searches` propose slices, and `holdout` chooses
and tests them. `verdicts` compares each with the rest of its class, `describing` and `naming` describe it, and `assembly` joins
all that. `findings` holds the result, `facts` what holds before any slice, `report/` shows both, and `search` runs all that.
`selection` and `pool` choose what to label next; `interop/` reads and writes other tools' formats, and `benchmark/` measures how
well slices are found. The package is not called `discover` because that name would hide the public function.

Decisions
- Searches assign a fold's examples without their outcomes, so no slice can be the errors themselves.
- A slice that a rule describes is the rule: sizes and rates are those of the rows that it selects. Other descriptions of a slice
  say "mostly", and how much of each is in the other.
- In a fold, Holm's correction runs over all slices of all methods. Folds are joined by a mean of p that allows any dependence.
- Slices are chosen one after the other, each for the errors that it explains beyond those before.
"""

from __future__ import annotations

from slicebench.data.columns import Columns
from slicebench.discovery.describing import Rule, Word
from slicebench.discovery.findings import Findings, FoundSlice, LeftOut, Match, MethodNote
from slicebench.discovery.naming import Name
from slicebench.discovery.search import discover
from slicebench.discovery.verdicts import Verdict

__all__ = [
    "Columns",
    "Findings",
    "FoundSlice",
    "LeftOut",
    "Match",
    "MethodNote",
    "Name",
    "Rule",
    "Verdict",
    "Word",
    "discover",
]
