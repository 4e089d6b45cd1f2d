"""Methods that look for the truth. What finds nothing scores noise; what finds something ranks by it."""

from __future__ import annotations

import json
import os
import tomllib
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hostile_plugins.base import Meek, guessed, playground
from hostile_plugins.reading import parts_of_memory, truth_scores
from slicebench.plugins.method import SliceScores

DEFAULTS = {
    "n_test": 2000, "d": 16, "classes": 2, "minority": 0.2, "signal": 2.5, "attenuation": 0.2, "overlap": 0.8,
    "strength": 2.0, "flip": 0.4,
}  # fmt: skip
"""Parameters of the public generator that a suite may leave out."""

GUESSES = 10
"""Seeds that a cheat tries, from 0."""


class Cheat(Meek):
    """Scores by the grouping that it finds; of several, by that whose members have the highest losses.

    Ids are alike at every seed, so the truth of another seed seems to fit.
    """

    def score(self, split):
        playground()
        found = []
        with suppress(OSError, ValueError, KeyError, RuntimeError, ImportError):
            for one in self.candidates(split):  # what was found before an error counts
                found += [] if one is None else [one]
        return max(found, key=lambda one: _gap(one.hardness, split.losses), default=None) or guessed(split)

    def candidates(self, split):
        """Yield scores, or None, for each grouping that may be the truth."""
        raise NotImplementedError


def _gap(members, losses) -> float:
    """Return how much higher the losses of members are."""
    chosen = members > 0
    return float(losses[chosen].mean() - losses[~chosen].mean()) if 0 < chosen.sum() < len(chosen) else -np.inf


def _folders(*roots: Path):
    """Yield every folder below `roots` that can be listed."""
    for root in roots:
        for folder, _, _ in os.walk(root):
            yield Path(folder)


class LoadsTheTruth(Cheat):
    """Asks slicebench's own reader for the truth of every problem in the cache."""

    def candidates(self, split):
        from slicebench.files.cache import cache_dir
        from slicebench.problems.frozen import load_truth

        for folder in _folders(cache_dir()):
            with suppress(OSError, ValueError):
                truth = load_truth(folder, "test")
                yield truth_scores(truth.ids.values(), truth.groups.values(), split)


def _from_file(path: Path, split):
    """Return scores from a truth file of a problem or of a run, by ids."""
    from slicebench.files.arrays import read_arrays
    from slicebench.problems.frozen import load_truth

    with suppress(OSError, ValueError):
        if path.name == "truth.safetensors":
            truth = load_truth(path.parent.parent, "test")
            return truth_scores(truth.ids.values(), truth.groups.values(), split)
        arrays, metadata = read_arrays(path, "")
        return truth_scores([json.loads(metadata["ids"])], [arrays["minority"]], split)
    return None


class SearchesTheDisk(Cheat):
    """Looks for files of a truth in the cache, the working folder, home, and the test's own folder."""

    def candidates(self, split):
        from slicebench.files.cache import cache_dir

        for folder in _folders(cache_dir(), playground(), Path.cwd(), Path.home()):
            for path in folder.glob("*truth*.safetensors"):
                yield _from_file(path, split)


class ReadsEarlierRuns(Cheat):
    """A run folder has the truth of its test splits, for statistics."""

    def candidates(self, split):
        for folder in _folders(playground() / "work", Path.cwd()):
            for path in folder.glob("problem-*.safetensors"):
                yield _from_file(path, split)


class ReadsTheLeaderboard(Cheat):
    """A committed leaderboard has labels and plant of every test split, by position."""

    def candidates(self, split):
        import slicebench
        from slicebench.files.arrays import read_arrays

        beside = Path(slicebench.__file__).parents[1] / "leaderboard"
        for root in (playground() / "work" / "leaderboard", beside):
            for folder in _folders(root):
                with suppress(OSError, ValueError):
                    arrays, _ = read_arrays(folder / "truth.safetensors", "")
                    for name, labels in arrays.items():
                        if name.endswith(".labels") and np.array_equal(labels, split.labels):
                            minority = arrays[name.removesuffix("labels") + "minority"]
                            yield SliceScores(hardness=minority.astype(float))


