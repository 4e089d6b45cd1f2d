"""Two hundred methods that attack the benchmark, beside three honest ones: nobody's result changes but their own."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.hostile_run import PROJECT, Playground, module_of, registered, suite_text
from tests.support.run_content import content

if TYPE_CHECKING:
    from tests.support.hostile_run import Ended

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the attacks are written for Linux")

HONEST = ("confidence", "random", "svm_directions")
METHODS = registered()
UNPLANNABLE = (
    "raises_on_import", "exits_on_import", "leaves_on_import", "hangs_on_import", "is_killed_on_import",
    "raises_in_constructor", "exits_in_constructor", "leaves_in_constructor", "hangs_in_constructor",
    "is_not_subclass", "params_leave", "params_hang", "version_leaves",
)  # fmt: skip
"""Methods that cannot be described: a run may refuse them before it starts."""
HOSTILE = [name for name in METHODS if name not in UNPLANNABLE]
CHEATS = [*module_of(METHODS, "cheats"), "searches_objects", "searches_frames", "wraps_the_loader"]
FROM_SEEDS = ("builds_the_problem_again",)
"""Cheats that no lock keeps from the truth: `slicebench verify` finds them out."""
ENDINGS = [name for name in module_of(METHODS, "endings") if name not in ("floods_output", "writes_into_pipes")]
SEEMING = [
    *(
        "not_a_number_later",
        "infinity_later",
        "not_a_number_in_place",
        "objects_later",
        "complex_later",
        "shorter_later",
    ),
    *("longer_later", "square_later", "nothing_later", "membership_later", "names_later", "gadget_later"),
    *("returns_a_gadget", "wrong_length", "not_scores", "nothing", "slice_member_nan"),
]
"""Methods whose scores break the contract, at whatever moment."""
FAIL = [*(name for name in ENDINGS if name not in ("kills_its_grandparent", "closes_files")), *SEEMING]
CHANCE = 0.35
"""nAMF that noise does not reach: its standard deviation over seeds is .06."""
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """Playground with an honest run in runs/before; it is what the hostile run meets."""
    made = Playground(tmp_path_factory.mktemp("playground"))
    (made.work / "honest.toml").write_text(suite_text("honest", HONEST))
    ended = made.slicebench("run", "--suite", "honest.toml", "--out", "runs/before")
    assert ended.code == 0, ended.err
    return made


@pytest.fixture(scope="module")
def before(ground):
    return ground.untouched()


@pytest.fixture(scope="module")
def ended(ground, before) -> Ended:
    """The hostile run: honest methods first and last, everything else between."""
    (ground.work / "hostile.toml").write_text(suite_text("hostile", [*HONEST[:2], *HOSTILE, HONEST[2]]))
    command = ("run", "--suite", "hostile.toml", "--out", "runs/with", "--timeout", "3", "--memory-gb", "1.5")
    return ground.slicebench(*command, "--jobs", "2")


def isolated(ground) -> bool:
    """Check whether the kernel locks the cells of other people's methods; `sets_errors` is one that ends well."""
    found = {record.get("isolation") for record in ground.record_of("runs/with", "sets_errors")}
    assert found in ({"landlock"}, {"none"}), "a record says what kept the method from the truth"
    return found == {"landlock"}


def test_there_are_many():
    assert len(METHODS) >= 63
    assert set(UNPLANNABLE) | set(CHEATS) | set(FAIL) <= set(METHODS)


def test_the_run_ends_as_documented(ended):
    assert ended.code == 1, ended.err[-2000:]
    assert not re.search(r"^Traceback", ended.err, re.MULTILINE)


def test_honest_results_are_the_same_to_the_bit(ground, ended):
    alone, beside = (content(ground.work / "runs" / name) for name in ("before", "with"))
    names = [name for name in alone if name.startswith("records/")]
    assert len(names) == 1 + 2 * len(HONEST)
    assert [name for name in names if beside.get(name) != alone[name]] == []


@pytest.mark.parametrize("method", HOSTILE)
def test_every_attacker_has_its_records_and_no_more(ground, ended, method):
    records = ground.record_of("runs/with", method)
    assert [record["seed"] for record in records] == [0]
    for record in records:
        assert record["status"] in ("ok", "failed", "skipped")
        reason = record["reason"] or ""
        assert len(reason) < 2_500
        assert "\n" not in reason
        assert not UNSAFE.search(reason)
        assert not record["metrics"] or -1.5 < record["metrics"]["namf"] <= 1


@pytest.mark.parametrize("method", FAIL)
def test_what_ends_badly_has_failed(ground, ended, method):
    assert {record["status"] for record in ground.record_of("runs/with", method)} == {"failed"}


def test_nothing_is_left_running(ended):
    assert ended.left == ()


