"""Decoder into rendered scenes: it renders the nearest combination of attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from slicebench.data.checks import array_of
from slicebench.errors import ConfigError, DataError
from slicebench.models.encoders.encoder import make_encoder
from slicebench.models.synthesis.decoder import Decoded, Decoder
from slicebench_datasets._render import VALUES, captions_of, render
from slicebench_datasets._scene_plants import PLANTS
from slicebench_datasets.scenes import Scenes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.problem import Identified, Problem
    from slicebench.models.encoders.encoder import Encoder

CHUNK = 1024  # captions embedded at a time
MENTIONED = (*VALUES, "noise")


def scenes_of(about: Identified) -> Scenes:
    """Return the dataset of a problem of rendered scenes; raise `ConfigError` for any other problem."""
    if about.dataset != "scenes":
        raise ConfigError(
            f"problem {about.name!r} has the dataset {about.dataset!r}; only problems of 'scenes' can be rendered"
        )
    return Scenes(**about.params)


class SceneDecoder(Decoder):
    """Decoder that renders the scene whose caption is nearest to a point, among all scenes of a class.

    It replaces the diffusion model of Jain et al. (2022). Its images certainly belong to the class,
    and differ only in what the caption says. Positions and pixel noise depend on the seed, the
    class and the position of the point among those decoded together, so the i-th hard and the i-th
    easy image share them. Nearest is by cosine; ties go to the first combination in `combinations`.

    Parameters
    ----------
    scenes : Scenes
        Side, pixel noise, classes and plant.
    encoder : Encoder or mapping of class to (m, d) array
        Encoder that embeds captions, or the embeddings of `captions(c)`, made elsewhere.
    seed : int

    Captions of a class are embedded once: m is 144 to 9,216. Decoding costs O(k m d).

    Raises
    ------
    ConfigError
        for parameters of `scenes` that cannot be used.

    """

    def __init__(self, scenes: Scenes, encoder: Encoder | Mapping[int, NDArray[Any]], *, seed: int = 0) -> None:
        scenes.check()
        self.scenes = scenes
        self.encoder = encoder
        self.seed = seed
        self._plant = PLANTS[scenes.plant](scenes)
        self._embedded: dict[int, NDArray[np.float64]] = {}

    @classmethod
    def for_problem(cls, problem: Problem, argument: str | None = None) -> Self:  # noqa: ARG003 - takes none
        """Make the decoder of a problem of rendered scenes, with its own encoder and seed."""
        scenes = scenes_of(problem)
        encoder = make_encoder(problem.encoder)
        if not encoder.reads_captions():
            raise ConfigError(
                f"encoder {problem.encoder!r} cannot embed captions, which are needed to find scenes; use 'nano-clip'"
            )
        return cls(scenes, encoder, seed=problem.seed)

    def combinations(self, c: int) -> pd.DataFrame:
        """Return the attributes of the m scenes that class `c` can have, without positions."""
        if not 0 <= c < self.scenes.classes:
            raise DataError(f"class {c} is not one of the {self.scenes.classes} classes of these scenes")
        return self._plant.combinations(c)

    def captions(self, c: int) -> list[str]:
        """Write captions of `combinations(c)` that name every attribute, and noise if it is stronger than usual."""
        table = self.combinations(c)
        return captions_of(table.assign(noise=table["noise"].where(table["noise"] > self.scenes.noise, 0.0)), MENTIONED)

    def decode(self, embeddings: NDArray[Any], class_index: int) -> Decoded:
        """Render the nearest scene of each point; labels are the class, texts the captions.

        Raises
        ------
        DataError
            for a class that the scenes lack, points of another width than the captions' embeddings, and an encoder that does
            not read captions.

        """
        points = array_of("embeddings", embeddings, np.float64, 2)
        known = self._caption_embeddings(class_index)
        if points.shape[1] != known.shape[1]:
            raise DataError(
                f"points have {points.shape[1]} columns but the captions' embeddings {known.shape[1]}; expected equal numbers"
            )
        nearest = (points @ known.T).argmax(axis=1)  # captions have length 1; a point's own length keeps their order
        rng = np.random.default_rng([self.seed, class_index])
        x, y = rng.uniform(-1, 1, size=(len(points), 2)).T
        table = self.combinations(class_index).iloc[nearest].reset_index(drop=True).assign(x=x, y=y)
        captions = self.captions(class_index)
        return Decoded(
            images=render(table, self.scenes.side, rng),
            labels=np.full(len(points), class_index),
            texts=tuple(captions[i] for i in nearest),
        )

    def _caption_embeddings(self, c: int) -> NDArray[np.float64]:
        """Return the embeddings of `captions(c)`, shape (m, d), scaled to length 1."""
        if c not in self._embedded:
            texts = self.captions(c)
            raw = array_of(f"caption embeddings of class {c}", self._embed(texts, c), np.float64, 2, len(texts))
            lengths = np.linalg.norm(raw, axis=1, keepdims=True)
            self._embedded[c] = raw / np.where(lengths > 0, lengths, 1)
        return self._embedded[c]

    def _embed(self, texts: list[str], c: int) -> NDArray[Any]:
        if not isinstance(self.encoder, Mapping):
            parts = [self.encoder.encode_texts(texts[i : i + CHUNK]) for i in range(0, len(texts), CHUNK)]
            return np.concatenate(parts)
        if c not in self.encoder:
            raise DataError(
                f"there are no caption embeddings of class {c}; expected {len(texts)} rows, for `captions({c})`"
            )
        return self.encoder[c]
