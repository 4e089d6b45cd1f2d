"""Help texts in sections: commands and options are grouped under headings, and no summary is cut.

Typer groups help into panels only with rich's markup. That is off here, so that help is plain text
and can be piped.
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
    "Compare methods": ("run", "show", "report", "list", "leaderboard", "check", "verify"),
    "Add a method, a dataset or results of your own": ("new", "check-method", "data", "freeze", "evaluate"),
    "Study methods and models": ("controls", "discover-bench", "sweep", "captions", "sparse", "intervene"),
}
"""Names of the top-level commands by section, in the order of the help."""

OPTIONS = {
    "Input": (
        *("suite", "problem", "problems", "dataset", "method", "seed", "setting", "settings", "param", "control"),
        *("intervention", "encoder", "decoder", "captions", "pool", "data", "scores", "root", "leaderboard"),
        *(
            "controls",
            "timings",
            "against",
            "seeds",
            "fresh_seeds",
            "embeddings",
            "pool_embeddings",
            "image_root",
            "class_name",
        ),
        *("other_seed", "other_arch", "k", "set_name", "finder", "kind", "quick", "slow"),
    ),
    "Columns of the table": (
        *("label", "prediction", "probs", "score", "positive", "threshold", "loss", "correct", "id_column", "group"),
        *("embedding", "features", "image", "text", "metadata", "split", "declined", "ignore", "keep"),
        *("task", "error", "one_label", "measure"),
    ),
    "Layer": ("drop", "per_class", "grouped", "ablate", "words"),
    "Statistics": ("replicates", "permutations", "metric", "retrain"),
    "Output": (
        "out",
        "html",
        "picture",
        "folder",
        "examples",
        "as_json",
        "dry_run",
        "verbose",
        "check",
        "force",
        "fail_on",
    ),
    "Baseline": ("update", "reason"),
    "Limits": ("jobs", "threads", "timeout", "memory_gb", "scheduler", "wait", "device"),
}
"""Names of the commands' parameters by section, in the order of the help."""

FEW = 6
"""Number of options up to which a command has no sections."""

METAVARS = {"int": "N", "float": "N", "str": "NAME", "Path": "FILE", "path": "FILE"}
METAVARS |= {"integer": "N", "integer range": "N", "float range": "N", "text": "NAME"}
"""Metavars by type, for options that do not name one."""


class Command(TyperCommand):
    """A command whose help lists its options by section, with the usual metavars."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for param in self.params:
            if param.param_type_name == "option" and param.metavar is None and not getattr(param, "is_flag", False):
                param.metavar = METAVARS.get(type_name(param))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line: TABLE for a required argument, [RUN] for an optional one."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece[1:-1] if piece.startswith("{") and piece.endswith("}") else piece for piece in pieces]

    def sections(self, ctx: Any) -> dict[str, list[tuple[str, str]]]:
        """Return names and help of the arguments, then of the options by section."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        params = self.get_params(ctx)
        many = sum(param.param_type_name == "option" for param in params) > FEW
        for param in params:
            record = param.get_help_record(ctx)
            if record is not None:
                names, text = record
                found[section_of(param, many=many)].append((names.partition(" <")[0], text))
        return {title: found[title] for title in ("Arguments", *OPTIONS, "Options") if title in found}

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options by section."""
        for title, records in self.sections(ctx).items():
            with formatter.section(title):
                formatter.write_dl(records)


class Group(TyperGroup):
    """A group of commands, listed by section; without a command it prints its help to stdout."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Print the help and exit with code 0 if there are no arguments, else parse them."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a row per command, with its name and its whole summary."""
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
    """Return the name of a parameter's type, or of the type of its values if it is repeatable."""
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
"""Width of output that is not printed to a terminal, unless the environment sets COLUMNS."""


def width() -> int:
    """Return the width that a line of results may have."""
    fallback = (PIPED_WIDTH if not sys.stdout.isatty() else 80, 24)
    return shutil.get_terminal_size(fallback).columns


def group(**options: Any) -> typer.Typer:
    """Return a Typer whose help has this layout."""
    return typer.Typer(cls=Group, rich_markup_mode=None, context_settings=SETTINGS, **options)


def add(app: typer.Typer, commands: Iterable[tuple[str, Callable[..., None]]]) -> None:
    """Register functions as commands with this layout."""
    for name, function in commands:
        app.command(name, cls=Command)(function)
