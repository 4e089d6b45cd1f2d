"""Learning from failure: the loss of a model that was biased on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, Self, runtime_checkable

from slicebench.errors import ConfigError, DataError
from slicebench.plugins.method import SliceMethod, SliceScores
from slicebench_methods._model_loss import loss_scores
from slicebench_methods._needed import needed_trainer
from slicebench_methods._relative_difficulty import LearningFromFailure, relative_difficulty

if TYPE_CHECKING:
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split
    from slicebench.data.trainer import TrainedModel
    from slicebench.models.training import Objective


class LfF(SliceMethod):
    """Loss of a network biased on purpose by generalised cross-entropy (GCE).

    GCE, (1 - p^q) / q, weights each example's gradient by p^q. Examples that follow the easy
    (spurious) rule dominate the training; the others stay wrong. Hardness is this network's
    cross-entropy, and its errors are flagged. Jain et al. compare with this variant.

    The recipe is the base model's own. With `relative_difficulty`, both networks of the paper are
    trained side by side: the biased one with GCE, and a debiased one with cross-entropy weighted by
    W(x) = CE_b / (CE_b + CE_d). Hardness is then W of the two trained networks. Examples with W >
    1/2, which are harder for the biased network, are flagged.

    Parameters
    ----------
    q : float in (0, 1], default 0.7 (q)
        Exponent of GCE; cross-entropy in the limit 0.
    relative_difficulty : bool, default False
        Whether to train both networks of the paper.
    ema : float in [0, 1), default 0.7 (α)
        Weight of the past in the running losses that W is computed from during training; used only
        with `relative_difficulty`.
    seed : int, optional
        Seed of initialisation and order; by default the base model's.

    Attributes
    ----------
    biased_ : TrainedModel
    debiased_ : TrainedModel or None
        None without `relative_difficulty`.

    Complexity: one training of the base model, two with `relative_difficulty`; O(n) forward passes
    to score.

    Notes
    -----
    When scoring, W compares raw losses. Dividing each by its class maximum, as in training, would
    not change the order within a class, and would make an example's score depend on the rest of the
    split.

    References
    ----------
    Nam, Cha, Ahn, Lee, Shin, "Learning from Failure", NeurIPS 2020, eqs. 1-3 and Algorithm 1; GCE:
    Zhang, Sabuncu, NeurIPS 2018, eq. 6; as a baseline: Jain, Lawrence, Moitra, Madry, 2022.

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
    >>> LfF(relative_difficulty=True).fit(data).score(val).hardness.shape
    (100,)

    """

    requires: ClassVar[frozenset[str]] = frozenset({"inputs", "labels", "trainer"})

    def __init__(
        self, *, q: float = 0.7, relative_difficulty: bool = False, ema: float = 0.7, seed: int | None = None
    ) -> None:
        self.q = q
        self.relative_difficulty = relative_difficulty
        self.ema = ema
        self.seed = seed

    def supports(self, data: AuditData) -> str | None:
        """Check what every method needs; two networks also need a trainer that can train side by side."""
        if self.relative_difficulty and data.trainer is not None and not isinstance(data.trainer, JointTrainer):
            return "relative_difficulty needs a trainer with fit_together"
        return super().supports(data)

    def fit(self, data: AuditData) -> Self:
        """Train the biased network and, with `relative_difficulty`, the debiased one beside it.

        Raises
        ------
        ConfigError
            if `q` is outside (0, 1] or `ema` outside [0, 1).
        DataError
            if the data have no trainer, or two networks are asked for and it cannot train them side
            by side.

        """
        if not (0 < self.q <= 1 and 0 <= self.ema < 1):
            raise ConfigError(f"lff: q is {self.q} and ema {self.ema}; expected q in (0, 1] and ema in [0, 1)")
        trainer = needed_trainer(data, "lff")
        self.debiased_: TrainedModel | None = None
        if not self.relative_difficulty:
            self.biased_ = trainer.fit(loss="gce", q=self.q, seed=self.seed)
        elif isinstance(trainer, JointTrainer):
            rule = LearningFromFailure(q=self.q, ema=self.ema)
            self.biased_, self.debiased_ = trainer.fit_together(rule, models=2, seed=self.seed)
        else:
            raise DataError(
                f"lff: relative_difficulty needs a trainer with fit_together; {type(trainer).__name__} has none"
            )
        return self

    def score(self, split: Split) -> SliceScores:
        """Return loss and errors of the biased network, or the relative difficulty.

        Raises
        ------
        DataError
            for a split without inputs or labels.

        """
        biased = loss_scores(self._fitted("biased_"), split, "lff")
        if self.debiased_ is None:
            return biased
        difficulty = relative_difficulty(biased.hardness, loss_scores(self.debiased_, split, "lff").hardness)
        return SliceScores(hardness=difficulty, flagged=difficulty > 0.5)

    def repair(self, data: AuditData, seed: int) -> TrainedModel:
        """Train the pair from `seed` and return the debiased network; raise `DataError` if the trainer cannot."""
        if not isinstance(data.trainer, JointTrainer):
            raise DataError("lff: the debiased network needs a trainer with fit_together")
        return data.trainer.fit_together(LearningFromFailure(q=self.q, ema=self.ema), models=2, seed=seed)[1]


@runtime_checkable
class JointTrainer(Protocol):
    """A trainer that can train several networks side by side, as `slicebench.models.training.ModelTrainer` can."""

    def fit_together(
        self, objective: Objective, *, models: int = 2, seed: int | None = None
    ) -> tuple[TrainedModel, ...]:
        """Train `models` networks on one objective."""
        ...
