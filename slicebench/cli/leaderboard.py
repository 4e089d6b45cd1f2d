"""`slicebench leaderboard build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def build_command(
    root: Annotated[Path, typer.Argument(help="Folder of the leaderboard.", metavar="DIR")] = Path("leaderboard"),
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit with 1 if what is there differs from what would be built."),
    ] = False,
) -> None:
    """Generate README.md and index.html from the committed records.

    \b
    slicebench leaderboard build
    slicebench leaderboard build --check          in CI
    """
    from slicebench.cache import write_text
    from slicebench.leaderboard.build import build, differing

    built = build(root)
    changed = differing(root, built)
    if check:
        for name in changed:
            typer.echo(f"{root / name} is not what `slicebench leaderboard build` makes of the records", err=True)
        raise typer.Exit(1 if changed else 0)
    for name, text in built.items():
        write_text(root / name, text)
        typer.echo(f"{root / name}: {len(text.encode()):,} bytes{'' if name in changed else ', unchanged'}", err=True)
