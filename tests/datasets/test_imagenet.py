"""ImageNet's two layouts and ImageNet-V2, in miniature."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.errors import StorageError
from slicebench_datasets.imagenet import ImageNet
from tests.support.local_data import TINY, pictures, write_image

WNIDS = ["n01440764", "n01443537", "n01484850"]
NAMES = {
    "n01440764": "tench, Tinca tinca",
    "n01443537": "goldfish, Carassius auratus",
    "n01484850": "great white shark",
}


def folders(root, train=20, val=10):
    for c, wnid in enumerate(WNIDS):
        for i, image in enumerate(pictures(train, seed=c)):
            write_image(root / "train" / wnid / f"{wnid}_{i}.JPEG", image)
        for i, image in enumerate(pictures(val, seed=10 + c)):
            write_image(root / "val" / wnid / f"ILSVRC2012_val_{c}{i:04d}.JPEG", image)
    return root


@pytest.fixture
def kaggle(tmp_path):
    data = folders(tmp_path / "ILSVRC" / "Data" / "CLS-LOC")
    lines = ["ImageId,PredictionString"]
    for wnid in WNIDS:
        for file in sorted((data / "val" / wnid).iterdir()):
            lines.append(f"{file.stem},{wnid} 10 20 30 40 {wnid} 1 2 3 4 ")
            file.rename(data / "val" / file.name)
        (data / "val" / wnid).rmdir()
    (tmp_path / "LOC_val_solution.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "LOC_synset_mapping.txt").write_text("".join(f"{w} {name}\n" for w, name in NAMES.items()))
    return tmp_path


def adapter(root, **more):
    return ImageNet(**{"root": str(root), "side": 16, "recipe": TINY, "encoder": "own-latent"} | more)


def test_folders(tmp_path):
    problem = adapter(folders(tmp_path), classes=3).build(0)
    assert {name: split.n for name, split in problem.data.splits() if split is not None} == {"train": 60, "val": 15}
    assert problem.test.n == 15
    assert problem.data.class_names == tuple(WNIDS)
    assert problem.truth.group_names == ()
    classes = [WNIDS.index(key.split("_")[0]) for key in problem.data.train.ids]
    assert problem.data.train.labels.tolist() == classes


def test_kaggles_archive_is_the_same(kaggle, tmp_path_factory):
    one = adapter(kaggle, classes=3).raw(0)
    other = adapter(folders(tmp_path_factory.mktemp("folders")), classes=3).raw(0)
    assert one.class_names == ["tench", "goldfish", "great white shark"]
    for name, split in other.splits.items():
        np.testing.assert_array_equal(one.splits[name].ids, split.ids)
        np.testing.assert_array_equal(one.splits[name].labels, split.labels)
        np.testing.assert_array_equal(one.splits[name].inputs, split.inputs)


def test_fewer_classes_and_images(kaggle):
    raw = adapter(kaggle, classes=2, n_train=30).raw(0)
    assert len(raw.splits["train"].ids) == 30
    assert set(raw.splits["test"].labels) == {0, 1}


def test_v2_is_the_test_split(tmp_path):
    v2 = tmp_path / "imagenetv2-matched-frequency-format-val"
    for c in range(3):
        for i, image in enumerate(pictures(4, seed=20 + c)):
            write_image(v2 / str(c) / f"{c}{i}.jpeg", image)
    raw = adapter(folders(tmp_path / "in"), classes=3, v2=str(v2)).raw(0)
    assert {name: len(split.ids) for name, split in raw.splits.items()} == {"train": 60, "val": 30, "test": 12}
    assert raw.splits["test"].labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert raw.splits["test"].ids[:2].tolist() == ["v2-0-00", "v2-0-01"]
    with pytest.raises(StorageError, match="expected the images of one class"):
        adapter(tmp_path / "in", classes=3, v2=str(tmp_path / "nowhere")).raw(0)


def test_damage_is_named(kaggle):
    table = kaggle / "LOC_val_solution.csv"
    good = table.read_text()
    table.write_text(good.replace(f"{WNIDS[1]} 10", "n99999999 10", 1))
    with pytest.raises(StorageError, match=r"LOC_val_solution\.csv: PredictionString is 'n99999999' at row 10"):
        adapter(kaggle).raw(0)
    table.write_text(good.replace("ILSVRC2012_val_00003", "ILSVRC2012_val_77777"))
    with pytest.raises(StorageError, match=r"ILSVRC2012_val_77777\.JPEG"):
        adapter(kaggle).raw(0)
    table.write_text(good.replace("ImageId", "Image"))
    with pytest.raises(StorageError, match="has no column 'ImageId'; did you mean 'Image'"):
        adapter(kaggle).raw(0)
    for file in (kaggle / "ILSVRC" / "Data" / "CLS-LOC" / "train" / WNIDS[2]).iterdir():
        file.unlink()
    with pytest.raises(StorageError, match=rf"{WNIDS[2]} holds no \.JPEG images"):
        adapter(kaggle).raw(0)
