"""UTKFace: male or female; one race is rare in train."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.errors import ConfigError, SlicebenchWarning, StorageError
from slicebench.files.image_arrays import ImageFiles, decoded
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._parameters import check_choices, check_ranges
from slicebench_datasets._splits import deal, hashed, in_each_class, recipe_from, split_up, thinned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.plugins.dataset_card import Place

PAPER = {"arch": "resnet18", "epochs": 20, "batch_size": 128, "peak_lr": 0.05, "peak_epoch": 2, "augment": True}
CLASSES = ("Male", "Female")
RACES = ("White", "Black", "Asian", "Indian", "Others")
SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+.*jpg")
"""Age, gender, race, date and time; the rest differs between the archives."""
OLDEST = 116
STRANGE = 0.01
"""Maximum share of files whose names lack a field; the published archive has three such files."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Contents of the file names, in the order of the ids, which is unrelated to them.

    Attributes
    ----------
    names, ids : (n,) strings
        Files, and their hashes.
    age, gender, race : (n,) int64

    """

    names: NDArray[np.str_]
    ids: NDArray[np.str_]
    age: NDArray[np.int64]
    gender: NDArray[np.int64]
    race: NDArray[np.int64]


class UTKFace(RawDataset):
    """Male or female faces; those of one race, or of one race and some ages, are rare in train.

    The images are dealt 60/20/20 by the seed to train, val and test, and of the group's faces in
    train the share `keep` stays. There is one group per class: its faces of the race (and ages).
    Labels are in the file names, so ids are hashes of them. Methods may see the age, unless it
    defines the group.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check utkface`.
    race : "White", "Black", "Asian", "Indian" or "Others"
    ages : [int, int], optional
        Lowest and highest age of the group, in years; None: all ages.
    keep : float
        Share of the group's train images that stays; 1 keeps all.
    side : int
        Pixels.
    recipe : dict, optional
        Changes to the training, such as {"arch": "small_cnn", "width": 48}.
    encoder : str

    References
    ----------
    Zhang, Song, Qi, "Age progression/regression by conditional adversarial autoencoder", 2017.

    >>> UTKFace(race="Asian", ages=[0, 12]).get_params()["ages"]
    [0, 12]

    """

    family: ClassVar[str] = "utkface"
    modality: ClassVar[str] = "image"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="UTKFace",
        size="23,705 aligned and cropped faces",
        group="one of five races, or one race and some ages, rare in train",
        rate="in train a tenth of the rate in test",
        licence="non-commercial research only",
        source="Zhang, Song, Qi 2017; susanqq.github.io/UTKFace",
        obtain="fetch the aligned and cropped faces, UTKFace.tar.gz, from susanqq.github.io/UTKFace and unpack them.",
        folder="utkface",
        layouts=(
            Layout(
                "aligned and cropped faces",
                (Wanted("*.jpg", "faces, with age, gender and race in their names", count=23_708),),
            ),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        race: str = "Black",
        ages: list[int] | None = None,
        keep: float = 0.1,
        side: int = 96,
        recipe: dict[str, Any] | None = None,
        encoder: str = "open_clip:ViT-B-32/openai",
    ) -> None:
        self.root = root
        self.race = race
        self.ages = ages
        self.keep = keep
        self.side = side
        self.recipe = recipe
        self.encoder = encoder

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_choices(self, {"race": RACES})
        check_ranges(self, {"keep": (0, 1), "side": (8, 1024)})
        if self.ages is not None and not _is_span(self.ages):
            raise ConfigError(f"utkface: ages is {self.ages!r}; expected [low, high], years from 0 to {OLDEST}")
        recipe_from(PAPER, self.recipe)

    def raw(self, seed: int) -> RawProblem:
        """Read the names, deal and thin, and decode the images needed."""
        import pandas as pd

        place = self.place()
        faces = read_faces(place)
        rare = self._rare(faces)
        parts = deal(np.arange(len(faces.ids)), SHARES, np.random.default_rng(seed))
        span = "" if self.ages is None else f", {self.ages[0]}-{self.ages[1]}"
        return RawProblem(
            name="utkface",
            splits=split_up(
                parts | {"train": thinned(parts["train"], rare, self.keep)},
                ids=faces.ids,
                inputs=lambda rows: decoded(ImageFiles(place.folder, faces.names[rows].tolist()), side=self.side),
                labels=faces.gender,
                groups=in_each_class(rare, faces.gender),
                metadata=pd.DataFrame({"age": faces.age}) if self.ages is None else None,
            ),
            base_model=recipe_from(PAPER, self.recipe),
            encoder=self.encoder,
            class_names=CLASSES,
            group_names=[f"{self.race} {gender}{span}" for gender in CLASSES],
            how=f"train keeps the share {self.keep:g} of its faces of: {self.race}{span}",
            provenance=provenance_of(self.card),
        )

    def _rare(self, faces: Faces) -> NDArray[np.bool_]:
        rare = faces.race == RACES.index(self.race)
        if self.ages is not None:
            rare &= (faces.age >= self.ages[0]) & (faces.age <= self.ages[1])
        return np.asarray(rare)


def read_faces(place: Place) -> Faces:
    """Read age, gender and race from the file names; warn of files that are left out because a field is missing.

    Raises
    ------
    StorageError
        if more than 1% of the names lack them.

    """
    names = [path.name for path in place.files("*.jpg")]
    said = {name: found for name in names if (found := NAME.fullmatch(name)) and int(found[1]) <= OLDEST}
    if strange := [name for name in names if name not in said]:
        what = (
            f"{place.folder}: {len(strange):,} of {len(names):,} file names do not say age_gender_race_datetime: "
            f"{', '.join(strange[:3])}{', ...' if len(strange) > 3 else ''}"
        )
        if len(strange) > STRANGE * len(names):
            raise StorageError(
                f"{what}; expected names such as 26_1_2_20170104023102422.jpg.chip.jpg; unpack UTKFace again"
            )
        warnings.warn(f"{what}; left out", SlicebenchWarning, stacklevel=2)
    return _in_order_of_ids(said)


def _in_order_of_ids(said: dict[str, re.Match[str]]) -> Faces:
    names, ids = np.array([*said], dtype=np.str_), hashed(said)
    numbers = np.array([[int(part) for part in found.groups()] for found in said.values()], dtype=np.int64)
    order = np.argsort(ids)
    age, gender, race = numbers[order].T
    return Faces(names[order], ids[order], age, gender, race)


def _is_span(ages: object) -> bool:
    """Check whether `ages` is a list of two whole numbers of years, in order."""
    if not isinstance(ages, list | tuple) or len(ages) != 2:
        return False
    whole = all(isinstance(age, int) and not isinstance(age, bool) for age in ages)
    return whole and 0 <= ages[0] <= ages[1] <= OLDEST
