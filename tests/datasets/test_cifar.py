"""CIFAR: every official layout gives the same images, pickles are read but never run, errors name the fault."""

from __future__ import annotations

import pickle
import tarfile

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError, StorageError
from slicebench_datasets._pickled_data import read_pickled_data
from slicebench_datasets.cifar10 import CIFAR10
from slicebench_datasets.cifar10_subtypes import CIFAR10Subtypes
from slicebench_datasets.cifar100_superclass import RARE, CIFAR100Superclass
from tests.support.local_data import TINY, assert_oracle_is_one, cells, hf_parquet, pictures, python2_pickle

NAMES10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FINE = np.arange(100)
COARSE_OF = np.zeros(100, dtype=int)
COARSE_OF[list(RARE)] = np.arange(20)  # each rare one in its own superclass, the others dealt in turn
COARSE_OF[[c for c in FINE if c not in RARE]] = np.arange(80) % 20
COARSE = [
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables", "household_electrical_devices",
    "household_furniture", "insects", "large_carnivores", "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes", "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates",
    "people", "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2",
]  # fmt: skip


def flat(images):
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2).reshape(len(images), -1))


@pytest.fixture(scope="module")
def cifar100():
    """1,000 train and 200 test images: 10 and 2 of each subclass."""
    fine = {"train": np.tile(FINE, 10), "test": np.tile(FINE, 2)}
    return {part: (pictures(len(y), seed=len(y)), y, COARSE_OF[y]) for part, y in fine.items()}


def python100(folder, cifar100):
    folder.mkdir(parents=True)
    for part, (images, fine, coarse) in cifar100.items():
        items = {"batch_label": b"x", "fine_labels": fine.tolist(), "coarse_labels": coarse.tolist()}
        (folder / part).write_bytes(python2_pickle({"data": flat(images), **items}))
    names = {
        "fine_label_names": [f"fine {c}".encode() for c in FINE],
        "coarse_label_names": [n.encode() for n in COARSE],
    }
    (folder / "meta").write_bytes(python2_pickle(names))
    return folder


def parquet100(folder, cifar100):
    names = {"fine_label": [f"fine {c}" for c in FINE], "coarse_label": COARSE}
    for part, (images, fine, coarse) in cifar100.items():
        columns = {"img": cells(images), "fine_label": fine, "coarse_label": coarse}
        hf_parquet(folder / "cifar100" / f"{part}-00000-of-00001.parquet", columns, names)
    return folder


def archive100(folder, cifar100):
    python100(folder / "cifar-100-python", cifar100)
    with tarfile.open(folder / "cifar-100-python.tar.gz", "w:gz") as tar:
        tar.add(folder / "cifar-100-python", "cifar-100-python")
    for file in (folder / "cifar-100-python").iterdir():
        file.unlink()
    (folder / "cifar-100-python").rmdir()
    return folder


def superclass(root, **more):
    return CIFAR100Superclass(root=str(root), recipe=TINY, encoder="own-latent", **more)


def test_every_layout_gives_the_same_splits(tmp_path, cifar100):
    roots = [make(tmp_path / name, cifar100) for name, make in (("p", python100), ("q", parquet100), ("a", archive100))]
    first, *others = [superclass(root).raw(0) for root in roots]
    assert first.class_names == COARSE
    for other in others:
        assert other.class_names == first.class_names
        for name, split in first.splits.items():
            np.testing.assert_array_equal(other.splits[name].ids, split.ids)
            np.testing.assert_array_equal(other.splits[name].inputs, split.inputs)
            np.testing.assert_array_equal(other.splits[name].labels, split.labels)
            np.testing.assert_array_equal(other.splits[name].groups, split.groups)


