"""Write a page for every command, from the help that the command prints; git ignores docs/reference/commands/."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from slicebench.cli import SETTINGS
from slicebench.cli import app as slicebench_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

FOLDER = Path(__file__).resolve().parents[1] / "reference" / "commands"
UNWRAPPED = "\b"
"""Click's mark of a paragraph to leave as it is: in our help texts, examples."""


@dataclass(frozen=True)
class Command:
    """A command and the words that call it."""

    words: tuple[str, ...]
    command: Any

    @property
    def name(self) -> str:
        return " ".join(("slicebench", *self.words))

    @property
    def summary(self) -> str:
        return paragraphs(self.command.help)[0]


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[Command]:
    for name, command in group.commands.items():
        if getattr(command, "commands", None):
            yield from commands(command, (*words, name))
        else:
            yield Command((*words, name), command)


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a help text; examples keep their lines and begin with the mark."""
    blocks = [block.strip("\n") for block in text.split("\n\n")]
    return [block if block.startswith(UNWRAPPED) else " ".join(block.split()) for block in blocks if block]


def described(text: str) -> str:
    return "\n\n".join(
        f"```text\n{block.removeprefix(UNWRAPPED).strip()}\n```" if block.startswith(UNWRAPPED) else plain(block)
        for block in paragraphs(text)
    )


def plain(text: str) -> str:
    """Return text as Markdown: text in backquotes is code, and all other marks are escaped."""
    pieces = re.split(r"(`[^`]+`)", text)
    pieces[::2] = [re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


def usage(found: Command) -> str:
    """Return the usage line, then arguments and options in the sections of the command's `--help`."""
    context = found.command.make_context(found.name, [], resilient_parsing=True, **SETTINGS)
    line = " ".join([found.name, *found.command.collect_usage_pieces(context)])
    parts = [f"```text\n{line}\n```"]
    for title, records in found.command.sections(context).items():
        rows = [f"`{names}`\n: {plain(' '.join(help_text.split())) or '–'}" for names, help_text in records]
        parts += [f"### {title}", *rows]
    return "\n\n".join(parts) + "\n"


def page(found: Command) -> str:
    return f"# {found.name}\n\n{described(found.command.help)}\n\n## Usage\n\n{usage(found)}"


def write(_: Sphinx) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    rows = ["| command | what it does |", "| --- | --- |"]
    for found in commands(typer.main.get_command(slicebench_app)):
        file = "-".join(found.words) + ".md"
        (FOLDER / file).write_text(page(found))
        rows.append(f"| [{found.name}](commands/{file}) | {plain(found.summary)} |")
    (FOLDER / "table.txt").write_text("\n".join(rows) + "\n")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
