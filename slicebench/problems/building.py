"""Build a `Problem` from raw inputs with a plant: train the base model, predict, embed, assemble.

The truth is only in `PlantedTruth`. The arrays and tables that methods see are separate copies, so
that no `base` or shared block leads back to the planted attribute.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from slicebench.data.problem import AuditData, Problem, Provenance
from slicebench.data.split import Split
from slicebench.data.truth import PlantedTruth
from slicebench.errors import ConfigError
from slicebench.plugins.dataset import DatasetAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from slicebench.data.captions import CaptionSet
    from slicebench.data.captions.embedded import Captions
    from slicebench.data.trainer import TrainedModel
    from slicebench.data.truth import Kind
    from slicebench.models.encoders.encoder import Encoder
    from slicebench.models.training import ModelTrainer, Recipe
    from slicebench.models.training.fitted import FittedModel
    from slicebench.problems.raw import RawProblem, RawSplit


class RawDataset(DatasetAdapter):
    """Base of adapters that only read and plant; `build_problem` trains and embeds."""

    def raw(self, seed: int) -> RawProblem:
        """Read the data and plant the subgroup, deterministically."""
        raise NotImplementedError(f"{type(self).__name__} has no raw")

    def build(self, seed: int) -> Problem:
        """Read, plant, train the base model, embed.

        Raises
        ------
        ConfigError
            for a parameter that cannot be used.
        StorageError
            for data that are missing or damaged; the message says what to do.

        """
        self.check()
        return build_problem(self, self.raw(seed), seed)


def build_problem(adapter: DatasetAdapter, raw: RawProblem, seed: int) -> Problem:
    """Train the base model on the train split and assemble the problem.

    `adapter` gives family, version, modality and parameters. `seed` is that of the problem and of the
    base model's training.

    Raises
    ------
    ConfigError
        if train, val or test is missing, or a class has no train example.
    PluginError, StorageError
        for an unknown encoder, or one whose weights cannot be loaded.

    """
    from slicebench.models.encoders.encoder import make_encoder
    from slicebench.models.training import Recipe

    _check(raw.splits, raw.class_names)
    ready = all(part.embeddings is not None for part in raw.splits.values())
    fitter = None if ready else make_encoder(raw.encoder)
    if fitter is not None:
        fitter.fingerprint()  # loads any weights, so that missing ones are reported before a model is trained
    trainer: ModelTrainer | None = None
    model: TrainedModel
    if isinstance(raw.base_model, Recipe):
        trainer, model = _base_model(raw.base_model.but(seed=seed), raw.splits, len(raw.class_names))
    else:
        model = raw.base_model
    embedder = None if fitter is None else fitter.fit(raw.splits["train"].inputs, model)
    return assemble(
        adapter,
        name=raw.name,
        seed=seed,
        splits={key: _split(part, model, embedder) for key, part in raw.splits.items()},
        groups={key: part.groups for key, part in raw.splits.items()},
        encoder=raw.encoder,
        class_names=raw.class_names,
        group_names=raw.group_names,
        how=raw.how,
        kind=raw.kind,
        provenance=raw.provenance,
        captions=_embedded(raw.captions, embedder),
        captions_for_groups=raw.captions_for_groups,
        trainer=trainer,
    )


def assemble(
    adapter: DatasetAdapter,
    *,
    name: str,
    seed: int,
    splits: Mapping[str, Split],
    groups: Mapping[str, NDArray[np.bool_]],
    encoder: str,
    class_names: Sequence[str],
    group_names: Sequence[str],
    how: str,
    provenance: Provenance,
    kind: Kind = "planted",
    captions: Captions | None = None,
    captions_for_groups: Mapping[str, tuple[str, ...]] | None = None,
    trainer: ModelTrainer | None = None,
) -> Problem:
    """Assemble a problem from splits that already have a model's predictions.

    The fields are those of `RawProblem`; `groups` are (n, g) per split.
    """
    rate = float(groups["test"].any(axis=1).mean()) if group_names else None
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
            train=splits["train"],
            val=splits["val"],
            pool=splits.get("pool"),
            class_names=tuple(class_names),
            captions=captions,
            trainer=trainer,
        ),
        test=splits["test"],
        truth=PlantedTruth(
            ids={key: split.ids for key, split in splits.items()},
            groups=groups,
            group_names=tuple(group_names),
            captions=captions_for_groups or {},
            how=how,
            kind=kind,
        ),
        provenance=replace(provenance, planted_rate=rate),
    )


def _check(splits: Mapping[str, RawSplit], class_names: Sequence[str]) -> None:
    missing = {"train", "val", "test"} - set(splits)
    if missing:
        raise ConfigError(f"a problem needs the splits train, val and test; {', '.join(sorted(missing))} missing")
    absent = sorted(set(range(len(class_names))) - set(splits["train"].labels.tolist()))
    if absent:
        names = ", ".join(class_names[c] for c in absent)
        raise ConfigError(f"train has no example of the classes {names}; use more train examples, or fewer classes")


def _base_model(recipe: Recipe, splits: Mapping[str, RawSplit], n_classes: int) -> tuple[ModelTrainer, FittedModel]:
    """Train the base model, and return its trainer and the model.

    A snapshot is kept at a third of the epochs, which JTT's early stopping needs. It is in the cache:
    a method that asks for it is charged its training time but does not wait. A model trained with
    binary cross-entropy decides by the threshold that is best for F1 on val.
    """
    from slicebench.models.training import trainer_of

    train, val = splits["train"], splits["val"]
    trainer = trainer_of(recipe, train.inputs, train.labels, n_classes)
    model = trainer.fit(snapshots=(max(1, round(recipe.epochs / 3)),))
    return trainer, model.with_threshold(val.inputs, val.labels) if recipe.loss == "bce" else model


def _embedded(captions: CaptionSet | None, embedder: Encoder | None) -> Captions | None:
    """Embed candidates and references in the space of the inputs.

    Returns None if there are none, or if the encoder does not read captions.
    """
    if captions is None or embedder is None or not embedder.reads_captions():
        return None
    from slicebench.models.encoders.cached import embed_captions

    return embed_captions(embedder, captions)


def _split(raw: RawSplit, model: TrainedModel, embedder: Encoder | None) -> Split:
    from slicebench.models.encoders.cached import embed

    probs, threshold = model.predict(raw.inputs), getattr(model, "threshold", None)
    embeddings: Any = raw.embeddings if embedder is None else embed(embedder, raw.inputs, raw.ids)
    split = Split.from_probs(
        ids=raw.ids,
        embeddings=embeddings,
        labels=raw.labels,
        probs=probs,
        inputs=raw.inputs,
        metadata=raw.metadata,
    )
    return split if threshold is None else replace(split, correct=(probs[:, 1] >= threshold) == (raw.labels == 1))
