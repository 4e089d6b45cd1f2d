"""FairFace: female or male; one race is rare in train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.image_arrays import ImageFiles, decoded
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._parameters import check_cap, check_choices, check_ranges
from slicebench_datasets._splits import capped, deal, in_each_class, recipe_from, split_up, thinned
from slicebench_datasets._tables import coded, distinct, none_lost, read_csv

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.plugins.dataset_card import Place

PAPER = {"arch": "resnet18", "epochs": 20, "batch_size": 128, "peak_lr": 0.05, "peak_epoch": 2, "augment": True}
CLASSES = ("Female", "Male")
RACES = ("East Asian", "White", "Latino_Hispanic", "Southeast Asian", "Black", "Indian", "Middle Eastern")
AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
COLUMNS = ("file", "age", "gender", "race", "service_test")


@dataclass(frozen=True, eq=False)
class Faces:
    """The two tables, train's rows first.

    Attributes
    ----------
    names : (n,) strings
        Files, "train/1.jpg".
    labels : (n,) int64
    rare : (n,) bool
        Whether the face is of the race, and of the age if one is given.
    metadata : DataFrame of n rows
    n_train : int
        Rows of the official train split.

    """

    names: NDArray[np.str_]
    labels: NDArray[np.int64]
    rare: NDArray[np.bool_]
    metadata: pd.DataFrame
    n_train: int


class FairFace(RawDataset):
    """Female or male faces; those of one race, or of one race and age, are rare in train.

    The official train split is dealt to train and val by the seed, and of the group's faces in
    train the share `keep` stays. The official val split is the test split. There is one group per
    class: its faces of the race (and age). Methods may see the age, unless it defines the group,
    and whether the face was in the authors' test of commercial services.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check fairface`.
    race : str
        One of the seven: East Asian, White, Latino_Hispanic, Southeast Asian, Black, Indian, Middle Eastern.
    age : str, optional
        One of the nine: "0-2", "3-9", "10-19", ..., "60-69", "more than 70". None: all ages.
    keep : float
        Share of the group's train images that stays; 1 keeps all.
    val_share : float
        Share of the official train split that goes to val.
    n_train, n_val, n_test : int, optional
        Images of each split, n_train after thinning; None: all.
    side : int
        Pixels.
    recipe : dict, optional
        Changes to the training, such as {"arch": "small_cnn", "width": 48}.
    encoder : str

    References
    ----------
    Kärkkäinen, Joo, "FairFace: face attribute dataset for balanced race, gender, and age", 2021.

    >>> FairFace(race="Indian", age="60-69").keep
    0.1

    """

    family: ClassVar[str] = "fairface"
    modality: ClassVar[str] = "image"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="FairFace",
        size="86,744 train + 10,954 val",
        group="one of seven races, or one race and age, rare in train",
        rate="1.6 % of train (a tenth of the Black faces stays), 14 % of val and test",
        licence="CC BY 4.0",
        source="Kärkkäinen, Joo 2021; github.com/joojs/fairface",
        obtain="fetch the images of padding 0.25 (or 1.25) and the two label tables from github.com/joojs/fairface, and "
        "unpack the images beside the tables.",
        folder="fairface",
        layouts=(
            Layout(
                "images and label tables",
                (
                    Wanted("fairface_label_train.csv", "train labels"),
                    Wanted("fairface_label_val.csv", "val labels"),
                    Wanted("train/*.jpg", "train faces", count=86_744),
                    Wanted("val/*.jpg", "val faces", count=10_954),
                ),
            ),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        race: str = "Black",
        age: str | None = None,
        keep: float = 0.1,
        val_share: float = 0.2,
        n_train: int | None = None,
        n_val: int | None = None,
        n_test: int | None = None,
        side: int = 96,
        recipe: dict[str, Any] | None = None,
        encoder: str = "open_clip:ViT-B-32/openai",
    ) -> None:
        self.root = root
        self.race = race
        self.age = age
        self.keep = keep
        self.val_share = val_share
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test
        self.side = side
        self.recipe = recipe
        self.encoder = encoder

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_choices(self, {"race": RACES} | ({} if self.age is None else {"age": AGES}))
        check_ranges(self, {"keep": (0, 1), "val_share": (0.01, 0.9), "side": (8, 1024)})
        check_cap(self, "n_train", "n_val", "n_test")
        recipe_from(PAPER, self.recipe)

    def raw(self, seed: int) -> RawProblem:
        """Read the tables, deal and thin, and decode the images needed."""
        place = self.place()
        faces = self.faces(place)
        names, who = faces.names, self.race.replace("_", " ")
        age = "" if self.age is None else f", {self.age}"
        return RawProblem(
            name="fairface",
            splits=split_up(
                self.rows(faces, seed),
                ids=names,
                inputs=lambda rows: decoded(ImageFiles(place.folder, names[rows].tolist()), side=self.side),
                labels=faces.labels,
                groups=in_each_class(faces.rare, faces.labels),
                metadata=faces.metadata,
            ),
            base_model=recipe_from(PAPER, self.recipe),
            encoder=self.encoder,
            class_names=CLASSES,
            group_names=[f"{who} {gender}{age}" for gender in CLASSES],
            how=f"train keeps the share {self.keep:g} of its faces of: {who}{age}",
            provenance=provenance_of(self.card),
        )

    def faces(self, place: Place) -> Faces:
        """Read both tables; images are counted but not read.

        Raises
        ------
        StorageError
            with file and row of the first invalid value.

        """
        import pandas as pd

        tables = {part: _table(place, part) for part in ("train", "val")}
        whole = pd.concat(tables.values(), ignore_index=True)
        rare = (whole["race"] == RACES.index(self.race)).to_numpy()
        if self.age is not None:
            rare = rare & (whole["age"] == self.age).to_numpy()
        known = ["age", "service_test"] if self.age is None else ["service_test"]
        return Faces(
            names=whole["file"].to_numpy(dtype=np.str_),
            labels=whole["gender"].to_numpy(dtype=np.int64),
            rare=np.array(rare, dtype=bool),
            metadata=whole[known],
            n_train=len(tables["train"]),
        )

    def rows(self, faces: Faces, seed: int) -> dict[str, NDArray[np.intp]]:
        """Choose the rows of train, val and test; thin the group in train."""
        rng = np.random.default_rng(seed)
        shares = {"train": 1 - self.val_share, "val": self.val_share}
        parts = deal(np.arange(faces.n_train), shares, rng)
        parts |= {
            "train": thinned(parts["train"], faces.rare, self.keep),
            "test": np.arange(faces.n_train, len(faces.names)),
        }
        return capped(self, parts, rng)


def _table(place: Place, part: str) -> pd.DataFrame:
    """Read one table and check its words; gender and race become numbers."""
    path = place.file(f"fairface_label_{part}.csv")
    table = read_csv(path, COLUMNS)
    _check_names(path, table["file"], part)
    none_lost(path, len(table), len(place.files(f"{part}/*.jpg")), place.folder / part)
    numbers = {
        "gender": coded(path, table["gender"], {name: i for i, name in enumerate(CLASSES)}),
        "race": coded(path, table["race"], {name: i for i, name in enumerate(RACES)}),
        "service_test": coded(path, table["service_test"], {"False": 0, "True": 1}).astype(bool),
    }
    coded(path, table["age"], {name: i for i, name in enumerate(AGES)})
    return table.assign(**numbers)


def _check_names(path: Path, names: pd.Series[Any], part: str) -> None:
    """Raise `StorageError` for a file that is named twice or belongs to the other split."""
    distinct(path, names)
    strange = ~names.str.startswith(f"{part}/").to_numpy(dtype=bool)
    if strange.any():
        row = int(np.argmax(strange))
        raise StorageError(f"{path}: file is {names.iloc[row]!r} at row {row}; expected {part}/<number>.jpg")
