"""Results, frozen problems and the cache in object stores: memory in this process, and an S3 server on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.registry import _registry

from slicebench.errors import StorageError
from slicebench.files.atomic import write_text
from slicebench.files.cache import cache_dir, in_cache, share
from slicebench.files.locations import listed, location
from slicebench.plugins.registry import DATASETS
from slicebench.problems.cache import built_problem, frozen_folder
from slicebench.problems.frozen import load_problem, save_problem
from slicebench.problems.remote import DamagedError, fetch_problem, send_problem
from slicebench.problems.shelf import freeze, shelved
from slicebench.runs.outcomes import RunOutcomes
from slicebench.runs.plan import plan
from slicebench.runs.runner import run
from slicebench.runs.store import load_run
from slicebench.runs.suite import parse_suite
from slicebench.runs.tasks import Limits
from tests.support.paths import ROOT

ONE = Limits(jobs=1)
SUITE = """
name = "small"
seeds = [0]
methods = ["confidence", "logistic_directions"]
[[problems]]
name = "shift"
dataset = "gaussian"
params = { plant = "linear", n_train = 150, n_val = 100, n_test = 100, epochs = 1 }
"""


@pytest.fixture
def suite():
    return parse_suite(SUITE, "here")


@pytest.fixture
def planned(suite):
    return plan(suite)[0].problem


@pytest.fixture
def memory():
    """The one memory of `memory://`, empty."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    return files


@pytest.fixture
def uploaded(problem, memory, tmp_path):
    save_problem(problem, tmp_path / "sent")
    send_problem(tmp_path / "sent", location("memory://shelf/p"))
    return location("memory://shelf/p")


def broken(*_, **__):
    raise ConnectionResetError("the line went dead")


def test_what_is_a_url():
    assert location("runs/quick") == Path("runs/quick")
    assert location("file:///tmp/x") == Path("/tmp/x")
    assert str(location("memory://runs/quick") / "run.json") == "memory://runs/quick/run.json"


def test_a_protocol_that_is_unknown_or_not_installed_is_told(monkeypatch):
    with pytest.raises(
        StorageError, match=r"cannot reach nosuch://x: .*expected a path, or a URL that fsspec supports"
    ):
        location("nosuch://x")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)
    with pytest.raises(StorageError, match=r"pip install 'slicebench\[s3\]'"):
        location("s3://bucket/x")


def test_a_run_in_object_storage(suite, planned, memory, tmp_path):
    """Problems from one URL, results to another: resumed, read as from a folder, and damage reported."""
    shelf, there = location("memory://shelf"), location("memory://runs/small")
    freeze(planned, shelf)
    shutil.rmtree(frozen_folder(planned))
    first = run(suite, plan(suite), out=there, limits=ONE, problems=shelf)
    assert [record.status for _, record in first.records] == ["ok", "ok"]
    assert not frozen_folder(planned).exists()
    again = run(suite, plan(suite), out=there, limits=ONE, problems=shelf)
    assert (again.computed, again.records) == (0, first.records)
    memory.get("/runs/small", str(tmp_path / "run"), recursive=True)
    remote, local = load_run(there), load_run(tmp_path / "run")
    assert remote.records == local.records
    far, near = RunOutcomes(remote.store, remote.cells), RunOutcomes(local.store, local.cells)
    assert far.facts("shift") == near.facts("shift")
    for slot in local.records:
        np.testing.assert_array_equal(far.hardness(slot), near.hardness(slot))
    (name,) = [name for name in listed(there) if "confidence" in name and name.endswith(".json")]
    (there / name).write_text("{")
    with pytest.raises(StorageError, match=r"confidence-\w+\.json: .*delete this file and run again"):
        load_run(there)


def test_what_is_not_there_is_told(memory):
    with pytest.raises(StorageError, match="memory://nothing is not a run folder"):
        load_run(location("memory://nothing"))
    with pytest.raises(StorageError, match="memory://nothing holds no frozen problems"):
        shelved(location("memory://nothing"))


def test_frozen_under_a_url_and_fetched_once(planned, memory):
    shelf = location("memory://shelf")
    kept = [freeze(planned, shelf) for _ in range(2)]
    assert [one.written for one in kept] == [True, False]
    assert kept[0].size == kept[1].size > 1000
    folder = shelved(shelf)[planned.identity]
    for name in listed(shelf):
        if not name.endswith("problem.json"):
            (shelf / name).unlink()
    assert shelved(shelf)[planned.identity] == folder
    assert load_problem(folder).test.n == 100


