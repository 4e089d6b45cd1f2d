"""The command line. Results go to stdout, progress and errors to stderr.

Exit codes: 0 fine, 1 a cell or check failed, 2 usage, 130 interrupted, 143 ended by SIGTERM. There is one module per
command. Heavy imports are inside the functions, so that `slicebench list` and `--help` answer at
once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from slicebench.cli.commands.data import card_command, check_data_command, export_command, freeze_command
from slicebench.cli.commands.discover import discover_command
from slicebench.cli.commands.discover_bench import discover_bench_command
from slicebench.cli.commands.evaluate import evaluate_command
from slicebench.cli.commands.leaderboard import build_command, check_command
from slicebench.cli.commands.listing import list_command, show_command
from slicebench.cli.commands.plugins import check_method_command, new_dataset_command, new_method_command
from slicebench.cli.commands.run import report_command, run_command
from slicebench.cli.commands.select import select_command
from slicebench.cli.commands.studies.captions import captions_command
from slicebench.cli.commands.studies.controls import controls_command
from slicebench.cli.commands.studies.intervene import intervene_command
from slicebench.cli.commands.studies.sparse import sparse_command
from slicebench.cli.commands.studies.sweep import sweep_command
from slicebench.cli.commands.verify import verify_command
from slicebench.cli.layout import SETTINGS as SETTINGS
from slicebench.cli.layout import add, group
from slicebench.cli.process import prepare_streams, terminable
from slicebench.errors import SlicebenchError, message_of
from slicebench.files.log import speak
from slicebench.version import __version__

app = group(pretty_exceptions_enable=False)
data, leaderboard, new = group(), group(), group()

add(
    app,
    (
        ("discover", discover_command),
        ("select", select_command),
        ("run", run_command),
        ("show", show_command),
        ("report", report_command),
        ("list", list_command),
        ("check", check_command),
        ("verify", verify_command),
        ("check-method", check_method_command),
        ("evaluate", evaluate_command),
        ("freeze", freeze_command),
        ("controls", controls_command),
        ("discover-bench", discover_bench_command),
        ("sweep", sweep_command),
        ("captions", captions_command),
        ("sparse", sparse_command),
        ("intervene", intervene_command),
    ),
)
add(data, (("card", card_command), ("check", check_data_command), ("export", export_command)))
add(leaderboard, (("build", build_command),))
add(new, (("method", new_method_command), ("dataset", new_dataset_command)))
app.add_typer(data, name="data")
app.add_typer(leaderboard, name="leaderboard")
app.add_typer(new, name="new")


@data.callback()
def _data() -> None:
    """Check a dataset's files, or export a problem for other tools.

    \b
    slicebench data check celeba --root ~/data/celeba
    """


@leaderboard.callback()
def _leaderboard() -> None:
    """Build the leaderboard's table and web page from its records.

    \b
    slicebench leaderboard build
    """


@new.callback()
def _new() -> None:
    """Create a package for your own method or dataset.

    \b
    slicebench new method my_method
    """


def main() -> None:
    """Run the command line; an error that the user can fix is one message on stderr and exit code 2."""
    prepare_streams()
    speak()
    try:
        with terminable():
            try:
                app()
            finally:
                sys.stdout.flush()
    except (SlicebenchError, OSError) as error:
        typer.echo(f"slicebench: {message_of(error)}", err=True)
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
    """Find the slices on which a model fails, and compare slice-discovery methods.

    \b
    slicebench discover predictions.parquet --html report.html
    slicebench run                     the quick suite
    slicebench run --method domino     one method on the quick suite
    slicebench list methods            every method, with a description
    slicebench COMMAND --help          a command's options, with examples

    The quick suite takes half a minute to two minutes on two cores.
    """
