"""Where tables go, and how numbers and intervals stand in them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from slicebench.metrics.estimate import Estimate


PIPED_WIDTH = 170
"""Columns of a table that does not go to a terminal."""


def results_console() -> Console:
    """Console on stdout: no colour and a fixed width when piped."""
    piped = not sys.stdout.isatty()
    return Console(file=sys.stdout, width=PIPED_WIDTH if piped else None, no_color=piped or None, highlight=False)


def cell(score: Estimate | None) -> str:
    """A mean, marked if it is tied with the best, above its interval."""
    if score is None:
        return "–"
    mean = f"{score.mean:.2f}{'=' if score.tied else ''}".replace("-0.00", "0.00")
    return mean if score.low is None or score.high is None else f"{mean}\n{interval(score.low, score.high)}"


def interval(low: float, high: float) -> str:
    """Both ends, the bracket escaped from rich's markup."""
    return f"\\[{short(low)}, {short(high)}]"


def short(value: float) -> str:
    """Two decimals without the leading zero.

    >>> short(0.52), short(-0.04), short(1.0), short(-0.001)
    ('.52', '-.04', '1.00', '.00')
    """
    text = f"{value:.2f}"
    return (".00" if text == "-0.00" else text).replace("0.", ".", 1) if abs(value) < 0.995 else text


def optional(value: float | None) -> str:
    """Short, or a dash."""
    return "–" if value is None else short(value)


def signed(estimate: Estimate | None) -> str:
    """A difference and its interval on one line; a dash without an interval."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return "–"
    return f"{estimate.mean:+.3f} \\[{estimate.low:+.3f}, {estimate.high:+.3f}]"


def p_value(value: float) -> str:
    """Probability: three decimals, or an exponent below .001."""
    return f"{value:.0e}".replace("e-0", "e-") if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)
