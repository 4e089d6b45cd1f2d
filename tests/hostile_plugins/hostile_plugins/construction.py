"""Attacks from the constructor, and from what describes a method: parameters, version, requirements."""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from hostile_plugins.base import Meek, playground

HUGE = 50_000_000
"""Characters of a text that nobody wants to keep."""
NASTY = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\r\n\u202eback\x00\x9b5m \ud800 | <b>=cmd()"
"""Terminal escapes, a right-to-left override, a NUL, a lone surrogate, Markdown, HTML, a formula."""


class ChangesDirectory(Meek):
    def __init__(self) -> None:
        os.chdir("/")


class RaisesOnFloats(Meek):
    def __init__(self) -> None:
        np.seterr(all="raise")


class ClearsTheEnvironment(Meek):
    def __init__(self) -> None:
        os.environ.clear()
        os.environ["SLICEBENCH_CACHE"] = "/nowhere"


class ClosesOutput(Meek):
    def __init__(self) -> None:
        sys.stdout.close()
        os.close(1)
        os.close(2)


class PatchesTheChecks(Meek):
    def __init__(self) -> None:
        from slicebench.evaluation import cell

        cell.checked_scores = lambda method, scores, split: scores


class RaisesInConstructor(Meek):
    def __init__(self) -> None:
        raise RuntimeError(NASTY)


class ExitsInConstructor(Meek):
    def __init__(self) -> None:
        raise SystemExit(0)


class LeavesInConstructor(Meek):
    def __init__(self) -> None:
        os._exit(0)


class HangsInConstructor(Meek):
    def __init__(self) -> None:
        time.sleep(90)


class ParamsRaise(Meek):
    def get_params(self, deep=True):
        raise KeyError("no parameters")


class ParamsExit(Meek):
    def get_params(self, deep=True):
        raise SystemExit(0)


class ParamsLeave(Meek):
    def get_params(self, deep=True):
        os._exit(0)


class ParamsHang(Meek):
    def get_params(self, deep=True):
        playground()
        time.sleep(90)


class ParamsAreAList(Meek):
    def get_params(self, deep=True):
        return ["not", "a", "mapping"]


class ParamsAreNasty(Meek):
    def get_params(self, deep=True):
        return {NASTY: NASTY, "nan": float("nan"), "object": object(), "huge": 10**400, "array": np.ones(3)}


class ParamsAreHuge(Meek):
    def get_params(self, deep=True):
        return {"text": "x" * HUGE}


class ParamsAreEndless(Meek):
    def get_params(self, deep=True):
        nested = {}
        nested["again"] = nested
        return nested


class ParamsChange(Meek):
    """Says other parameters each time it is asked."""

    def get_params(self, deep=True):
        return {"asked": time.time_ns()}


class VersionIsNasty(Meek):
    version = NASTY


class VersionIsHuge(Meek):
    @property
    def version(self):
        return "9" * HUGE


class VersionIsANumber(Meek):
    version = 1.0


class VersionRaises(Meek):
    @property
    def version(self):
        raise RuntimeError(NASTY)


class VersionLeaves(Meek):
    @property
    def version(self):
        os._exit(0)


class EvilText(str):
    """A text whose methods attack whoever prints or stores it."""

    __slots__ = ()

    def __str__(self):  # noqa: PLE0307 - it does not return
        os._exit(0)

    def __len__(self):
        raise RuntimeError("how long is a text?")

    __repr__ = __format__ = __hash__ = __str__


class VersionIsEvil(Meek):
    version = EvilText("1")


class RequiresWhatIsNot(Meek):
    requires = frozenset({"truth", "your soul"})


class RequiresTheTruth(Meek):
    """Asks for the truth as the oracle does."""

    requires = frozenset({"truth"})

    def reveal(self, truth):
        self.truth_ = truth


class _Lies(type(Meek)):
    """A class that equals the oracle's, whoever asks."""

    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return 0

    def __instancecheck__(cls, instance):
        return True

    def __subclasscheck__(cls, subclass):
        return True


class PosesAsTheOracle(Meek, metaclass=_Lies):
    requires = frozenset({"truth"})

    @property
    def __class__(self):
        from slicebench.plugins.registry import METHODS

        return METHODS.load("oracle")

    def reveal(self, truth):
        self.truth_ = truth
