"""Frozen problems: one folder of JSON, safetensors and Parquet, built once and run anywhere.

    problem.json                      what it is, and how the base model was trained
    data/<split>.safetensors          ids (UTF-8, a row each), embeddings, losses, labels, probs, correct
    data/<split>.parquet              metadata, with the ids as index
    data/<split>.inputs.npy           raw arrays, mapped into memory; texts are in data/<split>.texts.parquet
    data/captions.safetensors
    truth/                            the planted groups, read by the evaluator only

`load_audit` never opens `truth/`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from slicebench.data.captions.embedded import Captions
from slicebench.data.problem import SPLITS, AuditData, Problem, Provenance
from slicebench.data.split import Split
from slicebench.data.truth import PlantedTruth
from slicebench.errors import DataError, StorageError
from slicebench.files import atomic
from slicebench.files.arrays import map_arrays, read_text, write_mappable
from slicebench.files.cache import content_key
from slicebench.problems.frozen_files import (
    as_stamped,
    ids_from_bytes,
    ids_to_bytes,
    intact,
    read_inputs,
    read_table,
    stamp,
    write_inputs,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.data.trainer import Trainer
    from slicebench.files.locations import Location


FORMAT_VERSION = 3
HEADER = "problem.json"
HALVED_BYTES = 2**26
"""Larger embeddings keep full precision, so that processes can map them and need no own copies."""
_ARRAYS = ("embeddings", "losses", "labels", "probs", "correct")


class Header(BaseModel):
    """Content of `problem.json`: a problem without its arrays and its truth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int
    name: str
    family: str
    dataset: str
    dataset_version: str
    params: dict[str, Any]
    seed: int
    modality: str
    encoder: str
    class_names: tuple[str, ...]
    provenance: dict[str, Any]
    splits: tuple[str, ...]
    with_metadata: bool
    captions: tuple[str, ...] | None
    reference_texts: tuple[str, ...] | None
    recipe: dict[str, Any] | None
    inputs_are_embeddings: bool
    files: dict[str, str] | None = None
    """Stamp of every other file, and the digest of this one without `files`.

    None in problems saved by older versions.
    """

    @property
    def sources(self) -> dict[str, str]:
        """Fingerprints of the files that the problem was built from; empty if the header does not say."""
        return dict(self.provenance.get("files") or {})


def save_problem(problem: Problem, folder: Path) -> None:
    """Write `problem` to `folder`, which appears complete or not at all.

    An existing folder does not change.

    Raises
    ------
    StorageError
        if it cannot be written.

    """
    from safetensors import SafetensorError

    try:
        with atomic.folder(folder, move_problem) as building:
            (building / "data").mkdir()
            for name, split in problem.splits().items():
                _save_split(split, building / "data", name)
            _save_captions(problem.data.captions, building / "data")
            save_truth(problem.truth, building / "truth")
            write_header(building, _header(problem))
    except StorageError:
        raise
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"cannot write the problem to {folder}: {getattr(error, 'strerror', None) or error}"
        ) from error


