"""Scores that are not what they seem."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path

import numpy as np

from hostile_plugins.base import Meek, exit_at_once, playground, sign
from slicebench.plugins.method import SliceScores


class _Spoils(Meek):
    """Changes a field of its scores after they have been checked."""

    field = "hardness"

    def score(self, split):
        scores = super().score(split)
        object.__setattr__(scores, self.field, self.spoilt(scores.hardness.copy(), split))
        return scores

    def spoilt(self, values, split):
        raise NotImplementedError


class NotANumberLater(_Spoils):
    def spoilt(self, values, split):
        values[3] = np.nan
        return values


class InfinityLater(_Spoils):
    def spoilt(self, values, split):
        values[3] = np.inf
        return values


class NotANumberInPlace(Meek):
    def score(self, split):
        scores = super().score(split)
        address = scores.hardness.__array_interface__["data"][0]
        ctypes.memset(address, 0xFF, 8 * 5)
        return scores


class ObjectsLater(_Spoils):
    def spoilt(self, values, split):
        return np.array([object()] * len(values), dtype=object)


class ComplexLater(_Spoils):
    def spoilt(self, values, split):
        return values + 1j


class TextsLater(_Spoils):
    def spoilt(self, values, split):
        return values.astype("U40")


class ShorterLater(_Spoils):
    def spoilt(self, values, split):
        return values[:-1]


class LongerLater(_Spoils):
    def spoilt(self, values, split):
        return np.tile(values, 1000)


class SquareLater(_Spoils):
    def spoilt(self, values, split):
        return np.outer(values, values)


class NothingLater(_Spoils):
    def spoilt(self, values, split):
        return None


class MappedLater(_Spoils):
    """Its array is a file that is cut short once it is returned: reading it kills with SIGBUS."""

    def spoilt(self, values, split):
        path = Path(tempfile.mkdtemp()) / "values"
        mapped = np.memmap(path, dtype=np.float64, mode="w+", shape=values.shape)
        path.write_bytes(b"")
        return mapped


class FlagsLater(_Spoils):
    field = "flagged"

    def spoilt(self, values, split):
        return np.full(len(values), 7, dtype=np.int64)


class MembershipLater(_Spoils):
    field = "membership"

    def spoilt(self, values, split):
        return np.full((len(values), 2), -5.0, dtype=np.float32)


class NamesLater(_Spoils):
    field = "names"

    def spoilt(self, values, split):
        return tuple(map(str, range(1000)))


class _Gadget:
    """Runs code in whoever unpickles it."""

    def __reduce__(self):
        return sign, (playground() / "home" / "gadget-returned",)


class GadgetLater(_Spoils):
    def spoilt(self, values, split):
        return _Gadget()


class GadgetLeavesLater(_Spoils):
    """Ends whoever unpickles it."""

    def spoilt(self, values, split):
        class Ends:
            def __reduce__(self):
                return exit_at_once, (0,)

        return Ends()


class ReturnsAGadget(Meek):
    def score(self, split):
        return _Gadget()


class _Array(np.ndarray):
    """An array that answers every question as it likes."""

    def __array_function__(self, func, types, args, kwargs):
        return np.float64(1.0)

    def __array_ufunc__(self, *a, **k):
        return np.float64(1.0)

    def __len__(self):
        return 10**9

    def __reduce__(self):
        return sign, (playground() / "home" / "gadget-array",)


class ArraySubclassLater(_Spoils):
    def spoilt(self, values, split):
        return values.view(_Array)


class _Changing(SliceScores):
    """Gives other values at every look."""

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        return np.random.default_rng().normal(size=len(value)) if name == "hardness" else value


class ChangesAtEveryLook(Meek):
    def score(self, split):
        return _Changing(hardness=split.losses.astype(float))


class WrongLength(Meek):
    def score(self, split):
        return SliceScores(hardness=np.zeros(3))


class NotScores(Meek):
    def score(self, split):
        return [1.0] * split.n


class Nothing(Meek):
    def score(self, split):
        return None


class HugeNumbers(Meek):
    def score(self, split):
        signs = np.where(np.arange(split.n) % 2, 1.0, -1.0)
        return SliceScores(hardness=signs * 1.7e308)


class TinyNumbers(Meek):
    def score(self, split):
        return SliceScores(hardness=np.arange(split.n) * 5e-324)


class ManySlices(Meek):
    def score(self, split):
        membership = np.broadcast_to(np.float32(0.5), (split.n, 100_000))
        return SliceScores(hardness=split.losses.astype(float), membership=membership)


class NoSlices(Meek):
    def score(self, split):
        return SliceScores(hardness=split.losses.astype(float), membership=np.zeros((split.n, 0)), names=())


class SliceMemberNan(Meek):
    def score(self, split):
        scores = SliceScores(hardness=split.losses.astype(float), membership=np.zeros((split.n, 2)))
        scores.membership.setflags(write=True)
        scores.membership[0, 0] = np.nan
        return scores


class IsNotSubclass:
    """No method at all, though it is registered as one."""
