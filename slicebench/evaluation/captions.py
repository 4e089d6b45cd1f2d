"""Evaluate a method's captions on one problem.

The metrics say whether captions name the planted group, and whether they separate easy from hard
images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.evaluation.record import CaptionOutcome, ClassCaptions
from slicebench.metrics.captions import GAP_KS, LABELS, Gap, easy_hard_gap, naming_chance, naming_scores, pooled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.split import Split
    from slicebench.data.truth import PlantedTruth

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]


LISTED = 5
"""Number of captions that a record lists at each end."""
NEAR = 0.1
"""Share of a class's test images that counts as near a caption."""


def measure_captions(
    hardness: Floats | None, captions: Captions | None, class_names: Sequence[str], test: Split, truth: PlantedTruth
) -> CaptionOutcome | None:
    """Compute the caption metrics of one cell; None without captions.

    `hardness` (C, m) is the method's hardness of each caption. The easy–hard gap is measured in the
    embeddings of the problem, on the test images of each class.
    """
    if hardness is None or captions is None:
        return None
    names = class_names or ("all",)
    gaps = class_gaps(hardness, captions, test)
    per_class = {
        names[c]: _class_captions(hardness[c], captions, c, naming(captions, truth, test, c), gaps.get(c))
        for c, _ in test.by_class()
    }
    return _outcome(per_class, [gap for gap in gaps.values() if gap is not None])


def naming(captions: Captions, truth: PlantedTruth, test: Split, c: int) -> Bools:
    """Mark the texts that are candidates of class `c` and name one of its groups, shape (m,).

    Only planted groups with members in the class count.
    """
    ids = test.ids if test.labels is None else test.ids[test.labels == c]
    present: Bools = np.any(truth.groups_of(ids), axis=0)
    said = {
        text
        for name, there in zip(truth.group_names, present, strict=True)
        if there
        for text in truth.captions.get(name, ())
    }
    named: Bools = captions.candidates[c] & np.array([text in said for text in captions.texts], dtype=bool)
    return named


def hard_and_easy(hardness: Floats, captions: Captions, c: int) -> tuple[int, int] | None:
    """Return the positions of the hardest and the easiest candidate of class `c`.

    None if all its candidates are equally hard.
    """
    order = ordered(hardness, captions.candidates[c])
    if hardness[order[0]] == hardness[order[-1]]:
        return None
    return int(order[0]), int(order[-1])


def ordered(hardness: Floats, candidates: Bools) -> NDArray[np.intp]:
    """Return the positions of the candidates by decreasing hardness, ties by position."""
    rows = np.flatnonzero(candidates)
    order: NDArray[np.intp] = rows[np.argsort(-hardness[rows], kind="stable")]
    return order


def class_gaps(
    hardness: Floats,
    captions: Captions,
    test: Split,
    *,
    correct: Bools | None = None,
    ks: Callable[[int], Sequence[int]] = lambda _: GAP_KS,
) -> dict[int, Gap | None]:
    """Compute the easy–hard gap of each class with test images, a hard and an easy caption.

    `correct` (n,) may say where another model than the problem's own is right. `ks` gives the
    numbers of images for a class of n, by default 20 to 195 for every n.
    """
    right = test.correct if correct is None else correct
    out: dict[int, Gap | None] = {}
    if right is None:
        return out
    units = unit_rows(test.embeddings)
    texts = unit_rows(captions.embeddings)
    for c, rows in test.by_class():
        pair = hard_and_easy(hardness[c], captions, c)
        if pair is not None:
            to_hard, to_easy = (units[rows] @ texts[at] for at in pair)
            out[c] = easy_hard_gap(to_easy, to_hard, right[rows], ks(len(rows)), seed=c)
    return out


def accuracy_near(captions: Captions, test: Split, c: int, share: float = NEAR) -> dict[str, float]:
    """Compute the accuracy of the base model near each candidate of class `c`, by text.

    It is measured on the `share` of the class's test images that are nearest to the candidate. So
    it shows whether a hard caption that names no planted group describes hard images. The result is
    empty if the class has no images, or correctness is not known.
    """
    rows = np.arange(test.n) if test.labels is None else np.flatnonzero(test.labels == c)
    if test.correct is None or not len(rows):
        return {}
    at = np.flatnonzero(captions.candidates[c])
    similarity = unit_rows(captions.embeddings[at]) @ unit_rows(test.embeddings[rows]).T
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, : max(1, round(share * len(rows)))]
    accuracies = test.correct[rows][nearest].mean(axis=1)
    return dict(zip([captions.texts[i] for i in at], accuracies.tolist(), strict=True))


def near_caption(embedding: NDArray[np.float32], test: Split, c: int, share: float = NEAR) -> NDArray[np.intp]:
    """Return the rows of the test images of class `c` that are nearest to a caption.

    They are the `share` of the class's images nearest to `embedding`, (d,), by cosine; ties by row.
    """
    rows = np.arange(test.n) if test.labels is None else np.flatnonzero(test.labels == c)
    similarity = unit_rows(test.embeddings[rows]) @ unit_rows(embedding[None])[0]
    return rows[np.argsort(-similarity, kind="stable")[: max(1, round(share * len(rows)))]]


def mean_gap(gaps: Sequence[Gap]) -> dict[str, float | None]:
    """Average the area of the gap over classes, with the 95 % interval of resampled images."""
    if not gaps:
        return dict.fromkeys(("gap", "gap_low", "gap_high"))
    low, high = np.quantile(np.mean([gap.draws for gap in gaps], axis=0), [0.025, 0.975])
    return {"gap": float(np.mean([gap.area for gap in gaps])), "gap_low": float(low), "gap_high": float(high)}


def _class_captions(hardness: Floats, captions: Captions, c: int, names: Bools, gap: Gap | None) -> ClassCaptions:
    order = ordered(hardness, captions.candidates[c])
    texts = [captions.texts[i] for i in order]
    metrics: dict[str, float | None] = dict.fromkeys(LABELS)
    chance: dict[str, float | None] = dict.fromkeys(LABELS)
    if names.any():
        candidates = captions.candidates[c]
        metrics |= naming_scores(hardness[candidates], names[candidates])
        chance |= naming_chance(int(candidates.sum()), int(names.sum()))
    return ClassCaptions(
        hardest=tuple(texts[:LISTED]),
        easiest=tuple(texts[: -LISTED - 1 : -1]),
        candidates=len(texts),
        naming=tuple(text for text, named in zip(captions.texts, names, strict=True) if named),
        metrics=metrics | mean_gap([] if gap is None else [gap]),
        chance=chance | {"gap": 0.0},
    )


def _outcome(per_class: dict[str, ClassCaptions], gaps: Sequence[Gap]) -> CaptionOutcome:
    named = [one for one in per_class.values() if one.naming]
    metrics: dict[str, float | None] = dict.fromkeys(LABELS)
    chance: dict[str, float | None] = dict.fromkeys(LABELS)
    p: dict[str, float] = {}
    if named:
        both = pooled([one.metrics for one in named], [one.chance for one in named])
        metrics.update(both["value"])
        chance.update(both["chance"])
        p = both["p"]
    return CaptionOutcome(metrics=metrics | mean_gap(gaps), chance=chance | {"gap": 0.0}, p=p, per_class=per_class)


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors (n, d) to length 1; a row of zeros does not change."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: NDArray[np.float32] = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    return units
