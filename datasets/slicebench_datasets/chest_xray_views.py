"""A hundred chest X-rays with licences that allow redistribution: COVID-19 or not, standing or lying down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.image_arrays import ParquetImages, decoded
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._parameters import check_ranges
from slicebench_datasets._patients import deal_patients
from slicebench_datasets._splits import hashed, recipe_from, split_up
from slicebench_datasets._tables import coded, read_parquet

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray


PAPER = {"arch": "small_cnn", "width": 8, "epochs": 20, "batch_size": 16, "peak_lr": 0.05, "peak_epoch": 3}
CLASSES = ("no COVID-19", "COVID-19")
VIEWS = {"PA": 0, "AP": 1, "AP Supine": 1}
SHARES = {"train": 0.5, "val": 0.25, "test": 0.25}
COLUMNS = ("patient_id", "finding", "view", "sex", "age")


class ChestXrayViews(RawDataset):
    """Films with or without COVID-19; patients in bed are filmed from front to back, and most of them have it.

    Half of the patients go to train, a quarter each to val and test, by the seed. Patients with an
    image without COVID-19 are dealt separately, so that all splits have some. The group is the
    images whose view is not PA, but AP or AP Supine; it is natural. The problem runs in seconds, on
    real films. But with 11 images without COVID-19 the model predicts COVID-19 for all, and no
    score on it means much.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check chest_xray_views`.
    side : int
        Pixels.
    recipe : dict, optional
        Changes to the training, such as {"width": 4}.
    encoder : str

    References
    ----------
    Cohen, Morrison, Dao, "COVID-19 image data collection", 2020.

    >>> ChestXrayViews(encoder="pixels-pca:16").side
    64

    """

    family: ClassVar[str] = "chest_xray_views"
    modality: ClassVar[str] = "image"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="COVID-19 image data collection, rows whose licence allows derivatives",
        size="101 images of 54 patients",
        group="views other than PA: AP or AP Supine",
        rate="45 % of all images",
        licence="per image: CC BY 3.0 (92), CC BY 4.0 (6), CC BY (2), CC BY-SA (1)",
        source="Cohen, Morrison, Dao 2020; github.com/ieee8023/covid-chestxray-dataset",
        obtain="fetch github.com/ieee8023/covid-chestxray-dataset, and write its frontal images whose licence has no NC or ND "
        "term to a Parquet file train-00000-of-00001.parquet with the columns image, patient_id, finding, view, sex and age.",
        folder="chest_xray_views",
        layouts=(Layout("Hugging Face parquet", (Wanted("train-*.parquet", "images and metadata"),)),),
    )

    def __init__(
        self,
        root: str | None = None,
        side: int = 64,
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

    def raw(self, seed: int) -> RawProblem:
        """Read the table, deal by patient, and decode."""
        paths = self.place().files("train-*.parquet")
        table = read_parquet(paths, COLUMNS)
        patients = _filled(paths[0], table["patient_id"])
        labels = np.array(["COVID-19" in text for text in _filled(paths[0], table["finding"])], dtype=np.int64)
        lying = coded(paths[0], table["view"], VIEWS) == 1
        rows = np.arange(len(table))
        parts = deal_patients(rows, patients, SHARES, np.random.default_rng(seed), labels == 0)
        return RawProblem(
            name="chest-xray-views",
            splits=split_up(
                parts,
                ids=hashed(f"{patient} {row}" for row, patient in enumerate(patients)),
                inputs=lambda rows: decoded(ParquetImages(paths, "image", rows), side=self.side, mode="L"),
                labels=labels,
                groups=lying[:, None],
                metadata=table[["sex", "age"]],
            ),
            base_model=recipe_from(PAPER, self.recipe),
            encoder=self.encoder,
            class_names=CLASSES,
            group_names=["AP or AP Supine view"],
            how="natural: views other than PA",
            kind="natural",
            provenance=provenance_of(self.card),
        )


def _filled(path: Path, values: pd.Series[Any]) -> NDArray[np.str_]:
    """Convert a column of words; an error names the first row without one."""
    bad = (values.isna() | (values.astype(str).str.strip() == "")).to_numpy()
    if bad.any():
        raise StorageError(f"{path}: {values.name} is empty at row {int(np.argmax(bad))}; expected a word")
    return values.astype(str).to_numpy(dtype=np.str_)
