"""Corruption of any image dataset: the share asked for, the same images every time, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from slicebench.errors import ConfigError
from slicebench_datasets.corrupted import CORRUPTIONS, Corrupted, corrupt
from slicebench_datasets.scenes import Scenes
from tests.support.local_data import assert_oracle_is_one

pytest.importorskip("imagecorruptions", reason="OpenCV misses a library of the system", exc_type=ImportError)
SCENES = {"side": 32, "n_train": 300, "n_val": 200, "n_test": 200, "epochs": 1, "width": 4, "encoder": "own-latent"}


def test_a_share_of_each_split_is_corrupted_and_nothing_else():
    raw, clean = Corrupted("scenes", SCENES).raw(0), Scenes(**SCENES).raw(0)
    rates = {name: split.groups.mean() for name, split in raw.splits.items()}
    assert rates["train"] == pytest.approx(0.1, abs=0.04)
    assert rates["val"] == pytest.approx(0.5, abs=0.1)
    for name, split in raw.splits.items():
        changed = (np.asarray(split.inputs) != clean.splits[name].inputs).any(axis=(1, 2, 3))
        np.testing.assert_array_equal(changed, split.groups[:, 0])
        np.testing.assert_array_equal(split.labels, clean.splits[name].labels)
    assert raw.group_names == ("gaussian_noise 3",)


def test_the_problem_is_whole_and_the_same_from_an_empty_cache(monkeypatch, tmp_path):
    problem = Corrupted("scenes", SCENES, severity=5).build(0)
    assert problem.family == "corrupted"
    assert problem.name == "scenes-correlation-gaussian-noise"
    assert_oracle_is_one(problem)
    monkeypatch.setenv("SLICEBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr("slicebench_datasets.corrupted.CHUNK", 7)
    again = Corrupted("scenes", SCENES, severity=5).raw(0).splits["test"]
    np.testing.assert_array_equal(again.inputs, problem.test.inputs)


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_every_corruption_gets_worse_with_severity_and_leaves_numpys_state_alone(corruption):
    image = np.asarray(Scenes(**SCENES | {"side": 48}).raw(0).splits["test"].inputs[0])
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    mild, strong = (corrupt(image, corruption, severity, 7).astype(float) for severity in (1, 5))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(mild, corrupt(image, corruption, 1, 7))
    assert 0 < np.abs(mild - image).mean() < np.abs(strong - image).mean()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"corruption": "gaussian"}, "corruption is 'gaussian'; did you mean 'gaussian_noise'"),
        ({"severity": 6}, "severity is 6"),
        ({"dataset": "gaussian"}, "dataset is 'gaussian', which has no raw images; choose another"),
        ({"dataset": "corrupted"}, "dataset is 'corrupted', which has no raw images"),
        ({"dataset": "scenes", "params": {"sied": 32}}, "params of 'scenes': .*sied"),
        ({"dataset": "scenes", "params": {"side": 2}}, "scenes: side is 2"),
    ],
)
def test_impossible_parameters_are_named(params, message):
    with pytest.raises(ConfigError, match=message):
        Corrupted(**params).check()


def test_small_images_are_refused():
    with pytest.raises(ConfigError, match="images of 'scenes' have 16 pixels a side; expected 32 or more"):
        Corrupted("scenes", SCENES | {"side": 16}).raw(0)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("No module named 'imagecorruptions'"), r"pip install 'slicebench\[corruptions\]'"),
        (ImportError("libGL.so.1: cannot open shared object file"), "libGL.so.1.*apt-get install libgl1"),
    ],
)
def test_a_library_that_cannot_be_had_is_told_while_planning(monkeypatch, error, message):
    import builtins

    real = builtins.__import__

    def refuse(name, *rest, **more):
        if name == "imagecorruptions":
            raise error
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=message):
        Corrupted("scenes", SCENES).check()
