"""Our kernels and the reference implementations, side by side, as `test_references.py` and the script `performance.py` time them.

A reference is the authors' package where it can be installed, else their recipe written down with the library they used (torch,
scikit-learn). Quality is measured on what both return.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.metrics.ranking import Ranking, namf
from slicebench.metrics.statistics import SeedScores, sampled_problem
from slicebench.models.sparse import fit_path, standardisation
from slicebench.studies.interventions.kinds.retrieval import retrieve
from slicebench_datasets.prototypes import Prototypes
from slicebench_methods._domino_package import missing as no_domino
from slicebench_methods._exact_slices import exact_slices
from slicebench_methods.domino import Domino
from slicebench_methods.domino_reference import DominoReference
from slicebench_methods.spotlight import Spotlight
from slicebench_methods.svm_directions import PAPER_CS, SVMDirections

if TYPE_CHECKING:
    from collections.abc import Callable


class Case:
    """One row of the table: `ours` and `reference` return what `quality` judges; higher is better unless `lower`.

    `flops` and `bytes` are the least that the work takes, the first in `dtype`; `part` is the share of the work that the
    reference is given, and `rounds` how often it is run.
    """

    name: str
    size: str
    target: float
    judged: str
    lower = False
    dtype: type = np.float32
    flops = 0.0
    bytes = 0.0
    floor_of = ""
    part = 1.0
    rounds = 3

    def __init__(self, *, full: bool) -> None:
        self.full = full

    def missing(self) -> str | None:
        """Package that the reference needs and that is not there."""
        return None

    def ours(self) -> Any:
        raise NotImplementedError

    def reference(self) -> Any:
        raise NotImplementedError

    def quality(self, found: Any) -> float:
        raise NotImplementedError


@dataclass(frozen=True)
class _Sizes:
    n: int
    d: int
    classes: int


class _OnPrototypes(Case):
    """10,000 val examples of 10 classes in 512 dimensions; quality is the average precision of the subgroup on test."""

    judged = "average precision"

    @cached_property
    def sizes(self) -> _Sizes:
        return _Sizes(10_000, 512, 10) if self.full else _Sizes(400, 24, 2)

    @cached_property
    def problem(self) -> Any:
        n = self.sizes.n
        return Prototypes(n_train=n, n_val=n, n_test=n, d=self.sizes.d, classes=self.sizes.classes).build(0)

    @property
    def size(self) -> str:
        return f"n {self.sizes.n:,}, d {self.sizes.d}, {self.sizes.classes} classes"

    def quality(self, found: np.ndarray) -> float:
        from sklearn.metrics import average_precision_score

        test, minority = self.problem.test, self.problem.truth.minority(self.problem.test.ids)
        return float(np.mean([average_precision_score(minority[rows], found[rows]) for _, rows in test.by_class()]))

    def hardness(self, method: Any) -> np.ndarray:
        return method.fit(self.problem.data).score(self.problem.test).hardness

    @property
    def _gram(self) -> float:
        return 2.0 * self.sizes.n**2 / self.sizes.classes * self.sizes.d


class SVMExact(_OnPrototypes):
    name, target, dtype = "svm_directions, `svc`", 10.0, np.float64
    floor_of = "Gram matrices"

    @property
    def flops(self) -> float:
        return self._gram

    def ours(self) -> np.ndarray:
        return self.hardness(SVMDirections(solver="svc"))

    def reference(self) -> np.ndarray:
        """Jain et al.'s recipe as it ships: for each C a cross-validation and a fit, each of which works on the features anew."""
        from sklearn.model_selection import cross_val_score
        from sklearn.svm import SVC

        train, val, test = self.problem.data.train.embeddings, self.problem.data.val, self.problem.test
        mean, std = train.mean(axis=0), train.std(axis=0, ddof=1)
        spaces = [(split.embeddings - mean) / std for split in (val, test)]
        Z, Z_test = (X / np.linalg.norm(X, axis=1, keepdims=True) for X in spaces)
        hardness, of_test = np.empty(test.n), dict(test.by_class())
        for c, rows in val.by_class():
            best, chosen = -np.inf, None
            for C in PAPER_CS:
                svm = SVC(kernel="linear", class_weight="balanced", C=C)
                cv = cross_val_score(svm, Z[rows], val.correct[rows], cv=2, scoring="balanced_accuracy").mean()
                svm.fit(Z[rows], val.correct[rows])
                if cv > best:
                    best, chosen = cv, svm
            hardness[of_test[c]] = -chosen.decision_function(Z_test[of_test[c]])
        return hardness


