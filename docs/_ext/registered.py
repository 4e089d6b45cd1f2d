"""`.. registered:: slicebench.methods`: the classes that slicebench itself registers in a group of entry points, by name."""

from __future__ import annotations

from importlib.metadata import distribution
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class Registered(SphinxDirective):
    """An `autoclass` for each, so that a class is in the reference as soon as it is registered."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        (group,) = self.arguments
        points = sorted(p for p in distribution("slicebench").entry_points if p.group == group)
        lines: list[str] = []
        for point in points:
            lines += [f".. autoclass:: {point.module}.{point.attr}", "   :no-members:", ""]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source=f"<{group}>"), self.content_offset, container)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("registered", Registered)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
