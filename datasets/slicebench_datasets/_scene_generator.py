"""Rendered scenes from captions: for this domain the renderer is an exact text-to-image model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from slicebench.errors import DataError
from slicebench.models.synthesis.generator import Generator
from slicebench_datasets._render import render
from slicebench_datasets._scene_captions import attributes_of
from slicebench_datasets._scene_decoder import scenes_of
from slicebench_datasets._scene_plants import PLANTS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData, Identified
    from slicebench_datasets.scenes import Scenes


class SceneGenerator(Generator):
    """Generator of scenes of a class that show what a caption says; the rest is random.

    Every scene of the class that fits the caption is equally likely, even if it is rare in the
    problem. Positions are uniform, in the quarter that the caption names if it names one. Noise is
    the problem's own, and `scenes.corruption` where a caption says "with noise". Captions of a
    class share positions under one seed.

    Parameters
    ----------
    scenes : Scenes
        Side, noise, classes and plant.
    seed : int

    Raises
    ------
    ConfigError
        for parameters of `scenes` that cannot be used.

    """

    def __init__(self, scenes: Scenes, *, seed: int = 0) -> None:
        scenes.check()
        super().__init__((scenes.side, scenes.side, 3), scenes.classes, seed)
        self.scenes = scenes
        self._plant = PLANTS[scenes.plant](scenes)
        self._combinations: dict[int, pd.DataFrame] = {}

    @classmethod
    def for_problem(cls, about: Identified, data: AuditData, argument: str | None = None) -> Self:  # noqa: ARG003
        """Make the generator of a problem of scenes, with its parameters and seed; raise `ConfigError` for others."""
        return cls(scenes_of(about), seed=about.seed)

    def draw(self, caption: str, n: int, class_index: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Render n scenes; raise `DataError` for a caption that cannot be read or that no scene of the class fits."""
        said = attributes_of(caption)
        noise = self.scenes.corruption if said.pop("noise", None) else self.scenes.noise
        x, y = _positions(said.pop("at", None), rng.uniform(-1, 1, size=(2, n)))
        fitting = self._fitting(caption, said, class_index)
        rows = fitting.iloc[rng.integers(len(fitting), size=n)].reset_index(drop=True)
        return render(rows.assign(x=x, y=y, noise=noise), self.scenes.side, rng)

    def _fitting(self, caption: str, said: dict[str, Any], c: int) -> pd.DataFrame:
        """Find the scenes of class `c` that have what the caption `said`, one or more."""
        if c not in self._combinations:
            every = self._plant.combinations(c)
            self._combinations[c] = every[every["noise"] == self.scenes.noise]
        table, name = self._combinations[c], self._plant.class_names()[c]
        for column, value in said.items():
            if not (table[column] == value).any():
                there = " or ".join(map(str, table[column].unique()))
                raise DataError(
                    f"{caption!r} says {value}, but {column} is {there} in every scene of class {c} ({name})"
                )
        fits = np.logical_and.reduce(
            [np.ones(len(table), dtype=bool)] + [table[column] == value for column, value in said.items()]
        )
        if not fits.any():
            together = " and ".join(map(str, said.values()))
            raise DataError(f"{caption!r} says {together}, but no scene of class {c} ({name}) combines them")
        return table[fits]


def _positions(corner: tuple[float, float] | None, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return positions x and y, shape (2, n), in the quarter of `corner` (±1, ±1), or anywhere without one."""
    return drawn if corner is None else np.abs(drawn) * np.array(corner)[:, None]