def test_another_problem_in_its_place_under_a_url_is_told(problem, planned, memory, tmp_path):
    save_problem(problem, tmp_path / "other")
    send_problem(tmp_path / "other", location("memory://shelf/shift.s0"))
    with pytest.raises(StorageError, match=r"memory://shelf/shift\.s0 holds another problem or version"):
        freeze(planned, location("memory://shelf"))


def test_what_was_sent_is_what_is_fetched(problem, uploaded, tmp_path):
    assert fetch_problem(uploaded, tmp_path / "got")
    np.testing.assert_array_equal(load_problem(tmp_path / "got").test.embeddings, problem.test.embeddings)
    assert not fetch_problem(location("memory://shelf/q"), tmp_path / "none")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["got", "sent"]


@pytest.mark.parametrize("damage", ["shorter", "other", "gone"])
def test_what_is_not_what_was_sent_is_never_read(uploaded, tmp_path, damage):
    file = uploaded / "data/train.safetensors"
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-4] if damage == "shorter" else content[:-4] + b"\0\1\2\3")
    with pytest.raises(DamagedError, match=r"train\.safetensors is missing or differs from what was uploaded"):
        fetch_problem(uploaded, tmp_path / "got")
    assert [p.name for p in tmp_path.iterdir()] == ["sent"]


def test_a_name_that_leads_outside_is_refused(uploaded, tmp_path, monkeypatch):
    monkeypatch.setattr("slicebench.problems.remote.listed", lambda _: {"problem.json": 1, "../evil": 1})
    with pytest.raises(StorageError, match="is outside that folder"):
        fetch_problem(uploaded, tmp_path / "got")


def test_half_an_upload_is_no_problem(problem, memory, tmp_path, monkeypatch):
    """The line goes dead after the first files: without problem.json there is nothing to be read."""
    save_problem(problem, tmp_path / "sent")
    monkeypatch.setattr("slicebench.problems.remote.send", broken)
    with pytest.raises(ConnectionResetError):
        send_problem(tmp_path / "sent", location("memory://shelf/p"))
    assert "data/train.safetensors" in listed(location("memory://shelf/p"))
    assert not fetch_problem(location("memory://shelf/p"), tmp_path / "got")
    with pytest.raises(StorageError, match="holds no frozen problems"):
        shelved(location("memory://shelf"))


def test_an_upload_that_breaks_off_is_one_line(memory, tmp_path, monkeypatch):
    monkeypatch.setattr(type(memory), "put_file", broken)
    with pytest.raises(StorageError, match=r"cannot reach memory://x/run\.json: the line went dead$"):
        write_text(location("memory://x/run.json"), "{}")


@pytest.fixture
def two_levels(memory, monkeypatch, tmp_path):
    """Function that makes this process a machine with a cache of its own, and one second level for all."""

    def machine(name):
        monkeypatch.setenv("SLICEBENCH_CACHE", "memory://cache")
        monkeypatch.setenv("SLICEBENCH_LOCAL_CACHE", str(tmp_path / name))

    return machine


@pytest.fixture
def builds(monkeypatch, planned):
    """Seeds that were built."""
    adapter, seen = DATASETS.load(planned.dataset), []
    build = adapter.build

    def counted(self, seed):
        seen.append(seed)
        return build(self, seed)

    monkeypatch.setattr(adapter, "build", counted)
    return seen


def test_the_second_level_spares_other_machines_the_work(planned, two_levels, builds, tmp_path):
    two_levels("one")
    first = built_problem(planned)
    first.data.trainer.fit(seed=7)
    assert frozen_folder(planned).is_relative_to(tmp_path / "one")
    two_levels("two")
    second = built_problem(planned)
    second.data.trainer.fit(seed=7)
    assert builds == [0]
    assert second.data.trainer.seconds == second.data.trainer.seconds_saved > 0
    np.testing.assert_array_equal(second.test.embeddings, first.test.embeddings)


def test_the_second_level_is_asked_for_nothing_that_is_here(planned, two_levels, memory):
    two_levels("one")
    built_problem(planned)
    memory.store.clear()
    built_problem(planned)
    assert not memory.store


def test_a_damaged_problem_in_the_second_level_is_built_again(planned, two_levels, builds, memory):
    two_levels("one")
    built_problem(planned)
    (name,) = [name for name in memory.store if name.endswith("data/test.safetensors")]
    memory.pipe_file(name, b"short")
    two_levels("two")
    built_problem(planned)
    two_levels("three")
    built_problem(planned)
    assert builds == [0, 0]


