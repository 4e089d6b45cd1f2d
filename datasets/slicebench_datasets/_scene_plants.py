"""Plants in rendered scenes: each draws tables of attributes with labels and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from slicebench.data.captions import CaptionSet
from slicebench_datasets._render import UNSAID, VALUES, caption, draw_attributes
from slicebench_datasets._splits import in_each_class

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Drawn = tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.bool_]]

NATURAL_RATIO = 2.0  # CelebA's untouched test split has 33.6 % minority (Jain et al. 2022)


class Spec(Protocol):
    """The parameters that the plants read, as `Scenes` describes them."""

    classes: int
    label: str
    planted: str
    ratio: float
    val: str
    test: str
    pool: str
    subtypes: int
    keep: float
    noise: float
    corruption: float


class Plant:
    """Base class that plants nothing; the class is the value of the attribute `scenes.label`.

    `hidden` lists the attributes that metadata must not contain: the planted one, and those that
    reveal it.
    """

    how: ClassVar[str] = "nothing is planted"

    def __init__(self, scenes: Spec) -> None:
        self.scenes = scenes
        self.label = scenes.label
        self.classes = scenes.classes
        self.hidden: tuple[str, ...] = ()

    def class_names(self) -> list[str]:
        """Return one name per class."""
        return list(VALUES[self.label][: self.classes])

    def captions(self) -> dict[str, tuple[str, ...]]:
        """Map group names, in the order of the group columns, to the captions that name them."""
        return {}

    def candidates(self) -> CaptionSet:
        """Make one caption per class and value of every other attribute; the reference names only the class."""
        others = [name for name in VALUES if name != self.label]
        said: list[dict[str, Any]] = [{name: v} for name in others for v in VALUES[name] if v not in UNSAID]
        said.append({"noise": 1.0})
        classes: list[dict[str, Any]] = [{self.label: name} for name in self.class_names()]
        return CaptionSet.of(
            [[caption(**one | extra) for extra in said] for one in classes], [caption(**one) for one in classes]
        )

    def combinations(self, c: int) -> pd.DataFrame:
        """List every combination of attributes of class `c`, one per row: the columns of `VALUES`, and `noise`.

        The other attributes take all their values, including those that the class's images never
        have.
        """
        return self._product({self.label: (self.class_names()[c],)})

    def _product(self, chosen: dict[str, tuple[Any, ...]]) -> pd.DataFrame:
        """Return the Cartesian product of the `chosen` values and all values of the other attributes."""
        import pandas as pd

        values: dict[str, tuple[Any, ...]] = VALUES | {"noise": (self.scenes.noise,)} | chosen
        return pd.MultiIndex.from_product(list(values.values()), names=list(values)).to_frame(index=False)

    def as_train(self, split: str) -> bool:
        """Check whether the groups of `split` are as rare as in train."""
        return split == "train" or (split == "pool" and self.scenes.pool == "train")

    def draw(self, split: str, n: int, rng: np.random.Generator) -> Drawn:  # noqa: ARG002
        """Draw a table of n scenes, labels (n,) and groups (n, g)."""
        labels = rng.integers(self.classes, size=n)
        return self._table(labels, rng), labels, np.zeros((n, 0), dtype=bool)

    def _table(self, labels: NDArray[np.int64], rng: np.random.Generator, **fixed: object) -> pd.DataFrame:
        """Draw scenes of the classes `labels`, other attributes fixed or at random."""
        chosen: dict[str, object] = {self.label: np.array(self.class_names())[labels], "noise": self.scenes.noise}
        return draw_attributes(len(labels), rng, **chosen | fixed)


class Correlation(Plant):
    """Plant in which, in train, an attribute has the class's usual value `ratio` times as often as its unusual one."""

    how = "an attribute agrees with the class in train; each class's group has the unusual value"

    def __init__(self, scenes: Spec) -> None:
        super().__init__(scenes)
        self.hidden = (scenes.planted,)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the usual and the unusual value of the planted attribute per class: each value, and the next one."""
        known = VALUES[self.scenes.planted]
        m = max(2, min(self.classes, len(known)))
        return [(known[c % m], known[(c + 1) % m]) for c in range(self.classes)]

    def captions(self) -> dict[str, tuple[str, ...]]:
        """Name each group by captions with and without the class."""
        out: dict[str, tuple[str, ...]] = {}
        for name, (_, odd) in zip(self.class_names(), self.pairs(), strict=True):
            group: dict[str, Any] = {self.scenes.planted: odd}
            out[f"{name}, {odd}"] = (caption(**{self.label: name} | group), caption(**group))
        return out

    def draw(self, split: str, n: int, rng: np.random.Generator) -> Drawn:
        """Draw class, then usual or unusual value."""
        labels = rng.integers(self.classes, size=n)
        kind = {"train": "train", "val": self.scenes.val, "test": self.scenes.test, "pool": self.scenes.pool}[split]
        ratio = {"train": self.scenes.ratio, "balanced": 1.0, "natural": NATURAL_RATIO}[kind]
        unusual = rng.random(n) < 1 / (1 + ratio)
        values = np.array(self.pairs())[labels, unusual.astype(int)]
        table = self._table(labels, rng, **{self.scenes.planted: values})
        return table, labels, in_each_class(unusual, labels, self.classes)


class Rare(Plant):
    """Plant in which a class is a family of (shape, colour) pairs, one of them rare.

    Pair j of class c is shape j in colour c + j.
    """

    how = "one pair of shape and colour per class keeps a fraction of its train images"

    def __init__(self, scenes: Spec) -> None:
        super().__init__(scenes)
        self.hidden = ("shape", "colour")

    def class_names(self) -> list[str]:
        """Name the families by letters."""
        return [f"family {chr(ord('A') + c)}" for c in range(self.classes)]

    def captions(self) -> dict[str, tuple[str, ...]]:
        """Name the rare pair of each class."""
        c = np.arange(self.classes)
        shape, colour = self._pair(c, c % self.scenes.subtypes)
        return {f"{k} {s}": (caption(shape=s, colour=k),) for s, k in zip(shape.tolist(), colour.tolist(), strict=True)}

    def candidates(self) -> CaptionSet:
        """Make one caption per pair of shape and colour of a class, like the paper's subclasses of superclasses."""
        j = np.arange(self.scenes.subtypes)
        pairs = [self._pair(np.full_like(j, c), j) for c in range(self.classes)]
        texts = [[caption(shape=s, colour=k) for s, k in zip(*pair, strict=True)] for pair in pairs]
        return CaptionSet.of(texts, [caption()] * self.classes)

    def combinations(self, c: int) -> pd.DataFrame:
        """List every scene of the class's pairs of shape and colour."""
        import pandas as pd

        j = np.arange(self.scenes.subtypes)
        pairs = zip(*self._pair(np.full_like(j, c), j), strict=True)
        return pd.concat([self._product({"shape": (s,), "colour": (k,)}) for s, k in pairs], ignore_index=True)

    def draw(self, split: str, n: int, rng: np.random.Generator) -> Drawn:
        """Draw class, then pair; in train the rare pair has weight `keep`, every other pair 1."""
        labels, k = rng.integers(self.classes, size=n), self.scenes.subtypes
        weight = self.scenes.keep if self.as_train(split) else 1.0
        rare = rng.random(n) < weight / (weight + k - 1)
        subtype = (labels + np.where(rare, 0, rng.integers(1, k, size=n))) % k
        shape, colour = self._pair(labels, subtype)
        table = draw_attributes(n, rng, shape=shape, colour=colour, noise=self.scenes.noise)
        return table, labels, in_each_class(rare, labels, self.classes)

    def _pair(self, labels: NDArray[Any], subtype: NDArray[Any]) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        colour = (labels + subtype) % max(self.classes, self.scenes.subtypes)
        return np.array(VALUES["shape"])[subtype], np.array(VALUES["colour"])[colour]


