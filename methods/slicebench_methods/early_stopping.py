"""Errors of a model that was stopped early: the first stage of JTT."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from slicebench.errors import ConfigError
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._model_loss import loss_scores
from slicebench_methods._needed import needed_trainer

if TYPE_CHECKING:
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split
    from slicebench.data.trainer import TrainedModel

UPWEIGHT = 20.0
"""λ_up of JTT's second stage: the smallest that the paper tries on images (20, 50, 100)."""


class EarlyStopping(SliceMethod):
    """JTT's identification model: the base model, stopped when it has learnt only the easy majority.

    The base model is trained again by its own recipe and schedule, for a fraction of its epochs.
    Hardness is the loss of this model; its errors are flagged (the error set that JTT upweights in
    its second stage).

    It reports no slices and no strength.

    Parameters
    ----------
    fraction : float in (0, 1], default 1/3 (T)
        Share of the base model's epochs to train for, at least one epoch. Jain et al. train 10 of
        30.
    seed : int, optional
        Seed of initialisation and order. By default the base model's, so that the model is the base
        model at that epoch.

    Attributes
    ----------
    stop_epoch_ : int
    model_ : TrainedModel

    Complexity: `fraction` of one training of the base model; O(n) forward passes to score.

    References
    ----------
    Liu, Haghgoo, Chen, Raghunathan, Koh, Sagawa, Liang, Finn, "Just Train Twice", ICML 2021,
    Algorithm 1 and eq. 3; as a baseline: Jain, Lawrence, Moitra, Madry, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> from slicebench.models.training import ModelTrainer, Recipe
    >>> x = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    >>> y = (x[:, 0] > 0).astype(np.int64)
    >>> train, val = (
    ...     Split(ids=ids, embeddings=x[ids], losses=np.zeros(100), labels=y[ids], inputs=x[ids])
    ...     for ids in (np.arange(100), np.arange(100, 200))
    ... )
    >>> recipe = Recipe(arch="linear", epochs=6, batch_size=20, peak_lr=0.1, peak_epoch=1)
    >>> trainer = ModelTrainer(recipe, train.inputs, train.labels, 2)
    >>> data = AuditData(train=train, val=val, class_names=("left", "right"), trainer=trainer)
    >>> scores = EarlyStopping().fit(data).score(val)
    >>> nearest, farthest = np.argsort(np.abs(val.inputs[:, 0]))[[0, -1]]
    >>> bool(scores.hardness[nearest] > scores.hardness[farthest])
    True

    """

    requires: ClassVar[frozenset[str]] = frozenset({"inputs", "labels", "trainer"})

    def __init__(self, *, fraction: float = 1 / 3, seed: int | None = None) -> None:
        self.fraction = fraction
        self.seed = seed

    def fit(self, data: AuditData) -> Self:
        """Train the base model again, up to the chosen epoch.

        Raises
        ------
        ConfigError
            if `fraction` is outside (0, 1].
        DataError
            if the data have no trainer.

        """
        if not 0 < self.fraction <= 1:
            raise ConfigError(f"early_stopping: fraction is {self.fraction}; expected more than 0 and at most 1")
        trainer = needed_trainer(data, "early_stopping")
        self.stop_epoch_ = max(1, round(self.fraction * trainer.epochs))
        self.model_ = trainer.fit(stop_epoch=self.stop_epoch_, seed=self.seed)
        return self

    def score(self, split: Split) -> SliceScores:
        """Return the early model's loss on each example, and flag its errors.

        Raises
        ------
        DataError
            for a split without inputs or labels.

        """
        return loss_scores(self._fitted("model_"), split, "early_stopping")

    def repair(self, data: AuditData, seed: int) -> TrainedModel:
        """Train JTT's second stage: the base model's recipe, with the early model's errors upweighted by `UPWEIGHT`."""
        scores, trainer = self.score(data.train), needed_trainer(data, "early_stopping")
        return trainer.fit(weights=np.where(np.asarray(scores.flagged), UPWEIGHT, 1.0), seed=seed)
