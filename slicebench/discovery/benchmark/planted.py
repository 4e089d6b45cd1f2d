"""Planted causes of errors: their data types, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Rng = np.random.Generator


@dataclass(frozen=True)
class Condition:
    """One condition on an attribute: "is" a value, ">=" or "<" a bound, or "is missing"."""

    attribute: str
    operator: str
    value: Any = None

    def holds(self, attributes: pd.DataFrame) -> Mask:
        """Return the rows on which the condition holds, shape (n,)."""
        values = attributes[self.attribute]
        if self.operator == "is missing":
            held = values.isna()
        elif self.operator == "is":
            held = values == self.value
        else:
            held = values >= self.value if self.operator == ">=" else values < self.value
        return np.asarray(held.to_numpy(dtype=bool, na_value=False))

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.attribute} {self.operator}"
        value = f"{self.value:g}" if isinstance(self.value, float) else str(self.value).removesuffix(" 00:00:00")
        return f"{self.attribute} {self.operator} {value}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Cause:
    """A planted cause of errors.

    `rows` (n,) marks its members. `rule` selects them within `class_name` (None for all classes);
    it is None for a fault of a whole class. `attributes` are the names in the rule. `gap` is the
    error rate (or mean error) of its members minus that of the rows outside all causes.
    `alone_in_class` is true if no other cause has members in its classes.
    """

    rows: Mask
    rule: tuple[Condition, ...] | None
    attributes: tuple[str, ...]
    class_name: str | None
    alone_in_class: bool
    gap: float

    def __str__(self) -> str:
        parts = [*([f"class {self.class_name}"] if self.class_name is not None else []), *map(str, self.rule or ())]
        return " and ".join(parts)


@dataclass(frozen=True, eq=False, kw_only=True)
class PlantedTable:
    """A table of predictions whose causes of errors are known.

    `frame` holds what a finder sees, and `roles` the keyword arguments of `discover`. `causes` is
    empty for a null. `visible` are the columns in which the planted attributes can be named; it is
    empty if the attributes are hidden.
    """

    name: str
    kind: str
    frame: pd.DataFrame
    roles: Mapping[str, Any]
    causes: tuple[Cause, ...]
    visible: tuple[str, ...] = ()
    loss: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Loss of each row, shape (n,): 1 for a wrong prediction and 0 for a right one, or the error of a regression."""

    @property
    def classes(self) -> NDArray[np.str_]:
        """The class of each row, shape (n,); "all" if there are no classes."""
        column = self.roles.get("label")
        if column is None or self.roles.get("task") == "regression":
            return np.full(len(self.frame), "all")
        return np.asarray(self.frame[column].to_numpy(dtype=str))


@dataclass(frozen=True, kw_only=True)
class Style:
    """Ranges from which a set draws its tables; each pair holds the least and the largest value."""

    n: tuple[int, int] = (1000, 10000)
    classes: tuple[int, int] = (2, 7)
    attributes: tuple[int, int] = (6, 12)
    causes: tuple[int, int] = (1, 4)
    inside: tuple[float, float] = (0.2, 0.9)
    outside: tuple[float, float] = (0.03, 0.08)
    share: tuple[float, float] = (0.01, 0.2)
    in_class: float = 0.8
    """Probability that a cause is in one class only."""
    correlation: float = 0.3
    """Share of the variance of a number that it has in common with the other numbers."""
    dimensions: tuple[int, int] = (32, 64)
    network: str = "relu"
    """Random network: "relu", or "residual" for tanh with a residual path."""
    even_sizes: bool = False
    """Draw n uniformly, not log-uniformly."""

    def size(self, rng: Rng) -> int:
        """Draw a number of rows."""
        low, high = self.n
        return int(rng.integers(low, high + 1) if self.even_sizes else np.exp(rng.uniform(np.log(low), np.log(high))))


@dataclass(frozen=True, eq=False)
class World:
    """Attributes of n examples, and their classes as text, shape (n,)."""

    attributes: pd.DataFrame
    labels: NDArray[np.str_]


CLASSES = ("ant", "bear", "cat", "dog", "eel", "fox", "goat", "hare")
"""Names of classes."""
LEAST_ROWS = 30
"""Members that a cause has at least."""
LEAST_EXCESS = 10.0
"""Errors that a cause is expected to have beyond those of as many rows outside."""
MOST_OVERLAP = 0.1
"""Largest share of the smaller of two causes that may lie in the other."""
MOST_OF_CLASS = 0.5
"""Largest share of its class that a cause may have, so that it is not a fault of the class."""
EACH_MATTERS = 1.25
"""Dropping a condition multiplies the number of selected rows by at least this."""
FEW_VALUES = 12
"""An attribute of at most this many values is compared with one of them, any other with a bound."""
_TRIES = 3000


def draw_condition(values: pd.Series[Any], anchor: int, rng: Rng) -> Condition:
    """Draw a condition on an attribute that holds for the row `anchor`."""
    name, value = str(values.name), values.iloc[anchor]
    if pd.isna(value):
        return Condition(name, "is missing")
    if values.dtype.kind not in "iufM" or values.nunique() <= FEW_VALUES:
        return Condition(name, "is", value.item() if isinstance(value, np.generic) else value)
    bound = _rounded(values.dropna().quantile(rng.uniform(0.15, 0.85)))
    return Condition(name, ">=" if value >= bound else "<", bound)


