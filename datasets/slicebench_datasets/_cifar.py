"""CIFAR-10 and CIFAR-100 as their author and Hugging Face lay them out."""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of
from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.files.image_arrays import ParquetImages, decoded
from slicebench.files.untrusted import check_room, opened, plain_file, read_npz
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench_datasets._pickled_data import read_pickled_data
from slicebench_datasets._tables import class_names_of, read_parquet, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from slicebench.plugins.dataset_card import Place

PARQUET = Layout(
    "Hugging Face parquet", (Wanted("train-*.parquet", "train images"), Wanted("test-*.parquet", "test images"))
)


def layouts_of(folder: str, archive_md5: str, files: Sequence[Wanted]) -> tuple[Layout, ...]:
    """List the layouts: the author's "python version", unpacked or not, and Hugging Face's.

    `folder` is the name inside the archive.
    """
    archive = Wanted(f"{folder}.tar.gz", "the archive as published", md5=archive_md5)
    return Layout("python batches", tuple(files)), Layout("python archive", (archive,)), PARQUET


CIFAR10_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}
SOURCE = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; www.cs.toronto.edu/~kriz/cifar.html"
CIFAR10_CARD = DatasetCard(
    title="CIFAR-10",
    size="50,000 train + 10,000 test",
    group="none: natural",
    rate="nothing planted",
    licence="none stated; cite Krizhevsky 2009",
    source=SOURCE,
    obtain="fetch cifar-10-python.tar.gz from the source's page, or the Parquet files of Hugging Face's uoft-cs/cifar10.",
    folder="cifar10",
    layouts=layouts_of(
        "cifar-10-python",
        "c58f30108f718f92721af3b95e74349a",
        [
            Wanted(name, "class names" if name.endswith("meta") else "images", md5=md5)
            for name, md5 in CIFAR10_MD5.items()
        ],
    ),
)


@dataclass(frozen=True, eq=False)
class Cifar:
    """All 60,000 images, train before test.

    Attributes
    ----------
    pixels : callable
        Returns the images (b, 32, 32, 3) at given rows; encoded images are decoded on request.
    labels : mapping of column to (60,000,) int64
    names : mapping of column to class names
    n_train : int

    """

    pixels: Callable[[NDArray[np.intp]], NDArray[np.uint8]]
    labels: dict[str, NDArray[np.int64]]
    names: dict[str, list[str]]
    n_train: int

    @property
    def ids(self) -> list[str]:
        """Ids by position in train or test: "train-00017"."""
        n = len(next(iter(self.labels.values())))
        return [f"train-{i:05d}" if i < self.n_train else f"test-{i - self.n_train:05d}" for i in range(n)]

    def test_rows(self) -> NDArray[np.intp]:
        """Return the rows of the test images."""
        return np.arange(self.n_train, len(next(iter(self.labels.values()))))


def read_cifar(place: Place, columns: dict[str, tuple[str, str]], batches: tuple[Sequence[str], str, str]) -> Cifar:
    """Read the layout that was found.

    Parameters
    ----------
    place : Place
        Folder and layout.
    columns : dict
        Maps a Parquet column to its key in the batches and the key of its names in the meta file.
    batches : tuple
        The python version's train files, test file and meta file.

    """
    if place.layout == PARQUET.name:
        return _from_parquet(place, list(columns))
    train, test, meta = batches
    about = _pickled(place, meta)
    parts = [_batch(place, name, columns, about) for name in (*train, test)]
    pixels = np.concatenate([images for images, _ in parts])
    return Cifar(
        lambda rows: pixels[rows],
        {column: np.concatenate([labels[column] for _, labels in parts]) for column in columns},
        {column: _names(about, key) for column, (_, key) in columns.items()},
        len(pixels) - len(parts[-1][0]),
    )


def _batch(
    place: Place, name: str, columns: dict[str, tuple[str, str]], about: dict[str, Any]
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.int64]]]:
    """Read images and labels of one batch of the python version."""
    part, where = _pickled(place, name), place.folder / name
    try:
        images = _images(part["data"])
        labels = {column: np.array(part[key], dtype=np.int64) for column, (key, _) in columns.items()}
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise StorageError(f"{where} is not a batch of CIFAR's python version: {error}; fetch it again") from error
    for column, (_, key) in columns.items():
        y, C = labels[column], len(_names(about, key))
        if len(y) != len(images):
            raise StorageError(f"{where} has {len(images)} images and {len(y)} labels; fetch it again")
        bad = (y < 0) | (y >= C)
        if bad.any():
            row = int(np.argmax(bad))
            raise StorageError(f"{where}: {column} is {y[row]} at row {row}; expected 0 to {C - 1}; fetch it again")
    return images, labels