class Corruption(Plant):
    """Plant of strong pixel noise on 10% of train and 50% of val and test."""

    how = "pixel noise on 10 % of train and 50 % of val and test"

    def __init__(self, scenes: Spec) -> None:
        super().__init__(scenes)
        self.hidden = ("noise",)

    def captions(self) -> dict[str, tuple[str, ...]]:
        """Name the noise, with and without the class."""
        classes: list[dict[str, Any]] = [{}, *({self.label: name} for name in self.class_names())]
        return {"noisy": tuple(caption(noise=1.0, **one) for one in classes)}

    def combinations(self, c: int) -> pd.DataFrame:
        """List every scene of the class, clean and noisy."""
        noise = (self.scenes.noise, self.scenes.corruption)
        return self._product({self.label: (self.class_names()[c],), "noise": noise})

    def draw(self, split: str, n: int, rng: np.random.Generator) -> Drawn:
        """Draw class, then clean or noisy."""
        labels = rng.integers(self.classes, size=n)
        noisy = rng.random(n) < (0.1 if self.as_train(split) else 0.5)
        noise = np.where(noisy, self.scenes.corruption, self.scenes.noise)
        return self._table(labels, rng, noise=noise), labels, noisy[:, None]


PLANTS: dict[str, type[Plant]] = {"correlation": Correlation, "rare": Rare, "corruption": Corruption, "none": Plant}
