"""A table of a user's own predictions: features or embeddings, labels, predictions, groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from slicebench.data.from_frame import from_parquet
from slicebench.data.problem import Problem, Provenance
from slicebench.errors import ConfigError
from slicebench.files.fingerprints import Source
from slicebench.plugins.dataset import DatasetAdapter
from slicebench.plugins.dataset_card import DatasetCard


class Table(DatasetAdapter):
    """A .parquet, .csv or .tsv file with one row per example; columns have the meaning of `from_frame`.

    Parameters
    ----------
    path : str
        Path of the file.
    label, prediction, loss, id, split, text : str, optional
        Names of columns. Without `split`, a fifth of the rows goes to train and two fifths each to
        val and test, by the seed.
    probs : list of str, or str, optional
        One column per class, or a prefix: "p_" means the columns p_<class name>.
    class_names, score, positive, group : optional
        As in `slicebench.Columns`.
    embedding : str or list of str, optional
        Column of vectors, or columns of numbers, instead of `features`.
    features : list of str
        Columns that describe an example, instead of `embedding`. Numbers are standardised and words
        one-hot, as fitted on train; gaps are filled and marked.
    groups : list of str, or dict, optional
        Columns of booleans, or {name: [column, value]}.
    metadata : list of str, optional
        Columns that methods may see.

    Raises
    ------
    DataError
        with column, row and what was expected.

    >>> Table(path="mine.parquet", label="y", prediction="yhat", features=["age"]).label
    'y'

    """

    family: ClassVar[str] = "table"
    modality: ClassVar[str] = "tabular"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="A table of your own",
        size="that of the table",
        group="columns of booleans, or rows with a value",
        rate="that of the table",
        licence="yours",
        source="a .parquet, .csv or .tsv file",
        obtain="give its path as the parameter `path`; docs/how-to/own-data.md has an example.",
    )

    def __init__(
        self,
        path: str = "",
        label: str | None = None,
        prediction: str | None = None,
        probs: list[str] | str | None = None,
        class_names: list[str] | tuple[str, ...] = (),
        score: str | None = None,
        positive: str | None = None,
        loss: str | None = None,
        embedding: list[str] | str | None = None,
        features: list[str] | tuple[str, ...] = (),
        groups: list[str] | dict[str, list[str]] | tuple[str, ...] = (),
        id: str | None = None,  # noqa: A002 - the column's usual name
        split: str | None = None,
        group: str | None = None,
        text: str | None = None,
        metadata: list[str] | tuple[str, ...] = (),
    ) -> None:
        self.path = path
        self.label = label
        self.prediction = prediction
        self.probs = probs
        self.class_names = class_names
        self.score = score
        self.positive = positive
        self.loss = loss
        self.embedding = embedding
        self.features = features
        self.groups = groups
        self.id = id
        self.split = split
        self.group = group
        self.text = text
        self.metadata = metadata

    def check(self) -> None:
        """Raise `ConfigError` if no file is named."""
        if not self.path:
            raise ConfigError("table: path is not given; expected the path of a .parquet, .csv or .tsv file")

    def sources(self) -> tuple[Source, ...]:
        """Return the file, or the files of a folder."""
        return (Source.at(self.path),)

    def build(self, seed: int) -> Problem:
        """Read the table and build the problem."""
        self.check()
        columns = self.get_params()
        path = Path(columns.pop("path"))
        problem = from_parquet(
            path,
            **columns,
            seed=seed,
            name=path.stem,
            modality="text" if self.text else self.modality,
            encoder=str(self.embedding or "features"),
            provenance=Provenance(source=str(path), licence="the user's"),
        )
        return replace(
            problem, family=self.family, dataset=self.family, dataset_version=self.version, params=self.get_params()
        )
