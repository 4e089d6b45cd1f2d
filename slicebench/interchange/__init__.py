"""To and from the formats of other tools, a module for each; nothing of theirs is imported before it is asked for.

`pandas` and `huggingface` bring data in; `huggingface`, `fiftyone`, `spotlight` and `cleanlab` take findings out; `sklearn`
wraps a method as a transformer. What they take out is `found`: the result of `slicebench.discover`, or what `found_by` makes of
a method's own scores. docs/interchange.md has an example of each.
"""

from slicebench.interchange.found import Found, found_by

__all__ = ["Found", "found_by"]
