"""From raw inputs with a planted subgroup to a `Problem`: train the base model, predict, embed, assemble.

The truth goes into `PlantedTruth` and nowhere else: arrays and tables that methods see are copies of their own, so that no
`base` or shared block leads back to the planted attribute.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.cache import cache_dir
from slicebench.errors import ConfigError
from slicebench.problem import AuditData, PlantedTruth, Problem
from slicebench.split import Split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from slicebench.captions import CaptionSet
    from slicebench.dataset import DatasetAdapter
    from slicebench.encoders import Encoder
    from slicebench.problem import Captions, Provenance
    from slicebench.training import ModelTrainer, Recipe
    from slicebench.training.fitted import FittedModel


@dataclass(frozen=True, eq=False, kw_only=True)
class RawSplit:
    """One split before any model has seen it.

    Parameters
    ----------
    ids : (n,) strings
        Distinct over all splits, and silent about the groups.
    inputs : (n, ...) array
        Images (n, side, side[, 3]) of bytes, or vectors (n, d) of float32.
    labels : (n,) int64
    groups : (n, g) bool
        The truth.
    metadata : DataFrame, optional
        Known attributes; neither the planted one nor any that gives it away.

    """

    ids: NDArray[np.str_]
    inputs: NDArray[Any]
    labels: NDArray[np.int64]
    groups: NDArray[np.bool_]
    metadata: pd.DataFrame | None = None

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
        """Split in random order, its ids the positions in that order ("test-00017"): neither tells of a group."""
        rows = rng.permutation(len(labels))
        return cls(
            ids=np.array([f"{name}-{i:05d}" for i in range(len(rows))]),
            inputs=inputs[rows],
            labels=labels[rows],
            groups=groups[rows],
            metadata=None if metadata is None else _detached(metadata, rows),
        )


def build_problem(
    adapter: DatasetAdapter,
    *,
    name: str,
    seed: int,
    splits: Mapping[str, RawSplit],
    recipe: Recipe,
    encoder: str,
    class_names: Sequence[str],
    group_names: Sequence[str],
    how: str,
    provenance: Provenance,
    captions: CaptionSet | None = None,
    captions_for_groups: Mapping[str, tuple[str, ...]] | None = None,
) -> Problem:
    """Train the base model on `splits["train"]` and assemble the problem.

    Parameters
    ----------
    adapter : DatasetAdapter
        Gives family, version, modality and parameters.
    name : str
        Of this configuration, without the seed.
    seed : int
        Of the problem; the base model is trained with it too.
    splits : mapping
        train, val, test and perhaps pool.
    recipe : Recipe
        How the base model is trained; its seed is replaced.
    encoder : str
        Name of the encoder that makes the embeddings, fitted on train.
    class_names : sequence of strings
        One per class number.
    group_names : sequence of strings
        One per group column.
    how : str
        How the plant was made.
    provenance : Provenance
        Its planted rate is filled in: the minority share of the test split.
    captions : CaptionSet, optional
        Candidates of each class; embedded where the encoder reads captions, else the problem has none.
    captions_for_groups : mapping, optional
        Group name to the captions that name it.

    Raises
    ------
    ConfigError
        if train, val or test is missing, or some class has no train example.
    PluginError, StorageError
        for an unknown encoder, or one whose weights cannot be had.

    """
    from slicebench.encoders import make_encoder

    _check(splits, class_names)
    fitter = make_encoder(encoder)
    fitter.fingerprint()  # loads the weights, where there are any: what is missing is said before a model is trained
    trainer, model = _base_model(recipe.but(seed=seed), splits["train"], len(class_names))
    embedder = fitter.fit(splits["train"].inputs, model)
    seen = {key: _split(raw, model, embedder) for key, raw in splits.items()}
    groups = {key: raw.groups for key, raw in splits.items()}
    return Problem(
        name=name,
        family=adapter.family,
        dataset=adapter.family,
        dataset_version=adapter.version,
        params=adapter.get_params(),
        seed=seed,
        modality=adapter.modality,
        encoder=encoder,
        data=AuditData(
            train=seen["train"],
            val=seen["val"],
            pool=seen.get("pool"),
            class_names=tuple(class_names),
            captions=_embedded(captions, embedder),
            trainer=trainer,
        ),
        test=seen["test"],
        truth=PlantedTruth(
            ids={key: split.ids for key, split in seen.items()},
            groups=groups,
            group_names=tuple(group_names),
            captions=captions_for_groups or {},
            how=how,
        ),
        provenance=replace(provenance, planted_rate=float(groups["test"].any(axis=1).mean())),
    )


def _check(splits: Mapping[str, RawSplit], class_names: Sequence[str]) -> None:
    missing = {"train", "val", "test"} - set(splits)
    if missing:
        raise ConfigError(f"a problem needs the splits train, val and test; {', '.join(sorted(missing))} not given")
    absent = sorted(set(range(len(class_names))) - set(splits["train"].labels.tolist()))
    if absent:
        names = ", ".join(class_names[c] for c in absent)
        raise ConfigError(f"train has no example of the classes {names}; raise n_train, or lower the number of classes")


def _base_model(recipe: Recipe, train: RawSplit, n_classes: int) -> tuple[ModelTrainer, FittedModel]:
    """Trainer and trained base model, with the snapshot at a third of the epochs that JTT's early stopping wants.

    Both share one cache, so a method that asks for that snapshot pays what its training did cost and waits for nothing.
    """
    from slicebench.training import ModelTrainer

    trainer = ModelTrainer(recipe, train.inputs, train.labels, n_classes, cache=cache_dir() / "models")
    return trainer, trainer.fit(snapshots=(max(1, round(recipe.epochs / 3)),))


def _embedded(captions: CaptionSet | None, embedder: Encoder) -> Captions | None:
    """Candidates and references in the space of the inputs; None if there are none or the encoder has no text tower."""
    if captions is None or not embedder.reads_captions():
        return None
    from slicebench.encoders.cached import embed_captions

    return embed_captions(embedder, captions)


def _split(raw: RawSplit, model: FittedModel, embedder: Encoder) -> Split:
    from slicebench.encoders.cached import embed

    return Split.from_probs(
        ids=raw.ids,
        embeddings=embed(embedder, raw.inputs, raw.ids),
        labels=raw.labels,
        probs=model.predict(raw.inputs),
        inputs=raw.inputs,
        metadata=raw.metadata,
    )


def _detached(table: pd.DataFrame, rows: NDArray[np.intp]) -> pd.DataFrame:
    """Rows of `table` in new memory: a table that dropped a column may still share a block with it."""
    import pandas as pd

    return pd.DataFrame({name: table[name].to_numpy()[rows] for name in table.columns})