class SVMBatched(SVMExact):
    name, target, dtype = "svm_directions, `squared_hinge`", 25.0, np.float32
    floor_of = "Gram matrices and one step"

    @property
    def flops(self) -> float:
        return self._gram * (1 + 2 * len(PAPER_CS) / self.sizes.d)

    def ours(self) -> np.ndarray:
        return self.hardness(SVMDirections(solver="squared_hinge"))


class SpotlightSteps(_OnPrototypes):
    """One spotlight; quality is the weighted mean loss that it reaches, the total weight being what it must be."""

    name, target, judged, rounds = "spotlight, 1,000 steps", 60.0, "mean loss in the light", 1
    floor_of = "two passes over the embeddings per step"

    @property
    def steps(self) -> int:
        return 1000 if self.full else 30

    @property
    def flops(self) -> float:
        return 4.0 * self.sizes.n * self.sizes.d * self.steps

    @property
    def bytes(self) -> float:
        return 8.0 * self.sizes.n * self.sizes.d * self.steps

    @cached_property
    def scaled(self) -> np.ndarray:
        X = self.problem.data.val.embeddings
        return ((X - X.mean(axis=0)) / np.sqrt(X.var(axis=0).mean())).astype(np.float32)

    def ours(self) -> np.ndarray:
        method = Spotlight(n_spotlights=1, steps=self.steps).fit(self.problem.data)
        return method.score(self.problem.data.val).membership[:, 0]

    def reference(self) -> np.ndarray:
        """d'Eon et al.'s recipe as it ships: a d × d precision matrix for a multiple of the identity too, and autograd."""
        import torch

        X, losses = torch.tensor(self.scaled), torch.tensor(self.problem.data.val.losses)
        n, d = X.shape
        S = 0.05 * n
        mean = torch.zeros(d, requires_grad=True)
        log_precision = torch.tensor(float(np.log(1e-4)), requires_grad=True)
        adam = torch.optim.Adam([mean, log_precision], lr=1e-2)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, patience=10, factor=0.5)
        rate = 1e-2

        def weights() -> torch.Tensor:
            apart = X - mean
            return torch.relu(1 - (apart @ (torch.exp(log_precision) * torch.eye(d)) * apart).sum(dim=1))

        for barrier in np.geomspace(n - S, 0.05 * S, self.steps):
            k = weights()
            total = k.sum()
            objective = -(k @ losses) / total
            if total < S + barrier:
                objective = objective + (S + barrier - total) ** 2 / barrier**2
            adam.zero_grad()
            objective.backward()
            adam.step()
            plateau.step(objective.item())
            if (now := adam.param_groups[0]["lr"]) < rate:  # a lower rate is judged anew
                rate, plateau = now, torch.optim.lr_scheduler.ReduceLROnPlateau(adam, patience=10, factor=0.5)
        return weights().detach().numpy()

    def quality(self, found: np.ndarray) -> float:
        return float(found @ self.problem.data.val.losses / found.sum())


class DominoKMeans(_OnPrototypes):
    name, target, dtype = "domino, 25 components, start k-means", 5.0, np.float64
    floor_of = "covariance, 20 E- and M-steps"
    parameters: ClassVar[dict[str, Any]] = {"init": "kmeans", "n_components": 25}

    @property
    def flops(self) -> float:
        n, d = self.sizes.n, self.sizes.d
        return 2.0 * n * d**2 + 2 * n * d * min(d, 128) + 20 * 8.0 * n * min(d, 128) * self.parameters["n_components"]

    def missing(self) -> str | None:
        return no_domino()

    def ours(self) -> np.ndarray:
        return self.hardness(Domino(**self.parameters))

    def reference(self) -> np.ndarray:
        """The authors' package, domino 0.1.5."""
        return self.hardness(DominoReference(**self.parameters))


