"""Digit problems: disjoint splits, plants as described, MNIST folders read or explained."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from slicebench.errors import ConfigError, StorageError
from slicebench_datasets._digits import digit_caption, draw_digits, with_pixel_noise
from slicebench_datasets.colored_digits import ColoredDigits
from slicebench_datasets.digit_subtypes import DigitSubtypes
from slicebench_datasets.noisy_digits import NoisyDigits

SIZES = {"train": 700, "val": 500, "test": 597}
QUICK = {"epochs": 2}
ADAPTERS = [ColoredDigits, DigitSubtypes, NoisyDigits]


def rng(seed=0):
    return np.random.default_rng(seed)


def rows_of(images):
    return {image.tobytes() for image in images}


def test_splits_are_disjoint_and_use_every_image_once():
    parts = draw_digits(None, SIZES, rng())
    assert {name: len(part.digits) for name, part in parts.items()} == SIZES
    everything = [image for part in parts.values() for image in rows_of(part.images)]
    assert len(set(everything)) == len(everything) == 1797  # no two of scikit-learn's digits are alike
    assert parts["train"].images.max() == 255


def test_keep_thins_train_alone_and_stays_disjoint():
    stays = np.where(np.arange(10) == 3, 0.25, 1.0)
    parts = draw_digits(None, {"train": 550, "val": 500, "test": 597}, rng(), {"train": stays})
    share = {name: (part.digits == 3).mean() for name, part in parts.items()}
    assert share["train"] < 0.05
    assert min(share["val"], share["test"]) > 0.07
    assert not rows_of(parts["train"].images) & (rows_of(parts["val"].images) | rows_of(parts["test"].images))


def test_too_many_images_are_refused_with_the_name():
    with pytest.raises(ConfigError, match=r"n_(train|val|test) is \d+, but only"):
        draw_digits(None, SIZES | {"test": 700}, rng())


def test_pixel_noise_per_image():
    images = np.full((200, 8, 8), 128, dtype=np.uint8)
    noisy = with_pixel_noise(images, np.repeat([0.0, 0.1], 100), rng())
    assert (noisy[:100] == 128).all()
    assert abs(noisy[100:].std() - 25.5) < 1


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_builds_are_seeded_and_carry_their_source(adapter):
    one, two, other = (adapter(**QUICK).build(seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.test.probs, two.test.probs)
    np.testing.assert_array_equal(one.test.inputs, two.test.inputs)
    assert not np.array_equal(one.test.labels, other.test.labels)
    assert "load_digits" in one.provenance.source
    assert one.family == one.dataset == adapter.family
    assert one.test.metadata is None
    assert all(key.startswith("test-") for key in one.test.ids)


def test_colored_digits_tint_agrees_with_the_noisy_label_in_train():
    adapter = ColoredDigits(p=0.8, label_noise=0.25)
    parts = draw_digits(None, SIZES, rng())
    for split, share, flips in (("train", 0.1, 0.25), ("test", 0.25, 0.0)):
        images, labels, disagrees = adapter._tinted(parts[split], split, rng(1))
        assert abs(disagrees.mean() - share) < 0.05
        assert abs(((parts[split].digits >= 5) != labels).mean() - flips) < 0.05
        hue = images.astype(int).sum(axis=(1, 2)).argmax(axis=1)
        np.testing.assert_array_equal(hue, np.where(disagrees, 1 - labels, labels))
        assert images[..., 2].max() == 0


def test_colored_digits_labels_are_the_truth_outside_train():
    problem = ColoredDigits(label_noise=0.5, **QUICK).build(0)
    grey = problem.test.inputs.max(axis=-1)
    known = {
        image.tobytes(): digit >= 5
        for part in [draw_digits(None, SIZES, rng(0))["test"]]
        for image, digit in zip(part.images, part.digits, strict=True)
    }
    assert [known[image.tobytes()] for image in grey] == problem.test.labels.astype(bool).tolist()


def test_digit_subtypes_groups_are_the_rare_digits():
    problem = DigitSubtypes(classes=5, n_train=400, **QUICK).build(0)
    assert problem.truth.group_names == ("digit 5", "digit 6", "digit 7", "digit 8", "digit 9")
    assert problem.data.class_names[1] == "digit 1 or 6"
    groups = problem.truth.groups["test"]
    labels = problem.test.labels[groups.any(axis=1)]
    np.testing.assert_array_equal(groups[groups.any(axis=1)].argmax(axis=1), labels)  # 5 + c is in class c
    assert problem.truth.groups["train"].any(axis=1).mean() < 0.3 < groups.any(axis=1).mean()


def test_noisy_digits_shares():
    problem = NoisyDigits(**QUICK).build(0)
    rate = {name: groups.mean() for name, groups in problem.truth.groups.items()}
    assert abs(rate["train"] - 0.1) < 0.04
    assert abs(rate["val"] - 0.5) < 0.07
    minority = problem.truth.minority(problem.test.ids)
    background = problem.test.inputs[:, :, 0].astype(float)  # the left column is nearly always empty
    assert background[minority].mean() > 5 * background[~minority].mean() + 5


@pytest.mark.parametrize(
    ("adapter", "params", "message"),
    [
        (ColoredDigits, {"p": 1.2}, "colored_digits: p is 1.2"),
        (DigitSubtypes, {"classes": 6}, "digit_subtypes: classes is 6"),
        (NoisyDigits, {"corruption": -1}, "noisy_digits: corruption is -1"),
        (NoisyDigits, {"n_val": 0}, "n_val is 0"),
    ],
)
def test_impossible_parameters_are_named(adapter, params, message):
    with pytest.raises(ConfigError, match=message):
        adapter(**params).build(0)


def write_idx(path, array, *, zipped=False):
    raw = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, dtype=">u4").tobytes() + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(raw) if zipped else raw)


@pytest.fixture
def idx_root(tmp_path):
    for prefix, n in (("train", 300), ("t10k", 100)):
        images = rng(n).integers(0, 256, size=(n, 28, 28))
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", np.arange(n) % 10, zipped=True)
    return tmp_path


def test_idx_files_zipped_or_not(idx_root):
    parts = draw_digits(str(idx_root), {"train": 150, "val": 100, "test": 80}, rng())
    test_images = rng(100).integers(0, 256, size=(100, 28, 28)).astype(np.uint8)
    assert rows_of(parts["test"].images) < rows_of(test_images)
    assert not (rows_of(parts["train"].images) | rows_of(parts["val"].images)) & rows_of(test_images)
    problem = NoisyDigits(root=str(idx_root), n_train=150, n_val=100, n_test=80, **QUICK).build(0)
    assert problem.test.inputs.shape == (80, 28, 28)
    assert "MNIST" in problem.provenance.source


def test_damaged_and_missing_mnist_files_are_explained(idx_root, tmp_path):
    draw = lambda root: draw_digits(str(root), {"train": 10, "val": 10, "test": 10}, rng())
    with pytest.raises(StorageError, match="is not a folder; expected either"):
        draw(tmp_path / "nowhere")
    (idx_root / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(StorageError, match="lacks t10k-labels-idx1-ubyte; expected either"):
        draw(idx_root)
    (idx_root / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + b"\0" * 20)
    with pytest.raises(StorageError, match="its header says"):
        draw(idx_root)
    (idx_root / "train-images-idx3-ubyte").write_bytes(b"<html>")
    with pytest.raises(StorageError, match="expected an IDX file"):
        draw(idx_root)


def test_damaged_parquet_is_explained(tmp_path):
    (tmp_path / "train-0.parquet").write_bytes(b"half a file")
    with pytest.raises(StorageError, match="cannot read"):
        draw_digits(str(tmp_path), {"train": 10, "val": 10, "test": 10}, rng())


def test_hugging_face_parquet(shared):
    root = shared / "data" / "mnist" / "mnist"
    if not root.is_dir():
        pytest.skip(f"no MNIST at {root}")
    parts = draw_digits(str(root), {"train": 300, "val": 100, "test": 100}, rng())
    assert parts["train"].images.shape == (300, 28, 28)
    assert set(parts["test"].digits) == set(range(10))
    assert 20 < parts["train"].images.mean() < 50  # MNIST's mean is 33.3


@pytest.mark.parametrize(
    ("adapter", "naming"),
    [
        (ColoredDigits, [{"a green digit"}, {"a red digit"}]),
        (DigitSubtypes, [{"the digit 8"}, {"the digit 9"}]),
        (NoisyDigits, [{f"a noisy digit {d}"} for d in range(10)]),
    ],
)
def test_each_class_has_one_candidate_that_names_its_group(adapter, naming):
    from slicebench.evaluation.captions import naming as naming_of

    problem = adapter(n_train=300, n_val=100, n_test=300, epochs=1).build(0)
    captions = problem.data.captions
    for c, expected in enumerate(naming):
        named = naming_of(captions, problem.truth, problem.test, c)
        assert {captions.texts[i] for i in np.flatnonzero(named)} == expected
        assert captions.candidates[c].sum() > 1


def test_digit_caption():
    assert digit_caption(colour="orange") == "an orange digit"
    assert digit_caption(digit=8, colour="red", ground="orange") == "a red digit 8 on an orange background"


@pytest.fixture
def packed_root(tmp_path):
    for prefix, n in (("train", 300), ("t10k", 100)):
        images = rng(n).integers(0, 256, size=(n, 28, 28))
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", images, zipped=True)
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", np.arange(n) % 10, zipped=True)
    return tmp_path


def test_colored_mnist_needs_files_and_takes_the_papers_training(packed_root, monkeypatch):
    from slicebench_datasets.colored_mnist import ColoredMNIST
    from tests.support.local_data import TINY, assert_oracle_is_one

    sizes = {"n_train": 150, "n_val": 100, "n_test": 80}
    problem = ColoredMNIST(root=str(packed_root), **sizes, p=0.8, recipe=TINY, encoder="own-latent").build(0)
    assert (problem.name, problem.family) == ("colored-mnist", "colored_mnist")
    assert problem.data.trainer.recipe.width == 4
    assert ColoredMNIST().training().epochs == 15
    assert problem.truth.minority(problem.test.ids).mean() == pytest.approx(0.25, abs=0.1)
    assert_oracle_is_one(problem)
    (packed_root / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(StorageError, match=r"lacks .*t10k-labels"):
        ColoredMNIST(root=str(packed_root), **sizes).build(0)


@pytest.mark.parametrize("p", [0.08, 0.5, 0.92])
def test_the_grid_of_p_sets_the_share_that_disagrees(packed_root, p):
    from slicebench_datasets.colored_mnist import ColoredMNIST

    splits = (
        ColoredMNIST(root=str(packed_root), n_train=300 - 100, n_val=100, n_test=80, p=p, label_noise=0.0).raw(0).splits
    )
    assert splits["train"].groups.any(axis=1).mean() == pytest.approx((1 - p) / 2, abs=0.09)


def test_colored_mnist_of_the_shared_files_has_no_overlap(shared):
    from slicebench_datasets.colored_mnist import ColoredMNIST

    root = shared / "data" / "mnist"
    splits = ColoredMNIST(root=str(root), n_train=2000, n_val=1000, n_test=1000).raw(0).splits
    grey = {name: rows_of(split.inputs.max(axis=-1)) for name, split in splits.items()}
    assert not grey["test"] & (grey["train"] | grey["val"])
    assert not grey["train"] & grey["val"]
    again = ColoredMNIST(root=str(root), n_train=2000, n_val=1000, n_test=1000).raw(0).splits
    np.testing.assert_array_equal(again["test"].inputs, splits["test"].inputs)
