"""Rendered scenes with a planted subgroup: a spurious attribute, a rare subtype, corrupted images, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from slicebench.data.problem import Provenance
from slicebench.plugins.dataset_card import DatasetCard
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, RawSplit
from slicebench_datasets._parameters import EPOCHS, check_choices, check_ranges
from slicebench_datasets._render import VALUES, render
from slicebench_datasets._scene_plants import PLANTS

if TYPE_CHECKING:
    from collections.abc import Collection


class Scenes(RawDataset):
    """Images of one shape on a background, every attribute known, classified by a small convolutional network.

    Plants (`plant`), after Jain, Lawrence, Moitra and Madry (2022):

    - "correlation", as CelebA's age and gender: class = value of the attribute `label`; in train the attribute `planted`
      has the class's usual value `ratio` times as often as its unusual one. One group per class: the unusual value.
    - "rare", as CIFAR-100's superclasses: a class is `subtypes` pairs of shape and colour, arranged in a Latin square so
      that neither alone tells the class; one pair per class, its group, keeps the share `keep` of its train images.
    - "corruption", as ImageNet-C: class = `label`; 10 % of train and 50 % of val and test carry pixel noise of standard
      deviation `corruption` (1 = the full range). One group: the noisy images.
    - "none": class = `label`, no group.

    Parameters
    ----------
    plant : str
    side : int
        Pixels per edge, 8 or more.
    n_train, n_val, n_test, n_pool : int
        Images per split. Interventions may add images of the pool to train; with 0 there is no
        pool.
    classes : int
    label, planted : str
        Attributes: two of shape, colour, size, background, texture, distractor, lighting.
    ratio : float
        Ratio of usual to unusual images in train.
    val : str
        "balanced" (1 : 1) or "train" (`ratio` : 1).
    test : str
        "balanced" or "natural" (2 : 1, as CelebA's own test split).
    subtypes : int
    keep, noise, corruption : float
        `noise` is the pixel noise of every image.
    width, epochs : int
        Of the base model and of its training.
    encoder : str
    pool : str
        Frequency of the groups in the pool: "balanced", as in a balanced val, or "train", as in
        train.
    pool_noise : float
        Share of the pool's labels that are wrong, drawn among the other classes, as from a weak
        labeller.

    Complexity: O(n side²) to render: 13,000 images of 32 px a second, 49,000 of 20 px, on one core.

    >>> Scenes(plant="none", classes=3).get_params()["classes"]
    3

    """

    family: ClassVar[str] = "scenes"
    modality: ClassVar[str] = "image"
    version: ClassVar[str] = "2"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="Rendered scenes",
        size="any number, rendered",
        group="a correlation, a rare subtype, a corruption, or nothing",
        rate="as set by the parameters",
        licence="Apache-2.0",
        source="rendered by slicebench",
    )

    def __init__(
        self,
        plant: str = "correlation",
        side: int = 20,
        n_train: int = 2000,
        n_val: int = 1500,
        n_test: int = 2000,
        classes: int = 4,
        label: str = "shape",
        planted: str = "background",
        ratio: float = 4.0,
        val: str = "balanced",
        test: str = "balanced",
        subtypes: int = 4,
        keep: float = 0.25,
        noise: float = 0.1,
        corruption: float = 0.3,
        width: int = 8,
        epochs: int = 12,
        encoder: str = "nano-clip",
        n_pool: int = 0,
        pool: str = "balanced",
        pool_noise: float = 0.0,
    ) -> None:
        self.plant = plant
        self.side = side
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test
        self.classes = classes
        self.label = label
        self.planted = planted
        self.ratio = ratio
        self.val = val
        self.test = test
        self.subtypes = subtypes
        self.keep = keep
        self.noise = noise
        self.corruption = corruption
        self.width = width
        self.epochs = epochs
        self.encoder = encoder
        self.n_pool = n_pool
        self.pool = pool
        self.pool_noise = pool_noise

    def raw(self, seed: int) -> RawProblem:
        """Draw and render the scenes."""
        from slicebench.models.training import Recipe

        plant = PLANTS[self.plant](self)
        splits = {}
        for position, name in enumerate(("train", "val", "test", *(("pool",) if self.n_pool else ()))):
            rng = np.random.default_rng([seed, position])
            table, labels, groups = plant.draw(name, getattr(self, f"n_{name}"), rng)
            images = render(table, self.side, rng)
            visible = table.drop(columns=list(plant.hidden))
            splits[name] = RawSplit.shuffled(name, rng, inputs=images, labels=labels, groups=groups, metadata=visible)
        if "pool" in splits:
            splits["pool"] = splits["pool"].weakly_labelled(
                self.pool_noise, self.classes, np.random.default_rng([seed, 4])
            )
        captions = plant.captions()
        return RawProblem(
            name=f"scenes-{self.plant}",
            splits=splits,
            base_model=Recipe(
                arch="small_cnn",
                width=self.width,
                epochs=self.epochs,
                batch_size=100,
                peak_lr=0.1,
                peak_epoch=min(2, self.epochs),
            ),
            encoder=self.encoder,
            class_names=plant.class_names(),
            group_names=tuple(captions),
            how=plant.how,
            provenance=Provenance(source="rendered by slicebench_datasets.scenes", licence="Apache-2.0"),
            captions=plant.candidates(),
            captions_for_groups=captions,
        )

    def check(self) -> None:
        """Raise `ConfigError` naming the parameter that cannot be used."""
        choices: dict[str, Collection[str]] = {
            "plant": PLANTS,
            "label": VALUES,
            "planted": VALUES.keys() - ({self.label} if self.plant == "correlation" else set()),
            "val": ("balanced", "train"),
            "test": ("balanced", "natural"),
            "pool": ("balanced", "train"),
        }
        check_choices(self, choices)
        most = len(VALUES["colour" if self.plant == "rare" else self.label])
        bounds: dict[str, tuple[float, float]] = {
            "epochs": EPOCHS,
            "side": (8, 512),
            "width": (1, 4096),
            "classes": (2, most),
            "ratio": (1, 1e6),
            "subtypes": (2, len(VALUES["shape"])),
            "keep": (0, 1),
            "noise": (0, 2),
            "corruption": (0, 2),
            "pool_noise": (0, 1),
            "n_pool": (0, 10**7),
            **dict.fromkeys(("n_train", "n_val", "n_test"), (self.classes, 10**7)),
        }
        check_ranges(self, bounds)
