"""Find, test, name and show slices of a user's own predictions.

Slices are tested on held-out examples.

`examples` and `inputs` turn a table into splits (`data.columns` assigns columns to roles). `methods` runs the
methods, `verdicts` tests their slices, `rules` and `naming` describe them, and `assembly` joins all that.
`findings` holds the result, `page` shows it, and `search` runs all these steps. `selection` and `pool` choose
what to label next; `interop/` reads and writes other tools' formats. The package is not called `discover`
because that name would hide the public function.

Decisions
- Slices are tested as in the controls: methods assign examples without their outcomes, and the test uses held-out rows.
- Holm's correction runs over all slices of all methods that are shown together.
- Rules and captions are chosen on val and measured on test; words are counted on test.
"""

from __future__ import annotations

from slicebench.data.columns import Columns
from slicebench.discovery.findings import Findings, FoundSlice, Match, MethodNote
from slicebench.discovery.naming import Name
from slicebench.discovery.rules import Rule, Word
from slicebench.discovery.search import discover
from slicebench.discovery.verdicts import Verdict

__all__ = ["Columns", "Findings", "FoundSlice", "Match", "MethodNote", "Name", "Rule", "Verdict", "Word", "discover"]
