"""The mixture of the authors' package `domino` 0.1.5, made to run on current NumPy and scikit-learn.

The release needs scikit-learn 0.24 and imports much that its slicer never uses. Only the slicer is
imported here, and its module and classes get what the libraries have removed since. NumPy and
scikit-learn themselves are left as they were.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "0.1.5"
GONE_CHECK = "_check_X"
"""Function of `sklearn.mixture._base` that the module imports."""
GONE_METHODS: dict[str, Any] = {
    "_check_n_features": lambda self, X, reset: setattr(self, "n_features_in_", X.shape[1]),  # noqa: ARG005
    "_check_initial_parameters": lambda self, X: None,  # noqa: ARG005
    "_print_verbose_msg_init_end": lambda self, bound: None,  # noqa: ARG005
}
"""Methods of scikit-learn's `GaussianMixture` that are gone or take other arguments; they only check or print."""


def missing() -> str | None:
    """Return the reason why the package cannot be used, or None."""
    try:
        found = distribution("domino").version
    except PackageNotFoundError:
        found = "none"
    if found == VERSION:
        return None
    return f"needs the authors' package domino {VERSION} (found {found}): pip install --no-deps domino=={VERSION}"


@cache
def domino_slicer() -> type[Any]:
    """Import the class `DominoSlicer` of the package."""
    with _stand_ins():
        module = import_module("domino._slice.domino")
    numpy = ModuleType("numpy")  # the module's own view of NumPy, with the name that NumPy 2 removed
    numpy.__dict__.update(vars(np), infty=np.inf)
    module.__dict__.update(np=numpy, tqdm=lambda iterations, **_: iterations)
    for name, stand_in in GONE_METHODS.items():
        setattr(module.DominoMixture, name, stand_in)
    slicer: type[Any] = module.DominoSlicer
    return slicer


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Supply what the import needs but never uses: the package without its `__init__`, meerkat, an array check."""
    from sklearn.mixture import _base

    package, meerkat = ModuleType("domino"), ModuleType("meerkat")
    package.__path__ = [str(distribution("domino").locate_file("domino"))]
    meerkat.DataPanel = type("DataPanel", (), {})  # type: ignore[attr-defined]
    kept = {name: module for name, module in sys.modules.items() if _is_ours(name)}
    unknown = object()
    check = getattr(_base, GONE_CHECK, unknown)
    try:
        for name in kept:
            del sys.modules[name]
        sys.modules.update(domino=package, meerkat=meerkat)
        setattr(_base, GONE_CHECK, _check_array)
        yield
    finally:
        for name in [name for name in sys.modules if _is_ours(name)]:
            del sys.modules[name]
        sys.modules.update(kept)
        if check is unknown:
            delattr(_base, GONE_CHECK)
        else:
            setattr(_base, GONE_CHECK, check)


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in ("domino", "meerkat")


def _check_array(X: Any, *_: Any, ensure_min_samples: int = 1) -> Any:
    """Check an array, like `_check_X` of scikit-learn 0.24."""
    from sklearn.utils import check_array

    return check_array(X, dtype=[np.float64, np.float32], ensure_min_samples=ensure_min_samples)
