"""Methods that misbehave, one that does not, and tiny datasets: installed for a test by putting this folder on the path."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np

from slicebench.data.problem import AuditData, Problem, Provenance
from slicebench.data.split import Split
from slicebench.data.truth import PlantedTruth
from slicebench.files.cache import cache_dir
from slicebench.plugins.dataset import DatasetAdapter
from slicebench.plugins.method import SliceMethod, SliceScores


class Gentle(SliceMethod):
    def __init__(self, scale: float = 1.0, seed: int = 0) -> None:
        self.scale, self.seed = scale, seed

    def fit(self, data):
        return self

    def score(self, split):
        noise = np.random.default_rng(self.seed).normal(size=split.n)
        return SliceScores(hardness=split.losses + self.scale * noise, flagged=~split.correct)


class Slow(Gentle):
    def fit(self, data):
        time.sleep(0.1)
        return self


class Raises(Gentle):
    def fit(self, data):
        raise RuntimeError("no such luck")


class Hangs(Gentle):
    def fit(self, data):
        time.sleep(3600)


class Eats(Gentle):
    def fit(self, data):
        self.held_ = [np.ones(10**6) for _ in range(10**6)]
        return self


class Exits(Gentle):
    def __init__(self, code: int = 1) -> None:
        self.code = code

    def fit(self, data):
        os._exit(self.code)


class Betrays(Gentle):
    """Tries to kill the process that started its own."""

    def fit(self, data):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)


class Waits(Gentle):
    """Notes in a folder of its cache that it has begun, and under which server, and waits there for the file `go`."""

    def __init__(self, folder: str = "", scale: float = 1.0, seed: int = 0) -> None:
        self.folder, self.scale, self.seed = folder, scale, seed

    def fit(self, data):
        folder = cache_dir() / self.folder
        folder.mkdir(exist_ok=True)
        (folder / f"begun-{os.getpid()}-{os.getppid()}-{time.monotonic_ns()}").touch()
        while not (folder / "go").exists():
            time.sleep(0.02)
        return self


class WrongShape(Gentle):
    def score(self, split):
        return SliceScores(hardness=np.zeros(split.n - 1))


class NotANumber(Gentle):
    def score(self, split):
        return SliceScores(hardness=np.full(split.n, np.nan))


class Declines(Gentle):
    def supports(self, data):
        return "needs a quieter place"


class Unspeakable(RuntimeError):
    """An error without a text, which cannot be pickled either."""

    def __init__(self, one, two):
        super().__init__()

    def __str__(self):
        raise ValueError("no text")


TEXTS = {
    "escape": "\x1b[31mred\x1b[0m \x07",
    "surrogate": "half \ud800 a letter",
    "long": "x" * 5 * 10**6,
    "object": object(),
}


DEEDS = ("escape", "surrogate", "long", "object", "raises", "unspeakable", "exits")


def _deed(what):
    """Do `what`, or return the text of that name."""
    if what == "raises":
        raise RuntimeError("no such luck")
    if what == "unspeakable":
        raise Unspeakable(1, 2)
    if what == "exits":
        sys.exit(3)
    return TEXTS[what]


class Says(Gentle):
    """Says something terrible in one `place`, or fails there; the seed is the position among `DEEDS`."""

    def __init__(self, place: str = "notes", scale: float = 1.0, seed: int = 0) -> None:
        self.place, self.scale, self.seed = place, scale, seed

    def _at(self, place, otherwise):
        return _deed(DEEDS[self.seed]) if self.place == place else otherwise

    def get_params(self, deep=True):
        return {**super().get_params(deep), "scale": self._at("get_params", self.scale)}

    @property
    def version(self):
        return self._at("version", "1")

    def supports(self, data):
        return self._at("supports", None)

    def fit(self, data):
        if self.place == "fit":
            raise RuntimeError(_deed(DEEDS[self.seed]))
        return self

    def strength(self):
        return self._at("strength", None)

    def notes(self):
        return (self._at("notes", "fine"),)

    def score(self, split):
        scores = super().score(split)
        if self.place != "names":
            return scores
        return SliceScores(hardness=scores.hardness, membership=np.ones((split.n, 1)), names=(self._at("names", ""),))


class Tiny(DatasetAdapter):
    family = "tiny"
    modality = "vector"

    def __init__(self, n: int = 80, delay: float = 0.0) -> None:
        self.n, self.delay = n, delay

    def build(self, seed):
        time.sleep(self.delay)
        rng = np.random.default_rng(seed)
        made = {name: _split(rng, name, self.n) for name in ("train", "val", "test")}
        return Problem(
            name="tiny",
            family="tiny",
            dataset="tiny",
            dataset_version="1",
            params=self.get_params(),
            seed=seed,
            modality="vector",
            encoder="identity",
            data=AuditData(train=made["train"][0], val=made["val"][0], class_names=("a", "b")),
            test=made["test"][0],
            truth=PlantedTruth(
                ids={k: s.ids for k, (s, _) in made.items()},
                groups={k: g[:, None] for k, (_, g) in made.items()},
                group_names=("planted",),
            ),
            provenance=Provenance(source="rendered here", licence="CC0"),
        )


def _split(rng, name, n):
    labels, group = rng.integers(2, size=n), rng.random(n) < 0.3
    p_true = np.clip(rng.normal(np.where(group, 0.55, 0.8), 0.15), 0.01, 0.99)
    probs = np.empty((n, 2))
    probs[np.arange(n), labels], probs[np.arange(n), 1 - labels] = p_true, 1 - p_true
    ids = [f"{name}-{i:05d}" for i in range(n)]
    return Split.from_probs(ids=ids, embeddings=rng.normal(size=(n, 4)), labels=labels, probs=probs), group


class Unbuildable(Tiny):
    def build(self, seed):
        raise OSError("the disk of the data went away")
