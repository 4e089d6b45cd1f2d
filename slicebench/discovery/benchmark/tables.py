"""The tables of the benchmark, in two sets: `tuning`, to choose settings on, and `report`, to measure with.

    for recipe in recipes("tuning"):
        table = recipe.make()

To add a generator, write a function (name, style, rng) -> PlantedTable and list it in `PLANS`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from slicebench.discovery.benchmark.generators import nulls
from slicebench.discovery.benchmark.generators.drawn import images
from slicebench.discovery.benchmark.generators.encoded import digits
from slicebench.discovery.benchmark.generators.faults import class_embedding, class_tabular
from slicebench.discovery.benchmark.generators.networks import embedding
from slicebench.discovery.benchmark.generators.numeric import regression
from slicebench.discovery.benchmark.generators.tabular import tabular
from slicebench.discovery.benchmark.generators.written import texts
from slicebench.discovery.benchmark.planted import Style
from slicebench.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slicebench.discovery.benchmark.planted import PlantedTable, Rng

    Generator = Callable[[str, Style, Rng], PlantedTable]


@dataclass(frozen=True)
class Plan:
    """How many tables of a generator a set has; the style's values apply unless `changes` replaces them."""

    generator: Generator
    count: int
    kind: str
    slow: bool = False
    changes: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A table that is yet to be made; the same recipe always makes the same table."""

    name: str
    kind: str
    set: str
    slow: bool
    seed: int
    generator: Generator
    style: Style

    def make(self) -> PlantedTable:
        """Return the table."""
        rng = np.random.default_rng([self.seed, STREAMS[self.set], crc32(self.name.encode())])
        return self.generator(self.name, self.style, rng)


STREAMS = {"tuning": 101, "report": 202}
"""Streams of seeds, so that no seed gives a table of one set in the other."""
STYLES = {
    "tuning": Style(),
    "report": Style(
        n=(1200, 9000),
        classes=(2, 8),
        attributes=(9, 18),
        correlation=0.5,
        dimensions=(48, 128),
        network="residual",
        even_sizes=True,
        in_class=0.7,
        inside=(0.2, 0.85),
        outside=(0.03, 0.07),
    ),
}
HIDDEN = {"tuning": (4, 7), "report": (5, 9)}
"""Numbers of hidden attributes of embeddings."""
MORE_CLASSES = (("classes", (4, 7)),)
LARGE = (("n", (100_000, 100_000)),)


def plans(set_name: str) -> list[Plan]:
    """Return the generators of a set with their numbers of tables."""
    hidden = (("attributes", HIDDEN[set_name]),)
    return [
        Plan(tabular, 9, "tabular"),
        Plan(embedding, 9, "embedding", changes=hidden),
        Plan(digits, 2, "digits"),
        Plan(texts, 3, "text", changes=(("n", (1500, 5000)),)),
        Plan(images, 2, "image", changes=(("n", (1500, 3000)),)),
        Plan(regression, 3, "regression"),
        Plan(class_tabular, 2, "class", changes=MORE_CLASSES),
        Plan(class_embedding, 1, "class", changes=(*hidden, *MORE_CLASSES)),
        Plan(nulls.permuted_tabular, 3, "null"),
        Plan(nulls.permuted_embedding, 3, "null", changes=hidden),
        Plan(nulls.copies_tabular, 1, "null"),
        Plan(nulls.copies_embedding, 1, "null", changes=hidden),
        Plan(nulls.heavy_losses, 2, "null"),
        Plan(tabular, 1, "tabular", slow=True, changes=LARGE),
        Plan(embedding, 1, "embedding", slow=True, changes=(*hidden, ("n", (30_000, 30_000)))),
    ]


def recipes(set_name: str, *, kind: str | None = None, seed: int = 0, slow: bool = False) -> tuple[Recipe, ...]:
    """Return the recipes of a set: of one kind or of all, with the slow ones or without.

    Raises `ConfigError` for an unknown set or kind.
    """
    if set_name not in STYLES:
        raise ConfigError(f"unknown set of tables {set_name!r}; {did_you_mean(set_name, [*STYLES])}")
    made = tuple(_recipes(set_name, seed))
    kinds = list(dict.fromkeys(one.kind for one in made))
    if kind is not None and kind not in kinds:
        raise ConfigError(f"unknown kind of tables {kind!r}; {did_you_mean(kind, kinds)}")
    return tuple(one for one in made if kind in (None, one.kind) and (slow or not one.slow))


def _recipes(set_name: str, seed: int) -> Iterator[Recipe]:
    for plan in plans(set_name):
        style = replace(STYLES[set_name], **dict(plan.changes))
        for i in range(plan.count):
            name = f"{plan.generator.__name__}-{f'large-{i}' if plan.slow else i}"
            yield Recipe(name, plan.kind, set_name, plan.slow, seed, plan.generator, style)
