"""CelebA: the papers' plants on a miniature of the archive, streaming in bounded memory, and damaged files."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from slicebench.errors import ConfigError, StorageError
from slicebench_datasets._celeba_files import ATTRIBUTES
from slicebench_datasets.celeba import CelebA
from tests.support.local_data import TINY, assert_oracle_is_one, cells, hf_parquet, pictures, write_image

N = 400


def attributes(n=N, seed=0):
    """Table of -1 and 1 by attribute; men are older, women blonder, as in CelebA."""
    rng = np.random.default_rng(seed)
    table = {name: np.where(rng.random(n) < 0.3, 1, -1) for name in ATTRIBUTES}
    male = rng.random(n) < 0.42
    table["Male"] = np.where(male, 1, -1)
    table["Young"] = np.where(rng.random(n) < np.where(male, 0.5, 0.9), 1, -1)
    table["Blond_Hair"] = np.where(rng.random(n) < np.where(male, 0.05, 0.3), 1, -1)
    return table


def official(root, n=N, *, images=True):
    table, names = attributes(n), [f"{i + 1:06d}.jpg" for i in range(n)]
    root.mkdir(parents=True, exist_ok=True)
    rows = [f"{name} " + " ".join(f"{table[a][i]:2d}" for a in ATTRIBUTES) for i, name in enumerate(names)]
    (root / "list_attr_celeba.txt").write_text("\n".join([str(n), " ".join(ATTRIBUTES) + " ", *rows]) + "\n")
    parts = np.repeat([0, 1, 2], [n // 2, n // 4, n - n // 2 - n // 4])
    (root / "list_eval_partition.txt").write_text("".join(f"{a} {b}\n" for a, b in zip(names, parts, strict=True)))
    if images:
        for name, image in zip(names, pictures(n, side=24), strict=True):
            write_image(root / "img_align_celeba" / name, np.vstack([image, image[:6]]))
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return official(tmp_path_factory.mktemp("celeba"))


def adapter(root, **more):
    return CelebA(**{"root": str(root), "side": 16, "recipe": TINY, "encoder": "own-latent"} | more)


def cells_of(split):
    """Counts by class, majority before minority."""
    return np.bincount(2 * split.labels + split.groups.any(axis=1), minlength=4).tolist()


def test_the_correlation_is_as_planted(root):
    splits = adapter(root).raw(0).splits
    old_major, old_minor, young_major, young_minor = cells_of(splits["train"])
    assert old_minor == young_minor > 0
    assert old_major == young_major == 4 * old_minor
    assert len(set(cells_of(splits["val"]))) == 1
    assert len(splits["test"].ids) == N // 4
    likewise = adapter(root, val="train").raw(0).splits["val"]
    assert cells_of(likewise)[0] == 4 * cells_of(likewise)[1]
    balanced = adapter(root, ratio=1).raw(0).splits["train"]
    assert len(set(cells_of(balanced))) == 1


def test_groups_are_old_women_and_young_men(root):
    raw, table = adapter(root, plant="natural").raw(0), attributes()
    assert raw.class_names == ["old", "young"]
    assert raw.group_names == ["old female", "young male"]
    test = raw.splits["test"]
    at = np.array([int(key.removesuffix(".jpg")) - 1 for key in test.ids])
    old, woman = table["Young"][at] == -1, table["Male"][at] == -1
    np.testing.assert_array_equal(test.groups, np.stack([old & woman, ~old & ~woman], axis=1))
    assert {name: len(split.ids) for name, split in raw.splits.items()} == {"train": 200, "val": 100, "test": 100}
    assert all("woman" in text for text in raw.captions_for_groups["old female"])
    assert len(raw.captions.texts) == 297


def test_the_pool_is_half_of_train_and_apart_from_it(root):
    splits = adapter(root, pool=True).raw(0).splits
    assert len(splits["pool"].ids) == 100
    assert not set(splits["pool"].ids) & set(splits["train"].ids)


def test_blond_hair(root):
    problem = adapter(root, label="Blond_Hair", plant="natural").build(0)
    assert problem.truth.group_names[1] == "blond hair male"
    assert problem.data.class_names == ("no blond hair", "blond hair")
    assert problem.name == "celeba-blond-hair-male"
    assert_oracle_is_one(problem)


def test_both_layouts_give_the_same_images(root, tmp_path):
    table = {name: column == 1 for name, column in attributes().items()}
    images = np.concatenate([pictures(N, side=24), pictures(N, side=24)[:, :6]], axis=1)
    for part, rows in (("train", slice(0, 200)), ("valid", slice(200, 300)), ("test", slice(300, 400))):
        columns = {"image": cells(images[rows])} | {name: column[rows] for name, column in table.items()}
        hf_parquet(tmp_path / "data" / f"{part}-00000-of-00001.parquet", columns, {})
    one, other = adapter(root, plant="natural").raw(0), adapter(tmp_path, plant="natural").raw(0)
    for name, split in one.splits.items():
        np.testing.assert_array_equal(other.splits[name].labels, split.labels)
        np.testing.assert_array_equal(other.splits[name].groups, split.groups)
        difference = np.abs(other.splits[name].inputs.astype(int) - split.inputs)
        assert difference.mean() < 30  # noise, as JPEG in one and as PNG in the other
    with pytest.raises(ConfigError, match="official order, which Parquet files need not have"):
        adapter(tmp_path, indices="x.npz").raw(0)


def test_published_indices(root, tmp_path):
    np.savez(tmp_path / "ids.npz", train=np.array([5, 1, 199]), val=np.array([0, 99]), pool=np.array([7]))
    splits = adapter(root, indices=str(tmp_path / "ids.npz")).raw(0).splits
    assert splits["train"].ids.tolist() == ["000006.jpg", "000002.jpg", "000200.jpg"]
    assert splits["val"].ids.tolist() == ["000201.jpg", "000300.jpg"]
    assert splits["pool"].ids.tolist() == ["000008.jpg"]
    np.savez(tmp_path / "beyond.npz", train=np.array([200]), val=np.array([0]))
    with pytest.raises(StorageError, match=r"cannot use the indices .*beyond\.npz"):
        adapter(root, indices=str(tmp_path / "beyond.npz")).raw(0)


def test_the_published_indices_fit_the_official_splits(shared):
    """Positions lie within the official train and valid splits, and the sizes are those of the paper."""
    for name, sizes in (("celeba_age_1to4", (62_030, 7_180)), ("celeba_age_1to4_trainlike_val", (62_030, 8_100))):
        with np.load(shared / "data" / "splits" / f"{name}.npz") as file:
            assert (len(file["train"]), len(file["val"])) == sizes == (2 * (6_203 + 24_812), sizes[1])
            assert file["train"].max() < 162_770
            assert file["val"].max() < 19_867


ATTRS, PARTS = "list_attr_celeba.txt", "list_eval_partition.txt"


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (ATTRS, "400\n", "401\n", "announces 401 rows but has 400"),
        (ATTRS, "400\n", "x\n400\n", "begins with 'x'; expected the number of images"),
        (ATTRS, "000007.jpg", "000006.jpg", "image is '000006.jpg' at row 5 and again at row 6"),
        (ATTRS, "Young", "Yuong", "names the attribute 'Yuong' in line 2"),
        (ATTRS, "000007.jpg -1", "000007.jpg  2", "5_o_Clock_Shadow is '2' at row 6"),
        (ATTRS, "000007.jpg -1", "000007.jpg  0", "5_o_Clock_Shadow is 0 at row 6; expected 1 or -1"),
        (PARTS, "000009.jpg 0", "000009.jpg 3", "part is '3' at row 8"),
        (PARTS, "000009.jpg 0\n", "", "does not list the same images in the same order"),
    ],
)
def test_damaged_tables_are_told(tmp_path, file, old, new, message):
    official(tmp_path, images=False)
    write_image(tmp_path / "img_align_celeba" / "000001.jpg", pictures(1)[0])
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    with pytest.raises(StorageError, match=f"{file}.*{message}|{message}.*{file}"):
        adapter(tmp_path, planted="5_o_Clock_Shadow").raw(0)


def test_missing_and_truncated_images_are_named(tmp_path):
    official(tmp_path)
    victim = tmp_path / "img_align_celeba" / "000350.jpg"
    victim.write_bytes(victim.read_bytes()[:300])
    with pytest.raises(StorageError, match=r"000350\.jpg cannot be decoded"):
        adapter(tmp_path).raw(0)
    victim.unlink()
    with pytest.raises(StorageError, match=r"000350\.jpg \(image \d+ of 100\): No such file"):
        adapter(tmp_path).raw(0)
    (tmp_path / "list_eval_partition.txt").unlink()
    with pytest.raises(
        StorageError, match=r"lacks list_eval_partition\.txt .* CelebA\.html|lacks list_eval_partition\.txt"
    ):
        adapter(tmp_path).raw(0)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"label": "Yung"}, "label is 'Yung'; did you mean 'Young'"),
        ({"planted": "Young"}, "planted is 'Young'"),
        ({"ratio": 0.5}, "ratio is 0.5"),
        ({"plant": "none"}, "plant is 'none'"),
        ({"side": 4}, "side is 4"),
    ],
)
def test_impossible_parameters_are_named(more, message):
    with pytest.raises(ConfigError, match=message):
        adapter("x", **more).check()


STREAM = """
import sys
from dataclasses import replace
from slicebench.runs.workers import call_with_memory_limit
from slicebench.problems.frozen import save_problem, load_audit
from slicebench_datasets.celeba import CelebA
import slicebench.models.training.examples as examples
import open_clip, pandas, pyarrow.parquet, torch, torchvision
import slicebench.models.training.run, slicebench.models.encoders.nano_clip.encoder
examples.HELD_BYTES = 0
from pathlib import Path
class Silent(CelebA):  # nano-clip cannot read CelebA's captions
    def raw(self, seed):
        return replace(super().raw(seed), captions=None, captions_for_groups=None)
