"""CIFAR-10 unchanged: natural failure modes, no planted truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._cifar import CIFAR10_CARD, by_class, check_indices, published_rows, read_cifar10
from slicebench_datasets._parameters import check_choices, given
from slicebench_datasets._splits import recipe_from, split_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.files.fingerprints import Source
    from slicebench_datasets._cifar import Cifar

PAPER = {"arch": "resnet18_cifar", "epochs": 15, "batch_size": 512, "peak_lr": 0.5, "peak_epoch": 5, "augment": True}
SHARES = {"20/20/60": (1, 1, 3), "40/20/40": (2, 1, 2), "80/20": (4, 1, 0)}
"""Of five images of a class, in the order of the files: how many go to train, val and pool."""


class CIFAR10(RawDataset):
    """Ten classes without a planted subgroup; methods can only be judged by caption gaps and interventions.

    Of every five train images of a class, in the order of the files, the first goes to val, the
    next to train, and the rest to the pool. The official test set is the test split.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check cifar10`.
    split : "20/20/60", "40/20/40" or "80/20"
        Shares of train, val and pool; the last has no pool.
    indices : str, optional
        Path of the published indices (.npz with train, val, pool), for images in the author's
        order; `split` is then ignored.
    captions : "simple" or "extended"
        Candidate captions; the extended ones need WordNet's database.
    recipe : dict, optional
        Changes to the training.
    encoder : str

    References
    ----------
    Krizhevsky (2009); Jain, Lawrence, Moitra, Madry (2022), the experiments on CIFAR-10, where the base model of 20/20/60 is
    right on .791 of the test images and that of 80/20 on .931.

    >>> CIFAR10().get_params()["split"]
    '20/20/60'

    """

    family: ClassVar[str] = "cifar10"
    modality: ClassVar[str] = "image"
    card = CIFAR10_CARD

    def __init__(
        self,
        root: str | None = None,
        split: str = "20/20/60",
        indices: str | None = None,
        captions: str = "simple",
        recipe: dict[str, Any] | None = None,
        encoder: str = "open_clip:ViT-B-32/openai",
    ) -> None:
        self.root = root
        self.split = split
        self.indices = indices
        self.captions = captions
        self.recipe = recipe
        self.encoder = encoder

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_choices(self, {"split": SHARES, "captions": ("simple", "extended")})
        check_indices(self.indices, self.family)
        recipe_from(PAPER, self.recipe)

    def sources(self) -> tuple[Source, ...]:
        """Return the files of the data, and those of the published indices if given."""
        return (*super().sources(), *given(self, "indices"))

    def raw(self, seed: int) -> RawProblem:  # noqa: ARG002 - the splits are fixed
        """Read and split the images."""
        from slicebench.data.captions.grammar import caption_set

        cifar = read_cifar10(self.place())
        names = cifar.names["label"]
        return RawProblem(
            name="cifar10",
            splits=split_up(
                self._rows(cifar) | {"test": cifar.test_rows()},
                ids=cifar.ids,
                inputs=cifar.pixels,
                labels=cifar.labels["label"],
                groups=np.zeros((len(cifar.ids), 0), dtype=bool),
            ),
            base_model=recipe_from(PAPER, self.recipe),
            encoder=self.encoder,
            class_names=names,
            group_names=(),
            how="natural: no subgroup is planted",
            kind="natural",
            provenance=provenance_of(self.card),
            captions=caption_set(f"cifar10_{self.captions}", names),
        )

    def _rows(self, cifar: Cifar) -> dict[str, NDArray[np.intp]]:
        """Choose the rows of train, val and pool among the train images."""
        if self.indices is not None:
            return published_rows(self.indices, cifar, "label")
        train, val, _ = SHARES[self.split]

        def rule(rows: NDArray[np.intp]) -> dict[str, NDArray[np.intp]]:
            at = np.arange(len(rows)) % 5
            parts = {"val": at < val, "train": (at >= val) & (at < val + train), "pool": at >= val + train}
            return {name: rows[there] for name, there in parts.items() if there.any()}

        return by_class(cifar.labels["label"][: cifar.n_train], rule)
