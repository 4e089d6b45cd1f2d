"""What a method says beside its scores: reasons, notes, strength, names of slices, and what it prints."""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from hostile_plugins.base import Meek, playground
from hostile_plugins.construction import HUGE, NASTY, EvilText
from slicebench.plugins.method import SliceScores


class SupportsRaises(Meek):
    def supports(self, data):
        raise RuntimeError(NASTY)


class SupportsLeaves(Meek):
    def supports(self, data):
        os._exit(0)


class SupportsSaysANumber(Meek):
    def supports(self, data):
        return 7


class SupportsSaysTooMuch(Meek):
    def supports(self, data):
        return NASTY * 1000


class SupportsIsHuge(Meek):
    def supports(self, data):
        return "x" * HUGE


class SupportsExits(Meek):
    def supports(self, data):
        raise SystemExit(0)


class NotesAreNasty(Meek):
    def notes(self):
        return (NASTY, NASTY + "\nsecond line")


class NotesAreHuge(Meek):
    def notes(self):
        return ("x" * HUGE,)


class NotesAreMany(Meek):
    def notes(self):
        return ("again",) * 1_000_000


class NotesAreEvil(Meek):
    def notes(self):
        return (EvilText("note"),)


class NotesRaise(Meek):
    def notes(self):
        raise RuntimeError(NASTY)


class NotesAreBytes(Meek):
    def notes(self):
        return b"notes"


class NotesLeave(Meek):
    def notes(self):
        os._exit(0)


class StrengthRaises(Meek):
    def strength(self):
        raise ZeroDivisionError


class StrengthHangs(Meek):
    def strength(self):
        playground()
        time.sleep(90)


class StrengthIsAText(Meek):
    def strength(self):
        return "strong"


class StrengthIsHuge(Meek):
    def strength(self):
        return np.full(10_000_000, 1e308)


class StrengthIsNoNumber(Meek):
    def strength(self):
        return np.array([np.nan, np.inf])


class NamesAreNasty(Meek):
    names = (NASTY, "|" * 10, "=1+1")

    def score(self, split):
        membership = np.eye(3, dtype=np.float32)[np.arange(split.n) % 3]
        return SliceScores(hardness=split.losses.astype(float), membership=membership, names=self.names)


class NamesAreHuge(NamesAreNasty):
    @property
    def names(self):
        return ("x" * HUGE, "y", "z")


class NamesAreNoTexts(NamesAreNasty):
    names = (1, None, b"x")


class NamesAreEvil(NamesAreNasty):
    names = tuple(EvilText(one) for one in "abc")


class PrintsNasty(Meek):
    def attack(self, data):
        print(NASTY.encode("utf-8", "replace").decode())
        sys.stderr.write("\x1b[31mred\x07\n")
        os.write(1, b"\x1b[2J\xff\xfe\n")
        os.write(2, b'{"records": []}\x1b[31m\n')


class LogsNasty(Meek):
    def attack(self, data):
        import logging
        import warnings

        logging.getLogger("slicebench").error("\x1b[31mall cells failed")
        logging.basicConfig(level=0, force=True)
        warnings.warn("\x1b[31mwatch out", stacklevel=1)
