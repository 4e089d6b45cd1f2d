"""Compute differences between arms, with intervals, from their records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.metrics.estimate import Estimate
from slicebench.metrics.statistics.bootstrap import DRAWS, Interval, welch_dof
from slicebench.studies.interventions.accuracy import accuracies, resampled
from slicebench.studies.interventions.contract import INTERVENTIONS
from slicebench.studies.interventions.design import NONE
from slicebench.studies.interventions.record import ArmRow, InterventionBoard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.studies.interventions.design import Arm
    from slicebench.studies.interventions.record import InterventionRecord
    from slicebench.studies.interventions.run import InterventionsOutcome

    Floats = NDArray[np.float64]
    Slot = tuple[str, str, str | None]
    """Problem, label of the variant, method."""


@dataclass(frozen=True, eq=False)
class Quantity:
    """An accuracy, or a difference of two, at P draws of a problem, each with S retrained models.

    `values` are P arrays (S,), and `resampled` are P arrays (S, B) on resampled test examples. Quantities
    of one problem share retraining seeds and resamples, so their differences are paired.
    """

    values: tuple[Floats, ...]
    resampled: tuple[Floats, ...]

    def __sub__(self, other: Quantity) -> Quantity:
        values = tuple(a - b for a, b in zip(self.values, other.values, strict=True))
        return Quantity(values, tuple(a - b for a, b in zip(self.resampled, other.resampled, strict=True)))

    @property
    def known(self) -> bool:
        """True if every value is finite, at every draw of the problem and every seed."""
        return all(np.isfinite(v).all() for v in self.values)

    @property
    def mean(self) -> float:
        """Mean over models, then over draws of the problem."""
        return float(np.mean([v.mean() for v in self.values]))

    def interval(self) -> Interval | None:
        """Compute the 95% interval; None for one model on one draw of the problem, which has no variance.

        Several draws of the problem differ in data, models and test examples, so their variance covers
        all three, with P - 1 degrees of freedom. With one draw, retraining seeds and test examples are
        crossed. The variance of the models' values (S - 1 degrees) and that of the resampled examples
        are then added. This counts their interaction twice and is conservative (Owen 2007, "The
        pigeonhole bootstrap").
        """
        P, S = len(self.values), len(self.values[0])
        if P == 1 and S == 1:
            return None
        draws = self._draws()
        if P > 1:
            means = np.array([v.mean() for v in self.values])
            return Interval.of(self.mean, draws, float(np.sqrt(means.var(ddof=1) / P)), P - 1)
        seeds = float(self.values[0].var(ddof=1)) / S
        examples = float(np.nanvar(self.resampled[0].mean(axis=0)))
        dof = welch_dof(np.array([seeds, examples]), np.array([S - 1.0, np.inf]))
        return Interval.of(self.mean, draws, float(np.sqrt(seeds + examples)), dof)

    def _draws(self) -> Floats:
        """Return means over resampled draws of the problem, retraining seeds and examples, shape (B,).

        Every quantity has the same resamples.
        """
        P, B = len(self.values), self.resampled[0].shape[1]
        rng = np.random.default_rng([P, B])
        within = []
        for one in self.resampled:
            picked = rng.integers(len(one), size=(len(one), B))
            within.append(np.take_along_axis(one, picked, axis=0).mean(axis=0))
        chosen = rng.integers(P, size=(P, B))
        draws: Floats = np.take_along_axis(np.stack(within), chosen, axis=0).mean(axis=0)
        return draws

    def estimate(self) -> Estimate:
        """Return mean and interval."""
        interval = self.interval()
        if interval is None:
            return Estimate(mean=self.mean)
        return Estimate(mean=interval.mean, low=interval.low, high=interval.high)


def intervention_board(outcome: InterventionsOutcome, suite: str) -> InterventionBoard:
    """Summarise the arms of a run.

    Only arms that ended "ok" at every seed of their problem have values.
    """
    slots: dict[Slot, list[Arm]] = {}
    for arm in outcome.records:
        slots.setdefault((arm.problem.name, arm.variant.label, arm.method), []).append(arm)
    quantities = {
        slot: _quantities(outcome, arms)
        for slot, arms in slots.items()
        if all(outcome.records[arm].status == "ok" for arm in arms)
    }
    labels = {(arm.variant.name, _key(arm.variant.params)): arm.variant.label for arm in outcome.records}
    rows = [_row(slot, arms, outcome.records, quantities, labels) for slot, arms in slots.items()]
    return InterventionBoard(
        suite=suite,
        seeds=tuple(dict.fromkeys(arm.problem.seed for arm in outcome.records)),
        retrain=max(len(arm.seeds) for arm in outcome.records),
        base=_base(outcome.records),
        rows=tuple(rows),
    )


def _quantities(outcome: InterventionsOutcome, arms: Sequence[Arm]) -> dict[str, Quantity]:
    """Return the accuracies of an arm by part, over the seeds of its problem."""
    values, draws = [], []
    for arm in arms:
        arrays = outcome.arrays(arm)
        values.append(accuracies(arrays))
        draws.append(resampled(arrays, DRAWS, np.random.default_rng([arm.problem.seed, 1])))
    shared = [name for name in values[0] if all(name in one for one in values)]
    found = {name: Quantity(tuple(v[name] for v in values), tuple(d[name] for d in draws)) for name in shared}
    return {name: quantity for name, quantity in found.items() if quantity.known}


def _row(
    slot: Slot,
    arms: Sequence[Arm],
    records: Mapping[Arm, InterventionRecord],
    quantities: Mapping[Slot, dict[str, Quantity]],
    labels: Mapping[tuple[str, str], str],
) -> ArmRow:
    problem, label, method = slot
    own = [records[arm] for arm in arms]
    about: dict[str, Any] = {
        "problem": problem,
        "intervention": arms[0].variant.name,
        "variant": label,
        "params": dict(arms[0].variant.params),
        "method": method,
    }
    if slot not in quantities:
        bad = [record for record in own if record.status != "ok"]
        return ArmRow(**about, missing=f"{bad[0].status} at {len(bad)} of {len(own)} seeds: {bad[0].reason}")
    reference = _reference(arms[0], labels)
    return ArmRow(
        **about,
        values={name: quantity.estimate() for name, quantity in quantities[slot].items()},
        change=_differences(quantities[slot], quantities.get((problem, NONE, None))),
        reference=None if reference is None else _said(reference),
        against={} if reference is None else _differences(quantities[slot], quantities.get((problem, *reference))),
        recovery=_recovery(slot, quantities),
        chosen=_mean(sum(record.chosen.values()) for record in own),
        chosen_minority=_mean(r.chosen_minority for r in own),
        trained_on=_mean(r.trained_on for r in own),
        choosing_s=_mean(r.choosing_s for r in own),
        training_s=_mean(r.training_s for r in own),
        measures={name: float(np.mean([r.measures[name] for r in own])) for name in own[0].measures},
        notes=tuple(dict.fromkeys(note for record in own for note in record.notes)),
    )


def _reference(arm: Arm, labels: Mapping[tuple[str, str], str]) -> tuple[str, str | None] | None:
    """Return the variant and the method of the arm that `arm` is compared with.

    Returns None if `arm` is that arm, or the run has no such variant.
    """
    changed = INTERVENTIONS.load(arm.variant.name).reference
    if changed:
        label = labels.get((arm.variant.name, _key({**arm.variant.params, **changed})))
        wanted = None if label is None else (label, arm.method)
    else:
        wanted = (arm.variant.label, "random") if arm.variant.guided else None
    return None if wanted == (arm.variant.label, arm.method) else wanted


def _differences(own: Mapping[str, Quantity], other: Mapping[str, Quantity] | None) -> dict[str, Estimate]:
    if other is None or other is own:
        return {}
    return {name: (quantity - other[name]).estimate() for name, quantity in own.items() if name in other}


def _recovery(slot: Slot, quantities: Mapping[Slot, Mapping[str, Quantity]]) -> Estimate | None:
    """Compute (method - random) / (oracle - random) in minority accuracy.

    The ends of the interval are quantiles of the ratios of the resamples.
    """
    problem, label, method = slot
    own, low, high = (quantities.get((problem, label, m), {}).get("minority") for m in (method, "random", "oracle"))
    if own is None or low is None or high is None or method in ("random", "oracle", None):
        return None
    gain, most = (own - low).interval(), (high - low).interval()
    if gain is None or most is None or most.low is None or most.low <= 0:
        return None
    if gain.low is None:
        return Estimate(mean=gain.mean / most.mean)
    ends = np.quantile(gain.draws / np.maximum(most.draws, 1e-12), [0.025, 0.975])
    return Estimate(mean=gain.mean / most.mean, low=float(ends[0]), high=float(ends[1]))


def _base(records: Mapping[Arm, InterventionRecord]) -> dict[str, dict[str, float]]:
    """Return the accuracies of the audited models by problem, as means over seeds."""
    of_seed: dict[str, dict[int, dict[str, float | None]]] = {}
    for arm, record in records.items():
        if record.status == "ok":
            of_seed.setdefault(arm.problem.name, {})[arm.problem.seed] = record.base_accuracy
    out: dict[str, dict[str, float]] = {}
    for problem, seeds in of_seed.items():
        means = {part: _mean(one.get(part) for one in seeds.values()) for part in next(iter(seeds.values()))}
        out[problem] = {part: mean for part, mean in means.items() if mean is not None}
    return out


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _key(params: Mapping[str, Any]) -> str:
    return json.dumps(dict(params), sort_keys=True)


def _said(slot: tuple[str, str | None]) -> str:
    return " ".join(part for part in slot if part is not None)
