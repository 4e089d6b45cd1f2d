"""Numbers as the page prints them, and where they stand on an axis.

Figures drawn by the templates put marks at percentages of their width: they fit every screen without JavaScript, and their text
keeps its size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slicebench.metrics.estimate import Estimate


MINUS = "−"
NONE = "–"
HEAT_STEPS = 9
DIGITS = 6
"""To which the page's script gets its numbers; what Python prints is made from the same, so that both print alike."""


def rounded(value: float | None, digits: int = DIGITS) -> float | None:
    """Value as it goes into JSON, which knows no NaN."""
    return None if value is None or not math.isfinite(value) else round(value, digits)


def number(value: float | None, digits: int = 2) -> str:
    """Value with `digits` decimals, a dash where there is none; no negative zero, halves away from zero as in JavaScript.

    >>> number(-0.001), number(-0.5), number(0.125), number(None)
    ('0.00', '−0.50', '0.13', '–')
    """
    value = rounded(value)
    if value is None:
        return NONE
    text = str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    return text.replace("-", "" if float(text) == 0 else MINUS)


def between(estimate: Estimate | None, digits: int = 2) -> str:
    """Interval in brackets, or nothing."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"[{number(estimate.low, digits)}, {number(estimate.high, digits)}]"


def amount(value: float | None) -> str:
    """Seconds or megabytes with two significant digits, whole from 10.

    >>> amount(0.0123), amount(3.14), amount(12345.6), amount(1e-5)
    ('0.012', '3.1', '12,346', '<0.001')
    """
    if value is None or not math.isfinite(value):
        return NONE
    if 0 < value < 0.001:
        return "<0.001"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def share(value: float | None) -> str:
    """Whole per cent."""
    return NONE if value is None or not math.isfinite(value) else f"{100 * value:.0f} %"


def exact(value: float | None) -> str:
    """Value by which the script sorts; empty where there is none."""
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"


def heat(value: float) -> int:
    """Step of the colour scale from 0 to 1, `HEAT_STEPS` of them; values outside take the ends."""
    return min(HEAT_STEPS - 1, max(0, math.floor(round(value, DIGITS) * HEAT_STEPS)))


@dataclass(frozen=True)
class Axis:
    """A linear axis from `low` to `high`."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None], *, low: float = 0.0, high: float = 1.0) -> Axis:
        """Axis over `low`, `high` and all `values`, its ends whole tenths."""
        finite = [v for v in (low, high, *values) if v is not None and math.isfinite(v)]
        return cls(math.floor(round(10 * min(finite), 6)) / 10, math.ceil(round(10 * max(finite), 6)) / 10)

    def __call__(self, value: float) -> str:
        """Position of `value` as an SVG length."""
        return f"{100 * (value - self.low) / (self.high - self.low):.2f}%"


def estimate_axis(estimates: Iterable[Estimate], *, low: float = 0.0, high: float = 1.0) -> Axis:
    """Axis that holds `estimates` with their intervals."""
    return Axis.over((v for e in estimates for v in (e.mean, e.low, e.high)), low=low, high=high)
