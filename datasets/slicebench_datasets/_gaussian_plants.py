"""Plants in Gaussian vectors: draw core, group coordinates and nuisance, not yet rotated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from slicebench_datasets._splits import in_each_class

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Labels = NDArray[np.int64]

PLANTS = {
    "linear": "half-space of one direction",
    "radial": "ball in three directions",
    "xor": "equal signs of two directions",
    "two": "upper ends of two directions, disjoint, in every class",
    "two_classes": "half-space of one direction in even classes, of another in odd ones",
    "rare": "mode of each class near the next class",
    "correlation": "spurious signal of another class than the label's",
    "label_noise": "half-space of one direction in which labels are flipped",
    "none": "nothing is planted",
}
REGIONS = {"linear": 1, "radial": 3, "xor": 2, "two": 2, "two_classes": 2, "label_noise": 1}  # and their dimensions


class Spec(Protocol):
    """The parameters that the plants read, as `Gaussian` describes them."""

    plant: str
    d: int
    classes: int
    minority: float
    signal: float
    attenuation: float
    overlap: float
    strength: float
    flip: float


def group_dims(plant: str, classes: int) -> int:
    """Return the number of group coordinates."""
    return {"none": 0, "rare": classes, "correlation": classes}.get(plant, REGIONS.get(plant, 0))


def group_names(plant: str, classes: int) -> list[str]:
    """Name the group columns, in order."""
    if plant in ("two", "two_classes"):
        return ["first region", "second region"]
    if plant == "rare":
        return [f"rare mode of class {c}" for c in range(classes)]
    return {"none": [], "correlation": ["spurious signal disagrees"]}.get(plant, ["region"])


def draw(spec: Spec, n: int, rate: float, rng: np.random.Generator) -> tuple[Floats, Labels, Bools]:
    """Draw vectors (n, d), labels (n,) and groups (n, g); the share `rate` of the examples is in a group."""
    labels = rng.integers(spec.classes, size=n)
    minority = rng.random(n) < (0.0 if spec.plant == "none" else rate)
    other = (labels + rng.integers(1, spec.classes, size=n)) % spec.classes
    x = rng.standard_normal((n, spec.d))
    core = spec.signal * np.eye(spec.classes)[labels]
    at = slice(spec.classes, spec.classes + group_dims(spec.plant, spec.classes))
    if spec.plant == "rare":
        core[minority] = _between(spec, labels[minority])
        x[:, at] += spec.strength * in_each_class(minority, labels, spec.classes)
    elif spec.plant == "correlation":
        x[:, at] += spec.strength * np.eye(spec.classes)[np.where(minority, other, labels)]
    elif spec.plant in REGIONS:
        x[:, at] = _region(spec.plant, minority, labels, spec.minority, rng)
    if spec.plant == "label_noise":
        flipped = minority & (rng.random(n) < spec.flip)
    elif spec.plant in REGIONS:
        core[minority] *= spec.attenuation
    x[:, : spec.classes] += core
    seen = np.where(flipped, other, labels) if spec.plant == "label_noise" else labels
    return x, seen, _groups(spec, minority, labels, x[:, at])


def _between(spec: Spec, labels: Labels) -> Floats:
    """Compute the core means of the rare modes, between the own class and the next."""
    one_hot = spec.signal * np.eye(spec.classes)
    means: Floats = (1 - spec.overlap) * one_hot[labels] + spec.overlap * one_hot[(labels + 1) % spec.classes]
    return means


def _groups(spec: Spec, minority: Bools, labels: Labels, z: Floats) -> Bools:
    """Return the group columns of the minority; `z` are the group coordinates."""
    if spec.plant == "none":
        return np.zeros((len(minority), 0), dtype=bool)
    if spec.plant == "rare":
        return in_each_class(minority, labels, spec.classes)
    if spec.plant == "two":
        return np.stack([minority & (z[:, 0] >= z[:, 1]), minority & (z[:, 0] < z[:, 1])], axis=1)
    if spec.plant == "two_classes":
        return np.stack([minority & (labels % 2 == 0), minority & (labels % 2 == 1)], axis=1)
    return minority[:, None]


def _region(plant: str, inside: Bools, labels: Labels, share: float, rng: np.random.Generator) -> Floats:
    """Draw group coordinates, given membership in a region that holds the share `share` of the standard normal.

    A uniform u above 1 - share is inside. Each plant maps u to the deciding coordinate by its
    quantile function.
    """
    from scipy.stats import chi2, norm

    n = len(inside)
    u = _open(np.where(inside, 1 - share * rng.random(n), (1 - share) * rng.random(n)))
    if plant == "radial":
        direction = rng.standard_normal((n, 3))
        radius = np.sqrt(chi2.ppf(1 - u, df=3))  # inside is near the centre
        return np.asarray(direction * (radius / np.linalg.norm(direction, axis=1))[:, None])
    if plant == "xor":
        z = np.abs(rng.standard_normal((n, 2)))
        sign = rng.choice([-1.0, 1.0], size=n)
        return np.asarray(z * np.stack([sign, np.where(inside, sign, -sign)], axis=1))
    if plant == "two":  # the larger of two normals has the distribution function Φ², the other one is below it
        top = np.sqrt(u)
        pair = norm.ppf(_open(np.stack([top, top * rng.random(n)], axis=1)))
        return np.asarray(np.where(rng.random((n, 1)) < 0.5, pair[:, ::-1], pair))
    z, even = norm.ppf(u), labels % 2 == 0
    if plant == "two_classes":
        idle = rng.standard_normal(n)
        return np.stack([np.where(even, z, idle), np.where(even, idle, z)], axis=1)
    return np.asarray(z[:, None])


def _open(u: Floats) -> Floats:
    """Keep probabilities off 0 and 1, whose quantiles are infinite."""
    return u.clip(1e-12, 1 - 1e-12)
