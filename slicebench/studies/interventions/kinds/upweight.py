"""Upweighting: give hard train examples a larger weight in the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import ConfigError, did_you_mean
from slicebench.evaluation.hardest import hardest, per_class
from slicebench.plugins.registry import METHODS
from slicebench.studies.interventions.contract import Intervention, Treatment

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.plugins.method import SliceMethod
    from slicebench.studies.interventions.contract import Audit

    Rows = NDArray[np.intp]
    Labels = NDArray[np.int64]
    Floats = NDArray[np.float64]


class Upweight(Intervention):
    """Intervention that gives the hardest train examples of each class a larger factor on their loss.

    Parameters
    ----------
    rule : "factor", "balanced" or "soft"
        With "factor", each chosen example counts `factor` times. With "balanced", the chosen count as
        much as the rest of their class together. With "soft", none is chosen: each example has a factor
        from 1 to `factor`, by its rank in hardness within its class.
    factor : float
        2 in Jain et al.; 1 changes nothing.
    share : float
        The budget, as a share of each class. 0.2 and a factor of 2 were chosen on draws of the offline
        problems that are not reported elsewhere (docs/reference/interventions.md).
    like : str, optional
        Method whose flags set the budget instead of `share`: every method chooses as many of each class
        as this one flags.

    References
    ----------
    Jain, Lawrence, Moitra, Madry, "Distilling Model Failures as Directions in Latent Space", 2022: flagged examples × 2.

    >>> Upweight(share=0.1).get_params()["factor"]
    2.0

    """

    def __init__(
        self, *, rule: str = "factor", factor: float = 2.0, share: float = 0.2, like: str | None = None
    ) -> None:
        self.rule = rule
        self.factor = factor
        self.share = share
        self.like = like

    def check(self) -> None:
        """Raise `ConfigError` naming the parameter that cannot be used."""
        known = [*RULES, "soft"]
        if self.rule not in known:
            raise ConfigError(f"upweight: rule is {self.rule!r}; {did_you_mean(str(self.rule), known)}")
        if not 0 < self.factor < np.inf:
            raise ConfigError(f"upweight: factor is {self.factor}; expected a number above 0")
        if not 0 < self.share < 1:
            raise ConfigError(f"upweight: share is {self.share}; expected a number between 0 and 1")
        if self.like is not None:
            METHODS.load(self.like)

    def supports(self, data: AuditData, method: SliceMethod | None) -> str | None:
        """Return the reason why the intervention cannot run on the data, or None.

        The method that sets the budget must be able to run, too.
        """
        reason = super().supports(data, method)
        if reason is None and self.like is not None:
            declined = METHODS.load(self.like)().supports(data)
            reason = declined and f"{self.like}, whose flags set the budget, {declined}"
        return reason

    def treat(self, audit: Audit, seed: int) -> Treatment:
        """Choose the hardest train examples, and weight them."""
        train = audit.data.train
        assert train.labels is not None
        hardness = audit.guide.score(train).hardness
        if self.rule == "soft":
            weights = 1 + (self.factor - 1) * rank_in_class(hardness, train.labels)
            return Treatment(chosen=train.ids[:0], weights=weights)
        rows = hardest(
            hardness, train.labels, audit.once("budget", lambda: self._budget(audit)), np.random.default_rng(seed)
        )
        return Treatment(chosen=train.ids[rows], weights=RULES[self.rule](rows, train.labels, self.factor))

    def _budget(self, audit: Audit) -> Labels:
        """Return the number of examples to choose of each class, shape (C,)."""
        labels = audit.data.train.labels
        assert labels is not None
        if self.like is None:
            share: Labels = np.rint(self.share * per_class(labels, audit.n_classes)).astype(np.int64)
            return share
        flagged = METHODS.load(self.like)().fit(audit.data).score(audit.data.train).flagged
        if flagged is None:
            raise ConfigError(f"upweight: {self.like} has no flags, so it cannot set the budget; use share")
        return per_class(labels[flagged], audit.n_classes)


def times(rows: Rows, labels: Labels, factor: float) -> Floats:
    """Return factors (n,): `factor` at `rows`, 1 elsewhere."""
    weights = np.ones(len(labels))
    weights[rows] = factor
    return weights


def balanced(rows: Rows, labels: Labels, factor: float) -> Floats:  # noqa: ARG001 - follows from the data
    """Return factors (n,) that give the chosen examples of a class the weight of its rest.

    They are 1 in a class of which all or none are chosen.
    """
    weights, chosen = np.ones(len(labels)), np.zeros(len(labels), dtype=bool)
    chosen[rows] = True
    for c in np.unique(labels):
        own = labels == c
        few, rest = int((own & chosen).sum()), int((own & ~chosen).sum())
        if few and rest:
            weights[own & chosen] = rest / few
    return weights


RULES: dict[str, Callable[[Rows, Labels, float], Floats]] = {"factor": times, "balanced": balanced}


def rank_in_class(hardness: Floats, labels: Labels) -> Floats:
    """Rank each example within its class, from 0 for the easiest to 1 for the hardest, shape (n,).

    Ties get the mean of their ranks.

    >>> rank_in_class(np.array([3.0, 1.0, 2.0, 9.0]), np.array([0, 0, 0, 1])).tolist()
    [1.0, 0.0, 0.5, 0.5]
    """
    from scipy.stats import rankdata

    ranks = np.full(len(labels), 0.5)
    for c in np.unique(labels):
        own = np.flatnonzero(labels == c)
        if len(own) > 1:
            ranks[own] = (rankdata(hardness[own]) - 1) / (len(own) - 1)
    return ranks
