"""The command line: parses and prints. Results go to stdout, progress and errors to stderr.

Exit codes: 0 fine, 1 a cell or check failed, 2 usage, 130 interrupted. One module per command; heavy imports stand inside the
functions, so that `slicebench list` and `--help` answer at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from slicebench.cli.commands.captions import captions_command
from slicebench.cli.commands.controls import controls_command
from slicebench.cli.commands.data import check_data_command, export_command, freeze_command
from slicebench.cli.commands.discover import discover_command
from slicebench.cli.commands.evaluate import evaluate_command
from slicebench.cli.commands.intervene import intervene_command
from slicebench.cli.commands.leaderboard import build_command, check_command
from slicebench.cli.commands.listing import list_command, show_command
from slicebench.cli.commands.plugins import check_method_command, new_dataset_command, new_method_command
from slicebench.cli.commands.run import report_command, run_command
from slicebench.cli.commands.select import select_command
from slicebench.cli.commands.sparse import sparse_command
from slicebench.cli.commands.sweep import sweep_command
from slicebench.errors import SlicebenchError
from slicebench.files.log import speak
from slicebench.version import __version__

SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)
data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, context_settings=SETTINGS)
leaderboard = typer.Typer(no_args_is_help=True, rich_markup_mode=None, context_settings=SETTINGS)
new = typer.Typer(no_args_is_help=True, rich_markup_mode=None, context_settings=SETTINGS)

app.command("run")(run_command)
app.command("discover")(discover_command)
app.command("list")(list_command)
app.command("show")(show_command)
app.command("captions")(captions_command)
app.command("check-method")(check_method_command)
app.command("evaluate")(evaluate_command)
app.command("freeze")(freeze_command)
app.command("check")(check_command)
app.command("controls")(controls_command)
app.command("intervene")(intervene_command)
app.command("report")(report_command)
app.command("select")(select_command)
app.command("sparse")(sparse_command)
app.command("sweep")(sweep_command)
app.add_typer(data, name="data", help="Local data: what is there, what is missing, how to get it.")
data.command("check")(check_data_command)
data.command("export")(export_command)
app.add_typer(leaderboard, name="leaderboard", help="The committed leaderboard: table and page from its records.")
leaderboard.command("build")(build_command)
app.add_typer(new, name="new", help="A package for a method or dataset of your own.")
new.command("method")(new_method_command)
new.command("dataset")(new_dataset_command)


@data.callback()
def _data() -> None:
    """Local data: what is there, what is missing, how to get it.

    \b
    slicebench data check celeba --root ~/data/celeba
    """


@leaderboard.callback()
def _leaderboard() -> None:
    """The committed leaderboard: table and page from its records.

    \b
    slicebench leaderboard build
    """


@new.callback()
def _new() -> None:
    """A package for a method or dataset of your own, which works before anything in it is changed.

    \b
    slicebench new method my_method
    """


def main() -> None:
    """Entry point; an error that the user can mend is one message on stderr and exit code 2."""
    speak()
    try:
        app()
    except SlicebenchError as error:
        typer.echo(f"slicebench: {error}", err=True)
        sys.exit(2)


def _version(value: bool) -> None:  # noqa: FBT001 - typer's callback signature
    if value:
        typer.echo(f"slicebench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Which slice-discovery method can be trusted? A benchmark with planted subgroups.

    \b
    slicebench discover predictions.parquet --html report.html      where does your own model fail?
    slicebench run                           the quick suite: about two minutes on two cores
    slicebench run --method domino           one method on it
    slicebench show runs/quick               the table again
    slicebench report runs/quick             the run as one page, with pictures
    slicebench captions --problem scenes-correlation    a close look at a method's captions
    slicebench list                          methods, datasets, encoders, decoders and suites
    slicebench new method my_method          a package for a method of your own, with tests and CI
    slicebench check-method mine:MyMethod    does a new method keep the contract?
    slicebench data check celeba             is a dataset there, and how to get it
    slicebench data export scenes-rare --out scenes     a problem without its truth, for other tools
    slicebench evaluate --problem scenes-rare --scores scores.parquet     ... and what they found, ranked
    slicebench freeze --suite real           built problems to hand on, without raw data
    slicebench sweep --dataset scenes --param ratio=1,2,4,8    does a score follow the plant?
    slicebench controls                      how often a method finds something where there is nothing
    slicebench intervene                     does acting on what a method finds repair the model?
    slicebench sparse --problem scenes-correlation      the few features that a decision layer needs
    slicebench select --pool pool.parquet    which of your own examples to add or relabel next
    slicebench check                         has any method got worse than the leaderboard says?
    slicebench leaderboard build             table and page from the committed records
    """