def test_the_rule_of_the_paper(tmp_path, cifar100):
    splits = superclass(python100(tmp_path / "p", cifar100)).raw(0).splits
    coarse = cifar100["train"][2]
    rows = {name: np.array([int(key.split("-")[1]) for key in splits[name].ids]) for name in ("train", "val", "pool")}
    for c in range(20):
        of_class = np.flatnonzero(coarse == c)
        rest = np.delete(of_class, np.s_[::5])
        assert set(of_class[::5]) == {row for row in rows["val"] if coarse[row] == c}
        assert set(rest[::2]) == {row for row in rows["pool"] if coarse[row] == c}
        train = np.delete(rest, np.s_[::2])
        rare = train[cifar100["train"][1][train] == RARE[c]]
        kept = set(train) - set(np.delete(rare, np.s_[::4]))
        assert kept == {row for row in rows["train"] if coarse[row] == c}


def test_removal_is_a_parameter_and_80_20_has_no_pool(tmp_path, cifar100):
    root = python100(tmp_path / "p", cifar100)
    rare = {keep: superclass(root, split="80/20", keep=keep).raw(0).splits for keep in (1.0, 0.5, 0.0)}
    counts = [int(splits["train"].groups.any(axis=1).sum()) for splits in rare.values()]
    assert counts[0] > 1.5 * counts[1] > 0
    assert counts[2] == 0
    assert "pool" not in rare[1.0]
    assert {len(splits["val"].ids) for splits in rare.values()} == {200}


def test_the_whole_problem(tmp_path, cifar100):
    problem = superclass(python100(tmp_path / "p", cifar100)).build(0)
    assert problem.truth.group_names[0] == "fine 4"
    assert problem.test.n == 200
    assert problem.provenance.planted_rate == pytest.approx(0.2)
    assert "Krizhevsky" in problem.provenance.source
    assert_oracle_is_one(problem)


def test_published_indices_are_used_in_the_right_order_only(tmp_path, cifar100):
    root = python100(tmp_path / "p", cifar100)
    own = superclass(root).raw(0).splits
    rows = {
        name: np.array([int(key.split("-")[1]) for key in own[name].ids], dtype=np.int32)
        for name in ("train", "val", "pool")
    }
    np.savez(tmp_path / "published.npz", **rows)
    again = superclass(root, indices=str(tmp_path / "published.npz")).raw(0).splits
    np.testing.assert_array_equal(again["train"].ids, own["train"].ids)
    np.savez(tmp_path / "other.npz", **rows | {"val": np.arange(200)[:150]})
    with pytest.raises(DataError, match=r"other\.npz: the val split would have .* in another order"):
        superclass(root, indices=str(tmp_path / "other.npz")).raw(0)
    np.savez(tmp_path / "beyond.npz", **rows | {"train": np.array([60_000])})
    with pytest.raises(StorageError, match=r"beyond\.npz does not index 1000 train images"):
        superclass(root, indices=str(tmp_path / "beyond.npz")).raw(0)
    with pytest.raises(StorageError, match=r"cannot read the indices"):
        superclass(root, indices=str(tmp_path / "nowhere.npz")).raw(0)


@pytest.mark.experiment
@pytest.mark.parametrize("split", ["40_20_40", "80_20"])
def test_published_indices_need_the_authors_order(shared, split):
    """The copy in ../shared is shuffled: the published positions would pick other images there, and that is noticed."""
    root, indices = shared / "data" / "cifar100", shared / "data" / "splits" / f"cifar100_superclass_{split}.npz"
    with pytest.raises(DataError, match="in another order than the author's"):
        superclass(root, indices=str(indices)).raw(0)


@pytest.mark.experiment
def test_the_real_cifar100(shared):
    """Published: 17,016 / 10,000 / 20,000 / 10,000, 5.9 % minority in train; train depends on the order of the images."""
    splits = superclass(shared / "data" / "cifar100").raw(0).splits
    sizes = {name: len(split.ids) for name, split in splits.items()}
    assert abs(sizes.pop("train") - 17_016) <= 50
    assert sizes == {"val": 10_000, "pool": 20_000, "test": 10_000}
    rates = {name: split.groups.any(axis=1).mean() for name, split in splits.items()}
    assert rates["train"] == pytest.approx(0.059, abs=0.001)
    assert rates["test"] == pytest.approx(0.2)


