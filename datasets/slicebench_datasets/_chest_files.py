"""ChestX-ray14's image index, lists and films."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import StorageError
from slicebench_datasets._splits import hashed
from slicebench_datasets._tables import coded, distinct, read_csv, whole_numbers

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.plugins.dataset_card import Place

FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax", "Consolidation",
    "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia",
)  # fmt: skip
NONE = "No Finding"
COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")
INDEX = "Data_Entry_2017*.csv"
LISTS = {"train_val": "train_val_list.txt", "test": "test_list.txt"}
IMAGES = {"one folder": "images/*.png", "twelve folders": "images_0*/images/*.png"}


@dataclass(frozen=True, eq=False)
class Films:
    """The image index, in the order of the ids, which is unrelated to the contents.

    Attributes
    ----------
    names, ids : (n,) strings
        Files, and their hashes.
    labels, patients : (n,) int64
    ap : (n,) bool
    official : mapping of "train_val" and "test" to rows
    metadata : DataFrame of n rows
        Age and gender.

    """

    names: NDArray[np.str_]
    ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    patients: NDArray[np.int64]
    ap: NDArray[np.bool_]
    official: dict[str, NDArray[np.intp]]
    metadata: pd.DataFrame


def read_films(place: Place, finding: str) -> Films:
    """Read the image index and the two lists, but no images.

    Raises
    ------
    StorageError
        with file and row of the first invalid value, or a name that only one of index and lists
        has.

    """
    import pandas as pd

    path = place.files(INDEX)[-1]
    table = read_csv(path, COLUMNS)
    names = distinct(path, table["Image Index"])
    ids = hashed(names.tolist())
    order = np.argsort(ids)
    gender = coded(path, table["Patient Gender"], {"F": 0, "M": 1})
    known = {"Patient Age": _years(path, table["Patient Age"]), "Patient Gender": np.array(["F", "M"])[gender]}
    return Films(
        names=names[order],
        ids=ids[order],
        patients=whole_numbers(path, table["Patient ID"], 0, 10**9)[order],
        labels=_labels(path, table["Finding Labels"], finding)[order],
        ap=(coded(path, table["View Position"], {"PA": 0, "AP": 1}) == 1)[order],
        official=_official(place, path, names[order]),
        metadata=pd.DataFrame({name: values[order] for name, values in known.items()}),
    )


def _labels(path: Path, findings: pd.Series[Any], finding: str) -> NDArray[np.int64]:
    """Return whether each row lists the finding; raise `StorageError` for a word that is not one of the 14."""
    listed = [str(row).split("|") for row in findings]
    for row, words in enumerate(listed):
        if unknown := [word for word in words if word not in FINDINGS and word != NONE]:
            raise StorageError(
                f"{path}: Finding Labels names {unknown[0]!r} at row {row}; expected {NONE!r} or some of the 14 findings"
            )
    return np.array([finding in words for words in listed], dtype=np.int64)


def _official(place: Place, index: Path, names: NDArray[np.str_]) -> dict[str, NDArray[np.intp]]:
    """Return the rows of each list; index and lists must hold the same names, each once."""
    row_of = {name: row for row, name in enumerate(names.tolist())}
    listed: dict[str, str] = {}
    for file in LISTS.values():
        path = place.file(file)
        for row, name in enumerate(read_csv(path, ["name"], header=None, names=["name"])["name"]):
            if name not in row_of:
                raise StorageError(f"{path} lists {name!r} at row {row}, which {index} lacks; fetch both again")
            if name in listed:
                raise StorageError(f"{path} lists {name!r} at row {row}, which {listed[name]} lists already")
            listed[name] = file
    if missing := [name for name in row_of if name not in listed]:
        lists = " nor ".join(LISTS.values())
        raise StorageError(
            f"{index} names {len(missing):,} films that are in neither {lists}, {min(missing)!r} first; fetch the lists again"
        )
    return {part: np.sort([row_of[name] for name in listed if listed[name] == file]) for part, file in LISTS.items()}


def paths_of(place: Place, names: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return the path of each film relative to the folder; reading a missing film then names its path."""
    found = {path.name: path for pattern in IMAGES.values() for path in place.files(pattern)}
    return np.array(
        [str(found[name].relative_to(place.folder)) if name in found else f"images/{name}" for name in names.tolist()],
        dtype=np.str_,
    )


def _years(path: Path, ages: pd.Series[Any]) -> NDArray[np.int64]:
    """Convert ages to whole years; the first edition of the index has 058Y, and 007M or 021D for infants."""
    unit = ages.str.extract(r"^\d+([YMD])$")[0].map({"Y": 1, "M": 12, "D": 365}).fillna(1)
    numbers = whole_numbers(path, ages.str.replace(r"(?<=\d)[YMD]$", "", regex=True), 0, 999)
    return numbers // unit.to_numpy(dtype=np.int64)
