"""Decode a direction of hardness to images.

Decoders turn points on the arc to the direction into images.

Jain, Lawrence, Moitra and Madry (2022) turn a direction w of a class into images by generating from the points
slerp(reference caption, ±w, α) of CLIP's unit sphere.

To add a decoder: one file with one subclass of `Decoder` with a `decode` and a `for_problem`, and
an entry point in the group `slicebench.decoders`. The name of a decoder is that of its entry point,
with or without an argument: "retrieval", "unclip:FOLDER".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from slicebench.data.checks import array_of, labels_of
from slicebench.data.split import put_field
from slicebench.errors import DataError
from slicebench.plugins.registry import Registry

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from slicebench.data.problem import Problem
    from slicebench.data.split import Split
    from slicebench.data.trainer import TrainedModel

    Floats = NDArray[np.float64]


PARALLEL = 1e-6  # radians; below, the arc is a straight line to within 1e-13
OPPOSITE = 1e-6  # radians short of a half-turn; the arc's plane would be rounding error


def slerp(a: NDArray[Any], b: NDArray[Any], t: ArrayLike) -> Floats:
    """Return points at the fractions `t` of the great arc from a to b on the unit sphere.

    The shape is (d,) for one t and (k, d) for k.

    `a` and `b`, shape (d,), are brought to length 1 first. Shoemake, "Animating rotation with quaternion curves", 1985:
    [sin((1−t)θ) a + sin(tθ) b] / sin θ, with θ from Kahan's atan2 form, which keeps its digits at small and large angles.

    Raises
    ------
    DataError
        for vectors of different length, zero or non-finite ones, t outside 0..1, and vectors that are opposite: no single
        shortest arc joins them.

    """
    u, v = _unit("a", a), _unit("b", b)
    if u.shape != v.shape:
        raise DataError(f"a has {len(u)} dimensions, b has {len(v)}; expected vectors of one space")
    fractions = np.asarray(t, dtype=np.float64)
    if fractions.ndim > 1 or not ((fractions >= 0) & (fractions <= 1)).all():
        raise DataError(f"t is {t!r}; expected a number or (k,) numbers from 0 to 1")
    angle = 2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
    if np.pi - angle < OPPOSITE:
        raise DataError("a and b are opposite: the arc between them is not unique. Move one of them a little.")
    s = fractions[..., None]
    near, far = (1 - s, s) if angle < PARALLEL else (np.sin((1 - s) * angle), np.sin(s * angle))
    points = near * u + far * v
    unit: Floats = points / np.linalg.norm(points, axis=-1, keepdims=True)
    return unit


def decoded_points(reference: NDArray[Any], direction: NDArray[Any], alphas: ArrayLike) -> tuple[Floats, Floats]:
    """Return hard and easy points slerp(reference, ±direction, α).

    Each has shape (k, d), with rows of length 1. `reference` (d,) is the embedding of the class's
    reference caption. `direction` (d,) points to harder examples (minus the normal of Jain et al.'s
    SVM). `alphas` (k,) go from 0, the reference, to 1, the direction itself. Raises the same errors
    as `slerp`.
    """
    reached = np.atleast_1d(np.asarray(alphas, dtype=np.float64))
    w = np.asarray(direction)
    return slerp(reference, w, reached), slerp(reference, -w, reached)


def _unit(name: str, vector: NDArray[Any]) -> Floats:
    x: Floats = array_of(name, vector, np.float64, 1)
    length = np.linalg.norm(x)
    if length == 0:
        raise DataError(f"{name} is the zero vector; expected a vector with a direction (does the class have one?)")
    unit: Floats = x / length
    return unit


@dataclass(frozen=True, eq=False, kw_only=True)
class Decoded:
    """Images of k points of the embedding space.

    Parameters
    ----------
    images : (k, H, W) or (k, H, W, 3) uint8
    labels : (k,) int64, optional
        True class of each image, if the decoder knows it.
    texts : k strings
        Name of each image: an id or a caption.

    Raises
    ------
    DataError
        for images of another kind, and unless there is one label or text per image.

    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    texts: tuple[str, ...]

    def __post_init__(self) -> None:
        shape, dtype = self.images.shape, self.images.dtype
        if dtype != np.uint8 or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3):
            raise DataError(
                f"decoded images have dtype {dtype} and shape {shape}; expected uint8 of shape (k, H, W) or (k, H, W, 3)"
            )
        put_field(self, "texts", tuple(self.texts))
        if len(self.texts) != len(self.images):
            raise DataError(f"{len(self.texts)} texts for {len(self.images)} decoded images; expected one per image")
        if self.labels is not None:
            put_field(self, "labels", labels_of("labels of decoded images", self.labels, len(self.images)))