class DominoConfusion(DominoKMeans):
    name = "domino, a component for each cell of the confusion matrix"
    parameters: ClassVar[dict[str, Any]] = {"init": "confusion", "n_components": 100}
    floor_of = "covariance, 5 E- and M-steps"

    @property
    def flops(self) -> float:
        n, d = self.sizes.n, self.sizes.d
        return 2.0 * n * d**2 + 2 * n * d * min(d, 128) + 5 * 8.0 * n * min(d, 128) * self.parameters["n_components"]


class SparsePath(Case):
    name, target, judged, lower, rounds = "sparse path, 8 λ", 10.0, "sum of the objectives", True, 1
    floor_of = "one gradient for each λ"

    @property
    def size(self) -> str:
        return "n {:,}, d {}, {} classes".format(*self.shape)

    @property
    def shape(self) -> tuple[int, int, int]:
        return (2000, 128, 10) if self.full else (200, 10, 3)

    @property
    def flops(self) -> float:
        n, d, C = self.shape
        return 8 * 4.0 * n * d * C

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Correlated features of low rank and noise, as deep features are; labels of a sparse linear model."""
        rng, (n, d, C) = np.random.default_rng(0), self.shape
        X = rng.normal(size=(n, 20)) @ rng.normal(size=(20, d)) * 0.7 + rng.normal(size=(n, d))
        W = rng.normal(size=(d, C)) * (rng.random((d, C)) < 0.1)
        y = (0.3 * X @ W + rng.gumbel(size=(n, C))).argmax(axis=1)
        mean, scale = standardisation(X.astype(np.float32))
        return ((X - mean) * scale).astype(np.float32), y

    def missing(self) -> str | None:
        return None if find_spec("glm_saga") else "needs the authors' package: pip install glm_saga"

    def ours(self) -> list[float]:
        Z, y = self.data
        return [one.objective for one in fit_path(Z, y, (Z, y), n_classes=self.shape[2], n_lambdas=8).layers[:-1]]

    def reference(self) -> list[float]:
        """The authors' package, glm_saga 0.1.2."""
        import torch
        from glm_saga import elasticnet

        (Z, y), (n, d, C) = self.data, self.shape
        dataset = elasticnet.IndexedTensorDataset(torch.tensor(Z), torch.tensor(y))
        loader = torch.utils.data.DataLoader(dataset, batch_size=256, shuffle=True)
        torch.manual_seed(0)
        linear = torch.nn.Linear(d, C)
        torch.nn.init.zeros_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # its batches are too small for two, with which it takes several times as long
        options = {"epsilon": 1e-3, "k": 8, "tol": 1e-4, "lookbehind": 3, "n_ex": n, "n_classes": C, "do_zero": False}
        with contextlib.redirect_stdout(io.StringIO()):
            path = elasticnet.glm_saga(linear, loader, 0.1, 2000, 0.99, **options)["path"]
        torch.set_num_threads(threads)
        return [float(one["loss"]) for one in path]

    def quality(self, found: list[float]) -> float:
        return float(np.sum(found))


class SliceLineSearch(Case):
    name, target, judged = "sliceline, up to 3 conditions", 10.0, "score of the best slice"

    @property
    def size(self) -> str:
        return f"table of {len(self.table[0]):,} × 8"

    @cached_property
    def table(self) -> tuple[np.ndarray, np.ndarray]:
        rng, n = np.random.default_rng(0), 4000 if self.full else 300
        codes = np.stack([rng.integers(1, 4 + j, size=n) for j in range(8)], axis=1)
        hard = (codes[:, 3] == 2) & (codes[:, 5] == 3)
        return codes, (rng.random(n) < np.where(hard, 0.6, 0.1)).astype(float)

    def missing(self) -> str | None:
        return None if find_spec("sliceline") else "needs the package: pip install 'slicebench[sliceline]'"

    def ours(self) -> float:
        codes, errors = self.table
        return exact_slices(codes, errors, k=4, alpha=0.95, max_conditions=3, min_support=20)[0][0]

    def reference(self) -> float:
        """The package, sliceline 0.3.0."""
        from sliceline.slicefinder import Slicefinder

        finder = Slicefinder(k=4, alpha=0.95, max_l=3, min_sup=20, verbose=False).fit(*self.table)
        return float(finder.top_slices_statistics_[0]["slice_score"])

    def quality(self, found: float) -> float:
        return found


