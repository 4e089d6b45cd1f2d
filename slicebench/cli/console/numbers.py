"""Console for tables, and formats of estimates and intervals, with the marks of rich's markup escaped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console

from slicebench.cli.layout import width
from slicebench.results import numbers
from slicebench.results.numbers import as_share, bare, estimated, interval, short, signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from slicebench.metrics.estimate import Estimate


def results_console() -> Console:
    """Return a console on stdout, without colour when piped, as wide as `layout.width` returns."""
    piped = not sys.stdout.isatty()
    return Console(file=sys.stdout, width=width() if piped else None, no_color=piped or None, highlight=False)


def escaped(text: str) -> str:
    """Escape brackets, which rich would read as markup."""
    return text.replace("[", "\\[")


def cell(score: Estimate | None) -> str:
    """Return a mean above its interval, marked if it is behind the best."""
    return escaped(estimated(score, ends=short, gap="\n"))


def share_cell(score: Estimate | None) -> str:
    """Return a share above its interval, both clipped to [0, 1]."""
    return cell(None if score is None else as_share(score))


def change(difference: Estimate | None, gap: str = "\n") -> str:
    """Return a difference and its interval, with `gap` between them."""
    return escaped(estimated(difference, signed, gap=gap))


def between(low: float, high: float, show: Callable[[float], str] = short) -> str:
    """Return an interval as text."""
    return escaped(interval(low, high, show))


def p_value(value: float) -> str:
    """Write a p value as `slicebench.results.numbers.p_value` does, without the leading zero.

    >>> p_value(0.25), p_value(2e-5), p_value(6e-77)
    ('.250', '2e-5', '< 1e-6')
    """
    return bare(numbers.p_value(value))
