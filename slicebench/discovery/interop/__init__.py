"""Convert to and from the formats of other tools, with one module per tool.

Their packages are imported only when needed.

`huggingface` reads data, `huggingface` and `cleanlab` write findings, and `sklearn` wraps a method as
a transformer. Findings are the result of `slicebench.discover`, or of `found_by` for a method's own
scores. docs/how-to/other-tools.md has an example of each, and recipes for FiftyOne and Renumics Spotlight.
"""

from __future__ import annotations

from slicebench.discovery.interop.found import Found, found_by

__all__ = ["Found", "found_by"]