class Statistics(Case):
    name, target, judged, rounds = "nAMF and 2,000 bootstrap draws", 10.0, "mean nAMF", 1
    floor_of = "counts read and written once for each method"

    @property
    def methods(self) -> int:
        return 20 if self.full else 2

    @property
    def draws(self) -> int:
        return 2000 if self.full else 20

    @property
    def size(self) -> str:
        return f"{self.methods} methods, {len(self.seeds.labels):,} examples, 10 classes"

    @property
    def part(self) -> float:
        return 0.01 if self.full else 1.0

    @property
    def bytes(self) -> float:
        return 8.0 * self.draws * len(self.seeds.labels) * self.methods

    @cached_property
    def seeds(self) -> SeedScores:
        rng, n = np.random.default_rng(0), 10_000 if self.full else 300
        labels, minority = rng.integers(10, size=n), rng.random(n) < 0.2
        scores = {f"m{i}": rng.random(n) + 0.2 * minority for i in range(self.methods)}
        return SeedScores(labels, minority, scores)

    def ours(self) -> float:
        found = sampled_problem([self.seeds], 0, draws=self.draws)
        return float(np.mean([one.resampled[0].mean() for one in found.values()]))

    def reference(self) -> float:
        """Resample and rank again, draw by draw."""
        rng, one, found = np.random.default_rng(0), self.seeds, []
        for h in one.hardness.values():
            for _ in range(round(self.draws * self.part)):
                for rows in one.classes():
                    g = one.minority[rows]
                    drawn = np.concatenate([rng.choice(rows[side], side.sum()) for side in (g, ~g)])
                    found.append(namf(Ranking.of(h[drawn], one.minority[drawn])))
        return float(np.mean(found))

    def quality(self, found: float) -> float:
        return found


class Retrieval(Case):
    """Here the reference is the floor: the matrix product alone, block by block. A third of it is wanted."""

    name, target, judged = "DCD's Algorithm 1 against the product alone", 1 / 3, "taken"
    floor_of = "the product"

    @property
    def shape(self) -> tuple[int, int, int]:
        return (1000, 200_000, 384) if self.full else (20, 500, 8)

    @property
    def size(self) -> str:
        return "{:,} seeds, pool of {:,}, d {}".format(*self.shape)

    @property
    def flops(self) -> float:
        return 2.0 * np.prod(self.shape)

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        rng, (seeds, pool, width) = np.random.default_rng(0), self.shape
        centres = rng.standard_normal((40, width))
        parts = [centres[rng.integers(40, size=m)] + 0.7 * rng.standard_normal((m, width)) for m in (seeds, pool)]
        return parts[0].astype(np.float32), parts[1].astype(np.float32)

    def ours(self) -> int:
        return int(retrieve(*self.data, 10).taken.sum())

    def reference(self) -> int:
        seeds, pool = self.data
        room = np.empty((len(seeds), 4096), np.float32)
        for start in range(0, len(pool), 4096):
            block = pool[start : start + 4096]
            np.matmul(seeds, block.T, out=room[:, : len(block)])
        return 10 * len(seeds)

    def quality(self, found: int) -> float:
        return float(found)


CASES: tuple[Callable[..., Case], ...] = (
    SVMExact,
    SVMBatched,
    SpotlightSteps,
    DominoKMeans,
    DominoConfusion,
    SparsePath,
    SliceLineSearch,
    Statistics,
    Retrieval,
)
