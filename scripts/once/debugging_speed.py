"""Time exact retrieval: Data-Centric Debugging's Algorithm 1 at the paper's size, against the matrix product alone.

    python scripts/once/debugging_speed.py --out speed.json          a minute; writes 1.5 GB to a temporary folder, or to --folder

Makes clustered embeddings of 1,031 seeds and a pool of 952,951 in 384 dimensions, float32 in a
file, and retrieves 46 per seed: within 160 weak labels, and from the whole pool. The product of
seeds and pool, block by block and discarded, is timed before and after. Peak memory is that of the
process, including the pages of the pool's file that it has read.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.evaluation.cost import Stopwatch, hardware, peak_memory_mb, reset_peak_memory
from slicebench.results.markdown import table
from slicebench.studies.interventions.kinds.nearest import POOL_BLOCK
from slicebench.studies.interventions.kinds.retrieval import Retrieved, retrieve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats32 = NDArray[np.float32]
    Ints = NDArray[np.int64]

CONTEXTS, RANK = 12, 32
"""Number of clusters within a class, and of the dimensions in which the members of a cluster differ most."""

FAILING = 4
"""Number of contexts of each class that seeds come from, because failures are not a random sample."""


class Embeddings:
    """Rows of unit length near the centres of classes and of contexts within them."""

    def __init__(self, classes: int, width: int, rng: np.random.Generator) -> None:
        self.rng, self.width = rng, width
        self.labels = rng.standard_normal((classes, 1, width), dtype=np.float32)
        self.contexts = 0.7 * rng.standard_normal((classes, CONTEXTS, width), dtype=np.float32)
        self.directions = rng.standard_normal((RANK, width), dtype=np.float32) / np.float32(np.sqrt(RANK))

    def draw(self, labels: Ints, contexts: int = CONTEXTS) -> Floats32:
        """Draw one row per label, (n, width)."""
        drawn = (self.labels + self.contexts)[labels, self.rng.integers(contexts, size=len(labels))]
        drawn += 0.6 * self.rng.standard_normal((len(labels), RANK), dtype=np.float32) @ self.directions
        drawn += 0.3 * self.rng.standard_normal(drawn.shape, dtype=np.float32)
        found: Floats32 = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return found


def write_pool(path: Path, labels: Ints, embeddings: Embeddings) -> None:
    pool = np.memmap(path, np.float32, "w+", shape=(len(labels), embeddings.width))
    for start in range(0, len(labels), 2**15):
        part = slice(start, start + 2**15)
        pool[part] = embeddings.draw(labels[part])
    pool.flush()


def product_alone(seeds: Floats32, pool: Floats32) -> None:
    room = np.empty((len(seeds), POOL_BLOCK), np.float32)
    for start in range(0, len(pool), POOL_BLOCK):
        block = pool[start : start + POOL_BLOCK]
        np.matmul(seeds, block.T, out=room[:, : len(block)])


def measured(name: str, work: Callable[[Floats32], Retrieved | None], path: Path, width: int) -> dict[str, Any]:
    """Measure seconds and peak bytes of `work` on the pool, opened again so that none of its pages counts before."""
    reset_peak_memory()
    with Stopwatch() as watch:
        found = work(np.memmap(path, np.float32, "r").reshape(-1, width))
    taken = None if found is None else len(found.rows)
    row = {"what": name, "seconds": watch.wall_s, "peak_bytes": round(peak_memory_mb() * 1e6), "taken": taken}
    print(row, flush=True)
    return row


def run(asked: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    rng = np.random.default_rng(asked.seed)
    embeddings = Embeddings(asked.classes, asked.dimensions, rng)
    seed_labels, pool_labels = (rng.integers(asked.classes, size=n) for n in (asked.seeds, asked.pool))
    seeds, path = embeddings.draw(seed_labels, FAILING), folder / "pool.f32"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_pool(path, pool_labels, embeddings)
    product = partial(product_alone, seeds)
    by_label = partial(retrieve, seeds, n=asked.n, seed_labels=seed_labels, pool_labels=pool_labels)
    works: list[tuple[str, Callable[[Floats32], Retrieved | None]]] = [
        ("product alone", product),
        ("Algorithm 1, equal weak label", by_label),
        ("Algorithm 1, whole pool", partial(retrieve, seeds, n=asked.n)),
        ("product alone, again", product),
    ]
    return [measured(name, work, path, asked.dimensions) for name, work in works]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("seeds", 1031), ("pool", 952_951), ("dimensions", 384), ("n", 46), ("classes", 160)):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"default {default}")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random numbers; default 0")
    parser.add_argument(
        "--folder", type=Path, help="folder to write the pool to and keep it in; by default a temporary one"
    )
    parser.add_argument("--out", type=Path, help="JSON file to write")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        rows = run(asked, asked.folder or Path(passing))
    alone = np.mean([row["seconds"] for row in rows if row["taken"] is None])
    shown = [
        [
            row["what"],
            f"{row['seconds']:.1f}",
            f"{row['seconds'] / alone:.2f}",
            f"{row['peak_bytes'] / 1e9:.2f}",
            str(asked.dimensions),
            "" if row["taken"] is None else f"{row['taken']:,}",
        ]
        for row in rows
    ]
    print(table(["what", "seconds", "× product", "peak GB", "dimensions", "taken"], shown))
    if asked.out:
        problem = {name: getattr(asked, name) for name in ("seeds", "pool", "dimensions", "n", "classes", "seed")}
        threads = os.environ.get("OMP_NUM_THREADS")
        about = {"problem": problem, "hardware": hardware(), "threads": threads, "product_seconds": alone, "rows": rows}
        asked.out.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
