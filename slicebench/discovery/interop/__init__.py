"""Convert to and from the formats of other tools, a module for each.

Their packages are imported only when needed.

`huggingface` brings data in, `huggingface` and `cleanlab` take findings out, and `sklearn` wraps a method as a transformer. What
goes out is `found`: the result of `slicebench.discover`, or what `found_by` makes of a method's own scores. docs/interchange.md
has an example of each, and recipes for FiftyOne and Renumics Spotlight.
"""

from __future__ import annotations

from slicebench.discovery.interop.found import Found, found_by

__all__ = ["Found", "found_by"]
