"""Which default direction names plants best? python scripts/once/compare_directions.py (three minutes; needs no run)

The default of `SliceMethod.directions` was chosen on these problems, none of which is in a suite,
at seeds outside all suites. The figure is the mean reciprocal rank of the first caption that names
the plant. The candidates are regressions of the rank of hardness on the embeddings, with a ridge
from Ledoit and Wolf's choice to infinity, where only the covariance is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata
from sklearn.covariance import ledoit_wolf

from slicebench.evaluation.captions import measure_captions
from slicebench.plugins.directions import caption_cosines
from slicebench.plugins.registry import DATASETS, METHODS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData

SCENES = {"side": 16, "n_train": 2000, "n_val": 1000, "n_test": 1000, "classes": 4}
CORRELATED = {**SCENES, "plant": "correlation"}
PROBLEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "colour, background": (
        "scenes",
        {**CORRELATED, "label": "colour", "planted": "background", "ratio": 6, "noise": 0.15},
    ),
    "shape, size": ("scenes", {**CORRELATED, "label": "shape", "planted": "size", "ratio": 4}),
    "shape, texture": ("scenes", {**CORRELATED, "label": "shape", "planted": "texture", "ratio": 6}),
    "texture, noise": (
        "scenes",
        {**SCENES, "plant": "corruption", "label": "texture", "noise": 0.03, "corruption": 0.2},
    ),
    "three rare pairs": (
        "scenes",
        {**SCENES, "plant": "rare", "classes": 3, "subtypes": 3, "keep": 0.15, "noise": 0.05},
    ),
    "digits, little noise": ("noisy_digits", {"pixel_noise": 0.1, "corruption": 0.35}),
    "digits, more noise": ("noisy_digits", {"pixel_noise": 0.25, "corruption": 0.45, "n_val": 400}),
    "digits, tint": ("colored_digits", {"p": 0.5}),
}
SEEDS = (200, 201)
METHODS_TRIED = ("oracle", "confidence", "spotlight", "domino")
RIDGES = (0.0, 0.1, 1.0, 10.0, np.inf)  # in units of the mean variance, on top of Ledoit and Wolf's


def directions(data: AuditData, hardness: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    out = np.zeros((len(data.class_names), data.val.d))
    for c, rows in data.val.by_class():
        X = data.val.embeddings[rows].astype(float)
        X -= X.mean(axis=0)
        ranks = rankdata(hardness[rows])
        covariance = (ranks - ranks.mean()) @ X / len(rows)
        S = ledoit_wolf(X, assume_centered=True)[0]
        S += min(ridge, 1e9) * np.trace(S) / len(S) * np.eye(len(S))
        out[c] = np.linalg.solve(S, covariance)
    return out


def main() -> None:
    found: dict[str, list[list[float]]] = {}
    for name, (dataset, params) in PROBLEMS.items():
        for seed in SEEDS:
            problem = DATASETS.load(dataset)(**params).build(seed)
            data = problem.data
            assert data.captions is not None
            for method in METHODS_TRIED:
                fitted = METHODS.load(method)()
                if method == "oracle":
                    fitted.reveal(problem.truth)
                hardness = fitted.fit(data).score(data.val).hardness
                row = []
                for ridge in RIDGES:
                    cosines = caption_cosines(directions(data, hardness, ridge), data.captions)
                    outcome = measure_captions(cosines, data.captions, data.class_names, problem.test, problem.truth)
                    assert outcome is not None
                    row.append(outcome.metrics["mrr"] or 0.0)
                found.setdefault(name, []).append(row)
                found.setdefault(method, []).append(row)
    print("| | " + " | ".join(f"ridge {ridge:g}" for ridge in RIDGES) + " |\n|---|" + ":-:|" * len(RIDGES))
    for name in (*METHODS_TRIED, *PROBLEMS):
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in np.mean(found[name], axis=0)) + " |")


if __name__ == "__main__":
    main()