def test_an_upload_that_failed_is_tried_again_without_building(planned, two_levels, builds, memory, monkeypatch):
    two_levels("one")
    frozen_folder(planned)
    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "put_file", broken)
        with pytest.raises(StorageError, match="the line went dead"):
            built_problem(planned)
    assert not frozen_folder(planned).exists()
    built_problem(planned)
    assert builds == [0]
    assert any(name.endswith("problem.json") for name in memory.store)
    assert [p.name for p in frozen_folder(planned).parent.iterdir()] == [planned.identity]


def test_only_files_of_the_cache_folder_are_shared(two_levels, memory, tmp_path):
    two_levels("one")
    write_text(tmp_path / "elsewhere", "x")
    share(tmp_path / "elsewhere")
    write_text(cache_dir() / "models" / "m", "x")
    share(cache_dir() / "models" / "m")
    assert set(memory.store) - {"/cache/slicebench.txt"} == {"/cache/models/m"}
    two_levels("two")
    assert in_cache(cache_dir() / "models" / "m")
    assert not in_cache(cache_dir() / "models" / "n")


def test_a_model_that_could_not_be_shared_is_told_and_used(planned, two_levels, memory, monkeypatch, caplog):
    two_levels("one")
    trainer = built_problem(planned).data.trainer
    monkeypatch.setattr(type(memory), "put_file", broken)
    with caplog.at_level("WARNING", "slicebench"):
        trainer.fit(seed=9)
    assert "not uploaded to the shared cache: cannot reach memory://cache/models/" in caplog.text


def test_a_cache_that_cannot_be_written_is_told_before_any_work(planned, memory, monkeypatch, builds):
    monkeypatch.setenv("SLICEBENCH_CACHE", "memory://refused")
    monkeypatch.setattr(type(memory), "put_file", broken)
    with pytest.raises(StorageError, match=r"cannot reach memory://refused/slicebench\.txt: the line went dead"):
        built_problem(planned)
    assert builds == []


@pytest.fixture(scope="module")
def s3():
    """An S3 server on loopback with one bucket; the environment that reaches it."""
    pytest.importorskip("s3fs", reason="pip install 'slicebench[s3]'")
    server_of = pytest.importorskip("moto.server", reason="pip install 'moto[s3]' flask flask-cors")
    import boto3

    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    reach = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "who",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    client = boto3.client(
        "s3",
        endpoint_url=reach["AWS_ENDPOINT_URL"],
        aws_access_key_id="who",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="bench")
    yield reach
    server.stop()


def cli(*arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-m", "slicebench", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=clean | {name: str(value) for name, value in environment.items()},
        cwd=ROOT,
        check=False,
    )


def test_the_command_line_and_its_workers_on_s3(s3, tmp_path):
    """Built by a worker, shared through the cache, frozen by another machine, run by a third from the shelf."""
    (tmp_path / "s.toml").write_text(SUITE.replace('"logistic_directions"', '"early_stopping"'))
    suite = ("--suite", tmp_path / "s.toml")

    def machine(name, *arguments):
        cache = {"SLICEBENCH_CACHE": "s3://bench/cache", "SLICEBENCH_LOCAL_CACHE": tmp_path / name}
        done = cli(*arguments, **s3, **cache)
        assert done.returncode == 0, done.stderr
        return done

    first = machine("one", "run", *suite, "--out", "s3://bench/runs/one", "--jobs", 1)
    assert "2 cells run, 0 failed; records in s3://bench/runs/one" in first.stderr
    machine("two", "freeze", *suite, "--out", "s3://bench/shelf")
    assert [p.name for p in (tmp_path / "two").iterdir()] == ["problems-3"]  # fetched: building trains a model
    machine("three", "run", *suite, "--problems", "s3://bench/shelf", "--out", "s3://bench/runs/three", "--jobs", 1)
    kept = {p.name for p in (tmp_path / "three").iterdir() if any(p.iterdir())}
    assert kept == {"fetched-3"}
    assert machine("one", "show", "s3://bench/runs/one").stdout == first.stdout


@pytest.mark.parametrize(
    ("url", "environment", "said"),
    [
        ("s3://nowhere/x", {}, "The specified bucket does not exist; create the bucket, or correct its name"),
        (
            "s3://bench/x",
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        ),
        ("s3://bench/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, "Could not connect"),
    ],
)
def test_what_is_wrong_with_s3_is_one_line_and_exit_code_2(s3, tmp_path, url, environment, said):
    (tmp_path / "s.toml").write_text(SUITE)
    done = cli("run", "--suite", tmp_path / "s.toml", "--out", url, **s3 | environment)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert said in line
    assert done.stdout == ""
