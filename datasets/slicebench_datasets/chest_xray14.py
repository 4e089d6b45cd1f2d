"""ChestX-ray14: a finding or not; the view reveals how ill the patient is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.files.image_arrays import ImageFiles, decoded
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._chest_files import FINDINGS, IMAGES, INDEX, LISTS, Films, paths_of, read_films
from slicebench_datasets._parameters import check_cap, check_choices, check_ranges
from slicebench_datasets._patients import deal_patients
from slicebench_datasets._splits import capped, in_each_class, recipe_from, split_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.plugins.dataset_card import Place

PAPER = {"arch": "resnet18", "epochs": 15, "batch_size": 64, "peak_lr": 0.02, "peak_epoch": 2, "loss": "bce"}


class ChestXray14(RawDataset):
    """Films with or without a finding; the view (AP or PA) reveals how ill the patient is.

    Patients who cannot stand are filmed from front to back (AP), and a model sees the view. The
    group is the AP films. They are natural and nothing is removed: 40% of the whole index, 51% of
    the films with an effusion and 39% of those without. The official train_val list is dealt to
    train and val by patient; the official test list is the test split. The model decides by the
    threshold that is best for F1 on val.

    The row of Jain et al. on effusion mixes two populations. Its first number, 38.18% AP, is that
    of the films without effusion; the other four are of all films, of which 39.44% are AP. For the
    films without effusion alone, the row is 38.18 / 7.02 / 25.51 / 57.57 / 63.65; compare with it
    by the population "without".

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check chest_xray14`.
    finding : str
        One of the 14: Effusion, Mass, Infiltration, ...
    population : "all" or "without"
        Whether AP films are the group in both classes, or only in the class without the finding.
    val_share : float
        Share of train_val's patients that goes to val.
    n_train, n_val, n_test : int, optional
        Films of each split; None: all.
    side : int
        Pixels.
    recipe : dict, optional
        Changes to the paper's training, such as {"arch": "small_cnn", "width": 48}.
    encoder : str

    References
    ----------
    Wang, Peng, Lu, Lu, Bagheri, Summers, "ChestX-ray8: hospital-scale chest X-ray database and benchmarks", 2017; Jain, Lawrence,
    Moitra, Madry (2022).

    >>> ChestXray14(finding="Mass").population
    'all'

    """

    family: ClassVar[str] = "chest_xray14"
    modality: ClassVar[str] = "image"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="ChestX-ray14",
        size="112,120 films of 30,805 patients: 86,524 train and val + 25,596 test",
        group="films from front to back (AP)",
        rate="40 % of all films",
        licence="use unrestricted with attribution to the NIH Clinical Center; cite Wang et al. 2017",
        source="Wang, Peng, Lu, Lu, Bagheri, Summers 2017, NIH Clinical Center; nihcc.app.box.com/v/ChestXray-NIHCC",
        obtain="fetch the twelve archives of images, Data_Entry_2017_v2020.csv, train_val_list.txt and test_list.txt from "
        "nihcc.app.box.com/v/ChestXray-NIHCC, and unpack the archives into one folder, images, or each into its own, "
        "images_001 to images_012.",
        folder="chest_xray14",
        layouts=tuple(
            Layout(
                name,
                (
                    Wanted(INDEX, "image index"),
                    Wanted(LISTS["train_val"], "names of train and val, 86,524"),
                    Wanted(LISTS["test"], "names of test, 25,596"),
                    Wanted(pattern, "films", count=112_120),
                ),
            )
            for name, pattern in IMAGES.items()
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        finding: str = "Effusion",
        population: str = "all",
        val_share: float = 0.2,
        n_train: int | None = None,
        n_val: int | None = None,
        n_test: int | None = None,
        side: int = 224,
        recipe: dict[str, Any] | None = None,
        encoder: str = "open_clip:ViT-B-32/openai",
    ) -> None:
        self.root = root
        self.finding = finding
        self.population = population
        self.val_share = val_share
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test
        self.side = side
        self.recipe = recipe
        self.encoder = encoder

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_choices(self, {"finding": FINDINGS, "population": ("all", "without")})
        check_ranges(self, {"val_share": (0.01, 0.9), "side": (8, 1024)})
        check_cap(self, "n_train", "n_val", "n_test")
        recipe_from(PAPER, self.recipe)

    def raw(self, seed: int) -> RawProblem:
        """Read the index and the lists, deal by patient, and decode the films needed."""
        place = self.place()
        films = read_films(place, self.finding)
        classes = self._classes()
        grouped = classes if self.population == "all" else classes[:1]
        paths = paths_of(place, films.names)
        return RawProblem(
            name="chest-xray14",
            splits=split_up(
                self.rows(films, seed),
                ids=films.ids,
                inputs=lambda rows: self._pixels(place, paths[rows]),
                labels=films.labels,
                groups=in_each_class(films.ap, films.labels, len(grouped)),
                metadata=films.metadata,
            ),
            base_model=recipe_from(PAPER, self.recipe),
            encoder=self.encoder,
            class_names=classes,
            group_names=[f"AP view, {name}" for name in grouped],
            how=f"natural: films from front to back (AP){'' if self.population == 'all' else f' with {classes[0]}'}",
            kind="natural",
            provenance=provenance_of(self.card),
        )

    def rows(self, films: Films, seed: int) -> dict[str, NDArray[np.intp]]:
        """Choose the rows of train, val and test; train and val share no patient."""
        rng = np.random.default_rng(seed)
        shares = {"train": 1 - self.val_share, "val": self.val_share}
        parts = deal_patients(films.official["train_val"], films.patients, shares, rng) | {
            "test": films.official["test"]
        }
        return capped(self, parts, rng)

    def _classes(self) -> list[str]:
        name = self.finding.lower().replace("_", " ")
        return [f"no {name}", name]

    def _pixels(self, place: Place, paths: NDArray[np.str_]) -> NDArray[np.uint8]:
        return decoded(ImageFiles(place.folder, paths.tolist()), side=self.side, mode="L")
