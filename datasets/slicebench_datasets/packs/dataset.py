"""One dataset adapter for all packs: it deals the rows to splits, plants, and gives images or vectors."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.data.problem import Provenance
from slicebench.errors import ConfigError, did_you_mean
from slicebench.models.encoders.encoder import ENCODERS
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, RawSplit, detached
from slicebench_datasets._parameters import check_choices, check_ranges
from slicebench_datasets.packs.card import COLUMNS, Model, read_card
from slicebench_datasets.packs.contents import read_images_of, read_table_of, read_vectors_of
from slicebench_datasets.packs.models import RECIPES, TREES, BoostedTrees, recipe_of
from slicebench_datasets.packs.plants import corrupted, dealt, flipped, kept_in_train
from slicebench_datasets.packs.rules import class_numbers, group_matrix, rows_where
from slicebench_datasets.packs.shown import croissant, described

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from slicebench_datasets.packs.card import PackCard, Plant, ProblemCard

    Rows = dict[str, NDArray[np.intp]]

IMAGES = "images"


class Pack(RawDataset):
    """Problems of a pack, the family of data in a folder of `slicebench_datasets.packs`.

    Rows are dealt to the splits at random by the seed; rows of one unit (a person, a face, a text) stay
    together. Parameters that are None have the value on the card.

    Parameters
    ----------
    problem : str, optional
        Name of the problem; by default the first on the card.
    strength : float, optional
        Strength of the plant; see `packs.card.Plant`.
    n_train, n_val, n_test : int, optional
        Sizes; n_train is the size before rare groups are thinned.
    vectors : str, optional
        What methods see as embeddings: vectors of the pack by name, or "columns".
    encoder : str, optional
        Registered encoder that makes the embeddings from the inputs, instead of `vectors`.
    model : str, optional
        Kind of base model, with its usual settings.
    control : bool
        Whether nothing is planted and no group is named, so that there is nothing to find.

    """

    family: ClassVar[str]
    modality: ClassVar[str]

    def __init__(
        self,
        problem: str | None = None,
        strength: float | None = None,
        n_train: int | None = None,
        n_val: int | None = None,
        n_test: int | None = None,
        vectors: str | None = None,
        encoder: str | None = None,
        model: str | None = None,
        control: bool = False,  # noqa: FBT001, FBT002 - a parameter among keywords
    ) -> None:
        self.problem = problem
        self.strength = strength
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test
        self.vectors = vectors
        self.encoder = encoder
        self.model = model
        self.control = control

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        card = read_card(self.family)
        problem = card.problem(self.problem)
        sizes = {name: (2, 10**7) for name in ("n_train", "n_val", "n_test") if getattr(self, name) is not None}
        check_ranges(self, sizes)
        if self.strength is not None:
            if problem.plant is None:
                raise ConfigError(f"{self.family}: strength is given, but {problem.name!r} is natural; leave it out")
            check_ranges(self, {"strength": (0, 100 if problem.plant.kind == "corruption" else 1)})
        if self.model is not None:
            check_choices(self, {"model": [*RECIPES, TREES]})
        if self.vectors is not None:
            check_choices(self, {"vectors": [*card.vectors, *([COLUMNS] if problem.features else [])]})
        if self.vectors is not None and self.encoder is not None:
            raise ConfigError(f"{self.family}: vectors and encoder are given; expected one of them")
        known_vectors(card, problem)
        self._model(problem)

    def raw(self, seed: int) -> RawProblem:
        """Deal the rows, plant, and read images and vectors. Raises the same errors as `RawDataset.build`."""
        card = read_card(self.family)
        problem = card.problem(self.problem)
        table = read_table_of(self.family)
        labels, groups = class_numbers(table, problem.classes), group_matrix(table, problem.groups)
        rng = np.random.default_rng(seed)
        used = np.flatnonzero((labels >= 0) & rows_where(table, problem.where))
        units = None if problem.unit is None else table[problem.unit].to_numpy()
        rows = dealt(used, units, labels, self._sizes(problem), rng)
        plant = None if self.control else self._plant(problem)
        hard: NDArray[np.bool_] = np.any(groups, axis=1)
        rows = kept_in_train(rows, hard, plant)
        labels = flipped(labels, hard, len(problem.classes), plant, rng)
        splits = self._splits(card, problem, table, rows, labels, groups)
        splits = {name: corrupted(name, split, plant, splits["train"], rng) for name, split in splits.items()}
        if self.control:
            splits = {name: replace(split, groups=split.groups[:, :0]) for name, split in splits.items()}
        model = self._model(problem)
        return RawProblem(
            name=problem.name,
            splits=splits,
            base_model=recipe_of(model) if model.kind != TREES else self._trees(model, splits["train"], problem, seed),
            encoder=self._encoder(problem),
            class_names=[one.name for one in problem.classes],
            group_names=self._group_names(problem, plant),
            how="nothing is planted" if self.control else problem.how,
            kind=problem.kind,
            provenance=Provenance(
                source=f"{card.title}. {card.url}", licence=card.licence.name, revision=f"pack version {card.version}"
            ),
        )

    @classmethod
    def croissant(cls) -> dict[str, Any]:
        """Return the card in Croissant 1.0."""
        return croissant(read_card(cls.family))

    def _splits(
        self,
        card: PackCard,
        problem: ProblemCard,
        table: pd.DataFrame,
        rows: Rows,
        labels: NDArray[np.int64],
        groups: NDArray[np.bool_],
    ) -> dict[str, RawSplit]:
        """Return the raw splits; their ids are positions in a random order, as the rows are."""
        inputs = self._array(problem, problem.inputs, table, rows["train"])
        given = self._encoder(problem)
        vectors = self._array(problem, given, table, rows["train"]) if given in (*card.vectors, COLUMNS) else None
        visible = table[list(problem.metadata)] if problem.metadata else None
        out = {}
        for name, at in rows.items():
            read = inputs[at]
            out[name] = RawSplit(
                ids=np.array([f"{name}-{i:05d}" for i in range(len(at))]),
                inputs=read,
                labels=labels[at],
                groups=groups[at],
                metadata=None if visible is None else detached(visible, at),
                embeddings=read if given == problem.inputs else None if vectors is None else vectors[at],
            )
        return out

    def _array(self, problem: ProblemCard, which: str, table: pd.DataFrame, train: NDArray[np.intp]) -> NDArray[Any]:
        """Return images or vectors of all rows; the vectors "columns" are fitted on the rows of train."""
        if which == IMAGES:
            return read_images_of(self.family)
        if which == COLUMNS:
            from slicebench.data.schema.vectors import described as vectors_of

            return vectors_of(table[list(problem.features)], train)
        return read_vectors_of(self.family, which)

    def _encoder(self, problem: ProblemCard) -> str:
        """Return the name of the vectors or the encoder whose embeddings methods see."""
        return self.encoder or self.vectors or problem.vectors

    def _sizes(self, problem: ProblemCard) -> dict[str, int]:
        sizes = problem.sizes.model_dump()
        return {name: getattr(self, f"n_{name}") or n for name, n in sizes.items()}

    def _plant(self, problem: ProblemCard) -> Plant | None:
        if problem.plant is None or self.strength is None:
            return problem.plant
        return problem.plant.model_copy(update={"strength": self.strength})

    def _model(self, problem: ProblemCard) -> Model:
        """Return the base model; `ConfigError` for one that cannot read the inputs."""
        model = problem.model if self.model in (None, problem.model.kind) else Model(kind=self.model)  # type: ignore[arg-type]
        if (model.kind == "small_cnn") != (problem.inputs == IMAGES):
            raise ConfigError(f"{self.family}: model is {model.kind!r}, which cannot read {problem.inputs}")
        if model.kind != TREES:
            recipe_of(model)
        return model

    def _trees(self, model: Model, train: RawSplit, problem: ProblemCard, seed: int) -> BoostedTrees:
        vectors: Any = train.inputs
        return BoostedTrees(model.settings).fit(vectors, train.labels, len(problem.classes), seed)

    def _group_names(self, problem: ProblemCard, plant: Plant | None) -> list[str]:
        if self.control:
            return []
        if plant is not None and plant.kind == "corruption":
            return ["corrupted"]
        return [one.name for one in problem.groups]


@cache
def pack_class(name: str) -> type[Pack]:
    """Return the dataset adapter of the pack `name`.

    Raises the same errors as `read_card`.
    """
    card = read_card(name)
    common = (Pack.__doc__ or "").partition("\n\n")[2].strip()
    fields = {
        "family": name,
        "modality": card.modality,
        "version": str(card.version),
        "card": described(card),
        "__doc__": f"{card.title}.\n\n    {card.description}\n\n    {common}\n",
        "__module__": "slicebench_datasets.packs",
    }
    return type(name, (Pack,), fields)


def known_vectors(card: PackCard, problem: ProblemCard) -> str:
    """Return what methods see as embeddings; `ConfigError` for a name that neither the pack nor a plugin has."""
    names = [*card.vectors, COLUMNS, *ENCODERS.names()]
    if problem.vectors.partition(":")[0] not in names:
        raise ConfigError(
            f"{card.name}, problem {problem.name!r}: vectors is {problem.vectors!r}; {did_you_mean(problem.vectors, names)}"
        )
    return problem.vectors
