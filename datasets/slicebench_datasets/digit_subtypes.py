"""Superclasses of digits, one digit of each rare in train."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from slicebench.plugins.dataset_card import DatasetCard
from slicebench.problems.building import RawDataset

if TYPE_CHECKING:
    from slicebench.problems.raw import RawProblem


class DigitSubtypes(RawDataset):
    """A class is several digits; one of them was seen too seldom in training, and is mistaken for other classes.

    Digits are dealt to the classes in turn (digit modulo `classes`: even against odd for two), and the largest digit of
    each class keeps the share `keep` of its train images. One group per class.

    Parameters
    ----------
    root : str, optional
        Folder of MNIST files; None for scikit-learn's digits.
    n_train, n_val, n_test, n_pool : int
        n_train counts the images that stay.
    classes : int
        2 to 5, so that every class has two digits or more.
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
    modality: ClassVar[str] = "image"
    version: ClassVar[str] = "2"
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
        self.root = root
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test
        self.classes = classes
        self.keep = keep
        self.pixel_noise = pixel_noise
        self.width = width
        self.epochs = epochs
        self.encoder = encoder
        self.n_pool = n_pool

    def rare_digits(self) -> list[int]:
        """Rare digit of each class."""
        return [max(range(c, 10, self.classes)) for c in range(self.classes)]

    def check(self) -> None:
        """Raise `ConfigError` naming the parameter that cannot be used."""
        from slicebench_datasets._digits import check_digits
        from slicebench_datasets._parameters import check_ranges

        check_ranges(self, {"classes": (2, 5)})
        check_digits(self, keep=1, pixel_noise=2)

    def raw(self, seed: int) -> RawProblem:
        """Draw, thin."""
        from slicebench.data.captions import CaptionSet
        from slicebench.problems.raw import RawProblem, RawSplit
        from slicebench_datasets._digits import (
            digit_caption,
            draw_digits,
            provenance_of,
            recipe_of,
            sizes_of,
            with_pixel_noise,
        )

        rng, rare = np.random.default_rng(seed), self.rare_digits()
        stays = np.where(np.isin(np.arange(10), rare), self.keep, 1.0)
        sizes = sizes_of(self)
        splits = {
            name: RawSplit.shuffled(
                name,
                rng,
                inputs=with_pixel_noise(part.images, self.pixel_noise, rng),
                labels=part.digits % self.classes,
                groups=part.digits[:, None] == np.array(rare),
            )
            for name, part in draw_digits(self.root, sizes, rng, {"train": stays}).items()
        }
        return RawProblem(
            name="digit-subtypes",
            splits=splits,
            base_model=recipe_of(self),
            encoder=self.encoder,
            class_names=["digit " + " or ".join(map(str, range(c, 10, self.classes))) for c in range(self.classes)],
            group_names=[f"digit {digit}" for digit in rare],
            how=f"the largest digit of each class keeps {self.keep:.0%} of its train images",
            provenance=provenance_of(self.root),
            captions=CaptionSet.of(
                [[digit_caption(digit=d) for d in range(c, 10, self.classes)] for c in range(self.classes)],
                [digit_caption()] * self.classes,
            ),
            captions_for_groups={f"digit {digit}": (digit_caption(digit=digit),) for digit in rare},
        )
