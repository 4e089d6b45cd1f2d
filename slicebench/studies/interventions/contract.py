"""The contract of interventions, on one screen.

To add an intervention:

1. Write one file with one subclass of `Intervention`. Its constructor stores keyword parameters and nothing else.
2. Write `treat(audit, seed)`. It returns a `Treatment`: the changes to the training data that the fitted `audit.method`
   advises. The model is then trained from scratch on the changed data, by the base model's recipe and from `seed`.
3. To train in another way, override `repair(audit, treatment, seed)`.
4. If no method guides the intervention, set `guided = False`. Other arms are compared with that of the method `random`,
   or with the arm whose parameters are in `reference`.
5. Register it: `[project.entry-points."slicebench.interventions"]`, `name = "module:Class"`.

An `Audit` gives no access to the planted truth or to the test split.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from slicebench.errors import DataError
from slicebench.plugins.method import REQUIREMENTS, offered
from slicebench.plugins.parameters import Parameterised
from slicebench.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData, Identified
    from slicebench.data.split import Inputs, Split
    from slicebench.data.trainer import TrainedModel
    from slicebench.models.training.fitted import FittedModel
    from slicebench.plugins.method import SliceMethod


T = TypeVar("T")

INTERVENTIONS = Registry("slicebench.interventions", "slicebench.studies.interventions.contract:Intervention")


@dataclass(frozen=True, eq=False, kw_only=True)
class Audit:
    """Input of an intervention: the data, the fitted method, and the problem's description.

    The method is None if no method guides the intervention.
    """

    data: AuditData
    method: SliceMethod | None
    about: Identified
    _kept: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return the result of `make`, which is called for the first retraining seed only.

        `name` is a key chosen by the intervention.
        """
        if name not in self._kept:
            self._kept[name] = make()
        kept: T = self._kept[name]
        return kept

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.data.class_names)

    @property
    def guide(self) -> SliceMethod:
        """The method of a guided intervention."""
        assert self.method is not None, "a guided intervention has a method"
        return self.method

    @property
    def pool(self) -> Split:
        """The pool; raises `DataError` if there is none."""
        if self.data.pool is None:
            raise DataError("the problem has no pool; give the dataset one, for example by n_pool = 2000")
        return self.data.pool


@dataclass(frozen=True, eq=False, kw_only=True)
class Added:
    """Training examples that were not in train: m raw inputs of the same kind, and their labels (m,).

    `weights` (m,) are factors of their loss, by default 1.
    """

    inputs: Inputs
    labels: NDArray[np.int64]
    weights: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Treatment:
    """A change to the training data.

    Parameters
    ----------
    chosen : strings
        Ids of the train or pool examples that the budget was spent on.
    weights : (n_train,) floats, optional
        Factor of each train example's loss; only ratios count.
    added : Added, optional
    aside : strings, optional
        Ids of pool examples put aside; the retrained model's accuracy on them is recorded as "deval".
    notes : strings
        What a reader of the result must know.
    measures : mapping of name to number
        The intervention's own measurements, such as seconds, bytes and dimensions of a retrieval.

    """

    chosen: NDArray[np.str_]
    weights: NDArray[np.float64] | None = None
    added: Added | None = None
    aside: NDArray[np.str_] | None = None
    notes: tuple[str, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)


class Intervention(Parameterised):
    """Base class of interventions; see the module docstring for how to add one."""

    guided: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset()
    """Words of `slicebench.plugins.method.REQUIREMENTS`; a trainer, inputs and labels are always needed."""
    reference: ClassVar[Mapping[str, Any]] = {}
    """Parameters of the arm that others are compared with; if empty, it is the arm of the method `random`."""
    guards_leaks: ClassVar[bool] = False
    """True to remove pool examples that may be copies of test examples, before the intervention sees the pool."""
    version: ClassVar[str] = "1"

    def check(self) -> None:
        """Raise `ConfigError` naming the parameter that cannot be used."""

    def supports(self, data: AuditData, method: SliceMethod | None) -> str | None:
        """Return the reason why the intervention cannot run on the data, or None."""
        from slicebench.models.training import Recipe

        wanted = self.requires | {"trainer", "inputs", "labels"}
        missing = sorted(word for word in wanted if not offered(word, data))
        if missing:
            return "needs " + " and ".join(REQUIREMENTS[word] for word in missing)
        if data.trainer is not None and not isinstance(data.trainer.recipe, Recipe):
            return "needs a trainer that follows a recipe of slicebench.models.training"
        return method.supports(data) if method is not None else None

    def treat(self, audit: Audit, seed: int) -> Treatment:
        """Return the changes to the training data."""
        raise NotImplementedError(f"{type(self).__name__} has no treat")

    def repair(self, audit: Audit, treatment: Treatment, seed: int) -> TrainedModel:
        """Train the repaired model; by default, from scratch on the changed data."""
        return retrained(audit.data, treatment, seed)

    def subsets(self, audit: Audit, test: Split) -> dict[str, NDArray[np.bool_]]:  # noqa: ARG002
        """Return further parts of `test`, masks (n,), whose accuracy is recorded.

        They are requested when all training is done.
        """
        return {}


def retrained(data: AuditData, treatment: Treatment, seed: int) -> FittedModel:
    """Train a model from scratch on the treated train split, by the base model's recipe and from `seed`.

    A model with a threshold (binary cross-entropy) gets a new one on val. The model is not cached: only
    the record of an intervention is kept. Raises the same errors as `ModelTrainer.fit`.
    """
    from slicebench.models.training import ModelTrainer

    inputs, labels, weights = treated(data.train, treatment)
    assert data.trainer is not None, "`supports` has seen it"
    trainer = ModelTrainer(data.trainer.recipe, inputs, labels, len(data.class_names))  # type: ignore[arg-type]
    model = trainer.fit(weights=weights, seed=seed)
    if trainer.recipe.loss != "bce" or data.val.inputs is None or data.val.labels is None:
        return model
    return model.with_threshold(data.val.inputs, data.val.labels)


def treated(train: Split, treatment: Treatment) -> tuple[Inputs, NDArray[np.int64], NDArray[np.float64] | None]:
    """Return the inputs, labels and loss factors of the training examples; None means that all factors are 1."""
    assert train.inputs is not None
    assert train.labels is not None
    added, weights = treatment.added, treatment.weights
    if added is None:
        return train.inputs, train.labels, weights
    labels = np.concatenate([train.labels, added.labels])
    if weights is not None or added.weights is not None:
        parts = (weights, train.n), (added.weights, len(added.labels))
        weights = np.concatenate([np.ones(n) if w is None else w for w, n in parts])
    return joined(train.inputs, added.inputs), labels, weights


def joined(first: Inputs, second: Inputs) -> Inputs:
    """Join both inputs: an array if both are arrays, else a list."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        a, b = np.asarray(first[:]), np.asarray(second[:])
        if a.shape[1:] != b.shape[1:] or a.dtype != b.dtype:
            raise DataError(
                f"the added examples have dtype {b.dtype} and shape {b.shape[1:]}, but those of train have dtype "
                f"{a.dtype} and shape {a.shape[1:]}; expected the same"
            )
        return np.concatenate([a, b])
    return [*(first[i] for i in range(len(first))), *(second[i] for i in range(len(second)))]
