"""`slicebench check-method`: for any module, the result is a table of checks or one message."""

from __future__ import annotations

import json
import sys

import pytest

from slicebench.cli import app
from slicebench.errors import SlicebenchError

GOOD = """
print("hello")
from slicebench import SliceMethod, SliceScores
class Good(SliceMethod):
    requires = frozenset({"losses"})
    def fit(self, data):
        print("fitting")
        return self
    def score(self, split):
        return SliceScores(hardness=split.losses)
class Leaves(Good):
    def fit(self, data):
        raise SystemExit(4)
class Refuses(Good):
    def __init__(self):
        raise ValueError("not today")
class Wordless(Good):
    requires = None
good = Good()
"""

MODULES = {
    "good": GOOD,
    "raises": "raise RuntimeError('no licence\\nat all')",
    "exits": "import sys; sys.exit('bye')",
    "skips": "import pytest; pytest.skip('never', allow_module_level=True)",
    "broken": "def",
    "needs": "import no_such_module_at_all",
}


@pytest.fixture
def check(tmp_path, monkeypatch, capfd):
    """Function that checks a method of a folder of misbehaving modules: exit code, stdout and stderr."""
    for name, text in MODULES.items():
        (tmp_path / f"mine_{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def call(*words):
        capfd.readouterr()
        code = app(["check-method", *words], standalone_mode=False)
        return code or 0, *capfd.readouterr()

    yield call
    for name in MODULES:
        sys.modules.pop(f"mine_{name}", None)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "mine_raises:X",
            r"cannot import mine_raises: it raised RuntimeError: no licence at all \(.*mine_raises.py:1\)",
        ),
        ("mine_exits:X", r"it raised SystemExit: bye"),
        ("mine_skips:X", r"it raised Skipped: never"),
        ("mine_broken:X", r"it raised SyntaxError: .*mine_broken.py"),
        (
            "mine_needs:X",
            r"it raised ModuleNotFoundError: No module named 'no_such_module_at_all' \(.*mine_needs.py:1\)",
        ),
        ("mine_absent:X", r"there is no module 'mine_absent', neither in .* nor installed; expected module:Class"),
        ("mine_good.py:Good", r"there is no module 'mine_good.py'"),
        ("mine_good:Bad", r"mine_good has no 'Bad'; did you mean 'Good'|known: Good, Leaves, Refuses, Wordless"),
        ("mine_good:good", r"an instance of Good, not a subclass of slicebench.SliceMethod"),
        ("json:JSONDecoder", r"the class JSONDecoder, not a subclass"),
        ("./mine_good:Good", r"is not the name of a class; expected module:Class"),
        (":", r"is not the name of a class"),
        ("mine_good:", r"is not the name of a class"),
        ("..:X", r"is not the name of a class"),
        ("confidense", r"did you mean 'confidence'\?"),
    ],
)
def test_what_cannot_be_checked_is_one_message(check, name, says):
    with pytest.raises(SlicebenchError, match=says) as caught:
        check(name)
    assert "\n" not in str(caught.value)


def test_prints_are_no_results(check):
    code, out, err = check("mine_good:Good", "--json")
    assert code == 0
    assert {item["status"] for item in json.loads(out)} == {"passed", "skipped"}
    assert {"hello", "fitting"} <= set(err.splitlines())
    assert check("mine_good:Good")[1].endswith("mine_good:Good: 12 passed, 1 skipped\n")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Leaves", "failed  fit_returns_self: raised SystemExit: 4"),
        ("Refuses", "failed  constructs: the constructor raised ValueError: not today"),
        ("Wordless", "failed  requires_known_words: requires is None; expected a set of words"),
    ],
)
def test_a_method_may_do_anything(check, name, says):
    code, out, _ = check(f"mine_good:{name}")
    assert code == 1
    assert says in out
