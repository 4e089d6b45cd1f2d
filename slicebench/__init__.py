"""Benchmark of slice-discovery methods: it measures which of them can be trusted.

The names below are public, and so are the modules `slicebench.errors` and `slicebench.testing`.
Every other module path is private and may change with any version. Names are imported when first
used, so that `import slicebench` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from slicebench.version import __version__

if TYPE_CHECKING:
    from slicebench.data.captions import CaptionSet as CaptionSet
    from slicebench.data.captions.embedded import Captions as Captions
    from slicebench.data.columns import Columns as Columns
    from slicebench.data.from_arrays import from_arrays as from_arrays
    from slicebench.data.from_frame import from_frame as from_frame
    from slicebench.data.from_frame import from_parquet as from_parquet
    from slicebench.data.problem import AuditData as AuditData
    from slicebench.data.problem import Problem as Problem
    from slicebench.data.problem import Provenance as Provenance
    from slicebench.data.split import Split as Split
    from slicebench.data.to_frame import frame_to_split as frame_to_split
    from slicebench.data.to_frame import problem_columns as problem_columns
    from slicebench.data.to_frame import problem_to_frame as problem_to_frame
    from slicebench.data.to_frame import split_to_frame as split_to_frame
    from slicebench.data.truth import PlantedTruth as PlantedTruth
    from slicebench.discovery import Findings as Findings
    from slicebench.discovery import discover as discover
    from slicebench.discovery.interop import Found as Found
    from slicebench.discovery.interop import found_by as found_by
    from slicebench.discovery.interop.cleanlab import to_issues as to_issues
    from slicebench.discovery.interop.huggingface import from_huggingface as from_huggingface
    from slicebench.discovery.interop.huggingface import to_huggingface as to_huggingface
    from slicebench.discovery.interop.sklearn import SliceTransformer as SliceTransformer
    from slicebench.discovery.selection import Selection as Selection
    from slicebench.discovery.selection import select as select
    from slicebench.evaluation.cell import evaluate as evaluate
    from slicebench.evaluation.record import Record as Record
    from slicebench.evaluation.submissions import Submission as Submission
    from slicebench.evaluation.submissions import evaluate_submissions as evaluate_submissions
    from slicebench.evaluation.submissions import export_problem as export_problem
    from slicebench.evaluation.submissions import read_submissions as read_submissions
    from slicebench.files.fingerprints import Source as Source
    from slicebench.files.locations import location as location
    from slicebench.models.encoders.encoder import Encoder as Encoder
    from slicebench.models.synthesis.decoder import Decoder as Decoder
    from slicebench.models.synthesis.generator import Generator as Generator
    from slicebench.models.training import ModelTrainer as ModelTrainer
    from slicebench.models.training import Recipe as Recipe
    from slicebench.plugins.dataset import DatasetAdapter as DatasetAdapter
    from slicebench.plugins.dataset_card import DatasetCard as DatasetCard
    from slicebench.plugins.dataset_card import Layout as Layout
    from slicebench.plugins.dataset_card import Place as Place
    from slicebench.plugins.dataset_card import Wanted as Wanted
    from slicebench.plugins.method import SliceMethod as SliceMethod
    from slicebench.plugins.method import SliceScores as SliceScores
    from slicebench.plugins.registry import DATASETS as DATASETS
    from slicebench.plugins.registry import METHODS as METHODS
    from slicebench.problems.building import RawDataset as RawDataset
    from slicebench.problems.frozen import load_problem as load_problem
    from slicebench.problems.frozen import save_problem as save_problem
    from slicebench.problems.raw import RawProblem as RawProblem
    from slicebench.problems.raw import RawSplit as RawSplit
    from slicebench.problems.raw import provenance_of as provenance_of
    from slicebench.results.board import Board as Board
    from slicebench.results.standings import standings as standings
    from slicebench.runs.plan import Filters as Filters
    from slicebench.runs.plan import plan as plan
    from slicebench.runs.runner import run as run
    from slicebench.runs.store import load_run as load_run
    from slicebench.runs.suite import Suite as Suite
    from slicebench.runs.suite import load_suite as load_suite
    from slicebench.runs.tasks import Limits as Limits
    from slicebench.studies.interventions import Added as Added
    from slicebench.studies.interventions import Audit as Audit
    from slicebench.studies.interventions import Intervention as Intervention
    from slicebench.studies.interventions import Treatment as Treatment

_HOME = {
    "Added": "studies.interventions",
    "Audit": "studies.interventions",
    "AuditData": "data.problem",
    "Board": "results.board",
    "CaptionSet": "data.captions",
    "Captions": "data.captions.embedded",
    "Columns": "data.columns",
    "DATASETS": "plugins.registry",
    "DatasetAdapter": "plugins.dataset",
    "DatasetCard": "plugins.dataset_card",
    "Decoder": "models.synthesis.decoder",
    "Encoder": "models.encoders.encoder",
    "Filters": "runs.plan",
    "Findings": "discovery",
    "Found": "discovery.interop",
    "Generator": "models.synthesis.generator",
    "Intervention": "studies.interventions",
    "Layout": "plugins.dataset_card",
    "Limits": "runs.tasks",
    "METHODS": "plugins.registry",
    "ModelTrainer": "models.training",
    "Place": "plugins.dataset_card",
    "PlantedTruth": "data.truth",
    "Problem": "data.problem",
    "Provenance": "data.problem",
    "RawDataset": "problems.building",
    "RawProblem": "problems.raw",
    "RawSplit": "problems.raw",
    "Recipe": "models.training",
    "Record": "evaluation.record",
    "Selection": "discovery.selection",
    "SliceMethod": "plugins.method",
    "SliceScores": "plugins.method",
    "SliceTransformer": "discovery.interop.sklearn",
    "Source": "files.fingerprints",
    "Split": "data.split",
    "Submission": "evaluation.submissions",
    "Suite": "runs.suite",
    "Treatment": "studies.interventions",
    "Wanted": "plugins.dataset_card",
    "discover": "discovery",
    "evaluate": "evaluation.cell",
    "evaluate_submissions": "evaluation.submissions",
    "export_problem": "evaluation.submissions",
    "found_by": "discovery.interop",
    "frame_to_split": "data.to_frame",
    "from_arrays": "data.from_arrays",
    "from_frame": "data.from_frame",
    "from_huggingface": "discovery.interop.huggingface",
    "from_parquet": "data.from_frame",
    "load_problem": "problems.frozen",
    "load_run": "runs.store",
    "load_suite": "runs.suite",
    "location": "files.locations",
    "plan": "runs.plan",
    "problem_columns": "data.to_frame",
    "problem_to_frame": "data.to_frame",
    "provenance_of": "problems.raw",
    "read_submissions": "evaluation.submissions",
    "run": "runs.runner",
    "save_problem": "problems.frozen",
    "select": "discovery.selection",
    "split_to_frame": "data.to_frame",
    "standings": "results.standings",
    "to_huggingface": "discovery.interop.huggingface",
    "to_issues": "discovery.interop.cleanlab",
}
_MODULES = ("errors", "testing")

__all__ = ["__version__", *_HOME, *_MODULES]  # noqa: PLE0604 - the keys are strings


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"slicebench.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'slicebench' has no attribute {name!r}")
    return getattr(import_module(f"slicebench.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