@pytest.fixture
def python10(tmp_path):
    """500 train and 100 test images in the author's batches."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for i, name in enumerate([f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]):
        y = np.arange(100) % 10
        (folder / name).write_bytes(python2_pickle({"data": flat(pictures(100, seed=i)), "labels": y.tolist()}))
    (folder / "batches.meta").write_bytes(python2_pickle({"label_names": [n.encode() for n in NAMES10]}))
    return tmp_path


def test_cifar10_has_its_three_splits_and_nothing_planted(python10):
    for split, sizes in (("20/20/60", (100, 100, 300)), ("40/20/40", (200, 100, 200)), ("80/20", (400, 100, 0))):
        parts = CIFAR10(root=str(python10), split=split).raw(0).splits
        assert tuple(len(parts[name].ids) if name in parts else 0 for name in ("train", "val", "pool")) == sizes
        assert np.bincount(parts["val"].labels).tolist() == [10] * 10
    problem = CIFAR10(root=str(python10), recipe=TINY, encoder="own-latent").build(0)
    assert problem.truth.group_names == ()
    assert problem.provenance.planted_rate is None


def test_natural_problems_run_without_truth(python10):
    from slicebench.evaluation.cell import evaluate
    from slicebench.plugins.registry import METHODS

    problem = CIFAR10(root=str(python10), recipe=TINY, encoder="own-latent").build(0)
    for name in ("confidence", "svm_directions", "oracle"):
        record = evaluate(METHODS.load(name)(), problem, name).record
        assert record.status == "ok", record.reason
        assert record.metrics["namf"] is None


def test_cifar10_subtypes_thins_the_rare_kinds(python10):
    adapter = CIFAR10Subtypes(root=str(python10), recipe=TINY, encoder="own-latent")
    problem = adapter.build(0)
    assert problem.data.class_names == ("animal", "vehicle")
    assert problem.truth.group_names == ("bird", "airplane")
    rate = {name: groups.any(axis=1).mean() for name, groups in problem.truth.groups.items()}
    assert rate["test"] == pytest.approx(0.2)
    assert rate["train"] < 0.1 < rate["pool"]
    birds = problem.truth.groups["test"][:, 0]
    assert set(problem.test.labels[birds]) == {0}
    assert_oracle_is_one(problem)


def test_broken_batches_are_named(python10):
    folder = python10 / "cifar-10-batches-py"
    good = (folder / "data_batch_3").read_bytes()
    (folder / "data_batch_3").write_bytes(good[: len(good) // 2])
    with pytest.raises(StorageError, match=r"cannot read .*data_batch_3"):
        CIFAR10(root=str(python10)).raw(0)
    (folder / "data_batch_3").write_bytes(python2_pickle({"data": flat(pictures(3)), "labels": [1, 2, 99]}))
    with pytest.raises(StorageError, match="data_batch_3: label is 99 at row 2; expected 0 to 9"):
        CIFAR10(root=str(python10)).raw(0)
    (folder / "data_batch_3").write_bytes(python2_pickle({"data": flat(pictures(3)), "labels": [1, 2]}))
    with pytest.raises(StorageError, match="data_batch_3 has 3 images and 2 labels"):
        CIFAR10(root=str(python10)).raw(0)
    (folder / "data_batch_3").unlink()
    with pytest.raises(StorageError, match=r"lacks data_batch_3 \(layout 'python batches'\)"):
        CIFAR10(root=str(python10)).raw(0)


def test_broken_parquet_is_named(tmp_path, cifar100):
    images, fine, coarse = cifar100["test"]
    names = {"fine_label": [f"fine {c}" for c in FINE], "coarse_label": COARSE}
    good = {"img": cells(images), "fine_label": fine, "coarse_label": coarse}
    hf_parquet(tmp_path / "test-0.parquet", good, names)
    hf_parquet(tmp_path / "train-0.parquet", {**good, "fine_label": np.where(fine == 7, 100, fine)}, names)
    with pytest.raises(
        StorageError, match=r"train-0\.parquet: fine_label is 100 at row 7 \(2 such rows\); .* from 0 to 99"
    ):
        superclass(tmp_path).raw(0)
    torn = [*good["img"]]
    torn[11] = {"bytes": torn[11]["bytes"][:300], "path": "x"}
    hf_parquet(tmp_path / "train-0.parquet", {**good, "img": torn}, names)
    with pytest.raises(StorageError, match=r"train-0\.parquet row 11 cannot be decoded"):
        superclass(tmp_path).raw(0)
    hf_parquet(tmp_path / "train-0.parquet", good, {})
    hf_parquet(tmp_path / "test-0.parquet", good, {})
    with pytest.raises(StorageError, match="does not name the classes of 'fine_label'"):
        superclass(tmp_path).raw(0)
    hf_parquet(tmp_path / "test-0.parquet", good, names)
    (tmp_path / "train-0.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(StorageError, match=r"cannot read .*train-0\.parquet"):
        superclass(tmp_path).raw(0)


def test_a_truncated_archive_is_named(tmp_path, cifar100):
    root = archive100(tmp_path / "a", cifar100)
    file = root / "cifar-100-python.tar.gz"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(StorageError, match=r"cannot read .*cifar-100-python\.tar\.gz"):
        superclass(root).raw(0)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_other_pythons_are_read_too(tmp_path, protocol):
    data = {"data": np.arange(12, dtype=np.uint8).reshape(3, 4), "labels": [1, 2, 300], "note": "ü", "raw": b"\x00\xff"}
    path = tmp_path / "data"
    path.write_bytes(pickle.dumps(data, protocol=protocol))
    with path.open("rb") as file:
        if protocol == 5:  # out-of-band style arrays of NumPy's protocol 5
            with pytest.raises(StorageError, match="expected plain data and arrays"):
                read_pickled_data(file, "data")
            return
        found = read_pickled_data(file, "data")
    np.testing.assert_array_equal(found["data"], data["data"])
    assert (found["labels"], found["note"], found["raw"]) == ([1, 2, 300], "ü", b"\x00\xff")


class Danger:
    def __reduce__(self):
        return (print, ("this must never be printed",))


def test_a_pickle_is_never_run(tmp_path, capsys):
    path = tmp_path / "bad"
    path.write_bytes(pickle.dumps({"data": Danger()}, protocol=2))
    with path.open("rb") as file, pytest.raises(StorageError, match="would call 'print'"):
        read_pickled_data(file, "bad")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (CIFAR10(split="50/50"), "cifar10: split is '50/50'"),
        (CIFAR10(indices=3), "cifar10: indices is 3"),
        (CIFAR10(recipe={"arch": "resnet19"}), "recipe: arch is 'resnet19'"),
        (CIFAR10Subtypes(rare=["bird", "plane"]), "rare holds 'plane'"),
        (CIFAR10Subtypes(rare=[]), "rare is "),
        (CIFAR10Subtypes(keep=2), "keep is 2"),
        (CIFAR10Subtypes(n_train=0), "n_train is 0"),
        (CIFAR100Superclass(keep="all"), "keep is 'all'"),
    ],
)
def test_impossible_parameters_are_named(adapter, message):
    with pytest.raises(ConfigError, match=message):
        adapter.check()


@pytest.mark.experiment
def test_the_real_cifar10(shared):
    """Published: 10,000 / 10,000 / 30,000 of 20/20/60, 20,000 / 10,000 / 20,000 of 40/20/40."""
    root = str(shared / "data" / "cifar10")
    for split, sizes in (("20/20/60", (10_000, 10_000, 30_000)), ("40/20/40", (20_000, 10_000, 20_000))):
        parts = CIFAR10(root=root, split=split).raw(0).splits
        assert tuple(len(parts[name].ids) for name in ("train", "val", "pool")) == sizes
        assert np.bincount(parts["train"].labels).tolist() == [sizes[0] // 10] * 10
    subtypes = CIFAR10Subtypes(root=root).raw(0).splits
    rates = {name: split.groups.any(axis=1).mean() for name, split in subtypes.items()}
    assert rates["train"] == pytest.approx(0.059, abs=0.002)
    assert rates["test"] == pytest.approx(0.2)