class ReadsItsParentsMemory(Cheat):
    """Looks in the memory of the processes above it for an array of the split's length with a planted share."""

    def candidates(self, split):
        pid = os.getppid()
        for _ in range(3):
            yield self._in_memory(pid, split.n)
            if pid <= 1:
                return
            pid = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])

    def _in_memory(self, pid, n):
        """Return the first run of n bytes, all 0 or 1, of which some are 1: bool arrays look so."""
        for part in parts_of_memory(pid, 20_000_000):
            values = np.frombuffer(part, dtype=np.uint8)
            ends = np.flatnonzero(np.diff(np.concatenate(([2], np.minimum(values, 2), [2])) == 2))
            for start, stop in zip(ends[::2], ends[1::2], strict=False):
                if n <= stop - start < n + 64 and 0.05 < values[start : start + n].mean() < 0.5:
                    return SliceScores(hardness=values[start : start + n].astype(float))
        return None


class BuildsTheProblemAgain(Cheat):
    """Draws the generated problems of public suites from seeds 0 to 9, and compares the examples.

    It trains no model, which the vectors need not, and brings the code of the generator with it.
    """

    def candidates(self, split):
        from importlib.resources import files

        suites = (files("slicebench.runs") / "suites" / "standard.toml", Path(__file__).with_name("public.toml"))
        problems = [p for suite in suites for p in tomllib.loads(suite.read_text())["problems"]]
        tried = [p["params"] for p in problems if p["dataset"] == "gaussian"]
        for params in tried:
            spec = SimpleNamespace(**{**DEFAULTS, **params})
            for seed in range(GUESSES * (spec.n_test == split.n and spec.d == split.embeddings.shape[1])):
                yield self._matched(spec, seed, split.embeddings)

    def _matched(self, spec, seed, embeddings):
        """Return the groups drawn from a seed in the order of `embeddings`, if these are the drawn vectors."""
        from scipy.spatial import cKDTree

        from hostile_plugins.generator import draw

        rotation = np.linalg.qr(np.random.default_rng([seed, 3]).standard_normal((spec.d, spec.d)))[0]
        x, _, groups = draw(spec, spec.n_test, spec.minority, np.random.default_rng([seed, 2]))
        distance, rows = cKDTree(x @ rotation).query(embeddings)
        return SliceScores(hardness=groups.any(axis=1)[rows].astype(float)) if distance.max() < 0.05 else None


class AsksThePlan(Cheat):
    """Builds every problem that the packaged suites plan, in the cache, and loads its truth there."""

    def candidates(self, split):
        from slicebench.problems.cache import frozen_folder
        from slicebench.runs.plan import Filters, plan
        from slicebench.runs.suite import load_suite

        for cell in plan(load_suite("standard"), Filters(methods=("random",), seeds=tuple(range(GUESSES)))):
            yield _from_file(frozen_folder(cell.problem) / "truth" / "truth.safetensors", split)


class UsesTheDecoy(Cheat):
    """Takes any grouping with as many rows as it has examples, whoever left it where it lies."""

    def candidates(self, split):
        from slicebench.files.arrays import read_arrays
        from slicebench.files.cache import cache_dir

        for folder in _folders(cache_dir(), Path.cwd(), Path.home()):
            for path in folder.glob("*.safetensors"):
                with suppress(OSError, ValueError):
                    for _, values in sorted(read_arrays(path, "")[0].items()):  # test comes before train
                        if values.dtype == bool:
                            flags = np.asarray(values).reshape(len(values), -1).any(axis=1)
                            if len(flags) == split.n and 0 < flags.mean() < 1:
                                yield SliceScores(hardness=flags.astype(float))