def write_header(folder: Path, header: Header) -> None:
    """Write `problem.json` beside the files of a problem, with a stamp of each to detect damage."""
    files = {p.relative_to(folder).as_posix(): stamp(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    described = header.model_copy(update={"files": files | {HEADER: _own_digest(header.model_dump(mode="json"))}})
    (folder / HEADER).write_text(described.model_dump_json(indent=1), encoding="utf-8")


def _own_digest(described: dict[str, Any]) -> str:
    """Compute the SHA-256 of `problem.json` without `files`, whatever its layout."""
    return content_key({key: value for key, value in described.items() if key != "files"})


def check_problem(folder: Path) -> None:
    """Raise `StorageError` unless the files in `folder` are those that were saved.

    A problem saved by an older version has no digests. It is read completely, and its files must fit
    together.
    """
    text = read_text(folder / HEADER)
    files = parse_header(folder, text).files
    if files is None:
        load_audit(folder)
        load_truth(folder)
        return
    for name, said in files.items():
        if not (said == _own_digest(json.loads(text)) if name == HEADER else as_stamped(folder / name, said)):
            raise StorageError(
                f"{folder / name} is damaged (its checksum or size differs); fetch or build the problem again"
            )


def without_inputs(problem: Problem) -> Problem:
    """Return the same problem without its raw inputs.

    The result is as small as possible, and can be shared as freely as embeddings. If the base model
    reads the inputs through the encoder of the embeddings, the embeddings replace the inputs, and
    methods can still train models. Otherwise the trainer is removed too.
    """
    recipe: Any = None if problem.data.trainer is None else problem.data.trainer.recipe
    reads_embeddings = recipe is not None and recipe.features == problem.encoder
    parts = {
        name: replace(s, inputs=s.embeddings if reads_embeddings else None) for name, s in problem.splits().items()
    }
    data = AuditData(
        train=parts["train"],
        val=parts["val"],
        pool=parts.get("pool"),
        class_names=problem.data.class_names,
        captions=problem.data.captions,
        trainer=_trainer(
            recipe.model_dump() | {"features": None} if reads_embeddings else None,
            parts["train"],
            problem.data.class_names,
        ),
    )
    return replace(problem, data=data, test=parts["test"])


def load_header(folder: Location) -> Header:
    """Read the description of the frozen problem in `folder`.

    Raises
    ------
    StorageError
        if the folder is missing, unreadable or of another format version.

    """
    return parse_header(folder, read_text(folder / HEADER))


def parse_header(folder: Location, text: str | bytes) -> Header:
    """Parse the text of `problem.json` of `folder`.

    Raises the same errors as `load_header`.
    """
    try:
        header = Header.model_validate_json(text)
    except ValidationError as error:
        raise StorageError(f"{folder / HEADER} is not a problem description: {error}") from error
    if header.format_version != FORMAT_VERSION:
        raise StorageError(
            f"{folder} has format {header.format_version}, but this version reads {FORMAT_VERSION}; rebuild it"
        )
    return header


def load_audit(folder: Path) -> tuple[AuditData, Split]:
    """Load what a method may see, and the test split, without reading the truth."""
    header = load_header(folder)
    with intact(folder):
        return read_audit(folder / "data", header)


def read_audit(files: Path, header: Header) -> tuple[AuditData, Split]:
    """Load what a method may see, and the test split, from the folder `data/` of a problem.

    Raises ValueError, KeyError, TypeError or AttributeError for files that do not fit together.
    """
    splits = {name: _load_split(files, name, header) for name in header.splits}
    data = AuditData(
        train=splits["train"],
        val=splits["val"],
        pool=splits.get("pool"),
        class_names=header.class_names,
        captions=_load_captions(files, header),
        trainer=_trainer(header.recipe, splits["train"], header.class_names),
    )
    return data, splits["test"]


def nameless(header: Header) -> Header:
    """Return what a method's process needs to read the arrays: without name, seed, parameters and provenance."""
    blank = dict.fromkeys(("name", "family", "dataset", "dataset_version", "encoder"), "")
    return header.model_copy(update={**blank, "params": {}, "seed": 0, "provenance": {}, "files": None})


def load_captions(folder: Path) -> Captions | None:
    """Load the candidate captions of a problem; None if it has none."""
    header = load_header(folder)
    with intact(folder):
        return _load_captions(folder / "data", header)


def load_split(folder: Path, name: str) -> Split:
    """Load one split by name ("train", "val", "test", "pool")."""
    header = load_header(folder)
    if name not in header.splits:
        raise StorageError(f"{folder} has no split {name!r}; it has {', '.join(header.splits)}")
    with intact(folder):
        return _load_split(folder / "data", name, header)


def load_truth(folder: Path, *splits: str) -> PlantedTruth:
    """Load the planted truth of `splits`, by default of all; for the evaluator."""
    text = read_text(folder / "truth" / "truth.json")
    arrays = map_arrays(folder / "truth" / "truth.safetensors")
    names = splits or tuple(name for name in arrays if not name.endswith(".ids"))
    with intact(folder / "truth"):
        described = json.loads(text)
        return PlantedTruth(
            ids={name: ids_from_bytes(arrays[f"{name}.ids"]) for name in names},
            groups={name: arrays[name] for name in names},
            group_names=tuple(described["group_names"]),
            captions={name: tuple(texts) for name, texts in described["captions"].items()},
            how=described["how"],
            kind=described.get("kind", "planted"),  # older problems are all planted
        )


def load_problem(folder: Path) -> Problem:
    """Load the whole problem, truth included."""
    header, (data, test) = load_header(folder), load_audit(folder)
    shared = {k: getattr(header, k) for k in _IDENTITY}
    return Problem(**shared, data=data, test=test, truth=load_truth(folder), provenance=Provenance(**header.provenance))


_IDENTITY = ("name", "family", "dataset", "dataset_version", "params", "seed", "modality", "encoder")


def _header(problem: Problem) -> Header:
    captions, trainer = problem.data.captions, problem.data.trainer
    return Header(
        format_version=FORMAT_VERSION,
        **{k: getattr(problem, k) for k in _IDENTITY},
        class_names=problem.data.class_names,
        provenance=_described(problem.provenance),
        splits=tuple(name for name in SPLITS if name in problem.splits()),
        with_metadata=problem.test.metadata is not None,
        captions=captions.texts if captions else None,
        reference_texts=captions.reference_texts if captions else None,
        recipe=trainer.recipe.model_dump(mode="json") if trainer is not None else None,
        inputs_are_embeddings=_are_embeddings(problem.test),
    )


def _described(provenance: Provenance) -> dict[str, Any]:
    """Return the fields of `provenance`; without files, they are those that older versions read."""
    return {key: value for key, value in vars(provenance).items() if key != "files" or value}


def _are_embeddings(split: Split) -> bool:
    return isinstance(split.inputs, np.ndarray) and np.shares_memory(split.inputs, split.embeddings)


def _compact(embeddings: NDArray[np.float32]) -> NDArray[Any]:
    """Return embeddings in half precision if that is exact and they are not too large to copy.

    It is exact for encoders that round to half precision.
    """
    if embeddings.nbytes > HALVED_BYTES:
        return embeddings
    with np.errstate(over="ignore"):
        half = embeddings.astype(np.float16)
    return half if np.array_equal(half, embeddings) else embeddings


def _save_split(split: Split, folder: Path, name: str) -> None:
    import pandas as pd

    arrays = {key: value for key in _ARRAYS if (value := getattr(split, key)) is not None}
    arrays["embeddings"] = _compact(split.embeddings)
    write_mappable(folder / f"{name}.safetensors", {"ids": ids_to_bytes(split.ids), **arrays})
    if split.metadata is not None:
        index = pd.Index(split.ids.tolist(), name="id")
        split.metadata.set_axis(index, axis=0).to_parquet(folder / f"{name}.parquet")
    if split.inputs is None or _are_embeddings(split):
        return
    if isinstance(split.inputs[0], str):
        texts = [split.inputs[i] for i in range(split.n)]
        pd.DataFrame({"text": texts}).to_parquet(folder / f"{name}.texts.parquet")
    else:
        write_inputs(folder / f"{name}.inputs.npy", split.inputs)


def _load_split(folder: Path, name: str, header: Header) -> Split:
    arrays = map_arrays(folder / f"{name}.safetensors")
    metadata = read_table(folder / f"{name}.parquet") if header.with_metadata else None
    unknown = set(arrays) - {"ids", *_ARRAYS}
    if unknown:
        raise DataError(f"{name}.safetensors holds unknown arrays {sorted(unknown)}")
    split = Split(
        ids=ids_from_bytes(arrays.pop("ids")),
        inputs=_load_inputs(folder, name),
        metadata=None if metadata is None else metadata.reset_index(drop=True),
        **arrays,
    )
    return replace(split, inputs=split.embeddings) if header.inputs_are_embeddings else split


def _load_inputs(folder: Path, name: str) -> Inputs | None:
    if (texts := folder / f"{name}.texts.parquet").exists():
        listed: list[str] = read_table(texts)["text"].tolist()
        return listed
    arrays = folder / f"{name}.inputs.npy"
    return read_inputs(arrays) if arrays.exists() else None


def _save_captions(captions: Captions | None, folder: Path) -> None:
    if captions is not None:
        arrays = {name: getattr(captions, name) for name in ("embeddings", "references", "candidates")}
        write_mappable(folder / "captions.safetensors", arrays)


def _load_captions(folder: Path, header: Header) -> Captions | None:
    if header.captions is None or header.reference_texts is None:
        return None
    arrays = map_arrays(folder / "captions.safetensors")
    return Captions(texts=header.captions, reference_texts=header.reference_texts, **arrays)


def save_truth(truth: PlantedTruth, folder: Path) -> None:
    """Write the truth of a problem into `folder`, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = {f"{name}.ids": ids_to_bytes(value) for name, value in truth.ids.items()}
    write_mappable(folder / "truth.safetensors", {**truth.groups, **ids})
    described = {
        "group_names": truth.group_names,
        "captions": dict(truth.captions),
        "how": truth.how,
        "kind": truth.kind,
    }
    (folder / "truth.json").write_text(json.dumps(described, indent=1), encoding="utf-8")


def _trainer(recipe: Any, train: Split, class_names: Sequence[str]) -> Trainer | None:
    """Return the trainer of the base model's recipe on the train split.

    The recipe may be a dictionary. None without recipe, inputs or labels.
    """
    if recipe is None or train.inputs is None or train.labels is None:
        return None
    from slicebench.models.training import Recipe, trainer_of

    return trainer_of(Recipe.model_validate(recipe), train.inputs, train.labels, len(class_names))


def move_problem(building: Path, folder: Path) -> None:
    """Rename `building` to `folder`, unless that already holds a problem.

    Two builders of one folder build the same problem.
    """
    try:
        building.replace(folder)
    except OSError:
        if not (folder / HEADER).exists():
            raise
