"""Inspect one method's captions on one problem, also in other encoders and for other base models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import ConfigError, DataError, MethodError
from slicebench.evaluation.attempt import run_method
from slicebench.evaluation.captions import accuracy_near, class_gaps, mean_gap, measure_captions
from slicebench.evaluation.cell import is_oracle
from slicebench.metrics.captions import GAP_SHARES, shares_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.problem import Problem
    from slicebench.data.split import Split
    from slicebench.data.trainer import TrainedModel
    from slicebench.evaluation.record import CaptionOutcome
    from slicebench.metrics.captions import Gap
    from slicebench.plugins.method import SliceMethod, SliceScores


OWN = "own"
"""Judge of the gaps that uses the problem's own encoder and base model."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Inspection:
    """Captions of a fitted method on a problem, and their gaps by several judges.

    A judge is an encoder and a base model: the encoder decides which examples are near a caption, and
    the model's errors count.

    Parameters
    ----------
    problem : Problem
    method : SliceMethod
        The fitted method.
    scores : SliceScores
        Its scores on the test split.
    hardness : (C, m) float64
        Hardness of the captions.
    outcome : CaptionOutcome
        The outcome, as in a record.
    gaps : mapping of judge to class to `Gap`
        Judges are named "own", "in <encoder>" and "for <other model>".

    """

    problem: Problem
    method: SliceMethod
    scores: SliceScores
    hardness: NDArray[np.float64]
    outcome: CaptionOutcome
    gaps: Mapping[str, Mapping[int, Gap | None]]

    def area(self, judge: str) -> float | None:
        """Return the mean gap over K and classes by one judge; None if no class has a gap."""
        return mean_gap([gap for gap in self.gaps[judge].values() if gap is not None])["gap"]

    def retention(self, judge: str) -> float | None:
        """Return the gap by a judge as a share of the own gap; None if the own gap is not above 0."""
        own, other = self.area(OWN), self.area(judge)
        return None if other is None or own is None or own <= 0 else other / own

    def as_dict(self) -> dict[str, Any]:
        """Return the inspection as JSON-ready values.

        It holds the outcome, the accuracy near every caption, and each judge's gap, retention and curves
        by class.
        """
        names, captions = self.problem.data.class_names or ("all",), self.problem.data.captions
        assert captions is not None
        return {
            "problem": self.problem.name,
            "seed": self.problem.seed,
            "encoder": self.problem.encoder,
            "method": type(self.method).__name__,
            "method_params": self.method.get_params(),
            "captions": self.outcome.model_dump(mode="json"),
            "accuracy_near": {name: accuracy_near(captions, self.problem.test, c) for c, name in enumerate(names)},
            "judges": {
                judge: {
                    "gap": self.area(judge),
                    "retention": self.retention(judge),
                    "classes": {names[c]: _curves(gap) for c, gap in gaps.items() if gap is not None},
                }
                for judge, gaps in self.gaps.items()
            },
        }


def inspect_captions(
    problem: Problem,
    method: SliceMethod,
    *,
    encoders: Sequence[str] = (),
    seeds: Sequence[int] = (),
    archs: Sequence[str] = (),
) -> Inspection:
    """Fit `method` and judge its hard and easy captions, in the problem's own space and by other judges.

    Parameters
    ----------
    problem : Problem
        It must have candidate captions.
    method : SliceMethod
        It is fitted here.
    encoders : sequence of str
        Other encoders to decide which examples are nearest to a caption.
    seeds, archs : sequences
        Seeds and architectures of other base models, whose errors are compared with the captions.

    Raises
    ------
    DataError
        if the problem has no captions.
    MethodError
        if the method cannot run on the problem, or breaks its contract.
    ConfigError
        if an encoder has no text tower, or other models are requested and the problem has no trainer.

    """
    data, test, captions = problem.data, problem.test, problem.data.captions
    if captions is None:
        raise DataError(
            f"problem {problem.name!r} has no candidate captions: it was built with the encoder {problem.encoder!r}, which "
            "cannot read text, or its dataset has none; build it with encoder = 'nano-clip' or an open_clip model"
        )
    reason = method.supports(data)
    if reason is not None:
        raise MethodError(f"{type(method).__name__} cannot run on {problem.name!r}: {reason}")
    if is_oracle(method):
        method.reveal(problem.truth)  # type: ignore[attr-defined]
    run = run_method(method, data, test)
    outcome = measure_captions(run.caption_hardness, captions, data.class_names, test, problem.truth)
    assert run.caption_hardness is not None
    assert outcome is not None
    hardness = run.caption_hardness
    gaps = {
        OWN: class_gaps(hardness, captions, test),
        f"own, {GAP_SHARES[0]:.0%} to {GAP_SHARES[-1]:.0%} of the class": class_gaps(
            hardness, captions, test, ks=shares_of
        ),
    }
    for name in encoders:
        other_test, other_captions = in_encoder(problem, name)
        gaps[f"in {name}"] = class_gaps(hardness, other_captions, other_test)
    for name, correct in other_answers(problem, seeds, archs).items():
        gaps[f"for {name}"] = class_gaps(hardness, captions, test, correct=correct)
    return Inspection(problem=problem, method=method, scores=run.scores, hardness=hardness, outcome=outcome, gaps=gaps)


def in_encoder(problem: Problem, name: str) -> tuple[Split, Captions]:
    """Embed the test split and the candidate captions of `problem` with another encoder that reads text."""
    from slicebench.models.encoders.cached import embed, embed_captions
    from slicebench.models.encoders.encoder import make_encoder

    encoder, test, captions = make_encoder(name), problem.test, problem.data.captions
    if not encoder.reads_captions():
        raise ConfigError(f"encoder {name!r} has no text tower, so it cannot judge captions; try 'nano-clip:second'")
    if test.inputs is None or captions is None:
        raise DataError(f"problem {problem.name!r} has no inputs or no captions for another encoder to embed")
    judged = replace(test, embeddings=embed(encoder, test.inputs, test.ids))
    return judged, embed_captions(encoder, captions)


def other_answers(problem: Problem, seeds: Sequence[int], archs: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Return which test examples other base models get right, by name.

    They are trained by the same recipe with another seed or architecture.
    """
    from slicebench.models.training import Recipe, trainer_of

    if not (seeds or archs):
        return {}
    data, test, trainer = problem.data, problem.test, problem.data.trainer
    inputs, labels = data.train.inputs, data.train.labels
    if trainer is None or inputs is None or labels is None or test.inputs is None:
        raise ConfigError(f"problem {problem.name!r} has no trainer, so no other base model can be trained")
    recipe = Recipe.model_validate(trainer.recipe.model_dump())
    trainers = {arch: trainer_of(recipe.but(arch=arch), inputs, labels, len(data.class_names)) for arch in archs}
    models: dict[str, TrainedModel] = {f"seed {seed}": trainer.fit(seed=seed) for seed in seeds}
    models |= {f"arch {arch}": other.fit() for arch, other in trainers.items()}
    return {name: model.predict(test.inputs).argmax(axis=1) == test.labels for name, model in models.items()}


def _curves(gap: Gap) -> dict[str, Any]:
    low, high = np.quantile(gap.draws, [0.025, 0.975])
    return {
        "ks": list(gap.ks),
        "easy": gap.easy.tolist(),
        "hard": gap.hard.tolist(),
        "gap": gap.area,
        "low": float(low),
        "high": float(high),
    }