def _names(about: dict[str, Any], key: str) -> list[str]:
    if key not in about:
        raise StorageError(f"the file of class names holds {', '.join(about) or 'nothing'}, not {key}; fetch it again")
    return [name.decode() if isinstance(name, bytes) else str(name) for name in about[key]]


def read_cifar10(place: Place) -> Cifar:
    """Read CIFAR-10 from the layout that was found; raises the same errors as `read_cifar`."""
    batches = tuple(f"data_batch_{i}" for i in range(1, 6))
    return read_cifar(place, {"label": ("labels", "label_names")}, (batches, "test_batch", "batches.meta"))


def published_rows(path: str, cifar: Cifar, column: str) -> dict[str, NDArray[np.intp]]:
    """Read rows of train, val and perhaps pool from published indices: .npz with arrays train, val, pool.

    Raises
    ------
    StorageError
        for a file that cannot be read, or that holds indices of other data.
    DataError
        if the images are in another order than the indices need; the published val split is
        balanced over the classes.

    """
    try:
        found = read_npz(Path(path), ("train", "val", "pool"))
        rows = {name: array_of(name, rows, np.int64, 1) for name, rows in found.items()}
    except Exception as error:  # each broken field of an archive has an error of its own
        raise StorageError(
            f"cannot read the indices {path}: {error}; expected .npz with train, val and perhaps pool"
        ) from error
    if not {"train", "val"} <= set(rows) or any(
        not len(r) or r.min() < 0 or r.max() >= cifar.n_train for r in rows.values()
    ):
        raise StorageError(
            f"{path} does not index {cifar.n_train} train images; expected the arrays train, val and perhaps pool"
        )
    counts = np.bincount(cifar.labels[column][rows["val"]], minlength=len(cifar.names[column]))
    if counts.min() != counts.max():
        raise DataError(
            f"{path}: the val split would have {counts.min()} to {counts.max()} images per class, but the published one is "
            "balanced: these images are in another order than the author's. Leave out `indices` to split by the rule instead."
        )
    return rows


def by_class(
    labels: NDArray[np.int64], rule: Callable[[NDArray[np.intp]], dict[str, NDArray[np.intp]]]
) -> dict[str, Any]:
    """Apply `rule` to the rows of each class, and join the parts in ascending order."""
    parts = [rule(np.flatnonzero(labels == c)) for c in np.unique(labels)]
    return {name: np.sort(np.concatenate([part[name] for part in parts])) for name in parts[0]}


def check_indices(indices: object, family: str) -> None:
    """Raise `ConfigError` unless `indices` is a path or None."""
    if indices is not None and not isinstance(indices, str):
        raise ConfigError(f"{family}: indices is {indices!r}; expected the path of an .npz file")


def _from_parquet(place: Place, columns: list[str]) -> Cifar:
    train, test = place.files("train-*.parquet"), place.files("test-*.parquet")
    names = {column: class_names_of(test[0], column) for column in columns}
    tables = [read_parquet(paths, columns) for paths in (train, test)]
    labels = {
        column: np.concatenate(
            [
                whole_numbers(paths[0], table[column], 0, len(names[column]) - 1)
                for paths, table in zip((train, test), tables, strict=True)
            ]
        )
        for column in columns
    }
    return Cifar(lambda rows: decoded(ParquetImages([*train, *test], "img", rows)), labels, names, len(tables[0]))


def _pickled(place: Place, name: str) -> dict[str, Any]:
    """Read one of the python version's files, unpacked or in the archive."""
    if place.layout == "python batches":
        path = place.folder / name
        with opened(path) as file:
            return _dictionary(read_pickled_data(file, str(path)), str(path))
    archive = place.file("*.tar.gz")
    try:
        with tarfile.open(plain_file(archive)) as tar:
            member = next((m for m in tar if m.isfile() and m.name.rpartition("/")[2] == name), None)
            file_in = None if member is None else tar.extractfile(member)
            if member is None or file_in is None:
                raise StorageError(f"{archive} holds no {name}; fetch it again")
            check_room(f"{archive}: {name}", member.size)
            return _dictionary(read_pickled_data(file_in, f"{archive}: {name}"), f"{archive}: {name}")  # type: ignore[arg-type]
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"cannot read {archive}: {error}; fetch it again") from error


def _dictionary(found: Any, where: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise StorageError(f"{where} holds a {type(found).__name__}; expected a dictionary; fetch it again")
    return found


def _images(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert rows of 3,072 bytes, channel by channel, to images."""
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
