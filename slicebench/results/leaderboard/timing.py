"""Measure the time of methods in units of a reference workload, so that machines can be compared."""

from __future__ import annotations

import json
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.atomic import write_text
from slicebench.files.locations import read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from slicebench.data.problem import Problem
    from slicebench.plugins.method import SliceMethod


def reference_workload() -> float:
    """Run a fixed mix of what methods do, and return its seconds: about 0.1.

    The mix is products, a sort, an eigenproblem and a Python loop.
    """
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1500, 256)).astype(np.float32)
    start = perf_counter()
    for _ in range(4):
        gram = X.T @ X
        np.linalg.eigh(gram)
        np.sort(X, axis=None)
    total = 0.0
    for i in range(200_000):
        total += i % 7
    return perf_counter() - start


def fit_and_score(method: SliceMethod, problem: Problem) -> None:
    """Fit a new copy of `method` and score the test split; this call is timed."""
    type(method)(**method.get_params()).fit(problem.data).score(problem.test)


def load_ratios(path: Path) -> dict[str, float]:
    """Read ratios by method.

    The file is our own, or JSON of pytest-benchmark whose tests stored `method` and `ratio`.

    Raises
    ------
    StorageError
        if the file cannot be read, or has another format.

    """
    try:
        said = json.loads(read_bytes(path))
        if "benchmarks" in said:
            noted = [one["extra_info"] for one in said["benchmarks"] if "ratio" in one["extra_info"]]
            return {info["method"]: float(info["ratio"]) for info in noted}
        return {str(method): float(ratio) for method, ratio in said["ratios"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(
            f"cannot read timings from {path}: {error}; expected the JSON of `pytest tests/bench/test_gate.py --benchmark-enable "
            "--benchmark-json=FILE`"
        ) from error


def save_ratios(ratios: Mapping[str, float], path: Path) -> None:
    """Write `ratios` to a file that `load_ratios` reads."""
    text = json.dumps({"ratios": {k: round(v, 4) for k, v in sorted(ratios.items())}}, indent=1) + "\n"
    write_text(path, text)
