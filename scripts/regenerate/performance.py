"""Measure the speed of methods: against their references, at ImageNet's size, and as problems grow.

    python scripts/regenerate/performance.py table       every kernel against its reference; ten minutes
    python scripts/regenerate/performance.py imagenet    50,000 val and test, 1.28 million train, 1,000
                                                         classes; an hour
    python scripts/regenerate/performance.py growth      time against n, d and classes, with a plot;
                                                         fifteen minutes
    python scripts/regenerate/performance.py page        only the tables of docs/reference/performance.md

Each measures on this machine, stores its figures in leaderboard/performance.json, and updates the
tables in docs/reference/performance.md. `table` needs the references: pip install -e '.[test]' glm_saga
matplotlib, and pip install --no-deps domino==0.1.5. `imagenet` writes 8 GB to the cache folder,
once. --method runs only the given methods and replaces their figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.split import Split
from slicebench.evaluation.cost import peak_memory_mb
from slicebench.files.cache import cache_dir, content_key
from slicebench.plugins.registry import METHODS
from slicebench.problems.frozen import load_audit, save_problem
from slicebench.results.leaderboard.timing import fit_and_score
from slicebench.results.markdown import table
from slicebench_datasets.prototypes import Prototypes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "leaderboard" / "performance.json"
PAGE = ROOT / "docs" / "reference" / "performance.md"
PLOT = ROOT / "docs" / "images" / "growth.png"

IMAGENET = Prototypes(n_train=1_281_167, n_val=50_000, n_test=50_000, d=512, classes=1000, epochs=1)
LIMIT_S, LIMIT_GB = 60, 6
GIVE_UP_S = 150
TRAIN_BLOCK = 65_536

GROWTH = {"n": (2_500, 5_000, 10_000, 20_000), "d": (64, 128, 256, 512), "classes": (2, 5, 10, 20, 50)}
CENTRE = {"n": 10_000, "d": 128, "classes": 10}
GROWN = ("confidence", "svm_directions", "domino", "spotlight", "kmeans_errors", "logistic_directions", "sparse_layer")


# ---- beside the references ---------------------------------------------------------------------------------------------


def rates() -> dict[str, float]:
    """Measure this machine: floating-point operations per second in two precisions, bytes per second of a copy."""
    out = {}
    for dtype in (np.float32, np.float64):
        A = np.random.default_rng(0).random((2048, 2048)).astype(dtype)
        out[np.dtype(dtype).name] = 2 * 2048**3 / min(seconds(lambda A=A: A @ A)[0] for _ in range(5))  # type: ignore[misc]
    source, target = np.ones(2**26, np.float32), np.empty(2**26, np.float32)
    out["copy"] = 2 * source.nbytes / min(seconds(lambda: np.copyto(target, source))[0] for _ in range(5))
    return out


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = perf_counter()
    found = work()
    return perf_counter() - start, found


def measure_table(rounds: int = 3) -> dict[str, Any]:
    from tests.bench.cases import CASES

    speed, rows = rates(), []
    for make in CASES:
        case = make(full=True)
        if (reason := case.missing()) is not None:
            print(f"{case.name}: {reason}", flush=True)
            continue
        make(full=False).ours()  # imports and compiles
        make(full=False).reference()
        times: dict[str, list[float]] = {"ours": [], "reference": []}
        found = {}
        for k in range(rounds):
            for who in ("reference", "ours"):
                if who == "ours" or k < case.rounds:
                    taken, found[who] = seconds(getattr(case, who))
                    times[who].append(taken)
        row = {
            "name": case.name,
            "size": case.size,
            "reference_s": median(times["reference"]) / case.part,
            "ours_s": median(times["ours"]),
            "target": case.target,
            "judged": case.judged + (" (lower is better)" if case.lower else ""),
            "quality": {who: case.quality(one) for who, one in found.items()},
            "floor_of": case.floor_of,
            "floor_s": max(case.flops / speed[np.dtype(case.dtype).name], case.bytes / speed["copy"]),
        }
        rows.append(row)
        print(row, flush=True)
    return {"machine": machine(), "rates": speed, "rows": rows}


def machine() -> str:
    """Describe processor, number of cores and relevant versions."""
    import scipy
    import sklearn
    import torch

    try:
        named = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        named = None
    processor = named[1] if named else platform.processor() or platform.machine()
    versions = {"NumPy": np, "SciPy": scipy, "scikit-learn": sklearn, "PyTorch": torch}
    about = ", ".join(f"{name} {module.__version__.split('+')[0]}" for name, module in versions.items())
    return f"{processor}, {os.cpu_count()} cores; Python {platform.python_version()}, {about}"


# ---- at ImageNet's size ------------------------------------------------------------------------------------------------


def imagenet_folder() -> Path:
    """Return the frozen problem's folder, with the probabilities of train; make what is missing."""
    folder = cache_dir() / "performance" / content_key(IMAGENET.version, IMAGENET.get_params(), 0)
    if not folder.exists():
        print(f"writing 8 GB to {folder}", flush=True)
        save_problem(IMAGENET.build(0), folder)
    probs = folder / "train.probs.npy"
    if not probs.exists():
        part = probs.with_suffix(".part")
        shape = (IMAGENET.n_train, IMAGENET.classes)
        out = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape)
        start = 0
        for block, _ in IMAGENET.blocks(0, "train"):
            out[start : (start := start + block.n)] = block.probs
        out.flush()
        part.rename(probs)
    return folder


