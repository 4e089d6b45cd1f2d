"""Scores by the loss of a model that a method trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicebench.plugins.method import SliceScores
from slicebench_methods._needed import needed

if TYPE_CHECKING:
    from slicebench.data.split import Split
    from slicebench.data.trainer import TrainedModel


def loss_scores(model: TrainedModel, split: Split, method: str) -> SliceScores:
    """Score by the model's loss on the true class, and flag what it gets wrong.

    Raises
    ------
    DataError
        for a split without inputs or labels.

    """
    from slicebench.models.training import true_class_loss

    inputs, labels = needed(split, "inputs", method), needed(split, "labels", method)
    probs = model.predict(inputs)
    return SliceScores(hardness=true_class_loss(probs, labels), flagged=probs.argmax(axis=1) != labels)
