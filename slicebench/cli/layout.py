"""Help as sections: commands and options stand in named groups, and no summary is cut.

Typer sorts help into panels only with rich's markup, which is off here: help is plain text that a pipe can take.
"""

from __future__ import annotations

import shutil
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any, get_args

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}

COMMANDS = {
    "Find slices in your own predictions": ("discover", "select"),
    "Compare methods": ("run", "show", "report", "list", "leaderboard", "check"),
    "Add a method, a dataset or results of your own": ("new", "check-method", "data", "freeze", "evaluate"),
    "Study methods and models": ("controls", "sweep", "captions", "sparse", "intervene"),
}
"""Names of the top-level commands by section, in the order of the help."""

OPTIONS = {
    "Input": (
        *("suite", "problem", "problems", "dataset", "method", "seed", "setting", "settings", "param", "control"),
        *("intervention", "encoder", "decoder", "captions", "pool", "data", "scores", "root", "leaderboard"),
        *("controls", "timings", "embeddings", "pool_embeddings", "image_root", "class_name"),
        *("other_seed", "other_arch", "k"),
    ),
    "Columns of the table": (
        *("label", "prediction", "probs", "loss", "correct", "id_column", "embedding", "features", "image", "text"),
        *("metadata", "split"),
    ),
    "Layer": ("drop", "per_class", "grouped", "ablate", "words"),
    "Statistics": ("replicates", "permutations", "metric", "retrain"),
    "Output": ("out", "html", "picture", "folder", "examples", "as_json", "dry_run", "verbose", "check", "force"),
    "Baseline": ("update", "reason"),
    "Limits": ("jobs", "threads", "timeout", "memory_gb", "scheduler", "wait", "device"),
}
"""Parameters of the commands by section of the help; a command shows the sections that it has options of."""

FEW = 6
"""Options up to which a command needs no sections."""

METAVARS = {"int": "N", "float": "N", "str": "NAME", "Path": "FILE", "path": "FILE"}
METAVARS |= {"integer": "N", "integer range": "N", "float range": "N", "text": "NAME"}
"""What a value is called in the help by its type, where the option itself names nothing better."""


class Command(TyperCommand):
    """A command whose many options are listed by section, with the metavars that other tools use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for param in self.params:
            if param.param_type_name == "option" and param.metavar is None and not getattr(param, "is_flag", False):
                param.metavar = METAVARS.get(type_name(param))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options by section."""
        sections: dict[str, list[tuple[str, str]]] = defaultdict(list)
        params = self.get_params(ctx)
        many = sum(param.param_type_name == "option" for param in params) > FEW
        for param in params:
            record = param.get_help_record(ctx)
            if record is not None:
                names, text = record
                sections[section_of(param, many=many)].append((names.partition(" <")[0], text))
        for title in ("Arguments", *OPTIONS, "Options"):
            if title in sections:
                with formatter.section(title):
                    formatter.write_dl(sections[title])


class Group(TyperGroup):
    """Commands that are listed by section. Called without one it prints its help, to stdout and with exit code 0."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Print the help where nothing was typed, else parse."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a row per command: its name and its whole summary."""
        named = {name: command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))}
        for title, names in COMMANDS.items() if ctx.parent is None else [("Commands", tuple(named))]:
            with formatter.section(title):
                formatter.write_dl([(name, summary(named[name])) for name in names])


def section_of(param: Any, *, many: bool) -> str:
    """Return the title of the section in which a parameter is listed."""
    if param.param_type_name == "argument":
        return "Arguments"
    return next((title for title, names in OPTIONS.items() if many and param.name in names), "Options")


def type_name(param: Any) -> str:
    """Return the name of the type of a parameter, or of each of its values if it is repeatable."""
    described = getattr(param, "type_descriptor", None)  # typer before 0.20 has click's types instead
    if described is None:
        return str(getattr(param.type, "name", ""))
    if described.is_choice:
        return ""
    inner = get_args(described.annotation) or (described.annotation,)
    return str(getattr(inner[0], "__name__", ""))


def summary(command: Any) -> str:
    """Return the first paragraph of a command's help, on one line."""
    return " ".join((command.help or "").split("\n\n")[0].split())


PIPED_WIDTH = 170
"""Columns of output that goes to no terminal, where the environment does not say COLUMNS."""


def width() -> int:
    """Return the columns that a line of results may take."""
    fallback = (PIPED_WIDTH if not sys.stdout.isatty() else 80, 24)
    return shutil.get_terminal_size(fallback).columns


def group(**options: Any) -> typer.Typer:
    """Make a Typer whose help has this layout."""
    return typer.Typer(cls=Group, rich_markup_mode=None, context_settings=SETTINGS, **options)


def add(app: typer.Typer, commands: Iterable[tuple[str, Callable[..., None]]]) -> None:
    """Register functions as commands with this layout."""
    for name, function in commands:
        app.command(name, cls=Command)(function)