def train_blocks(train: Split, probs: Path) -> Iterator[Split]:
    """Yield the rows of train as splits with probabilities, one block in memory at a time."""
    assert train.labels is not None
    for start in range(0, train.n, TRAIN_BLOCK):
        rows = slice(start, start + TRAIN_BLOCK)
        X = train.embeddings[rows]
        yield Split(
            ids=train.ids[rows],
            embeddings=X,
            losses=train.losses[rows],
            labels=train.labels[rows],
            probs=np.load(probs, mmap_mode="r")[rows],
            inputs=X,
        )


def one_method(name: str, folder: Path) -> dict[str, Any]:
    """Fit a method, score test, then train block by block; return the seconds of each and the peak memory."""
    from sklearn.metrics import average_precision_score

    from slicebench.problems.frozen import load_truth

    data, test = load_audit(folder)
    method = METHODS.load(name)()
    if (reason := method.supports(data)) is not None:
        return {"method": name, "skipped": reason}
    fit_s, _ = seconds(lambda: method.fit(data))
    if data.trainer is not None:
        fit_s += data.trainer.seconds_saved  # a model of the cache counts with what its training took
    score_s, scores = seconds(lambda: method.score(test))
    train_s = 0.0
    for block in train_blocks(data.train, folder / "train.probs.npy"):
        taken, found = seconds(lambda block=block: method.score(block))
        assert np.isfinite(found.hardness).all()
        train_s += taken
    peak = peak_memory_mb() / 1e3
    minority = load_truth(folder, "test").minority(test.ids)
    found = [average_precision_score(minority[rows], scores.hardness[rows]) for _, rows in test.by_class()]
    precision = float(np.mean(found))
    return {
        "method": name,
        "fit_s": fit_s,
        "score_s": score_s,
        "train_s": train_s,
        "peak_gb": peak,
        "precision": precision,
    }


def measure_imagenet(names: list[str]) -> dict[str, Any]:
    imagenet_folder()
    rows = []
    for name in names:
        rows.append(in_own_process(name))
        print(rows[-1], flush=True)
    return {"machine": machine(), "rows": rows}


def in_own_process(name: str) -> dict[str, Any]:
    """Run `one_method` in a process of its own; return its result, or why there is none."""
    command = [sys.executable, __file__, "one", "--method", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIVE_UP_S, check=False)
    except subprocess.TimeoutExpired:
        return {"method": name, "failed": f"stopped after {GIVE_UP_S} s"}
    if done.returncode != 0:
        killed = "the process was killed: out of memory" if done.returncode < 0 else f"exit code {done.returncode}"
        return {"method": name, "failed": (done.stderr.strip().splitlines() or [killed])[-1]}
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said


# ---- growth ------------------------------------------------------------------------------------------------------------


def measure_growth(names: Sequence[str]) -> dict[str, Any]:
    rows = []
    for axis, values in GROWTH.items():
        for value in values:
            at = CENTRE | {axis: value}
            problem = Prototypes(
                **{f"n_{s}": at["n"] for s in ("train", "val", "test")}, d=at["d"], classes=at["classes"]
            ).build(0)
            for name in names:
                method = METHODS.load(name)()
                work = partial(fit_and_score, method, problem)
                taken = seconds(work)[0]
                if taken < 1:
                    taken = min(taken, *(seconds(work)[0] for _ in range(3)))
                rows.append({"axis": axis, "value": value, "method": name, "seconds": taken})
                print(rows[-1], flush=True)
    return {"machine": machine(), "centre": CENTRE, "rows": rows}


def slope(rows: list[dict[str, Any]]) -> float:
    """Fit the slope of log seconds against log size by least squares."""
    x, y = (np.log([row[key] for row in rows]) for key in ("value", "seconds"))
    return float(np.polyfit(x, y, 1)[0])


