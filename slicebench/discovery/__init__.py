"""Slices of a user's own predictions: found by any method, tested on held-out examples, named, and shown.

`columns` says which column plays which part, `examples` and `inputs` make the table into splits, `running` asks the methods,
`judging` tests what they return, `rules` and `naming` say what it is about, `assembling` puts it together, `findings` holds the
result, and `search` is the way through all of it.
"""

from slicebench.discovery.columns import Columns
from slicebench.discovery.findings import Findings, FoundSlice, Match, MethodNote
from slicebench.discovery.judging import Verdict
from slicebench.discovery.naming import Name
from slicebench.discovery.rules import Rule, Word
from slicebench.discovery.search import discover

__all__ = ["Columns", "Findings", "FoundSlice", "Match", "MethodNote", "Name", "Rule", "Verdict", "Word", "discover"]
