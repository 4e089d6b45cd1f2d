"""Benchmark of slice-discovery methods: which of them can be trusted.

The public names are imported when first used, so that `import slicebench` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slicebench.dataset import DatasetAdapter as DatasetAdapter
    from slicebench.discovery import Findings as Findings
    from slicebench.discovery import discover as discover
    from slicebench.evaluation import evaluate as evaluate
    from slicebench.frozen import load_problem as load_problem
    from slicebench.frozen import save_problem as save_problem
    from slicebench.method import SliceMethod as SliceMethod
    from slicebench.method import SliceScores as SliceScores
    from slicebench.problem import AuditData as AuditData
    from slicebench.problem import PlantedTruth as PlantedTruth
    from slicebench.problem import Problem as Problem
    from slicebench.record import Record as Record
    from slicebench.registry import DATASETS as DATASETS
    from slicebench.registry import METHODS as METHODS
    from slicebench.split import Split as Split

__version__ = "0.1.0"

_HOME = {
    "AuditData": "problem",
    "DATASETS": "registry",
    "DatasetAdapter": "dataset",
    "Findings": "discovery",
    "METHODS": "registry",
    "PlantedTruth": "problem",
    "Problem": "problem",
    "Record": "record",
    "SliceMethod": "method",
    "SliceScores": "method",
    "Split": "split",
    "discover": "discovery",
    "evaluate": "evaluation",
    "load_problem": "frozen",
    "save_problem": "frozen",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - the keys are strings


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'slicebench' has no attribute {name!r}")
    module = import_module(f"slicebench.{_HOME[name]}")
    return getattr(module, name)
