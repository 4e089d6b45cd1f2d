"""Waterbirds: the label is the bird, and the background correlates with it in train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.data.captions import CaptionSet
from slicebench.errors import StorageError
from slicebench.files.image_arrays import ImageFiles, decoded
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._parameters import check_ranges
from slicebench_datasets._splits import in_each_class, recipe_from, split_up
from slicebench_datasets._tables import distinct, none_lost, read_csv, whole_numbers

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


PAPER = {"arch": "resnet18", "epochs": 30, "batch_size": 128, "peak_lr": 0.05, "peak_epoch": 2, "augment": True}
CLASSES = ("landbird", "waterbird")
GROUPS = ("landbird on water", "waterbird on land")
PARTS = ("train", "val", "test")
COLUMNS = ("img_id", "img_filename", "y", "split", "place")
LAND = ("on land", "in a forest", "in a bamboo forest")
WATER = ("on water", "on the ocean", "on a lake")


class Waterbirds(RawDataset):
    """Landbirds or waterbirds; in train 95% of them are on a matching background, which a model may use.

    The birds are cut out of photographs and placed on a background: forests for land, oceans and
    lakes for water. The splits are the published ones. In val and test, half of each class is on
    either background. There is one group per class: its birds on the other background.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check waterbirds`.
    side : int
        Pixels.
    recipe : dict, optional
        Changes to the training, such as {"arch": "small_cnn", "width": 48}.
    encoder : str

    References
    ----------
    Sagawa, Koh, Hashimoto, Liang, "Distributionally robust neural networks for group shifts", 2020: train has 3,498 landbirds on
    land, 184 on water, 56 waterbirds on land and 1,057 on water.

    >>> Waterbirds(side=64).get_params()["side"]
    64

    """

    family: ClassVar[str] = "waterbirds"
    modality: ClassVar[str] = "image"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="Waterbirds",
        size="4,795 train + 1,199 val + 5,794 test",
        group="landbirds on water and waterbirds on land",
        rate="5.0 % of train (240), 50 % of val and test",
        licence="none stated; made of CUB-200-2011 (non-commercial research only) and Places; cite Sagawa et al. 2020",
        source="Sagawa, Koh, Hashimoto, Liang 2020; github.com/kohpangwei/group_DRO",
        obtain="fetch waterbird_complete95_forest2water2.tar.gz from github.com/kohpangwei/group_DRO and unpack it.",
        folder="waterbirds",
        layouts=(
            Layout(
                "waterbird_complete95_forest2water2",
                (
                    Wanted("metadata.csv", "labels, places and splits"),
                    Wanted("*/*.jpg", "birds, a folder per species", count=11_788),
                ),
            ),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        side: int = 128,
        recipe: dict[str, Any] | None = None,
        encoder: str = "open_clip:ViT-B-32/openai",
    ) -> None:
        self.root = root
        self.side = side
        self.recipe = recipe
        self.encoder = encoder

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_ranges(self, {"side": (8, 1024)})
        recipe_from(PAPER, self.recipe)

    def raw(self, seed: int) -> RawProblem:  # noqa: ARG002 - the splits are the published ones
        """Read the table, the images, and the published splits and groups."""
        place = self.place()
        path = place.file("metadata.csv")
        table = read_csv(path, COLUMNS)
        names = distinct(path, table["img_filename"])
        y, at, part = (
            whole_numbers(path, table[name], 0, high) for name, high in (("y", 1), ("place", 1), ("split", 2))
        )
        none_lost(path, len(names), len(place.files("*/*.jpg")), place.folder)
        return RawProblem(
            name="waterbirds",
            splits=split_up(
                _official(path, part),
                ids=distinct(path, table["img_id"]),
                inputs=lambda rows: decoded(ImageFiles(place.folder, names[rows].tolist()), side=self.side),
                labels=y,
                groups=in_each_class(y != at, y),
            ),
            base_model=recipe_from(PAPER, self.recipe),
            encoder=self.encoder,
            class_names=CLASSES,
            group_names=GROUPS,
            how="published: the background goes with the class in 95 % of train and in half of val and test",
            provenance=provenance_of(self.card),
            captions=caption_candidates(),
            captions_for_groups={
                group: tuple(_captions(bird, other))
                for group, bird, other in zip(GROUPS, CLASSES, (WATER, LAND), strict=True)
            },
        )


def caption_candidates() -> CaptionSet:
    """Make captions of each bird on land and on water, three each; the reference names only the bird."""
    return CaptionSet.of(
        [_captions(bird, LAND + WATER) for bird in CLASSES], [f"a photo of a {bird}" for bird in CLASSES]
    )


def _captions(bird: str, places: tuple[str, ...]) -> list[str]:
    return [f"a photo of a {bird} {place}" for place in places]


def _official(path: Path, part: NDArray[np.int64]) -> dict[str, NDArray[np.intp]]:
    """Find the rows of train, val and test."""
    rows = {name: np.flatnonzero(part == i) for i, name in enumerate(PARTS)}
    if empty := [name for name, found in rows.items() if not len(found)]:
        raise StorageError(
            f"{path} has no row of {', '.join(empty)}; column split must have 0, 1 and 2; fetch it again"
        )
    return rows
