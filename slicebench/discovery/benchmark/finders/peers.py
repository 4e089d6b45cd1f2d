"""Run peers, i.e. other people's tools, each in a process and an environment of its own.

Peers conflict in what they need. `SLICEBENCH_PEERS` names a folder with a virtual environment per
peer (divexplorer/bin/python); a peer without one uses this interpreter. Tables and slices are
exchanged as .npz and JSON. A process takes tables until it fails, is too slow, or this one ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import psutil

from slicebench.discovery.benchmark.finders.views import columns_seen, vectors_seen
from slicebench.discovery.benchmark.score import Shown
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slicebench.discovery.benchmark.planted import PlantedTable

ENVIRONMENTS = "SLICEBENCH_PEERS"
CPU_S = 60.0
"""Seconds of CPU time that a peer may take for a table, its start included; they do not depend on other work."""
WALL_S = 600.0
"""Seconds after which a peer that waits for something is ended."""
NO_TELEMETRY = {"GSK_DISABLE_ANALYTICS": "true"}
"""Variables that keep peers from reporting their use: giskard does so by default."""
SCRIPT = Path(__file__).parent / "peer_script.py"
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "sliceline": (
        {"alpha": 0.9}, {"alpha": 0.95}, {"alpha": 0.99}, {"alpha": 0.95, "k": 10}, {"alpha": 0.9, "max_l": 2},
        {"alpha": 0.95, "bins": 4}, {"alpha": 0.95, "min_sup": 0.01}, {"alpha": 0.95, "min_sup": 0.03},
    ),
    "divexplorer": (
        {"min_support": 0.02}, {"min_support": 0.01}, {"min_support": 0.1}, {"redundancy": 0.05},
        {"min_support": 0.02, "redundancy": 0.05}, {"least_t": 6.0}, {"min_support": 0.02, "top": 5},
        {"min_support": 0.02, "redundancy": 0.1, "least_t": 5.0},
    ),
    "cleanlab": (
        {"threshold": 0.3}, {"threshold": 0.6}, {"threshold": 0.9}, {"threshold": 0.6, "eps": 0.05},
        {"threshold": 0.6, "eps": 0.1}, {"threshold": 0.6, "eps": 0.2}, {"threshold": 0.6, "eps": 1.0},
        {"threshold": 0.6, "eps": 2.0},
    ),
    "deepchecks": (
        {"segment_minimum_size_ratio": 0.01}, {"segment_minimum_size_ratio": 0.02}, {"segment_minimum_size_ratio": 0.1},
        {"n_top_features": 20}, {"top": 3}, {"top": 1}, {"segment_minimum_size_ratio": 0.02, "top": 3},
        {"multiple_segments_per_feature": False},
    ),
    "erroranalysis": (
        {"max_depth": 2}, {"max_depth": 4}, {"max_depth": 6}, {"num_leaves": 7}, {"min_child_samples": 50},
        {"lift": 2.0}, {"lift": 3.0}, {"max_depth": 4, "lift": 3.0},
    ),
    "giskard": (
        {"lift": 1.1}, {"lift": 1.5}, {"lift": 2.0}, {"lift": 3.0}, {"min_slice_size": 20}, {"min_slice_size": 100},
        {"lift": 1.5, "min_slice_size": 50}, {"lift": 2.0, "min_slice_size": 100},
    ),
    "sliceguard": (
        {"min_drop": 0.1}, {"min_drop": 0.2}, {"min_drop": 0.3}, {"min_support": 20}, {"min_support": 50},
        {"min_drop": 0.1, "min_support": 30}, {"min_drop": 0.2, "min_support": 30}, {"min_drop": 0.3, "min_support": 30},
    ),
}  # fmt: skip
"""Settings of each peer to tune over, by number; without a number it has its own defaults."""


_PROCESSES: dict[str, tuple[subprocess.Popen[str], IO[str]]] = {}
"""The last process of each peer, and what it printed."""


class Skipped(ConfigError):  # noqa: N818  # no error of the user: the finder does not apply to a table, or is not installed
    """A finder cannot run on a table, for a reason that the results show."""


def peer(name: str, settings: Mapping[str, Any], table: PlantedTable) -> list[Shown]:
    """Run a peer on a table and return the slices it shows.

    Raises `Skipped` if the peer is not installed, cannot run on the table or takes too long, and
    `RuntimeError` if it fails.
    """
    with tempfile.TemporaryDirectory(prefix="slicebench-peer-") as made:
        folder = Path(made)
        _write(folder, table, settings)
        _wait(name, folder)
        return _read(folder)


def _wait(name: str, folder: Path) -> None:
    """Have the process of a peer answer in `folder`."""
    process, began = _process(name), monotonic()
    used = _cpu_seconds(process)
    with suppress(BrokenPipeError):  # it has ended, which is reported below
        print(folder, file=process.stdin, flush=True)
    while not (folder / "answer.json").is_file():
        if process.poll() is not None:
            raise RuntimeError(f"{name} failed with exit code {process.returncode}: {_last_line(name)}")
        if _cpu_seconds(process) - used > CPU_S or monotonic() - began > WALL_S:
            process.kill()
            process.wait()
            raise Skipped(f"takes more than {CPU_S:.0f} seconds of CPU time")
        sleep(0.01)


def _cpu_seconds(process: subprocess.Popen[str]) -> float:
    try:
        times = psutil.Process(process.pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _process(name: str) -> subprocess.Popen[str]:
    """Return the running process of a peer, or start one; it ends when its standard input does."""
    running = _PROCESSES.get(name)
    if running is None or running[0].poll() is not None:
        said = tempfile.TemporaryFile("w+", prefix="slicebench-peer-", errors="replace")  # noqa: SIM115
        process = subprocess.Popen(  # noqa: S603
            [interpreter(name), "-I", "-W", "ignore", str(SCRIPT), name],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            text=True,
            cwd=tempfile.gettempdir(),
            env=os.environ | NO_TELEMETRY,
        )
        running = _PROCESSES[name] = process, said
    return running[0]


def _last_line(name: str) -> str:
    said = _PROCESSES[name][1]
    said.seek(0)
    return (said.read().strip() or "no output").splitlines()[-1]


def interpreter(name: str) -> str:
    """Return the Python that runs a peer."""
    folder = os.environ.get(ENVIRONMENTS)
    own = Path(folder).expanduser() / name / "bin" / "python" if folder else None
    return str(own) if own is not None and own.exists() else sys.executable


def _write(folder: Path, table: PlantedTable, settings: Mapping[str, Any]) -> None:
    seen = columns_seen(table)
    columns = {f"column:{name}": seen[name].to_numpy(float if _is_number(seen[name]) else str) for name in seen}
    predicted = table.frame[table.roles["prediction"]].to_numpy() if "prediction" in table.roles else table.loss
    arrays: dict[str, Any] = {"vectors": vectors_seen(table), "loss": table.loss, "classes": table.classes, **columns}
    if predicted.dtype.kind == "f":
        arrays["predictions"] = predicted
        arrays["truth"] = table.frame[table.roles["label"]].to_numpy(float) if "label" in table.roles else predicted
    else:
        arrays["predictions"] = predicted.astype(str)
    np.savez(folder / "table.npz", **arrays)
    (folder / "settings.json").write_text(json.dumps(dict(settings)))


def _is_number(values: Any) -> bool:
    return bool(values.dtype.kind in "iuf")


def _read(folder: Path) -> list[Shown]:
    answer = json.loads((folder / "answer.json").read_text())
    if answer["skipped"]:
        raise Skipped(answer["skipped"])
    with np.load(folder / "slices.npz", allow_pickle=False) as arrays:
        masks = arrays["masks"]
    return [Shown(mask, str(text)) for mask, text in zip(masks, answer["descriptions"], strict=True)]
