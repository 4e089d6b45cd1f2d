"""Gaussian vectors with a region in which the class signal is weak: errors are real, and their rate is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.dataset import DatasetAdapter

if TYPE_CHECKING:
    from slicebench.problem import Problem
    from slicebench.split import Split


class Gaussian(DatasetAdapter):
    """x = R [core, group, nuisance], R a random rotation; the base model is trained on x itself.

    The core of class c is N(signal e_c, I) in `classes` dimensions; the other dimensions are standard normal. Membership in
    the planted subgroup is drawn first, then the group coordinates given membership, by inverse distribution functions.

    - "linear", "radial", "xor", "two", "two_classes": the subgroup is a region of the group coordinates, such as a
      half-space, in which the core signal is multiplied by `attenuation`. Class and region are independent (except in
      "two_classes"), so arg max of the core is the best rule in and out of the region, and no model errs less often there than
      `bayes_error(attenuation * signal, classes)`.
    - "rare": the subgroup's core mean is (1 - overlap) e_c + overlap e_{c+1}, times signal; a group coordinate of each
      class, moved by `strength`, tells that mode. Make it rare in train with `train_minority`.
    - "correlation": group coordinates N(strength e_a, I), a = the label except in the subgroup, where it is another class.
    - "label_noise": in a half-space the label is another class with probability `flip`, in every split.

    Parameters
    ----------
    plant : str
    n_train, n_val, n_test, d, classes : int
    minority : float
        Share of the subgroup in val and test.
    train_minority : float, optional
        In train; None for `minority`.
    signal, attenuation, overlap, strength, flip : float
        Signal and strength are in standard deviations of the noise; see above.
    model : str
        "linear" or "mlp".
    epochs : int
    encoder : str
        "identity" embeds x as it is.
    losses_only : bool
        Drop labels, probabilities, class names and trainer: a problem that has embeddings and losses only.

    O(n d²) for the rotation.

    >>> round(bayes_error(2.0, classes=2), 4)
    0.0786

    """

    family: ClassVar[str] = "gaussian"
    modality: ClassVar[str] = "vector"

    def __init__(
        self,
        plant: str = "linear",
        n_train: int = 2000,
        n_val: int = 1500,
        n_test: int = 2000,
        d: int = 16,
        classes: int = 2,
        minority: float = 0.2,
        train_minority: float | None = None,
        signal: float = 2.5,
        attenuation: float = 0.2,
        overlap: float = 0.8,
        strength: float = 2.0,
        flip: float = 0.4,
        model: str = "linear",
        epochs: int = 10,
        encoder: str = "identity",
        losses_only: bool = False,  # noqa: FBT001, FBT002 - a parameter among keywords
    ) -> None:
        self.plant = plant
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test
        self.d = d
        self.classes = classes
        self.minority = minority
        self.train_minority = train_minority
        self.signal = signal
        self.attenuation = attenuation
        self.overlap = overlap
        self.strength = strength
        self.flip = flip
        self.model = model
        self.epochs = epochs
        self.encoder = encoder
        self.losses_only = losses_only

    def build(self, seed: int) -> Problem:
        """Draw the vectors, train the base model, assemble.

        Raises
        ------
        ConfigError
            naming the parameter that cannot be used.

        """
        from slicebench.building import RawSplit, build_problem
        from slicebench.problem import Provenance
        from slicebench.training import Recipe
        from slicebench_datasets._gaussian_plants import PLANTS, draw, group_names

        self.check()
        rotation = np.linalg.qr(np.random.default_rng([seed, 3]).standard_normal((self.d, self.d)))[0]
        splits = {}
        for position, name in enumerate(("train", "val", "test")):
            rng = np.random.default_rng([seed, position])
            x, labels, groups = draw(self, getattr(self, f"n_{name}"), self._rate(name), rng)
            inputs = (x @ rotation).astype(np.float32)
            splits[name] = RawSplit.shuffled(name, rng, inputs=inputs, labels=labels, groups=groups)
        problem = build_problem(
            self,
            name=f"gaussian-{self.plant}",
            seed=seed,
            splits=splits,
            recipe=Recipe(
                arch=self.model,
                width=32,
                epochs=self.epochs,
                batch_size=100,
                peak_lr=0.1,
                peak_epoch=min(2, self.epochs),
            ),
            encoder=self.encoder,
            class_names=[f"class {c}" for c in range(self.classes)],
            group_names=group_names(self.plant, self.classes),
            how=PLANTS[self.plant],
            provenance=Provenance(source="drawn by slicebench_datasets.gaussian", licence="Apache-2.0"),
        )
        return _losses_only(problem) if self.losses_only else problem

    def _rate(self, split: str) -> float:
        """Share of the subgroup in a split."""
        return self.train_minority if split == "train" and self.train_minority is not None else self.minority

    def check(self) -> None:
        """Raise `ConfigError` naming the parameter that cannot be used."""
        from slicebench_datasets._gaussian_plants import PLANTS, group_dims
        from slicebench_datasets._parameters import check_choices, check_ranges

        check_choices(self, {"plant": PLANTS, "model": ("linear", "mlp")})
        check_ranges(self, {"classes": (2, 10**4)})
        bounds: dict[str, tuple[float, float]] = {
            "minority": (0, 1),
            "flip": (0, 1),
            "overlap": (0, 1),
            "attenuation": (0, 1),
            "signal": (0, 1e3),
            "strength": (0, 1e3),
            "d": (self.classes + group_dims(self.plant, self.classes), 10**5),
            **dict.fromkeys(("n_train", "n_val", "n_test"), (self.classes, 10**8)),
        }
        if self.train_minority is not None:
            bounds["train_minority"] = (0, 1)
        check_ranges(self, bounds)


def bayes_error(signal: float, classes: int) -> float:
    """Least error of any classifier of N(signal e_c, I), equal priors: 1 - ∫ φ(z) Φ(z + signal)^(classes - 1) dz."""
    from scipy.integrate import quad
    from scipy.stats import norm

    right, _ = quad(lambda z: norm.pdf(z) * norm.cdf(z + signal) ** (classes - 1), -10, 10)
    return float(1 - right)


def _losses_only(problem: Problem) -> Problem:
    """The same problem without labels, probabilities, class names and trainer."""

    def strip(split: Split) -> Split:
        return replace(split, labels=None, probs=None, correct=None, inputs=None)

    data: Any = replace(
        problem.data, train=strip(problem.data.train), val=strip(problem.data.val), class_names=(), trainer=None
    )
    return replace(problem, data=data, test=strip(problem.test))
