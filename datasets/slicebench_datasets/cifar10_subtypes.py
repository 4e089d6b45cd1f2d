"""CIFAR-10's animals against vehicles; one kind of each is rare in train."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from slicebench.data.captions import CaptionSet
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._cifar import CIFAR10_CARD, read_cifar10
from slicebench_datasets._parameters import check_cap, check_ranges, check_subset
from slicebench_datasets._render import article
from slicebench_datasets._splits import at_most, deal, recipe_from, split_up, thinned

PAPER = {"arch": "resnet18_cifar", "epochs": 15, "batch_size": 512, "peak_lr": 0.5, "peak_epoch": 5, "augment": True}
MEMBERS = {
    "animal": ("bird", "cat", "deer", "dog", "frog", "horse"),
    "vehicle": ("airplane", "automobile", "ship", "truck"),
}


class CIFAR10Subtypes(RawDataset):
    """Animals or vehicles; one kind of each, which look alike against the sky, is rare in train.

    Half of the train images are dealt to train, a fifth to val, the rest to the pool. Of the rare
    kinds, train keeps the share `keep`. The official test set is the test split. There is one group
    per rare kind.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check cifar10_subtypes`.
    rare : list of str
        The rare kinds, one or more of CIFAR-10's classes.
    keep : float
        Share of the rare kinds' train images that stays.
    n_train : int, optional
        Number of train images before thinning; half of all by default.
    recipe : dict, optional
        Changes to the training, which is that of the published CIFAR-10 experiments.
    encoder : str

    References
    ----------
    Krizhevsky (2009); the plant follows Jain, Lawrence, Moitra, Madry (2022), the CIFAR-100 superclass experiment.

    >>> CIFAR10Subtypes().rare
    ('bird', 'airplane')

    """

    family: ClassVar[str] = "cifar10_subtypes"
    modality: ClassVar[str] = "image"
    card = replace(
        CIFAR10_CARD,
        title="CIFAR-10 subtypes",
        group="birds and airplanes, rare in train",
        rate="5.9 % of train, 20 % of test",
    )

    def __init__(
        self,
        root: str | None = None,
        rare: list[str] | tuple[str, ...] = ("bird", "airplane"),
        keep: float = 0.25,
        n_train: int | None = None,
        recipe: dict[str, Any] | None = None,
        encoder: str = "open_clip:ViT-B-32/openai",
    ) -> None:
        self.root = root
        self.rare = rare
        self.keep = keep
        self.n_train = n_train
        self.recipe = recipe
        self.encoder = encoder

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_subset(self, "rare", [name for members in MEMBERS.values() for name in members])
        check_ranges(self, {"keep": (0, 1)})
        check_cap(self, "n_train")
        recipe_from(PAPER, self.recipe)

    def raw(self, seed: int) -> RawProblem:
        """Read, deal the train images, and thin the rare kinds in train."""
        cifar = read_cifar10(self.place())
        rng, kinds = np.random.default_rng(seed), np.array(cifar.names["label"])[cifar.labels["label"]]
        parts = deal(np.arange(cifar.n_train), {"train": 0.5, "val": 0.2, "pool": 0.3}, rng)
        train = at_most(parts["train"], self.n_train, "n_train", rng)
        parts["train"] = thinned(train, np.isin(kinds, self.rare), self.keep)
        return RawProblem(
            name="cifar10-subtypes",
            splits=split_up(
                parts | {"test": cifar.test_rows()},
                ids=cifar.ids,
                inputs=cifar.pixels,
                labels=np.isin(kinds, MEMBERS["vehicle"]).astype(np.int64),
                groups=kinds[:, None] == np.array(self.rare),
            ),
            base_model=recipe_from(PAPER, self.recipe),
            encoder=self.encoder,
            class_names=tuple(MEMBERS),
            group_names=tuple(self.rare),
            how=f"train keeps the share {self.keep:g} of the images of {' and '.join(self.rare)}",
            provenance=provenance_of(self.card),
            captions=_candidates(),
            captions_for_groups={name: (_photo_of(name),) for name in self.rare},
        )


def _candidates() -> Any:
    """Make one caption per kind of a class."""
    return CaptionSet.of(
        [[_photo_of(kind) for kind in kinds] for kinds in MEMBERS.values()], [*map(_photo_of, MEMBERS)]
    )


def _photo_of(name: str) -> str:
    return f"a photo of {article(name)} {name}"
