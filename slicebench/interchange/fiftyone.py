"""FiftyOne: samples with ground truth, predictions and slices, as JSON that it imports.

Convention: a sample is {"filepath", "tags", fields}; a label is {"_cls": "Classification", "label", "confidence"}, several of
them stand in {"_cls": "Classifications", "classifications": [...]}. `fiftyone.Sample.from_dict` reads one sample, and
`fiftyone.Dataset.from_dir(dataset_dir=FOLDER, dataset_type=fiftyone.types.FiftyOneDataset)` the folder that `write_fiftyone`
makes, the older of that type's two layouts. Written against FiftyOne's documentation; the package itself is not needed here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.cache import write_text
from slicebench.errors import DataError, did_you_mean
from slicebench.interchange.found import align

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from slicebench.interchange.found import Aligned


def to_fiftyone(
    frame: pd.DataFrame,
    found: Any,
    *,
    filepath: str = "filepath",
    id: str = "id",  # noqa: A002 - the column's usual name
    label: str | None = "label",
    prediction: str | None = "prediction",
    probs: str | None = "p_",
    methods: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Samples of a table of images: the file, label and prediction, and of each method hardness and slices.

    Parameters
    ----------
    frame : DataFrame
        A row per image.
    found : Found, or the result of `slicebench.discover`
        What methods found.
    filepath, id : str
        Columns of paths and ids.
    label, prediction : str, optional
        Columns of classes; they may be absent.
    probs : str
        Prefix of the columns of probabilities, for the confidence of the prediction.
    methods : list of str, optional
        By default all of them.

    Each sample has the fields ground_truth, prediction, slicebench_id, hardness_<method> and slice_<method> (a Classifications
    whose confidences are memberships), and the tag "slice: <name>" for each slice that it is in.

    Raises
    ------
    DataError
        for a column that is missing, and as of `slicebench.interchange.found.align`.

    """
    known = [str(name) for name in frame.columns]
    for name in (filepath, id):
        if name not in known:
            raise DataError(f"the table has no column {name!r}; {did_you_mean(name, known)}")
    ids = [str(key) for key in frame[id]]
    there = list(methods) if methods is not None else list(dict.fromkeys(found.hardness["method"].astype(str)))
    samples: list[dict[str, Any]] = [
        {"filepath": str(Path(str(path)).absolute()), "tags": [], "metadata": None, "slicebench_id": key}
        for path, key in zip(frame[filepath], ids, strict=True)
    ]
    if label in known:
        _add_labels(samples, "ground_truth", frame[label], None)
    if prediction in known:
        _add_labels(samples, "prediction", frame[prediction], _confidences(frame, prediction, probs))
    for method in there:
        _add_findings(samples, align(found, ids, method))
    return samples


def write_fiftyone(samples: Sequence[dict[str, Any]], folder: str | Path) -> None:
    """Write a folder of the type FiftyOneDataset, samples.json and metadata.json; the images stay where they are.

    Raises
    ------
    StorageError
        if it cannot be written.

    """
    home = Path(folder)
    write_text(home / "metadata.json", json.dumps({"media_type": "image"}))
    write_text(home / "samples.json", json.dumps({"samples": list(samples)}, allow_nan=False, ensure_ascii=False))


def _add_labels(
    samples: list[dict[str, Any]], field: str, labels: pd.Series[Any], sure: Sequence[float] | None
) -> None:
    known = labels.notna().tolist()
    for row, (sample, label) in enumerate(zip(samples, labels.tolist(), strict=True)):
        sample[field] = _classification(str(label), None if sure is None else sure[row]) if known[row] else None


def _classification(label: str, confidence: float | None) -> dict[str, Any]:
    named = {"_cls": "Classification", "tags": [], "label": label}
    return named if confidence is None else {**named, "confidence": confidence}


def _confidences(frame: pd.DataFrame, prediction: str | None, prefix: str | None) -> list[float] | None:
    """Probability of the class predicted; None where the table has no probabilities."""
    columns = [f"{prefix}{name}" for name in frame[prediction].dropna().astype(str).unique()]
    if prefix is None or not columns or any(name not in frame for name in columns):
        return None
    words = frame[prediction].astype(str)
    return [
        float(frame[f"{prefix}{word}"].iloc[row]) if f"{prefix}{word}" in frame else 0.0
        for row, word in enumerate(words)
    ]


def _add_findings(samples: list[dict[str, Any]], aligned: Aligned) -> None:
    """Hardness and slices of one method; a field's name is a word."""
    name = re.sub(r"\W", "_", aligned.method)
    for sample, hardness, slices in zip(samples, aligned.hardness, aligned.of_rows(), strict=True):
        sample[f"hardness_{name}"] = None if np.isnan(hardness) else float(hardness)
        sample[f"slice_{name}"] = {
            "_cls": "Classifications",
            "classifications": [_classification(one, membership) for one, membership in slices],
        }
        sample["tags"] = list(dict.fromkeys([*sample["tags"], *(f"slice: {one}" for one, _ in slices)]))