def lines(growth: dict[str, Any], axis: str) -> dict[str, list[dict[str, Any]]]:
    return {name: [r for r in growth["rows"] if (r["axis"], r["method"]) == (axis, name)] for name in GROWN}


def plot_growth(growth: dict[str, Any]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
    for panel, axis in zip(axes, GROWTH, strict=True):
        for name, rows in lines(growth, axis).items():
            panel.loglog([r["value"] for r in rows], [r["seconds"] for r in rows], "o-", label=name)
        others = ", ".join(f"{k} {v:,}" for k, v in CENTRE.items() if k != axis)
        panel.set(xlabel=axis, title=others)
        panel.set_xticks(GROWTH[axis], labels=[f"{value:,}" for value in GROWTH[axis]])
        panel.minorticks_off()
    axes[0].set_ylabel("seconds, fit and score")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, dpi=100)


# ---- the page ----------------------------------------------------------------------------------------------------------


def shown(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def comparison(found: dict[str, Any]) -> str:
    rows = []
    for row in found["rows"]:
        ratio, quality = row["reference_s"] / row["ours_s"], row["quality"]
        rows.append(
            [
                f"{row['name']}<br>{row['size']}",
                shown(row["reference_s"]),
                shown(row["ours_s"]),
                f"{shown(ratio)} ×",
                *(f"{quality[who]:.4g}" for who in ("reference", "ours")),
                row["judged"],
            ]
        )
    heads = ["what", "reference, s", "slicebench, s", "ratio", "quality, reference", "quality, slicebench", "measure"]
    return f"{table(heads, rows)}\n\nMeasured on: {found['machine']}."


def at_size(found: dict[str, Any]) -> str:
    rows, others = [], []
    for row in sorted(found["rows"], key=lambda row: row["method"]):
        if "fit_s" not in row:
            others.append([row["method"], row.get("skipped") or row["failed"]])
            continue
        total = row["fit_s"] + row["score_s"] + row["train_s"]
        inside = row["fit_s"] + row["score_s"] <= LIMIT_S and row["train_s"] <= LIMIT_S and row["peak_gb"] <= LIMIT_GB
        figures = [f"{row[key]:.1f}" for key in ("fit_s", "score_s", "train_s")]
        verdict = ("yes" if total <= LIMIT_S else "yes, each") if inside else "no"
        rows.append([row["method"], *figures, f"{row['peak_gb']:.1f}", f"{row['precision']:.3f}", verdict])
    heads = ["method", "fit, s", "test, s", "train, s", "peak, GB", "AP", f"≤ {LIMIT_S} s, ≤ {LIMIT_GB} GB"]
    return (
        f"{table(heads, rows)}\n{table(['method', 'no figures because'], others)}\n\nMeasured on: {found['machine']}."
    )


def slopes(found: dict[str, Any]) -> str:
    each = {axis: lines(found, axis) for axis in GROWTH}
    rows = [[name, *(f"{slope(each[axis][name]):+.2f}" for axis in GROWTH)] for name in GROWN]
    return f"{table(['method', *(f'against {axis}' for axis in GROWTH)], rows)}\n\nMeasured on: {found['machine']}."


def page(figures: dict[str, Any]) -> str:
    """Write docs/reference/performance.md with updated tables."""
    text = PAGE.read_text(encoding="utf-8")
    for name, make in (("table", comparison), ("imagenet", at_size), ("growth", slopes)):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if name in figures:
            made = f"{begin}\n\n{make(figures[name])}\n\n{end}"
            text = text[: text.index(begin)] + made + text[text.index(end) + len(end) :]
    return text


def renewed(old: dict[str, Any] | None, new: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Take the figures of `names` from `new`, all others from `old`."""
    kept = [row for row in (old or {"rows": []})["rows"] if row["method"] not in names]
    return new | {"rows": kept + new["rows"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what",
        choices=("table", "imagenet", "growth", "page", "one"),
        help="what to measure; `one` is used by `imagenet`",
    )
    parser.add_argument(
        "--method",
        action="append",
        choices=METHODS.names(),
        help="method to measure with imagenet or growth; repeatable",
    )
    asked = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if asked.what == "one":
        print(json.dumps(one_method(asked.method[0], imagenet_folder())))
        return
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    if asked.what == "table":
        figures["table"] = measure_table()
    elif asked.what == "imagenet":
        names = asked.method or [name for name in METHODS.names() if name not in ("oracle", "random")]
        figures["imagenet"] = renewed(figures.get("imagenet"), measure_imagenet(names), names)
    elif asked.what == "growth":
        names = asked.method or list(GROWN)
        figures["growth"] = renewed(figures.get("growth"), measure_growth(names), names)
        plot_growth(figures["growth"])
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
