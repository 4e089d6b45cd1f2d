"""Superclasses of digits; one digit of each is rare in train."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from slicebench.data.captions import CaptionSet
from slicebench.plugins.dataset_card import DatasetCard
from slicebench_datasets._digits import DigitDataset, digit_caption, with_pixel_noise
from slicebench_datasets._parameters import check_ranges

if TYPE_CHECKING:
    from slicebench.problems.raw import RawProblem
    from slicebench_datasets._digits import Digits, Planted


class DigitSubtypes(DigitDataset):
    """Classes of several digits; one digit of each is rare in train and is mistaken for other classes.

    Digits are dealt to the classes in turn (digit modulo `classes`; for two, even against odd), and
    the largest digit of each class keeps the share `keep` of its train images. There is one group
    per class.

    Parameters
    ----------
    root : str, optional
        Folder of MNIST files; None for scikit-learn's digits.
    n_train, n_val, n_test, n_pool : int
        Sizes; n_train is the size after thinning.
    classes : int
        2 to 5, so that every class has at least two digits.
    keep : float
        Share of the rare digit's train images that stays; val and test keep all.
    pixel_noise : float
        Standard deviation of noise added to every image, 1 = the full range.
    width, epochs : int
        Of the base model and of its training.
    encoder : str

    Reference: Jain, Lawrence, Moitra, Madry (2022), the CIFAR-100 superclass experiment, where one subclass in each
    superclass keeps every fourth image.

    >>> DigitSubtypes(classes=2).rare_digits()
    [8, 9]

    """

    family: ClassVar[str] = "digit_subtypes"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="Digit subtypes",
        size="1,797 digits: 550 train, 500 val, 597 test; MNIST with root",
        group="one rare digit per class",
        rate="about 6 % of train, 20 % of test",
        licence="CC BY 4.0 (UCI digits)",
        source="scikit-learn's load_digits; Jain et al. 2022 (CIFAR-100 superclasses)",
    )

    def __init__(
        self,
        root: str | None = None,
        n_train: int = 550,
        n_val: int = 500,
        n_test: int = 597,
        classes: int = 2,
        keep: float = 0.25,
        pixel_noise: float = 0.0,
        width: int = 8,
        epochs: int = 15,
        encoder: str = "nano-clip",
        n_pool: int = 0,
    ) -> None:
        super().__init__(root, n_train, n_val, n_test, pixel_noise, width, epochs, encoder, n_pool)
        self.classes = classes
        self.keep = keep

    def rare_digits(self) -> list[int]:
        """Return the rare digit of each class."""
        return [max(range(c, 10, self.classes)) for c in range(self.classes)]

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_ranges(self, {"classes": (2, 5)})
        self.check_digits(keep=1, pixel_noise=2)

    def raw(self, seed: int) -> RawProblem:
        """Draw the digits, and thin the rare ones in train."""
        rare, families = self.rare_digits(), [range(c, 10, self.classes) for c in range(self.classes)]
        return self.problem(
            seed,
            class_names=["digit " + " or ".join(map(str, digits)) for digits in families],
            how=f"the largest digit of each class keeps {self.keep:.0%} of its train images",
            captions=CaptionSet.of(
                [[digit_caption(digit=d) for d in digits] for digits in families], [digit_caption()] * self.classes
            ),
            naming={f"digit {digit}": (digit_caption(digit=digit),) for digit in rare},
            keep={"train": np.where(np.isin(np.arange(10), rare), self.keep, 1.0)},
        )

    def planted(self, part: Digits, split: str, rng: np.random.Generator) -> Planted:  # noqa: ARG002 - thinned when drawn
        """Add noise to the images; the groups are the rare digits."""
        groups = part.digits[:, None] == np.array(self.rare_digits())
        return with_pixel_noise(part.images, self.pixel_noise, rng), part.digits % self.classes, groups
