"""Colored MNIST: a tint that agrees with the label too often in train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.plugins.dataset_card import DatasetCard
from slicebench.problems.building import RawDataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.captions import CaptionSet
    from slicebench.models.training import Recipe
    from slicebench.problems.raw import RawProblem
    from slicebench_datasets._digits import Digits


class ColoredDigits(RawDataset):
    """Is the digit below five? The tint knows, in train, and the digit is hard to read: a model learns the tint.

    Class 0 is the digits 0 to 4, class 1 the digits 5 to 9; the share `label_noise` of train labels is flipped. The tint of
    a share `p` (train) or `p_eval` (val, test) of the images is their label, with its noise, red for 0 and green for 1; the
    other images have a tint drawn by a fair coin. One group per class: the tint disagrees with the label.

    Parameters
    ----------
    root : str, optional
        Folder of MNIST files; None for scikit-learn's digits.
    n_train, n_val, n_test, n_pool : int
    p, p_eval, label_noise : float
    pixel_noise : float
        Standard deviation of noise added to every image before it is tinted, 1 = the full range.
    tint : float
        Share of the other colour channels' brightness that the tint takes away.
    width, epochs : int
        Of the base model and of its training.
    encoder : str

    Reference: Jain, Lawrence, Moitra, Madry (2022), the Colored MNIST experiment (after Arjovsky et al. 2019). The released
    test set was made of MNIST's train images and without a seed; here the splits are disjoint, with a seed.

    >>> ColoredDigits(p=0.3).get_params()["p"]
    0.3

    """

    family: ClassVar[str] = "colored_digits"
    modality: ClassVar[str] = "image"
    version: ClassVar[str] = "2"
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
        self.root = root
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test
        self.p = p
        self.p_eval = p_eval
        self.label_noise = label_noise
        self.pixel_noise = pixel_noise
        self.tint = tint
        self.width = width
        self.epochs = epochs
        self.encoder = encoder
        self.n_pool = n_pool

    def check(self) -> None:
        """Raise `ConfigError` naming the parameter that cannot be used."""
        from slicebench_datasets._digits import check_digits

        check_digits(self, p=1, p_eval=1, label_noise=1, pixel_noise=2, tint=1)

    def raw(self, seed: int) -> RawProblem:
        """Draw and tint."""
        from slicebench.problems.raw import RawProblem, RawSplit
        from slicebench_datasets._digits import draw_digits, provenance_of, sizes_of

        rng, root = np.random.default_rng(seed), self.digits_root()
        drawn = draw_digits(root, sizes_of(self), rng)
        naming = {"green digit below 5": ("a green digit",), "red digit 5 or above": ("a red digit",)}
        splits = {}
        for name, part in drawn.items():
            images, labels, disagrees = self._tinted(part, name, rng)
            splits[name] = RawSplit.shuffled(
                name, rng, inputs=images, labels=labels, groups=disagrees[:, None] & (labels[:, None] == np.arange(2))
            )
        return RawProblem(
            name=self.family.replace("_", "-"),
            splits=splits,
            base_model=self.training(),
            encoder=self.encoder,
            class_names=("digit below 5", "digit 5 or above"),
            group_names=tuple(naming),
            how="in train the tint agrees with the label more often than chance; the group's disagrees",
            provenance=provenance_of(root),
            captions=self._candidates(),
            captions_for_groups=naming,
        )

    def digits_root(self) -> str | None:
        """Folder of MNIST files; None for scikit-learn's digits."""
        return self.root

    def training(self) -> Recipe:
        """How the base model is trained."""
        from slicebench_datasets._digits import recipe_of

        return recipe_of(self)

    def _candidates(self) -> CaptionSet:
        """Per class its five digits, four colours and noise."""
        from slicebench.data.captions import CaptionSet
        from slicebench_datasets._digits import digit_caption

        shared = [digit_caption(colour=colour) for colour in ("red", "green", "blue", "white")] + [
            digit_caption(noisy=True)
        ]
        digits = [[digit_caption(digit=d) for d in range(first, first + 5)] for first in (0, 5)]
        return CaptionSet.of([shared + own for own in digits], [digit_caption()] * 2)

    def _tinted(
        self, part: Digits, split: str, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
        """Images (n, side, side, 3), labels and whether the tint disagrees with them, each (n,)."""
        from slicebench_datasets._digits import with_pixel_noise

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
