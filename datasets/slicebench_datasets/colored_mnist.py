"""Colored MNIST as published, on MNIST's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench_datasets._parameters import check_ranges
from slicebench_datasets._splits import recipe_from
from slicebench_datasets.colored_digits import ColoredDigits

if TYPE_CHECKING:
    from slicebench.models.training import Recipe

PAPER = {"arch": "resnet18_cifar", "epochs": 15, "batch_size": 512, "peak_lr": 0.1, "peak_epoch": 2}
IDX = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""The author's files, with the checksums of the compressed ones."""


class ColoredMNIST(ColoredDigits):
    """Digits below five or not, tinted as in `colored_digits`, with MNIST and the paper's training.

    Train and val are drawn from MNIST's train files and test from its test files, with a seed and
    without overlap. The released test set was made of train images, without a seed.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check colored_mnist`.
    n_train, n_val, n_test : int
        Sizes; the published sizes are not stated.
    p : float
        Share of train whose tint is the label; the paper's grid goes from .08 to .92.
    p_eval, label_noise : float
        The same share in val and test; share of flipped train labels.
    recipe : dict, optional
        Changes to the paper's training, such as {"arch": "small_cnn", "width": 16}.
    encoder : str

    References
    ----------
    LeCun, Bottou, Bengio, Haffner (1998); Arjovsky et al. (2019); Jain, Lawrence, Moitra, Madry (2022), the Colored MNIST
    experiment.

    >>> ColoredMNIST(p=0.92).get_params()["n_train"]
    40000

    """

    family: ClassVar[str] = "colored_mnist"
    version: ClassVar[str] = "1"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="Colored MNIST",
        size="40,000 train, 20,000 val, 10,000 test",
        group="digits whose tint disagrees with the label",
        rate="25 % of test; of train (1 - p) / 2",
        licence="CC BY-SA 3.0 (MNIST)",
        source="LeCun, Bottou, Bengio, Haffner 1998; yann.lecun.com/exdb/mnist",
        obtain="fetch the four IDX files, or the Parquet files of Hugging Face's ylecun/mnist.",
        folder="mnist",
        layouts=(
            Layout("IDX files, packed", tuple(Wanted(f"{name}.gz", "digits", md5=md5) for name, md5 in IDX.items())),
            Layout("IDX files", tuple(Wanted(name, "digits") for name in IDX)),
            Layout(
                "Hugging Face parquet",
                (Wanted("train-*.parquet", "train images"), Wanted("test-*.parquet", "test images")),
            ),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        n_train: int = 40_000,
        n_val: int = 20_000,
        n_test: int = 10_000,
        p: float = 0.5,
        p_eval: float = 0.5,
        label_noise: float = 0.25,
        recipe: dict[str, Any] | None = None,
        encoder: str = "open_clip:ViT-B-32/openai",
    ) -> None:
        super().__init__(root, n_train, n_val, n_test, p, p_eval, label_noise, encoder=encoder)
        self.recipe = recipe

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_ranges(self, dict.fromkeys(("p", "p_eval", "label_noise"), (0, 1)))
        check_ranges(self, dict.fromkeys(("n_train", "n_val", "n_test"), (1, 70_000)))
        self.training()

    def digits_root(self) -> str | None:
        """Return the folder where MNIST was found."""
        return str(self.place().folder)

    def training(self) -> Recipe:
        """Return the training recipe of Arjovsky et al., with the parameters that the user set."""
        return recipe_from(PAPER, self.recipe)
