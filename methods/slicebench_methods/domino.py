"""Slices as components of a mixture over embedding, label and prediction together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from slicebench.errors import ConfigError
from slicebench.plugins.method import candidates_of
from slicebench_methods._membership import MixtureMethod
from slicebench_methods._mixture import fit_mixture
from slicebench_methods._needed import needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split

CONFUSION_NOISE = 1e-3
KMEANS_ROUNDS = 20
"""Rounds of Lloyd's algorithm before EM takes over."""


class Domino(MixtureMethod):
    """Clusters with similar embeddings and similar errors.

    A mixture model is fitted to val; each component has a Gaussian over embeddings and
    distributions over labels and (soft) predictions. The `n_slices` components with the highest
    error rate are returned; examples most probably in one are flagged. Hardness is the expected
    error rate, Σ_s membership_s · error_rate_s over *all* components.

    A component whose members look alike and are misclassified alike is a candidate slice. Slices
    come worst first, by membership-weighted error rate.

    Parameters
    ----------
    n_slices : int, default 5
        Number of slices returned.
    n_components : int, default 25
        Components of the mixture (the paper's k̂). The method cannot run on a val split with fewer
        examples.
    y_weight, y_hat_weight : float, default 10
        Weights of the label's and the prediction's log-likelihood (the paper's γ).
    init : {"confusion", "kmeans"}, default "confusion"
        Where EM starts; "confusion" is the documented default of the paper's package. It deals the
        components to the cells (true class, predicted class) of the soft confusion matrix: one to
        each cell with a mass of at least one example, heaviest first, then more where the mass per
        component is highest (Huntington–Hill apportionment). If there are more such cells than
        components, the lightest get none. Components of one cell start as copies, told apart by
        seeded noise (1e-3). "kmeans" starts from seeded k-means on the embeddings.
    covariance : {"diag", "full", "tied", "spherical"}, default "diag"
    n_pca : int or None, default 128
        Number of principal components of val (seeded) to project embeddings on, at most the number
        of val examples. Embeddings with no more dimensions than `n_pca` are used as they are, and
        so are all with None.
    tol, max_iter, reg_covar : float 1e-3, int 100, float 1e-6
        EM stops when the mean log-likelihood changes by less than `tol`, or after `max_iter`
        iterations; `reg_covar` is added to all variances.
    seed : int, default 0

    Attributes
    ----------
    mixture_ : Mixture
        Parameters, `lower_bounds` per iteration, and whether it `converged`.
    error_rate_, mass_ : (n_components,) float64
        Membership-weighted val error rate (0 for a component without members) and sum of memberships.
    slices_ : (n_slices,) int64
        Components returned, by descending error rate, then descending mass.
    pca_ : sklearn.decomposition.PCA or None
        The projection, if there is one.

    Complexity: O(n k d) per EM iteration for k components, O(n k d²) with "full" and "tied"; O(n (k
    + d)) memory.

    References
    ----------
    Eyuboglu, Varma, Saab, Delbrouck, Lee-Messer, Dunnmon, Zou, Ré, "Domino: Discovering Systematic Errors with Cross-Modal
    Embeddings", ICLR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from slicebench import AuditData, Split
    >>> rng = np.random.default_rng(0)
    >>> def split(name, n=200):
    ...     x, y, hard = rng.normal(size=(n, 4)), rng.integers(0, 2, n), rng.random(n) < 0.2
    ...     x[hard, 0] += 4
    ...     right = np.where(hard, 0.3, 0.9)
    ...     probs = np.where(np.eye(2)[y] == 1, right[:, None], 1 - right[:, None])
    ...     return Split.from_probs(ids=[f"{name}{i}" for i in range(n)], embeddings=x, labels=y, probs=probs), hard
    >>> (train, _), (val, _), (test, hard) = split("train"), split("val"), split("test")
    >>> data = AuditData(train=train, val=val, class_names=("a", "b"))
    >>> scores = Domino(n_slices=2, n_components=4).fit(data).score(test)
    >>> scores.membership.shape, bool((scores.flagged == hard).all())
    ((200, 2), True)

    """

    name = "domino"

    def __init__(
        self,
        n_slices: int = 5,
        n_components: int = 25,
        y_weight: float = 10.0,
        y_hat_weight: float = 10.0,
        init: str = "confusion",
        covariance: str = "diag",
        n_pca: int | None = 128,
        tol: float = 1e-3,
        max_iter: int = 100,
        reg_covar: float = 1e-6,
        seed: int = 0,
    ) -> None:
        self.n_slices = n_slices
        self.n_components = n_components
        self.y_weight = y_weight
        self.y_hat_weight = y_hat_weight
        self.init = init
        self.covariance = covariance
        self.n_pca = n_pca
        self.tol = tol
        self.max_iter = max_iter
        self.reg_covar = reg_covar
        self.seed = seed

    def supports(self, data: AuditData) -> str | None:
        """Check what every method needs, and that val has as many examples as components."""
        return super().supports(data) or self._too_few_examples(data)

    def fit(self, data: AuditData) -> Self:
        """Fit the mixture to val and order its components by error rate.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.

        """
        self._check_n_slices()
        if self.init not in ("confusion", "kmeans"):
            raise ConfigError(f"init is {self.init!r}; expected 'confusion' or 'kmeans'")
        self._fit_projection(data.val.embeddings)
        X, Y, P = self._arrays(data.val)
        self.mixture_ = fit_mixture(
            X,
            Y,
            P,
            self._start(X, Y, P),
            y_weight=self.y_weight,
            y_hat_weight=self.y_hat_weight,
            covariance=self.covariance,
            tol=self.tol,
            max_iter=self.max_iter,
            reg_covar=self.reg_covar,
        )
        self._rate(data.val, self.mixture_.responsibilities(X, Y, P))
        return self

    def directions(self, data: AuditData) -> NDArray[np.float64]:
        """Return the mean of each class's worst slice minus the mean of the class, in embedding space, shape (C, d).

        The worst slice of a class is the returned slice that holds most of the class's errors. If
        no slice holds an error of the class, the direction is 0.
        """
        slices: NDArray[np.int64] = self._fitted("slices_")
        val, directions = data.val, np.zeros((len(data.class_names), data.val.d))
        resp = self._responsibilities(val)[:, slices]
        wrong = ~needed(val, "correct", "domino")
        for c, rows in val.by_class():
            errors = wrong[rows] @ resp[rows]
            if errors.max() > 0:
                weights, X = resp[rows, errors.argmax()], val.embeddings[rows].astype(np.float64)
                directions[c] = weights @ X / weights.sum() - X.mean(axis=0)
        return directions

    def caption_hardness(self, data: AuditData) -> NDArray[np.float64]:
        """Return each caption's dot product with the class's direction, shape (C, m), as the paper does."""
        return self.directions(data) @ candidates_of(data).embeddings.astype(np.float64).T

    def notes(self) -> tuple[str, ...]:
        """Note whether EM ran out of iterations."""
        return () if self._fitted("mixture_").converged else (f"EM did not converge in {self.max_iter} iterations",)

    def _responsibilities(self, split: Split) -> NDArray[np.float64]:
        return self.mixture_.responsibilities(*self._arrays(split))

    def _fit_projection(self, embeddings: NDArray[np.float32]) -> None:
        n, d = embeddings.shape
        self.pca_ = None
        if self.n_pca is not None and self.n_pca < d:
            from sklearn.decomposition import PCA

            with np.errstate(
                invalid="ignore"
            ):  # the share of variance explained, 0/0 for constant embeddings, is not used
                self.pca_ = PCA(min(self.n_pca, n), random_state=self.seed).fit(embeddings.astype(np.float64))

    def _arrays(self, split: Split) -> tuple[NDArray[np.float64], Any, NDArray[np.float32]]:
        """Return projected embeddings (n, d'), one-hot labels (n, C) as a sparse matrix, and probabilities (n, C)."""
        from scipy.sparse import csr_array

        labels, probs = needed(split, "labels", "domino"), needed(split, "probs", "domino")
        X = split.embeddings.astype(np.float64)
        if self.pca_ is not None:
            X = self.pca_.transform(X)
        one_hot = csr_array((np.ones(split.n), labels, np.arange(split.n + 1)), shape=probs.shape)
        # probabilities may be negative by rounding; their logarithm may not
        return X, one_hot, np.maximum(probs, 0)

    def _start(self, X: NDArray[np.float64], Y: Any, P: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the initial responsibilities, shape (n, n_components)."""
        if self.init == "kmeans":
            from sklearn.cluster import KMeans

            clusters = KMeans(self.n_components, n_init=1, max_iter=KMEANS_ROUNDS, random_state=self.seed).fit_predict(
                X.astype(np.float32)
            )
            one_hot: NDArray[np.float64] = np.eye(self.n_components)[clusters]
            return one_hot
        true, predicted = np.divmod(_deal((Y.T @ P).ravel(), self.n_components), Y.shape[1])
        resp: NDArray[np.float64] = (Y @ np.eye(Y.shape[1])[:, true]) * P[:, predicted]
        resp /= np.maximum(resp.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        resp += CONFUSION_NOISE * np.random.default_rng(self.seed).random(resp.shape)
        resp /= resp.sum(axis=1, keepdims=True)
        return resp


def _deal(mass: NDArray[np.float64], seats: int) -> NDArray[np.int64]:
    """Deal cells to `seats` components: one for every cell of mass ≥ 1, heaviest first, then by Huntington–Hill.

    >>> _deal(np.array([90.0, 4.0, 0.2, 6.0]), 6).tolist()
    [0, 3, 1, 0, 0, 0]
    """
    held = np.zeros(len(mass))
    cells = np.empty(seats, dtype=np.int64)
    for seat in range(seats):
        first = np.where((held == 0) & (mass >= 1), mass, 0)
        again = np.where(held > 0, mass / np.sqrt(np.maximum(held * (held + 1), 1)), 0)
        cells[seat] = np.argmax(first if first.any() else again)
        held[cells[seat]] += 1
    return cells
