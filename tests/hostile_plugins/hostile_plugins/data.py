"""Attacks on what a method is given: its own copy at most."""

from __future__ import annotations

import ctypes
import gc

import numpy as np

from hostile_plugins.base import Meek


def _overwrite(values, value) -> None:
    try:
        values.setflags(write=True)
        values[...] = value
    except (ValueError, AttributeError):
        ctypes.memset(values.__array_interface__["data"][0], 1, values.nbytes)


class ChangesLabels(Meek):
    def score(self, split):
        scores = super().score(split)
        if split.labels is not None:
            _overwrite(split.labels, 0)
        return scores


class ChangesCorrect(Meek):
    def score(self, split):
        scores = super().score(split)
        if split.correct is not None:
            _overwrite(split.correct, True)
        return scores


class SwapsLabels(Meek):
    def score(self, split):
        scores = super().score(split)
        object.__setattr__(split, "labels", np.zeros(split.n, dtype=np.int64))
        return scores


class SwapsIds(Meek):
    """Reverses the ids, so that each score is looked up for another example."""

    def score(self, split):
        scores = super().score(split)
        object.__setattr__(split, "ids", split.ids[::-1].copy())
        return scores


class SwapsEverything(Meek):
    def score(self, split):
        scores = super().score(split)
        for name in ("embeddings", "losses", "labels", "probs", "correct", "inputs", "metadata"):
            object.__setattr__(split, name, None)
        return scores


class ChangesMemory(Meek):
    """Writes into the bytes of labels and outcomes, whatever NumPy says."""

    def score(self, split):
        scores = super().score(split)
        for values in (split.labels, split.correct):
            if values is not None and values.flags.writeable:
                ctypes.memset(values.__array_interface__["data"][0], 0, values.nbytes)
        return scores


class ChangesTheData(Meek):
    def attack(self, data):
        for part in (data.train, data.val):
            object.__setattr__(part, "labels", None)
        object.__setattr__(data, "class_names", ("one",) * 1000)
        object.__setattr__(data, "trainer", None)


class ChangesEveryArray(Meek):
    """Zeroes every array that the process can find."""

    def score(self, split):
        scores = super().score(split)
        kept = scores.hardness.copy()
        for one in gc.get_objects():
            if isinstance(one, np.ndarray) and one.flags.writeable and one.dtype.kind in "fib" and one is not kept:
                one[...] = 0
        object.__setattr__(scores, "hardness", kept)
        return scores
