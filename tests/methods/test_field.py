"""The methods of the first leaderboard on the problem that all others are tested on; every method is tested somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicebench.plugins.registry import METHODS
from slicebench_methods.confidence import Confidence
from slicebench_methods.domino import Domino
from slicebench_methods.early_stopping import EarlyStopping
from slicebench_methods.lff import LfF
from slicebench_methods.random import Random
from slicebench_methods.spotlight import Spotlight
from slicebench_methods.svm_directions import SVMDirections
from tests.support import plants


@pytest.mark.parametrize(
    ("method", "bar"),
    [(SVMDirections(), 0.9), (Domino(n_components=6), 0.7), (Spotlight(steps=300), 0.4), (Confidence(), 0.6)],
)
def test_finds_the_plant(method, bar):
    assert plants.found(method) > bar


@pytest.mark.parametrize(
    "method",
    [
        SVMDirections(),
        Domino(n_components=6),
        Spotlight(steps=300),
        Confidence(),
        Random(),
        EarlyStopping(fraction=0.5),
        LfF(),
    ],
)
def test_declares_nothing_where_there_is_nothing(method):
    assert plants.false_alarms(method) <= 1


def test_every_method_is_put_to_the_controls():
    """Each class appears in a test file that counts false alarms, or has no slices at all."""
    files = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    tested = "".join(text for text in files if "plants.false_alarms(" in text)
    missing = [name for name in METHODS.names() if METHODS.load(name).__name__ not in tested]
    assert set(missing) - plugins() == {"oracle"}, "the oracle is told the truth, which the permutation does not touch"


def plugins():
    return {info.name for info in METHODS.describe() if info.distribution != "slicebench"}
