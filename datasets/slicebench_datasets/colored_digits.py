"""Colored MNIST: a tint that agrees with the label too often in train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.data.captions import CaptionSet
from slicebench.plugins.dataset_card import DatasetCard
from slicebench_datasets._digits import DigitDataset, digit_caption, with_pixel_noise
from slicebench_datasets._splits import in_each_class

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.problems.raw import RawProblem
    from slicebench_datasets._digits import Digits, Planted


class ColoredDigits(DigitDataset):
    """Digits below five or not; in train the tint agrees with the label, and a model learns the tint.

    Class 0 is the digits 0 to 4, class 1 the digits 5 to 9. The share `label_noise` of train labels
    is flipped. The tint of a share `p` (train) or `p_eval` (val, test) of the images is their
    label, with its noise: red for 0, green for 1. The tint of the other images is drawn by a fair
    coin. There is one group per class: the images whose tint disagrees with the label.

    Parameters
    ----------
    root : str, optional
        Folder of MNIST files; None for scikit-learn's digits.
    n_train, n_val, n_test, n_pool : int
    p, p_eval, label_noise : float
    pixel_noise : float
        Standard deviation of noise added to every image before it is tinted, 1 = the full range.
    tint : float
        Share of the other colour channels' brightness that the tint removes.
    width, epochs : int
        Of the base model and of its training.
    encoder : str

    Reference: Jain, Lawrence, Moitra, Madry (2022), the Colored MNIST experiment (after Arjovsky et al. 2019). The released
    test set was made of MNIST's train images and without a seed; here the splits are disjoint, with a seed.

    >>> ColoredDigits(p=0.3).get_params()["p"]
    0.3

    """

    family: ClassVar[str] = "colored_digits"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="Colored digits",
        size="1,797 digits: 700 train, 500 val, 597 test; MNIST with root",
        group="digits whose tint disagrees with the label",
        rate="35 % of train, 25 % of test",
        licence="CC BY 4.0 (UCI digits)",
        source="scikit-learn's load_digits; Jain et al. 2022 (Colored MNIST)",
    )

    def __init__(
        self,
        root: str | None = None,
        n_train: int = 700,
        n_val: int = 500,
        n_test: int = 597,
        p: float = 0.3,
        p_eval: float = 0.5,
        label_noise: float = 0.25,
        pixel_noise: float = 0.0,
        tint: float = 1.0,
        width: int = 8,
        epochs: int = 15,
        encoder: str = "nano-clip",
        n_pool: int = 0,
    ) -> None:
        super().__init__(root, n_train, n_val, n_test, pixel_noise, width, epochs, encoder, n_pool)
        self.p = p
        self.p_eval = p_eval
        self.label_noise = label_noise
        self.tint = tint

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        self.check_digits(p=1, p_eval=1, label_noise=1, pixel_noise=2, tint=1)

    def raw(self, seed: int) -> RawProblem:
        """Draw and tint the digits."""
        return self.problem(
            seed,
            class_names=("digit below 5", "digit 5 or above"),
            how="in train the tint agrees with the label more often than chance; the group's disagrees",
            captions=self._candidates(),
            naming={"green digit below 5": ("a green digit",), "red digit 5 or above": ("a red digit",)},
        )

    def planted(self, part: Digits, split: str, rng: np.random.Generator) -> Planted:
        """Tint; the groups are the digits of each class whose tint disagrees."""
        images, labels, disagrees = self._tinted(part, split, rng)
        return images, labels, in_each_class(disagrees, labels)

    def _candidates(self) -> CaptionSet:
        """Make captions per class: its five digits, four colours, and noise."""
        shared = [digit_caption(colour=colour) for colour in ("red", "green", "blue", "white")] + [
            digit_caption(noisy=True)
        ]
        digits = [[digit_caption(digit=d) for d in range(first, first + 5)] for first in (0, 5)]
        return CaptionSet.of([shared + own for own in digits], [digit_caption()] * 2)

    def _tinted(
        self, part: Digits, split: str, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
        """Return images (n, side, side, 3), labels (n,) and whether the tint disagrees with them (n,)."""
        n = len(part.digits)
        labels = (part.digits >= 5).astype(np.int64)
        if split == "train":
            labels ^= rng.random(n) < self.label_noise
        follows = rng.random(n) < (self.p if split == "train" else self.p_eval)
        hue = np.where(follows, labels, rng.integers(2, size=n))
        grey: NDArray[Any] = with_pixel_noise(part.images, self.pixel_noise, rng).astype(np.float32)
        gain = np.full((n, 1, 1, 3), 1 - self.tint, dtype=np.float32)
        gain[np.arange(n), 0, 0, hue] = 1
        return np.rint(grey[..., None] * gain).astype(np.uint8), labels, hue != labels
