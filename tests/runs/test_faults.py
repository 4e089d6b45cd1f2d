"""Full and read-only disks, kills, two runs at once, clocks that jump, rotten caches: afterwards a rerun gives the same bytes."""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from slicebench.errors import SlicebenchWarning, StorageError
from slicebench.files.atomic import sweep, write_atomically, write_text
from slicebench.files.image_arrays import ImageFiles, decoded
from slicebench.models.encoders.cached import _read, _write
from slicebench.problems.cache import built_problem, frozen_folder
from slicebench.problems.frozen import check_problem, save_problem
from slicebench.runs.plan import plan
from slicebench.runs.store import load_run
from slicebench.runs.suite import parse_suite
from slicebench.runs.workers import CellTimeout, LocalExecutor
from slicebench.testing import example_problem
from tests.support.local_data import encoded, pictures
from tests.support.paths import HOSTILE, ROOT
from tests.support.run_content import content

SUITE = """
name = "small"
seeds = [0, 1, 2]
methods = ["gentle", "slow", "random"]
[[problems]]
name = "first"
dataset = "tiny"
[[problems]]
name = "second"
dataset = "tiny"
params = { n = 60 }
"""


LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as on a disk that is full, the write fails
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
"""


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    monkeypatch.syspath_prepend(str(HOSTILE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HOSTILE), str(ROOT), os.environ.get("PYTHONPATH", "")]))


def command(folder: Path, *more: str) -> list[str]:
    """`slicebench run` of the suite above; of options given twice the last one counts."""
    suite = folder / "suite.toml"
    suite.parent.mkdir(exist_ok=True)
    suite.write_text(SUITE)
    return [sys.executable, "-m", "slicebench", "run", "--suite", str(suite), "--jobs", "2", *more]


def start(folder: Path, out: Path, cache: Path, limit: int | None = None, *more: str) -> subprocess.Popen:
    """A run in a process group of its own; `limit` is the largest file that it may write, in bytes."""
    code = "" if limit is None else LIMITED.format(limit)
    code += "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", code, *command(folder, "--out", str(out), *more)]
    environment = {**os.environ, "SLICEBENCH_CACHE": str(cache)}
    return subprocess.Popen(
        words, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    )


def finish(running: subprocess.Popen) -> tuple[int, str]:
    said, errors = running.communicate(timeout=300)
    return running.returncode, said + errors


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the run gives when nobody disturbs it, and its seconds; one job and two threads, where the others have two and one."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HOSTILE), str(ROOT)]))
        patch.setenv("OMP_NUM_THREADS", "2")
        began = time.monotonic()
        code, said = finish(start(folder, folder / "run", folder / "cache", None, "--jobs", "1"))
    assert code == 0, said
    return content(folder / "run"), time.monotonic() - began


def assert_recovers(folder: Path, out: Path, cache: Path, expected: dict[str, object]) -> None:
    code, said = finish(start(folder, out, cache))
    assert code == 0, said
    assert content(out) == expected


def interrupted(folder: Path, moments: list[tuple[float, int]], expected: dict[str, object]) -> int:
    """Send signals at moments; how many met a living run. What follows is whole and the same."""
    out, cache, met = folder / "run", folder / "cache", 0
    for seconds, number in moments:
        running = start(folder, out, cache)
        try:
            running.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, number)
            met += 1
        finish(running)
    assert_recovers(folder, out, cache, expected)
    assert not list(out.rglob(".*.tmp"))
    return met


def test_term_and_kill_lose_nothing(undisturbed, tmp_path):
    expected, seconds = undisturbed
    moments = [(0.55 * seconds, signal.SIGTERM), (0.75 * seconds, signal.SIGKILL)]
    assert interrupted(tmp_path, moments, expected)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(6))
def test_twenty_four_signals_at_random(undisturbed, tmp_path, number):
    expected, seconds = undisturbed
    rng = random.Random(number)
    moments = [(rng.uniform(0.1, 1.0) * seconds, rng.choice([signal.SIGTERM, signal.SIGKILL])) for _ in range(4)]
    assert interrupted(tmp_path, moments, expected)


def test_two_runs_share_a_cache_and_a_folder(undisturbed, tmp_path):
    both = [start(tmp_path, tmp_path / "run", tmp_path / "cache") for _ in range(2)]
    for code, said in map(finish, both):
        assert code == 0, said
    assert content(tmp_path / "run") == undisturbed[0]


def disk_full(folder: Path, limit: int, expected: dict[str, object]) -> None:
    code, said = finish(start(folder, folder / "run", folder / "cache", limit))
    assert code in (0, 1, 2), said
    assert "Traceback" not in said
    assert code == 0 or "cannot write" in said or "too large" in said.lower(), said
    assert_recovers(folder, folder / "run", folder / "cache", expected)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, 1, 500, 1500, 2500, 3500, 4000, 6000, 10_000, 20_000])
def test_files_that_cannot_grow(undisturbed, tmp_path, limit):
    disk_full(tmp_path, limit, undisturbed[0])


@contextmanager
def mounted(folder: Path, *options: str):
    """A small or read-only file system at `folder`; skipped where we may not mount one."""
    folder.mkdir(exist_ok=True)
    done = [
        subprocess.run(["mount", *words], capture_output=True, check=False) for words in options_of(folder, options)
    ]
    if any(one.returncode for one in done):
        pytest.skip(f"may not mount here: {done[-1].stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def options_of(folder: Path, options: tuple[str, ...]) -> list[list[str]]:
    if options == ("read-only",):
        return [["--bind", str(folder), str(folder)], ["-o", "remount,ro,bind", str(folder)]]
    return [["-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]]


@pytest.mark.slow
@pytest.mark.parametrize("size", ["40k", "80k", "120k"])
@pytest.mark.parametrize("which", ["run", "cache"])
def test_a_small_disk_is_told_in_a_line(undisturbed, tmp_path, size, which):
    with mounted(tmp_path / which, f"size={size}"):
        code, said = finish(start(tmp_path, tmp_path / "run", tmp_path / "cache"))
        assert "Traceback" not in said
        assert code in (1, 2)
        assert "No space left" in said
        if which == "run":
            load_run(tmp_path / "run") if (tmp_path / "run" / "run.json").exists() else None
    assert_recovers(tmp_path, tmp_path / "run", tmp_path / "cache", undisturbed[0])


@pytest.mark.slow
@pytest.mark.parametrize("which", ["run", "cache"])
def test_a_read_only_folder_is_told_in_a_line(undisturbed, tmp_path, which):
    with mounted(tmp_path / which, "read-only"):
        code, said = finish(start(tmp_path, tmp_path / "run", tmp_path / "cache"))
    assert "Traceback" not in said
    assert code in (1, 2)
    assert "Read-only file system" in said
    assert_recovers(tmp_path, tmp_path / "run", tmp_path / "cache", undisturbed[0])


@pytest.mark.slow
def test_a_read_only_cache_that_holds_all_is_enough(undisturbed, tmp_path):
    assert_recovers(tmp_path, tmp_path / "first", tmp_path / "cache", undisturbed[0])
    with mounted(tmp_path / "cache", "read-only"):
        assert_recovers(tmp_path, tmp_path / "run", tmp_path / "cache", undisturbed[0])


def failing_at(monkeypatch, number: int) -> list[str]:
    """Have the call number `number` of those that change the disk fail, as on a full one; what was called until then."""
    called: list[str] = []

    def broken(name, real):
        def call(*args, **kwargs):
            called.append(name)
            if len(called) == number + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **kwargs)

        return call

    for owner, name in (
        (os, "mkdir"),
        (os, "replace"),
        (os, "rename"),
        (os, "open"),
        (Path, "replace"),
        (Path, "chmod"),
        (Path, "write_text"),
        (Path, "write_bytes"),
    ):
        monkeypatch.setattr(owner, name, broken(name, getattr(owner, name)))
    return called


def test_every_call_that_writes_may_fail(tmp_path, monkeypatch):
    """A record and a frozen problem, with each call failing in turn: a typed error, and neither half a file nor a leftover."""
    problem = example_problem(n=20, d=3)
    for what, write in (
        ("text", lambda at: write_text(at, "all of it")),
        ("problem", lambda at: save_problem(problem, at)),
    ):
        for number in range(60):
            folder = tmp_path / what / str(number)
            with monkeypatch.context() as patch:
                called = failing_at(patch, number)
                try:
                    write(folder / "x")
                    said = ""
                except StorageError as error:
                    said = str(error)
            assert ("No space left" in said) == (len(called) > number), (said, called)
            left = [p.name for p in folder.iterdir()] if folder.exists() else []
            assert left in ([], ["x"])
            if len(called) <= number:
                break
        assert number > 2, "nothing failed"


def test_leftovers_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / ".dead.json.x.tmp").write_text("half")

    def write(temporary: Path) -> None:
        temporary.write_text("all")
        sweep(tmp_path)
        assert temporary.exists()

    write_atomically(tmp_path / "records" / "alive.json", write)
    assert [p.name for p in (tmp_path / "records").iterdir()] == ["alive.json"]


# Caches that rot


@pytest.fixture
def planned():
    return plan(parse_suite(SUITE, "x"))[0].problem


def flip(path: Path, at: float = 0.7) -> None:
    """One bit, somewhere in the numbers."""
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 4
    path.chmod(0o644)
    path.write_bytes(data)


FILES = [
    "problem.json",
    "data/test.safetensors",
    "data/train.safetensors",
    "truth/truth.safetensors",
    "truth/truth.json",
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_problem_in_the_cache_is_made_again_and_said(planned, name, damage, caplog):
    first, folder = built_problem(planned), frozen_folder(planned)
    whole = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    if damage == "flip":
        flip(folder / name)
    elif damage == "cut":
        (folder / name).write_bytes(whole[Path(name)][:-20])
    else:
        (folder / name).unlink()
    with caplog.at_level(logging.WARNING, logger="slicebench"):
        again = built_problem(planned)
    assert "damaged" in caplog.text
    np.testing.assert_array_equal(again.test.losses, first.test.losses)
    assert {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == whole
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_damaged_problem_that_the_user_named_is_an_error(planned, tmp_path):
    built_problem(planned)
    mine = tmp_path / "mine"
    shutil.copytree(frozen_folder(planned), mine / "x")
    flip(mine / "x" / "data" / "test.safetensors")
    code, said = finish(
        start(
            tmp_path,
            tmp_path / "run",
            tmp_path / "cache",
            None,
            "--problems",
            str(mine),
            "--problem",
            "first",
            "--seed",
            "0",
        )
    )
    assert code == 1
    assert "is damaged (its checksum or size differs)" in said
    assert (mine / "x" / "data" / "test.safetensors").exists()


def test_what_older_versions_left_in_the_cache_is_read(planned, caplog):
    built_problem(planned)
    header = frozen_folder(planned) / "problem.json"
    described = json.loads(header.read_text())
    del described["files"]
    header.write_text(json.dumps(described))
    before = header.stat().st_mtime_ns
    built_problem(planned)
    assert header.stat().st_mtime_ns == before
    with (frozen_folder(planned) / "data" / "test.safetensors").open("r+b") as file:
        file.truncate(500)
    with caplog.at_level(logging.WARNING, logger="slicebench"):
        built_problem(planned)
    assert "damaged" in caplog.text
    check_problem(frozen_folder(planned))


def test_a_damaged_model_is_trained_again_and_said(tmp_path):
    trainer = example_problem(n=40).data.trainer
    trainer.cache = tmp_path
    first = trainer.fit()
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    flip(file, 0.99)
    with pytest.warns(SlicebenchWarning, match="checksum differs from that of the saved model"):
        again = trainer.fit()
    inputs = example_problem(n=40).test.inputs
    np.testing.assert_array_equal(first.predict(inputs), again.predict(inputs))
    assert len(file.read_bytes()) == len(whole)
    trainer.fit()  # whole again: no warning, which would be an error


def test_damaged_embeddings_are_made_again_and_said(tmp_path, caplog):
    made = np.arange(40, dtype=np.float16).reshape(10, 4)
    _write(tmp_path / "e.safetensors", made)
    np.testing.assert_array_equal(_read(tmp_path / "e.safetensors", 10), made)
    flip(tmp_path / "e.safetensors", 0.95)
    assert _read(tmp_path / "e.safetensors", 10) is None
    assert "damaged" in caplog.text


def test_images_in_the_cache_that_are_cut_are_made_again(tmp_path, own_cache, caplog):
    for i, image in enumerate(pictures(3, side=8)):
        (tmp_path / f"{i}.png").write_bytes(encoded(image))
    files = ImageFiles(tmp_path, [f"{i}.png" for i in range(3)])
    first = np.array(decoded(files))
    (file,) = (own_cache / "images").iterdir()
    file.write_bytes(file.read_bytes()[:200])
    np.testing.assert_array_equal(decoded(files), first)
    assert "damaged" in caplog.text


def test_a_cache_that_cannot_be_written_costs_no_model(tmp_path, monkeypatch):
    trainer = example_problem(n=40).data.trainer
    trainer.cache = tmp_path / "file" / "models"
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(SlicebenchWarning, match="cannot cache a trained model"):
        assert trainer.fit().seconds > 0


# Clocks


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_time_limits_do_not_ask_the_wall_clock(monkeypatch, jump):
    real, began = time.time, time.monotonic()
    monkeypatch.setattr(time, "time", lambda: real() + (jump if time.monotonic() - began > 0.7 else 0.0))
    with LocalExecutor(2, timeout=2.5) as executor:
        short, long = executor.submit(time.sleep, 1.2), executor.submit(time.sleep, 60)
        assert short.result(30) is None
        with pytest.raises(CellTimeout):
            long.result(30)
    assert time.monotonic() - began < 20