def test_each_message_is_one_safe_line(ended):
    for text in (ended.out, ended.err):
        assert UNSAFE.findall(text) == []
    failed = re.findall(r"^failed: (\S+ s\d \S+): ", ended.err, re.MULTILINE)
    assert len(failed) == len(set(failed))
    assert "rubbish" not in ended.err, "a method has written where its parent writes"
    assert ended.out.count("flood") + ended.err.count("31mflood") < 1_000, "20 MB of it were printed"
    assert max(map(len, (ended.out + ended.err).splitlines())) < 3_000


def test_files_are_untouched(ground, before, ended):
    """Where the kernel locks the cells away; elsewhere the records say that nothing does."""
    if not isolated(ground):
        pytest.skip("this kernel has no Landlock")
    after = ground.untouched()
    assert [name for name, kept in before.items() if after.get(name) != kept] == []
    assert [name for name in after if re.search(r"/(owned|gadget-|at-exit)[^/]*$", name)] == []
    assert list(ground.packages.rglob("owned*")) == []


def test_temporary_folders_are_gone(ground, ended):
    assert [path.name for path in (ground.folder / "tmp").glob("slicebench-*")] == []


def test_gadgets_ran_nowhere_but_in_their_cell(ground, ended):
    assert list((ground.folder / "home").glob("gadget-*")) == []


def test_nobody_was_read(ground, ended):
    for method in ("reads_its_parents_environment", "traces_its_parent"):
        assert [record["notes"] for record in ground.record_of("runs/with", method)] == [[]]


@pytest.mark.parametrize("method", [name for name in CHEATS if name not in FROM_SEEDS])
def test_cheats_get_what_chance_gives_or_are_marked(ground, ended, method):
    records = ground.record_of("runs/with", method)
    if all(record["status"] == "ok" for record in records):
        mean = sum(record["metrics"]["namf"] for record in records) / len(records)
        marked = all((record.get("decoy_p") or 1) < 1e-4 for record in records)
        assert mean < CHANCE or marked, records[0]["metrics"]["namf"]


def test_honest_methods_are_not_marked(ground, ended):
    for method in HONEST:
        assert all((record.get("decoy_p") or 1) >= 1e-4 for record in ground.record_of("runs/with", method))


def test_the_run_folder_can_be_read_and_run_again(ground, ended):
    report = ground.slicebench("report", "runs/with", "--html", "report.html")
    assert report.code == 0, report.err
    assert not UNSAFE.search((ground.work / "report.html").read_text())
    shown = ground.slicebench("show", "runs/with")
    assert shown.code == 0, shown.err
    assert not UNSAFE.search(shown.out + shown.err)
    some = [*HONEST, "leaves_with_0", "not_a_number_later", "version_is_nasty"]
    chosen = [part for name in some for part in ("--method", name)]
    again = ground.slicebench("run", "--suite", "hostile.toml", "--out", "runs/with", "--timeout", "3", *chosen)
    assert again.code == 1, again.err
    assert "Traceback" not in again.err
    assert again.left == ()


QUICK = ("raises_on_import", "is_killed_on_import", "leaves_in_constructor", "params_leave")
"""Each of the others takes six seconds, or the half minute that a plugin may need to describe itself."""


@pytest.mark.parametrize("method", [pytest.param(m, marks=() if m in QUICK else pytest.mark.slow) for m in UNPLANNABLE])
def test_what_cannot_be_described_costs_at_most_a_message(ground, method):
    """Its cell fails, or the run refuses it by name; neither hangs, and nobody else is blamed."""
    (ground.work / "one.toml").write_text(suite_text("one", ("confidence", method)))
    out = f"runs/{method}"
    ended = ground.slicebench("run", "--suite", "one.toml", "--out", out, "--timeout", "2", seconds=90)
    assert ended.code in (1, 2), ended.err
    assert "Traceback" not in ended.err
    assert method in ended.err
    assert not UNSAFE.search(ended.out + ended.err)
    assert ended.left == ()
    if ended.code == 1:
        assert {record["status"] for record in ground.record_of(out, "confidence")} == {"ok"}


@pytest.mark.slow  # half a minute
def test_drawing_a_public_problem_from_its_seed_is_found_out(ground):
    """The cheat is perfect on every problem that it can draw, and at chance on those of fresh seeds."""
    shutil.copy(PROJECT / "hostile_plugins" / "public.toml", ground.work)
    cheat = FROM_SEEDS[0]
    run = ground.slicebench("run", "--suite", "public.toml", "--out", "runs/public")
    assert run.code == 0, run.err
    assert all(record["metrics"]["namf"] == 1 for record in ground.record_of("runs/public", cheat))
    options = ("--suite", "public.toml", "--against", "runs/public", "--seeds", "2")
    verified = ground.slicebench("verify", cheat, *options, "--out", "runs/verify")
    assert verified.code == 1, verified.err
    assert "lower than published" in verified.out
    honest = ground.slicebench("verify", "confidence", *options, "--out", "runs/verify-honest")
    assert "lower than published" not in honest.out
    assert honest.code == 0, honest.err
