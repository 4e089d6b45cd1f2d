"""Digits of which some are noisy: few in train, half in val and test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.data.captions import CaptionSet
from slicebench.plugins.dataset_card import DatasetCard
from slicebench_datasets._digits import DigitDataset, digit_caption, with_pixel_noise
from slicebench_datasets._render import COLOURS

if TYPE_CHECKING:
    from slicebench.problems.raw import RawProblem
    from slicebench_datasets._digits import Digits, Planted


class NoisyDigits(DigitDataset):
    """Ten classes, one per digit; noisy images are rare in train, and the model reads them badly.

    Parameters
    ----------
    root : str, optional
        Folder of MNIST files; None for scikit-learn's digits.
    n_train, n_val, n_test : int
    corruption : float
        Standard deviation of the group's Gaussian noise, 1 = the full range.
    train_share, eval_share : float
        Share of noisy images in train, and in val and test.
    pixel_noise : float
        Standard deviation of the noise of all other images.
    width, epochs : int
        Of the base model and of its training.
    encoder : str

    Reference: Jain, Lawrence, Moitra, Madry (2022), the ImageNet-C experiment: noise on 10 % of train and 50 % of val and
    test.

    >>> NoisyDigits().get_params()["train_share"]
    0.1

    """

    family: ClassVar[str] = "noisy_digits"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="Noisy digits",
        size="1,797 digits: 700 train, 500 val, 597 test; MNIST with root",
        group="digits with more noise",
        rate="10 % of train, 50 % of val and test",
        licence="CC BY 4.0 (UCI digits)",
        source="scikit-learn's load_digits; Jain et al. 2022 (ImageNet-C)",
    )

    def __init__(
        self,
        root: str | None = None,
        n_train: int = 700,
        n_val: int = 500,
        n_test: int = 597,
        corruption: float = 0.4,
        train_share: float = 0.1,
        eval_share: float = 0.5,
        pixel_noise: float = 0.0,
        width: int = 8,
        epochs: int = 15,
        encoder: str = "nano-clip",
    ) -> None:
        super().__init__(root, n_train, n_val, n_test, pixel_noise, width, epochs, encoder)
        self.corruption = corruption
        self.train_share = train_share
        self.eval_share = eval_share

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        self.check_digits(corruption=2, train_share=1, eval_share=1, pixel_noise=2)

    def raw(self, seed: int) -> RawProblem:
        """Draw the digits and add noise."""
        return self.problem(
            seed,
            class_names=[f"digit {digit}" for digit in range(10)],
            how=f"Gaussian noise on {self.train_share:.0%} of train and {self.eval_share:.0%} of val and test",
            captions=_candidates(),
            naming={"noisy": tuple(digit_caption(digit=digit, noisy=True) for digit in range(10))},
        )

    def planted(self, part: Digits, split: str, rng: np.random.Generator) -> Planted:
        """Add more noise to some images; they are the group."""
        noisy = rng.random(len(part.digits)) < (self.train_share if split == "train" else self.eval_share)
        images = with_pixel_noise(part.images, np.where(noisy, self.corruption, self.pixel_noise), rng)
        return images, part.digits, noisy[:, None]


def _candidates() -> CaptionSet:
    """Make captions per digit: noisy, in one of nine colours, or on a black or white background."""
    said: list[dict[str, Any]] = [{"noisy": True}, *({"colour": colour} for colour in (*COLOURS, "white"))]
    said += [{"ground": ground} for ground in ("black", "white")]
    texts = [[digit_caption(digit=digit, **extra) for extra in said] for digit in range(10)]
    return CaptionSet.of(texts, [digit_caption(digit=digit) for digit in range(10)])