class Decoder:
    """Base class of decoders, which turn points of the embedding space into images.

    Equal points give equal images.
    """

    argument_help: ClassVar[str] = ""
    """Form of the argument after the name, such as "FOLDER"; empty for a decoder without one."""
    argument_optional: ClassVar[bool] = False

    @classmethod
    def for_problem(cls, problem: Problem, argument: str | None = None) -> Self:
        """Return the decoder for images of `problem`.

        Raises `ConfigError` or `DataError` if the decoder does not fit the problem.
        """
        raise NotImplementedError(f"{cls.__name__} has no for_problem")

    def decode(self, embeddings: NDArray[Any], class_index: int) -> Decoded:
        """Return one image for each point in `embeddings`, shape (k, d).

        The points lie along a direction of class `class_index`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no decode")


class RetrievalDecoder(Decoder):
    """Decoder that returns, for each point, the nearest image of the class by cosine.

    Points choose in turn, and an image is returned once per call, so a point may get its second
    nearest image. Of equally near images, the first is taken. O(k n d) for k points and n images.

    Parameters
    ----------
    split : Split
        Source of the images, e.g. the pool; without labels the class is ignored.

    Raises
    ------
    DataError
        for a split without images.

    """

    def __init__(self, split: Split) -> None:
        if split.inputs is None:
            raise DataError("the split has no inputs; retrieval needs the images themselves")
        self.split = split

    @classmethod
    def for_problem(cls, problem: Problem, argument: str | None = None) -> Self:  # noqa: ARG003 - takes none
        """Return a decoder for the problem's pool or, without a pool, its test split."""
        return cls(problem.data.pool if problem.data.pool is not None else problem.test)

    def decode(self, embeddings: NDArray[Any], class_index: int) -> Decoded:
        """Return the nearest images, their labels and, as texts, their ids.

        Raises
        ------
        DataError
            for points of another width, more points than the class has images, and inputs that are
            not uint8 images.

        """
        points = array_of("embeddings", embeddings, np.float64, 2)
        rows = self._rows(class_index)
        if points.shape[1] != self.split.d:
            raise DataError(
                f"points have {points.shape[1]} columns, but the images' embeddings have {self.split.d}; expected the same"
            )
        if len(points) > len(rows):
            raise DataError(
                f"{len(points)} points, but class {class_index} has {len(rows)} images; ask for fewer points"
            )
        chosen = rows[_nearest_once(points, self.split.embeddings[rows].astype(np.float64))]
        return Decoded(
            images=self._images(chosen),
            labels=None if self.split.labels is None else self.split.labels[chosen],
            texts=tuple(self.split.ids[chosen].tolist()),
        )

    def _rows(self, class_index: int) -> NDArray[np.intp]:
        labels = self.split.labels
        return np.arange(self.split.n) if labels is None else np.flatnonzero(labels == class_index)

    def _images(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        assert self.split.inputs is not None
        images = np.asarray([self.split.inputs[int(i)] for i in rows])
        if images.dtype != np.uint8:
            raise DataError(f"inputs are of dtype {images.dtype}; retrieval needs uint8 images")
        return images


def _nearest_once(points: Floats, candidates: Floats) -> NDArray[np.intp]:
    """Return, for each point in turn, the free candidate of largest cosine, shape (k,)."""
    lengths = np.linalg.norm(candidates, axis=1)
    cosines = (
        points @ (candidates / np.where(lengths > 0, lengths, 1)[:, None]).T
    )  # a point's own length keeps its order
    chosen = np.empty(len(points), dtype=np.intp)
    for i, row in enumerate(cosines):
        chosen[i] = row.argmax()
        cosines[:, chosen[i]] = -np.inf
    return chosen


DECODERS = Registry("slicebench.decoders", "slicebench.models.synthesis.decoder:Decoder")


def make_decoder(name: str, problem: Problem) -> Decoder:
    """Return the decoder `name`, such as "scenes" or "unclip:FOLDER", for images of `problem`.

    Raises
    ------
    PluginError
        for an unknown name; the message suggests similar ones.
    ConfigError
        for an argument that is missing or not allowed, and a decoder that does not fit the problem.

    """
    kind, argument = DECODERS.load_with_argument(name)
    decoder: Decoder = kind.for_problem(problem, argument)
    return decoder


def decoded_accuracy(
    model: TrainedModel, hard: Decoded, easy: Decoded, *, class_index: int | None = None
) -> tuple[float, float]:
    """Compute the accuracy of `model` on the hard and on the easy images.

    `class_index` is the class to assume if the decoder does not know it, as for generated images.

    Raises
    ------
    DataError
        without images, without both labels and a class, and for images of another size than in
        training.

    """
    return _accuracy(model, hard, class_index), _accuracy(model, easy, class_index)


def _accuracy(model: TrainedModel, decoded: Decoded, class_index: int | None) -> float:
    if not len(decoded.images):
        raise DataError("there are no decoded images to measure the accuracy on; decode at least one point")
    truth = decoded.labels if decoded.labels is not None else class_index
    if truth is None:
        raise DataError(
            "the decoder does not know the true classes of its images; give the class to assume as class_index"
        )
    return float(np.mean(model.predict(decoded.images).argmax(axis=1) == truth))
