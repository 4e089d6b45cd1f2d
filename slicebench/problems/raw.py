"""Problems before any model has seen them: raw inputs, labels, groups, candidate captions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.problem import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.data.captions import CaptionSet
    from slicebench.data.split import Inputs
    from slicebench.data.trainer import TrainedModel
    from slicebench.data.truth import Kind
    from slicebench.models.training import Recipe
    from slicebench.plugins.dataset_card import DatasetCard


@dataclass(frozen=True, eq=False, kw_only=True)
class RawSplit:
    """One split before any model has seen it.

    Parameters
    ----------
    ids : (n,) strings
        Distinct over all splits. They must not reveal the groups.
    inputs : n raw examples
        Images (n, side, side[, 3]) of bytes (also a memory map, see `files.image_arrays`), vectors
        (n, d) of float32, or texts.
    labels : (n,) int64
    groups : (n, g) bool
        The truth.
    metadata : DataFrame, optional
        Known attributes; neither the planted one nor any that reveals it.
    embeddings : (n, d) float32, optional
        Embeddings that exist already. If every split has them, no encoder is used.

    """

    ids: NDArray[np.str_]
    inputs: Inputs
    labels: NDArray[np.int64]
    groups: NDArray[np.bool_]
    metadata: pd.DataFrame | None = None
    embeddings: NDArray[np.float32] | None = None

    @classmethod
    def shuffled(
        cls,
        name: str,
        rng: np.random.Generator,
        *,
        inputs: NDArray[Any],
        labels: NDArray[np.int64],
        groups: NDArray[np.bool_],
        metadata: pd.DataFrame | None = None,
    ) -> RawSplit:
        """Return the split in random order.

        The ids are the positions in that order ("test-00017"). Neither order nor ids reveal a group.
        """
        rows = rng.permutation(len(labels))
        return cls(
            ids=np.array([f"{name}-{i:05d}" for i in range(len(rows))]),
            inputs=inputs[rows],
            labels=labels[rows],
            groups=groups[rows],
            metadata=None if metadata is None else detached(metadata, rows),
        )

    def weakly_labelled(self, noise: float, n_classes: int, rng: np.random.Generator) -> RawSplit:
        """Return the same examples with the share `noise` of labels replaced at random.

        A replaced label is that of another class. Groups do not change.
        """
        wrong = rng.random(len(self.labels)) < noise
        shift = rng.integers(1, n_classes, size=len(self.labels))
        return replace(self, labels=np.where(wrong, (self.labels + shift) % n_classes, self.labels))


@dataclass(frozen=True, eq=False, kw_only=True)
class RawProblem:
    """A problem before any model has seen it.

    Parameters
    ----------
    name : str
        Name of this configuration, without the seed.
    splits : mapping
        train, val, test and perhaps pool.
    base_model : Recipe or TrainedModel
        Recipe of the base model, in which the seed is replaced; or a trained model, in which case
        methods cannot train models.
    encoder : str
        Name of the encoder that makes the embeddings, fitted on train; or the name of those that the
        splits already have.
    class_names : sequence of strings
        One per class number.
    group_names : sequence of strings
        One per group column.
    how : str
        How the plant was made, or what is hard and why.
    kind : "natural" or "planted"
        Whether the groups are as the data have them, or made hard on purpose.
    provenance : Provenance
        Its planted rate is filled in later: the minority share of the test split.
    captions : CaptionSet, optional
        Candidates of each class. They are embedded if the encoder reads captions; otherwise the
        problem has no captions.
    captions_for_groups : mapping, optional
        Group name to the captions that name it.

    """

    name: str
    splits: Mapping[str, RawSplit]
    base_model: Recipe | TrainedModel
    encoder: str
    class_names: Sequence[str]
    group_names: Sequence[str]
    how: str
    provenance: Provenance
    kind: Kind = "planted"
    captions: CaptionSet | None = None
    captions_for_groups: Mapping[str, tuple[str, ...]] | None = None


def provenance_of(card: DatasetCard | None, revision: str = "local files") -> Provenance:
    """Return the provenance of a problem, with source and licence from the card."""
    assert card is not None, "an adapter of local data has a card"
    return Provenance(source=f"{card.title}. {card.source}", licence=card.licence, revision=revision)


def detached(table: pd.DataFrame, rows: NDArray[np.intp]) -> pd.DataFrame:
    """Return rows of `table` in new memory.

    A table that dropped a column may still share a block with it.
    """
    import pandas as pd

    return pd.DataFrame({name: table[name].to_numpy()[rows] for name in table.columns})
