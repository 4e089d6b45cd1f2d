"""Our docstrings as numpydoc understands them.

Single backquotes are code; nothing else is markup. A paragraph after the parameters, such as "Complexity: ...", is a note, and an
example there an example: numpydoc would take them for one more parameter. An indented paragraph is shown as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

PIECES = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
MARKUP = re.compile(r"[|]|(?<=\w)_(?!\w)|\*+(?=\w)")
ENTRY = re.compile(r"\*{0,2}\w+(, \*{0,2}\w+)*( : .*)?")
"""First line of a parameter or attribute; numpydoc escapes it."""
EXAMPLE = re.compile(r"\s*(>>>|\.\.\.) .*")
UNDERLINE = re.compile(r"-{3,}")
CLASS_NAME = re.compile(r"[A-Z]\w+")


def prepared(_: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """Rewrite a docstring before numpydoc reads it."""
    sections = arranged(split_up(lines))
    lines[:] = escaped(with_literals(sections.pop("")))
    for title, body in sections.items():
        lines += [title, "-" * len(title), *escaped(body)]


def split_up(lines: list[str]) -> dict[str, list[str]]:
    """Lines by section, in order; what precedes the first stands under ""."""
    sections: dict[str, list[str]] = {"": []}
    title = ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line and UNDERLINE.fullmatch(following):
            title = line
            sections[title] = []
        elif not UNDERLINE.fullmatch(line):
            sections[title].append(line)
    return sections


def arranged(sections: dict[str, list[str]]) -> dict[str, list[str]]:
    """Sections whose parameters and attributes hold nothing else; what else stood there is a note or an example."""
    kept = dict(sections)
    for title in [title for title in ("Parameters", "Attributes") if title in sections]:
        kept[title] = []
        for paragraph in "\n".join(sections[title]).split("\n\n"):
            body = paragraph.strip("\n").split("\n")
            loose = body[0] and not body[0].startswith(" ") and not ENTRY.fullmatch(body[0])
            target = title if not loose else "Examples" if EXAMPLE.match(body[0]) else "Notes"
            kept[target] = [*kept.get(target, []), *body, ""]
    return kept


def with_literals(lines: list[str]) -> list[str]:
    """Mark each indented block that follows a blank line as one to be shown as it is."""
    done: list[str] = []
    for before, line in zip(["", *lines], lines, strict=False):
        starts = line.startswith("    ") and not before
        last = next((text for text in reversed(done) if text), "")
        if starts and not last.startswith("    ") and not last.endswith("::"):
            done += ["::", ""]
        done.append(line)
    return done


def escaped(lines: list[str]) -> list[str]:
    """Lines with code marked as code and everything else as itself, but for examples, blocks, and first lines of parameters."""
    literal, done = False, []
    for line in lines:
        literal = line.endswith("::") or (literal and (not line or line.startswith("    ")))
        done.append(line if literal or ENTRY.fullmatch(line) or EXAMPLE.fullmatch(line) else marked_up(line))
    return done


def marked_up(line: str) -> str:
    """One line of prose; code within a word, as in P@`top`, is set off by an escaped space, which is not shown."""
    pieces = PIECES.split(line)
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            pieces[i] = MARKUP.sub(lambda found: "\\" + found[0], piece)
        else:
            code = piece if piece.startswith("``") else f"`{piece}`"
            before = "\\ " if pieces[i - 1][-1:].strip() else ""
            after = "\\ " if pieces[i + 1][:1].strip() else ""
            pieces[i] = before + code + after
    return "".join(pieces)


def by_class_name(app: Sphinx, env: BuildEnvironment, node: Any, content: nodes.Node) -> nodes.Node | None:
    """Resolve an annotation that names one of our classes without its module, as they do under TYPE_CHECKING."""
    last = node["reftarget"].rpartition(".")[2]
    if node.get("refdomain") != "py" or not CLASS_NAME.fullmatch(last):
        return None
    objects: dict[str, Any] = env.get_domain("py").objects
    found = [name for name in objects if name.rpartition(".")[2] == last]
    if len(found) != 1 or objects[found[0]].objtype not in {"class", "exception"}:
        return None
    entry = objects[found[0]]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, [content], found[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", prepared, priority=100)
    app.connect("missing-reference", by_class_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
