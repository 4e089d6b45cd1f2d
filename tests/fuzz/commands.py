"""The command line with hostile arguments: exit code 0, 1 or 2 and a message, never a traceback. None starts workers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from typer.testing import CliRunner

from slicebench.cli import app
from slicebench.errors import SlicebenchError
from tests.fuzz.files import broken, valid
from tests.fuzz.harness import Bug, Entry
from tests.fuzz.values import NAMES

if TYPE_CHECKING:
    from pathlib import Path

WORDS = st.one_of(
    st.sampled_from([n for n in NAMES if n and len(n) < 1000 and n[:4] not in ("http", "s3:/")]),
    st.text(min_size=1, max_size=8),
)
"""Arguments; a system hands no null character on, but a caller in Python may."""
VALUES = st.one_of(WORDS, st.integers().map(str), st.floats().map(str))


def option(name: str, values: st.SearchStrategy[str] = VALUES) -> st.SearchStrategy[list[str]]:
    return st.one_of(st.just([]), values.map(lambda value: [name, value]))


def line(*parts: Any) -> st.SearchStrategy[list[str]]:
    """A command line: words as they are, and options that may be there."""
    made = [st.just([p]) if isinstance(p, str) else p.map(lambda v: v if isinstance(v, list) else [v]) for p in parts]
    return st.tuples(*made).map(lambda found: [word for words in found for word in words])


LINES = {
    "run --dry-run": line(
        "run",
        "--dry-run",
        option("--suite"),
        option("--method"),
        option("--problem"),
        option("--seed"),
        option("--set"),
        option("--jobs"),
        option("--timeout"),
    ),
    "show": line("show", WORDS, option("--metric")),
    "report": line("report", WORDS),
    "list": line("list", WORDS),
    "captions": line("captions", "--problem", WORDS, option("--suite"), option("--seed")),
    "check-method": line("check-method", WORDS.filter(lambda w: ":" not in w)),
    "data check": line("data", "check", VALUES, option("--root")),
    "sweep": line("sweep", "--dataset", VALUES, "--param", VALUES, "--dry-run"),
    "select": line("select", "--pool", WORDS, option("--k"), option("--method"), option("--label")),
    "any words": st.lists(
        st.one_of(
            WORDS,
            st.sampled_from(
                ["run", "show", "data", "check", "--help", "--version", "list", "leaderboard", "build", "freeze"]
            ),
        ),
        max_size=4,
    ),
}
STARTS = {"check", "controls", "intervene", "run", "freeze", "sparse", "sweep"}
"""Commands that may work for minutes if all their arguments are valid."""


class Usage(SlicebenchError):
    """Typer's own refusal: exit code 2 and a message."""


def invoke(words: list[str]) -> None:
    """Exit code 0, 1 or 2 or a typed error, as `slicebench.cli.main` shows it."""
    result = CliRunner().invoke(app, words)
    error = result.exception
    if isinstance(error, SlicebenchError):
        raise error
    if error is not None and not isinstance(error, SystemExit):
        raise Bug(f"{type(error).__name__}: {str(error)[:200]}") from error
    if result.exit_code not in (0, 1, 2):
        raise Bug(f"exit code {result.exit_code}")
    if result.exit_code == 2:
        raise Usage(result.output or "no message")


def try_line(words: list[str], _: Path) -> None:
    bare = words[:1] and words[0] in STARTS and not {"--dry-run", "--help"} & set(words)
    invoke([*words, "--help"] if bare else words)


def try_folder(command: str) -> Any:
    def call(change: tuple[str, Any], folder: Path) -> None:
        name, file = change
        shutil.copytree(valid("run"), folder / "x")
        file.put(folder / "x" / name)
        invoke([command, str(folder / "x"), *(["--html", str(folder / "page.html")] if command == "report" else [])])

    return call


ENTRIES = [
    *(Entry(f"slicebench {name}", words, try_line, 0.4) for name, words in LINES.items()),
    Entry("slicebench show, broken run", st.deferred(lambda: broken("run", "**/*")), try_folder("show"), 0.3),
    Entry("slicebench report, broken run", st.deferred(lambda: broken("run", "**/*")), try_folder("report"), 0.1),
]