def _rounded(bound: Any) -> Any:
    """Return a bound as a person would write it: a day, or a number of three digits."""
    return bound.floor("D") if isinstance(bound, pd.Timestamp) else float(f"{bound:.3g}")


def selected(rule: Sequence[Condition], class_name: str | None, world: World) -> Mask:
    """Return the rows that a rule selects, shape (n,)."""
    mask = np.ones(len(world.labels), bool) if class_name is None else world.labels == class_name
    for condition in rule:
        mask &= condition.holds(world.attributes)
    return mask


@dataclass(frozen=True, eq=False)
class Drawn:
    """A cause before its errors are drawn: its members, its rule and the error rate inside."""

    rows: Mask
    rule: tuple[Condition, ...]
    class_name: str | None
    rate: float


def draw_cause(world: World, style: Style, outside: float, others: Sequence[Drawn], rng: Rng) -> Drawn | None:
    """Draw one cause; None if it does not meet the limits on size, overlap and effect."""
    n = len(world.labels)
    anchor = int(rng.integers(n))
    class_name = str(world.labels[anchor]) if rng.random() < style.in_class else None
    names = rng.choice(world.attributes.columns.to_numpy(), size=int(rng.integers(1, 4)), replace=False)
    rule = tuple(draw_condition(world.attributes[str(name)], anchor, rng) for name in names)
    rate = float(rng.uniform(*style.inside))
    rows = selected(rule, class_name, world)
    count = int(rows.sum())
    if count < max(LEAST_ROWS, style.share[0] * n) or count > style.share[1] * n:
        return None
    if count * (rate - outside) < LEAST_EXCESS or any(_overlap(rows, one.rows) > MOST_OVERLAP for one in others):
        return None
    if class_name is not None and count > MOST_OF_CLASS * (world.labels == class_name).sum():
        return None
    if not _each_matters(rule, class_name, world, count):
        return None
    return Drawn(rows, rule, class_name, rate)


def _each_matters(rule: Sequence[Condition], class_name: str | None, world: World, count: int) -> bool:
    shorter = [selected([*rule[:i], *rule[i + 1 :]], class_name, world).sum() for i in range(len(rule))]
    return all(one >= EACH_MATTERS * count for one in shorter)


def _overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / min(one.sum(), other.sum()))


def draw_causes(world: World, style: Style, outside: float, rng: Rng, count: int | None = None) -> list[Drawn]:
    """Draw causes that meet all limits; `count` of them, or as many as the style says.

    Fewer are returned if the table has no room for more. Raises `ConfigError` if it has room for none.
    """
    count = int(rng.integers(style.causes[0], style.causes[1] + 1)) if count is None else count
    found: list[Drawn] = []
    for _ in range(_TRIES):
        if len(found) == count:
            break
        one = draw_cause(world, style, outside, found, rng)
        if one is not None:
            found.append(one)
    if not found:
        raise ConfigError(f"no cause fits a table of {len(world.labels)} rows within the limits of its style")
    return found


@dataclass(frozen=True, eq=False)
class Planted:
    """Causes with the wrong predictions that they give, shape (n,)."""

    causes: tuple[Cause, ...]
    wrong: Mask


def plant(world: World, style: Style, rng: Rng, count: int | None = None) -> Planted:
    """Draw causes, and draw which predictions are wrong. A row in two causes has the higher rate."""
    outside = float(rng.uniform(*style.outside))
    drawn = draw_causes(world, style, outside, rng, count)
    rates = np.full(len(world.labels), outside)
    for one in drawn:
        rates = np.where(one.rows, np.maximum(rates, one.rate), rates)
    wrong = rng.random(len(rates)) < rates
    return Planted(finished(drawn, world.labels, wrong.astype(float)), wrong)


def finished(drawn: Sequence[Drawn], labels: NDArray[np.str_], loss: NDArray[np.float64]) -> tuple[Cause, ...]:
    """Return the causes with what depends on the others and on the losses."""
    masks = [one.rows for one in drawn]
    base = loss[~np.any(masks, axis=0)].mean()
    return tuple(
        Cause(
            rows=one.rows,
            rule=one.rule,
            attributes=tuple(condition.attribute for condition in one.rule),
            class_name=one.class_name,
            alone_in_class=not any(np.isin(labels[one.rows], labels[o.rows]).any() for o in drawn if o is not one),
            gap=float(loss[one.rows].mean() - base),
        )
        for one in drawn
    )


def predictions(labels: NDArray[np.str_], wrong: Mask, rng: Rng) -> NDArray[np.str_]:
    """Return predicted classes; a wrong one is another class, drawn by the classes' frequencies."""
    predicted = labels.copy()
    names, counts = np.unique(labels, return_counts=True)
    for name, count in zip(names, counts, strict=True):
        rows = wrong & (labels == name)
        others = names != name
        share = counts[others] / (len(labels) - count)
        predicted[rows] = rng.choice(names[others], size=int(rows.sum()), p=share)
    return predicted