small = {"arch": "small_cnn", "width": 4, "epochs": 1, "batch_size": 64}
adapter = Silent(root=sys.argv[1], plant="natural", side=64, encoder="nano-clip", recipe=small)
def build():
    problem = adapter.build(0)
    save_problem(problem, Path(sys.argv[2]))
    data, test = load_audit(Path(sys.argv[2]))
    return sum(split.n for split in (data.train, data.val, test)), data.train.inputs.nbytes
n, decoded = call_with_memory_limit(float(sys.argv[3]), build)
print(n, decoded)
"""


# Arrow's usual allocator reserves a GiB at its first use, needed or not; the limit counts it.
QUIET = {"OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limit on data is Linux's")
def test_fifty_thousand_files_stream_through_encoder_and_trainer(tmp_path):
    """All images decoded are 586 MiB, and would be held several times over; all is done in 300 MiB beyond the imports."""
    n, kinds = 50_000, 200
    official(tmp_path, n, images=False)
    images = pictures(kinds, side=64)
    for i in range(kinds):
        write_image(tmp_path / "distinct" / f"{i}.jpg", images[i])
    (tmp_path / "img_align_celeba").mkdir()
    for i in range(n):
        os.link(tmp_path / "distinct" / f"{i % kinds}.jpg", tmp_path / "img_align_celeba" / f"{i + 1:06d}.jpg")
    command = [sys.executable, "-c", STREAM, str(tmp_path), str(tmp_path / "frozen"), "0.3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | QUIET)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [str(n), str(n // 2 * 64 * 64 * 3)]
