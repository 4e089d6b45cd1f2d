"""A mean with its interval, as every table shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, model_validator

from slicebench.metrics.statistics import interval_over_seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slicebench.metrics.statistics import Interval


class Plain(BaseModel):
    """Base class of values that are displayed: frozen, without extra fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(Plain):
    """A mean with its 95 % interval; `low` and `high` are None if there is no interval.

    `behind` is True if a test separates it from the best value of its column. False says nothing: the two may be equal, or the
    data too few.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    behind: bool = False

    @model_validator(mode="before")
    @classmethod
    def _without_ties(cls, given: Any) -> Any:
        """Leave out `tied` of earlier files, which was True if no test separated the value from the best."""
        return {key: value for key, value in given.items() if key != "tied"} if isinstance(given, dict) else given


def namf_estimate(interval: Interval, *, behind: bool = False) -> Estimate:
    """Return the estimate of an interval of nAMF, which is clipped at 1."""
    low, high = (None if end is None else min(end, 1.0) for end in (interval.low, interval.high))
    return Estimate(mean=interval.mean, low=low, high=high, behind=behind)


def estimate_of(interval: Interval) -> Estimate:
    """Return the estimate of an interval without limits, e.g. of a difference."""
    return Estimate(mean=interval.mean, low=interval.low, high=interval.high)


def estimate_over_seeds(parts: Sequence[Sequence[float]]) -> Estimate:
    """Average several quantities, each given at its seeds, with the interval over seeds.

    The interval is clipped at 1, which no metric exceeds.
    """
    mean, low, high = interval_over_seeds(parts)
    return Estimate(mean=mean, low=low, high=None if high is None else min(high, max(mean, 1.0)))
