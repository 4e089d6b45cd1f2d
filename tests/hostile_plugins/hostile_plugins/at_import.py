"""Attacks while the plugin is imported: each happens when its class is looked up, as if it were a module of its own."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import sys
import time

import numpy as np

from hostile_plugins.base import Meek, playground


def _perfect(values):
    return dict.fromkeys(values, 1.0)


def patches_evaluation():
    from slicebench.evaluation import cell

    cell.measure = lambda scores, test, truth, names=(): cell.Measurement(
        _perfect(cell.METRICS), _perfect(cell.METRICS), {}
    )


def patches_metrics():
    from slicebench.metrics import ranking

    for metric in ranking.METRICS.values():
        object.__setattr__(metric, "value", lambda case: 1.0)


def patches_numpy():
    np.mean = np.sum = lambda *a, **k: 1.0
    np.argsort = lambda a, *r, **k: np.arange(len(a))


def patches_json():
    json.dumps = lambda *a, **k: "{}"
    json.loads = lambda *a, **k: {}


def patches_pathlib():
    def refuse(*a, **k):
        raise OSError("no files today")

    pathlib.Path.open = pathlib.Path.read_bytes = pathlib.Path.write_text = refuse


def patches_the_store():
    from slicebench.runs.store import RunStore

    RunStore.save = lambda self, entry, record, scores: None
    RunStore.record = lambda self, entry: None


def patches_splits():
    from slicebench.data.split import Split

    Split.by_class = lambda self: iter(())


def patches_scores():
    from slicebench.plugins.method import SliceScores

    SliceScores.__post_init__ = lambda self: object.__setattr__(self, "hardness", None)


def hooks_imports():
    class Refuses:
        def find_spec(self, name, path=None, target=None):
            raise ImportError(f"{name} is not for you")

    sys.meta_path.insert(0, Refuses())


def patches_records():
    from slicebench.evaluation.record import Record

    Record.model_dump_json = lambda self, **k: '{"status": "ok"}'


def raises_on_import():
    raise ValueError("\x1b[31mno such luck\x07\nin two lines")


def exits_on_import():
    sys.exit(0)


def leaves_on_import():
    os._exit(0)


def hangs_on_import():
    time.sleep(90)


def is_killed_on_import():
    os.kill(os.getpid(), signal.SIGKILL)


def __getattr__(name):
    if name.startswith("__") or name not in ATTACKS:
        raise AttributeError(name)
    playground()
    ATTACKS[name]()
    return type(name, (Meek,), {"__module__": __name__})


ATTACKS = {
    "PatchesEvaluation": patches_evaluation,
    "PatchesMetrics": patches_metrics,
    "PatchesNumpy": patches_numpy,
    "PatchesJson": patches_json,
    "PatchesPathlib": patches_pathlib,
    "PatchesTheStore": patches_the_store,
    "PatchesSplits": patches_splits,
    "PatchesScores": patches_scores,
    "PatchesRecords": patches_records,
    "HooksImports": hooks_imports,
    "RaisesOnImport": raises_on_import,
    "ExitsOnImport": exits_on_import,
    "LeavesOnImport": leaves_on_import,
    "HangsOnImport": hangs_on_import,
    "IsKilledOnImport": is_killed_on_import,
}
