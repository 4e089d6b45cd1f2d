"""Texts by others in Markdown."""

from __future__ import annotations

_MEANT = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": " ", "\r": " "}
    | {character: f"\\{character}" for character in "\\|[]*`"}
)


def plain(text: object) -> str:
    r"""Return a text by others so that Markdown shows it as it is: no cells, HTML, links or emphasis of its own.

    >>> plain("a|b <script> [x](http://y)")
    'a\\|b &lt;script&gt; \\[x\\](http&#58;//y)'
    """
    return str(text).translate(_MEANT).replace("://", "&#58;//").replace("www.", "www&#46;")


def code(text: object) -> str:
    """Return a text by others as code in a line."""
    return f"`{' '.join(str(text).replace('`', chr(39)).split())}`"


def in_cell(written: str) -> str:
    """Return code in a form that does not end the cell of a table."""
    return written.replace("|", "\\|")
