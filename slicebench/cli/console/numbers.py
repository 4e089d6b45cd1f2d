"""Where tables go, and how estimates and intervals stand in them: as `slicebench.results.numbers` writes them, for rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console

from slicebench.cli.layout import width
from slicebench.results.numbers import as_share, bare, estimated, interval, probability, short, signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from slicebench.metrics.estimate import Estimate


def results_console() -> Console:
    """Console on stdout: without colour when piped, as wide as `slicebench.cli.layout.width` says."""
    piped = not sys.stdout.isatty()
    return Console(file=sys.stdout, width=width() if piped else None, no_color=piped or None, highlight=False)


def escaped(text: str) -> str:
    """Keep rich from reading the bracket of an interval as markup."""
    return text.replace("[", "\\[")


def cell(score: Estimate | None) -> str:
    """Write a mean, marked if it is tied with the best, above its interval."""
    return escaped(estimated(score, ends=short, gap="\n"))


def share_cell(score: Estimate | None) -> str:
    """Write a share above its interval, both cut to [0, 1]."""
    return cell(None if score is None else as_share(score))


def change(difference: Estimate | None, gap: str = "\n") -> str:
    """Write a difference above its interval, or with `gap` between them."""
    return escaped(estimated(difference, signed, gap=gap))


def between(low: float, high: float, show: Callable[[float], str] = short) -> str:
    """Write an interval."""
    return escaped(interval(low, high, show))


SMALLEST_P = 1e-6
"""Probabilities below it are written as such: what an approximation says of the tail means nothing there."""


def p_value(value: float) -> str:
    """Write a probability without the leading zero.

    >>> p_value(0.25), p_value(2e-5), p_value(6e-77)
    ('.250', '2e-5', '< 1e-6')
    """
    return f"< {probability(SMALLEST_P)}" if value < SMALLEST_P else bare(probability(value))
