"""Format numbers as text, and place them on an axis, for the terminal, Markdown and pages.

The terminal and Markdown round as Python does and write a hyphen (`fixed`, `short`, `signed`). The
page rounds as its script does and writes a minus sign (`number`). Figures in the templates place
marks at percentages of their width: they fit every screen without JavaScript, and their text keeps
its size.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from slicebench.metrics.estimate import Estimate


MINUS = "−"
NONE = "–"
BEHIND = "↓"
"""Mark of a mean that a test separates from the best of its column."""
HEAT_STEPS = 9
DIGITS = 6
"""Digits of the numbers in the page's data; Python prints the same rounded numbers, so that both agree."""


def fixed(value: float) -> str:
    """Write two decimals; no negative zero.

    >>> fixed(0.52), fixed(-0.001)
    ('0.52', '0.00')
    """
    return f"{value:.2f}".replace("-0.00", "0.00")


def bare(text: str) -> str:
    """Drop the zero before the decimal point.

    >>> bare("0.52"), bare("-0.04"), bare("10.5")
    ('.52', '-.04', '10.5')
    """
    return re.sub(r"^([+-]?)0\.", r"\1.", text)


def short(value: float) -> str:
    """Write two decimals without the leading zero.

    >>> short(0.52), short(-0.04), short(1.0), short(-0.001)
    ('.52', '-.04', '1.00', '.00')
    """
    return bare(fixed(value)) if abs(value) < 0.995 else fixed(value)


def optional(value: float | None, show: Callable[[float], str] = short) -> str:
    """Write `value`, or a dash if it is None."""
    return NONE if value is None else show(value)


def part_of(count: int, total: int) -> str:
    """Write a part of a whole, or a dash if the whole is 0.

    >>> part_of(2, 5), part_of(0, 0)
    ('2 of 5', '–')
    """
    return f"{count} of {total}" if total else NONE


def signed(value: float) -> str:
    """Write three decimals and the sign, also for positive values."""
    return f"{value:+.3f}"


def probability(p: float) -> str:
    """Write three decimals, or an exponent below .001.

    >>> probability(0.25), probability(0.00012)
    ('0.250', '1e-4')
    """
    return f"{p:.0e}".replace("e-0", "e-") if p < 0.001 else f"{p:.3f}"


SMALLEST_P = 1e-6
"""Smaller p values are not written out: the approximations behind them are not accurate so far in the tail."""


def p_value(p: float) -> str:
    """Write a p value as `probability` does, or its bound below `SMALLEST_P`.

    >>> p_value(0.25), p_value(2e-5), p_value(6e-77)
    ('0.250', '2e-5', '< 1e-6')
    """
    return f"< {probability(SMALLEST_P)}" if p < SMALLEST_P else probability(p)


def rate(value: float, *, percent: bool) -> str:
    """Write an error rate in per cent, a mean loss with three significant digits."""
    return f"{value:.1%}" if percent else f"{value:.3g}"


def interval(low: float, high: float, show: Callable[[float], str] = short) -> str:
    """Write both ends in brackets."""
    return f"[{show(low)}, {show(high)}]"


def opposite(one: Estimate) -> Estimate:
    """Return the estimate of b - a from that of a - b."""
    low, high = (None if end is None else -end for end in (one.high, one.low))
    return one.model_copy(update={"mean": -one.mean, "low": low, "high": high})


def as_share(one: Estimate) -> Estimate:
    """Return the estimate of a share clipped to [0, 1], since approximate intervals may exceed it."""
    given = {key: value for key in ("mean", "low", "high") if (value := getattr(one, key)) is not None}
    return one.model_copy(update={key: min(1.0, max(0.0, value)) for key, value in given.items()})


def estimated(
    one: Estimate | None,
    mean: Callable[[float], str] = fixed,
    ends: Callable[[float], str] | None = None,
    *,
    gap: str = " ",
) -> str:
    """Write a mean, marked if it is behind the best, then `gap` and its interval; a dash for None.

    `ends` formats the ends of the interval, by default like `mean`.
    """
    if one is None:
        return NONE
    text = f"{mean(one.mean)}{BEHIND if one.behind else ''}"
    return text if one.low is None or one.high is None else f"{text}{gap}{interval(one.low, one.high, ends or mean)}"


def rounded(value: float | None, digits: int = DIGITS) -> float | None:
    """Return a rounded value for JSON: None for NaN, which JSON does not have, and for infinity."""
    return None if value is None or not math.isfinite(value) else round(value, digits)


def number(value: float | None, digits: int = 2) -> str:
    """Format a value with `digits` decimals, or a dash if there is no value.

    There is no negative zero. Halves are rounded away from zero as in JavaScript.

    >>> number(-0.001), number(-0.5), number(0.125), number(None)
    ('0.00', '−0.50', '0.13', '–')
    """
    value = rounded(value)
    if value is None:
        return NONE
    text = str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    return text.replace("-", "" if float(text) == 0 else MINUS)


def between(estimate: Estimate | None, digits: int = 2) -> str:
    """Format an interval in brackets; the text is empty if there is no interval."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return interval(estimate.low, estimate.high, partial(number, digits=digits))


def amount(value: float | None) -> str:
    """Format seconds or megabytes with two significant digits, or as a whole number from 10.

    >>> amount(0.0123), amount(3.14), amount(12345.6), amount(1e-5)
    ('0.012', '3.1', '12,346', '<0.001')
    """
    if value is None or not math.isfinite(value):
        return NONE
    if 0 < value < 0.001:
        return "<0.001"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def share(value: float | None) -> str:
    """Format a share in whole per cent."""
    return NONE if value is None or not math.isfinite(value) else f"{100 * value:.0f} %"


def exact(value: float | None) -> str:
    """Return the value by which the script sorts; the text is empty if there is none."""
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"


def heat(value: float) -> int:
    """Return the step of the colour scale from 0 to 1, one of `HEAT_STEPS`.

    Values outside the scale get its ends.
    """
    return min(HEAT_STEPS - 1, max(0, math.floor(round(value, DIGITS) * HEAT_STEPS)))


@dataclass(frozen=True)
class Axis:
    """A linear axis from `low` to `high`."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None], *, low: float = 0.0, high: float = 1.0) -> Axis:
        """Return an axis over `low`, `high` and all `values`, with ends at whole tenths."""
        finite = [v for v in (low, high, *values) if v is not None and math.isfinite(v)]
        return cls(math.floor(round(10 * min(finite), 6)) / 10, math.ceil(round(10 * max(finite), 6)) / 10)

    def __call__(self, value: float) -> str:
        """Return the position of `value` as an SVG length."""
        return f"{100 * (value - self.low) / (self.high - self.low):.2f}%"


def estimate_axis(estimates: Iterable[Estimate], *, low: float = 0.0, high: float = 1.0) -> Axis:
    """Return an axis that includes `estimates` with their intervals."""
    return Axis.over((v for e in estimates for v in (e.mean, e.low, e.high)), low=low, high=high)
