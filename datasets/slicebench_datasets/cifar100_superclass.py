"""CIFAR-100's superclasses; one subclass of each is rare in train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.data.captions.naming import captions_naming
from slicebench.plugins.dataset_card import DatasetCard, Wanted
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._cifar import SOURCE, by_class, check_indices, layouts_of, published_rows, read_cifar
from slicebench_datasets._parameters import check_choices, check_ranges, given
from slicebench_datasets._splits import recipe_from, split_up, thinned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.files.fingerprints import Source
    from slicebench_datasets._cifar import Cifar

COLUMNS = {"fine_label": ("fine_labels", "fine_label_names"), "coarse_label": ("coarse_labels", "coarse_label_names")}
FILES = (
    Wanted("train", "train batch", md5="16019d7e3df5f24257cddd939b257f8d"),
    Wanted("test", "test batch", md5="f0ef6b0ae62326f3e7ffdfab6717acfc"),
    Wanted("meta", "class names", md5="7973b15100ade9c7d40fb424638fde48"),
)
RARE = (4, 73, 54, 10, 51, 40, 84, 18, 3, 12, 33, 38, 64, 45, 2, 44, 80, 96, 13, 81)
"""Fine label of the rare subclass of each superclass, as published."""
PAPER = {"arch": "resnet18_cifar", "epochs": 35, "batch_size": 512, "peak_lr": 0.5, "peak_epoch": 5, "augment": True}


class CIFAR100Superclass(RawDataset):
    """Twenty superclasses; one of the five subclasses of each is rare in train.

    Within each superclass, in the order of the files, every fifth train image goes to val and every
    second of the rest to the pool. Of the rare subclass, every fourth of the remaining images stays
    in train. The official test set is the test split. There is one group per superclass: its rare
    subclass.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check cifar100_superclass`.
    split : "40/20/40" or "80/20"
        Shares of train, val and pool; the second has no pool.
    keep : float
        Share of the rare subclass's train images that stays; the removal experiment starts at 1.
    indices : str, optional
        Path of the published indices (.npz with train, val, pool), for images in the author's
        order; `split` and `keep` are then ignored.
    recipe : dict, optional
        Changes to the paper's training, such as {"arch": "small_cnn", "width": 48}.
    encoder : str
    pool_noise : float
        Share of the pool's labels that are wrong, drawn among the other classes, as from a weak
        labeller.

    References
    ----------
    Krizhevsky (2009); Jain, Lawrence, Moitra, Madry (2022), section 5 and the appendix on CIFAR-100: train 17,016, overall
    accuracy .696, minority .434.

    >>> CIFAR100Superclass(keep=0.5).get_params()["split"]
    '40/20/40'

    """

    family: ClassVar[str] = "cifar100_superclass"
    modality: ClassVar[str] = "image"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="CIFAR-100 superclasses",
        size="50,000 train + 10,000 test",
        group="one of five subclasses per superclass, rare in train",
        rate="5.9 % of train, 20 % of test",
        licence="none stated; cite Krizhevsky 2009",
        source=SOURCE,
        obtain="fetch cifar-100-python.tar.gz from the source's page, or the Parquet files of Hugging Face's uoft-cs/cifar100.",
        folder="cifar100",
        layouts=layouts_of("cifar-100-python", "eb9058c3a382ffc7106e4002c42a8d85", FILES),
    )

    def __init__(
        self,
        root: str | None = None,
        split: str = "40/20/40",
        keep: float = 0.25,
        indices: str | None = None,
        recipe: dict[str, Any] | None = None,
        encoder: str = "open_clip:ViT-B-32/openai",
        pool_noise: float = 0.0,
    ) -> None:
        self.root = root
        self.split = split
        self.keep = keep
        self.indices = indices
        self.recipe = recipe
        self.encoder = encoder
        self.pool_noise = pool_noise

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_choices(self, {"split": ("40/20/40", "80/20")})
        check_ranges(self, {"keep": (0, 1), "pool_noise": (0, 1)})
        check_indices(self.indices, self.family)
        recipe_from(PAPER, self.recipe)

    def sources(self) -> tuple[Source, ...]:
        """Return the files of the data, and those of the published indices if given."""
        return (*super().sources(), *given(self, "indices"))

    def raw(self, seed: int) -> RawProblem:
        """Read and split as published, and thin the rare subclasses in train; the seed draws weak labels."""
        from slicebench.data.captions.grammar import caption_set

        cifar = self.read()
        rare = [cifar.names["fine_label"][c].replace("_", " ") for c in RARE]
        captions = caption_set("cifar100", cifar.names["coarse_label"])
        splits = split_up(
            self._rows(cifar) | {"test": cifar.test_rows()},
            ids=cifar.ids,
            inputs=cifar.pixels,
            labels=cifar.labels["coarse_label"],
            groups=cifar.labels["fine_label"][:, None] == np.array(RARE),
        )
        if "pool" in splits:
            classes = len(cifar.names["coarse_label"])
            splits["pool"] = splits["pool"].weakly_labelled(self.pool_noise, classes, np.random.default_rng([seed, 4]))
        return RawProblem(
            name="cifar100-superclass",
            splits=splits,
            base_model=recipe_from(PAPER, self.recipe),
            encoder=self.encoder,
            class_names=cifar.names["coarse_label"],
            group_names=rare,
            how=f"one subclass of each superclass keeps the share {self.keep:g} of its train images",
            provenance=provenance_of(self.card),
            captions=captions,
            captions_for_groups={name: captions_naming(captions.texts, [name]) for name in rare},
        )

    def read(self) -> Cifar:
        """Read every image with its fine and coarse label."""
        return read_cifar(self.place(), COLUMNS, (("train",), "test", "meta"))

    def _rows(self, cifar: Cifar) -> dict[str, NDArray[np.intp]]:
        """Choose the rows of train, val and pool among the train images."""
        if self.indices is not None:
            return published_rows(self.indices, cifar, "coarse_label")
        rare = np.isin(cifar.labels["fine_label"], RARE)

        def rule(rows: NDArray[np.intp]) -> dict[str, NDArray[np.intp]]:
            rest = np.delete(rows, np.s_[::5])
            if self.split == "80/20":
                return {"train": thinned(rest, rare, self.keep), "val": rows[::5]}
            train = np.delete(rest, np.s_[::2])
            return {"train": thinned(train, rare, self.keep), "val": rows[::5], "pool": rest[::2]}

        return by_class(cifar.labels["coarse_label"][: cifar.n_train], rule)
