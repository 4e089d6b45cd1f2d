"""Domino as its authors released it, for comparison with ours."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Self

import numpy as np

from slicebench.errors import ConfigError, MethodError
from slicebench_methods import _domino_package
from slicebench_methods._membership import MixtureMethod
from slicebench_methods._mixture import COVARIANCES
from slicebench_methods._needed import needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split

    Floats = NDArray[np.float64]

INITS = ("confusion", "kmeans", "random")
ORDERS = ("package", "error_rate")


class DominoReference(MixtureMethod):
    """Domino's mixture, fitted by the authors' own package.

    Use this method to check `domino`, which is faster and has fewer limits. Hardness and flags are
    defined as there; the package has neither. With init="confusion" it cannot run with fewer
    components than cells of the confusion matrix.

    The mixture is that of `domino`: each component has a Gaussian over embeddings, a distribution
    over labels and one over predictions. The package returns memberships of its slices and no
    score.

    The package is used unchanged, with these exceptions:

    - memberships are taken from the mixture, because the slicer returns only those of its slices
    - labels are one-hot over all classes of the task, so that a split may lack the last class
    - the projection is seeded, and skipped if it would not reduce the dimension
    - progress bars and warnings are silenced

    Parameters
    ----------
    n_slices : int, default 5
        Number of slices returned; the paper's and the package's default.
    n_components : int, default 25
        Components of the mixture; the paper's and the package's default.
    y_weight, y_hat_weight : float, default 10
        Weights of the label's and the prediction's log-likelihood, as in the paper's experiments; the package's default is 1.
    init : {"confusion", "kmeans", "random"}, default "confusion"
        Where EM starts; the package's default.
    covariance : {"diag", "full", "tied", "spherical"}, default "diag"
        The package's default.
    n_pca : int or None, default 128
        Principal components of val to project on; the package's default.
    max_iter : int, default 100
        Iterations of EM; the package's default.
    order : {"package", "error_rate"}, default "package"
        Which components are the slices. The package means to take those with the highest error rate
        but, by mistake, takes the largest |max_c (P(ŷ = c) − P(y = c))|, which does not say how
        often a component is wrong; "error_rate" takes what was meant.
    seed : int, default 0

    Attributes
    ----------
    slicer_ : domino.DominoSlicer
        Fitted object of the package; its mixture is `slicer_.mm`.
    error_rate_, mass_ : (n_components,) float64
        Membership-weighted val error rate (0 for a component without members) and sum of memberships.
    slices_ : (n_slices,) int64
        Components returned, in the package's order.

    Complexity: O(n k d) per EM iteration for k components, O(n k d²) with "full" and "tied".

    References
    ----------
    As `domino`; the package domino 0.1.5 (https://github.com/HazyResearch/domino).

    Examples
    --------
    >>> from slicebench.testing import example_problem
    >>> problem, method = example_problem(), DominoReference(n_components=9)
    >>> reason = method.supports(problem.data)  # None where the package is installed
    >>> reason is not None or method.fit(problem.data).score(problem.test).membership.shape == (150, 5)
    True

    """

    name = "domino_reference"

    def __init__(
        self,
        n_slices: int = 5,
        n_components: int = 25,
        y_weight: float = 10.0,
        y_hat_weight: float = 10.0,
        init: str = "confusion",
        covariance: str = "diag",
        n_pca: int | None = 128,
        max_iter: int = 100,
        order: str = "package",
        seed: int = 0,
    ) -> None:
        self.n_slices = n_slices
        self.n_components = n_components
        self.y_weight = y_weight
        self.y_hat_weight = y_hat_weight
        self.init = init
        self.covariance = covariance
        self.n_pca = n_pca
        self.max_iter = max_iter
        self.order = order
        self.seed = seed

    def supports(self, data: AuditData) -> str | None:
        """Check what every method needs, the package, and that it has enough examples and components."""
        reason = _domino_package.missing() or super().supports(data)
        if reason is not None:
            return reason
        cells = len(data.class_names) ** 2
        if self.init == "confusion" and self.n_components < cells:
            return f"needs a component for each cell of the confusion matrix: {self.n_components} for {cells}"
        return self._too_few_examples(data)

    def fit(self, data: AuditData) -> Self:
        """Fit the package's slicer to val.

        Raises
        ------
        ConfigError
            for parameters that cannot be used.
        MethodError
            where the package is missing.

        """
        self._check_parameters()
        if (reason := _domino_package.missing()) is not None:
            raise MethodError(f"domino_reference {reason}")
        reduces = self.n_pca is not None and self.n_pca < data.val.d
        slicer = _domino_package.domino_slicer()(
            n_slices=self.n_slices,
            covariance_type=self.covariance,
            n_pca_components=min(self.n_pca or 0, data.val.n) if reduces else None,
            n_mixture_components=self.n_components,
            y_log_likelihood_weight=self.y_weight,
            y_hat_log_likelihood_weight=self.y_hat_weight,
            max_iter=self.max_iter,
            init_params=self.init,
            random_state=self.seed,
        )
        if slicer.pca is not None:
            slicer.pca.random_state = self.seed
        slicer.mm._preprocess_ys = lambda y, y_hat: (y, y_hat)  # noqa: SLF001 - they are one-hot and (n, C) already
        X, Y, P = _arrays(data.val)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `notes` says whether EM converged
            try:
                self.slicer_ = slicer.fit(embeddings=X, targets=Y, pred_probs=P)
            except ValueError as error:  # of scikit-learn, for embeddings whose squares are no numbers
                raise MethodError(f"the package domino cannot fit these embeddings: {error}") from error
        self._rate(data.val, self._responsibilities(data.val))
        if self.order == "package":
            self.slices_ = slicer.slice_cluster_indices
        return self

    def notes(self) -> tuple[str, ...]:
        """Note whether EM ran out of iterations."""
        return () if self._fitted("slicer_").mm.converged_ else (f"EM did not converge in {self.max_iter} iterations",)

    def _responsibilities(self, split: Split) -> Floats:
        X, Y, P = _arrays(split)
        if self.slicer_.pca is not None:
            X = self.slicer_.pca.transform(X)
        resp: Floats = self.slicer_.mm.predict_proba(X, y=Y, y_hat=P)
        return resp

    def _check_parameters(self) -> None:
        self._check_n_slices()
        for name, known in (("init", INITS), ("covariance", COVARIANCES), ("order", ORDERS)):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}")
        for name in ("n_pca", "max_iter"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ConfigError(f"{name} is {value}; expected at least 1")


def _arrays(split: Split) -> tuple[Floats, Floats, Floats]:
    """Return embeddings (n, d), one-hot labels (n, C) and probabilities (n, C), all float64."""
    labels, probs = needed(split, "labels", "domino_reference"), needed(split, "probs", "domino_reference")
    # probabilities may be negative by rounding; their logarithm may not
    Y: Floats = np.eye(probs.shape[1])[labels]
    return split.embeddings.astype(np.float64), Y, np.maximum(probs, 0).astype(np.float64)
