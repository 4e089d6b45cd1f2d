"""Read `$SLICEBENCH_PLUGINS`: the distributions whose plugins are loaded.

slicebench's own plugins are always loaded. Worker processes inherit the setting.

unset, "on"            plugins of every installed distribution
"off"                  slicebench's own plugins only
"name,other-name"      slicebench's own plugins, and those of the named distributions
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

VARIABLE = "SLICEBENCH_PLUGINS"
OURS = "slicebench"


@dataclass(frozen=True)
class PluginSetting:
    """Value of the variable; `allowed` has normalised names of distributions, or is None for all."""

    text: str
    allowed: frozenset[str] | None

    def admits(self, distribution: str) -> bool:
        """Check whether plugins of `distribution` may be loaded."""
        return distribution == OURS or self.allowed is None or normalised(distribution) in self.allowed

    def __str__(self) -> str:
        return f"{VARIABLE}={self.text}"


def setting() -> PluginSetting:
    """Read the current value of the variable.

    >>> import os; os.environ["SLICEBENCH_PLUGINS"] = "Their_Methods, others"
    >>> setting().admits("their-methods"), setting().admits("slicebench"), setting().admits("unlisted")
    (True, True, False)
    >>> del os.environ["SLICEBENCH_PLUGINS"]
    """
    text = os.environ.get(VARIABLE, "").strip()
    if text.lower() in ("", "on"):
        return PluginSetting(text, None)
    if text.lower() == "off":
        return PluginSetting(text, frozenset())
    return PluginSetting(text, frozenset(normalised(name) for name in text.split(",") if name.strip()))


def normalised(distribution: str) -> str:
    """Return the name of a distribution as installers compare it.

    It is in lower case, and runs of "-", "_" and "." are one hyphen.
    """
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()
