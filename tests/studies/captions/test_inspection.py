"""A close look at captions: gaps before other judges, the report and its pictures, the command."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from slicebench.cli import app
from slicebench.errors import ConfigError, DataError, MethodError, SlicebenchError
from slicebench.plugins.registry import METHODS
from slicebench.studies.captions.inspection import in_encoder, inspect_captions, other_answers
from slicebench.studies.captions.output import write_report
from slicebench_datasets.scenes import Scenes
from slicebench_methods.oracle import Oracle
from slicebench_methods.svm_directions import SVMDirections

SUITE = """
name = "small"
seeds = [0]
methods = ["svm_directions"]
[[problems]]
name = "scenes"
dataset = "scenes"
params = { side = 12, n_train = 400, n_val = 300, n_test = 300, classes = 2, epochs = 3 }
[[problems]]
name = "pixels"
dataset = "scenes"
params = { side = 12, n_train = 200, n_val = 100, n_test = 100, classes = 2, epochs = 1, encoder = "pixels-pca" }
"""


@pytest.fixture(scope="module")
def scenes():
    return Scenes(side=12, n_train=400, n_val=300, n_test=300, classes=2, epochs=3, ratio=6.0).build(0)


@pytest.fixture(scope="module")
def inspection(scenes):
    return inspect_captions(scenes, SVMDirections(), encoders=["nano-clip:second"], seeds=[5], archs=["mlp"])


def test_every_judge_has_its_gaps(inspection):
    assert list(inspection.gaps) == [
        "own", "own, 2% to 20% of the class", "in nano-clip:second", "for seed 5", "for arch mlp",
    ]  # fmt: skip
    assert inspection.area("own") == inspection.outcome.metrics["gap"]
    assert inspection.retention("own") == 1
    own = inspection.gaps["own"][0]
    assert own.ks[0] == 20
    assert inspection.gaps["own, 2% to 20% of the class"][0].ks[0] == round(
        0.02 * (inspection.problem.test.labels == 0).sum()
    )


def test_another_model_is_judged_by_its_own_errors(scenes, inspection):
    answers = other_answers(scenes, [5], [])["seed 5"]
    model = scenes.data.trainer.fit(seed=5)
    np.testing.assert_array_equal(answers, model.predict(scenes.test.inputs).argmax(axis=1) == scenes.test.labels)
    assert not np.array_equal(answers, scenes.test.correct)


def test_another_encoder_decides_what_is_near(scenes):
    test, captions = in_encoder(scenes, "nano-clip:second")
    assert not np.allclose(test.embeddings, scenes.test.embeddings)
    np.testing.assert_array_equal(test.correct, scenes.test.correct)
    assert captions.texts == scenes.data.captions.texts
    with pytest.raises(ConfigError, match="no text tower, so it cannot judge"):
        in_encoder(scenes, "pixels-pca")


def test_the_oracle_is_told_the_truth(scenes):
    found = inspect_captions(scenes, Oracle())
    assert found.outcome.metrics["hit_at_1"] == 1, "what ranks the group first names it"


def test_what_cannot_be_inspected_is_told(scenes):
    without = replace(scenes, data=replace(scenes.data, captions=None))
    with pytest.raises(DataError, match=r"no candidate captions.*nano-clip"):
        inspect_captions(without, SVMDirections())
    with pytest.raises(MethodError, match="cannot run on 'scenes-correlation': needs at least as many val examples"):
        inspect_captions(scenes, METHODS.load("domino")(n_components=1000))
    untrained = replace(scenes, data=replace(scenes.data, trainer=None))
    with pytest.raises(ConfigError, match="no trainer"):
        inspect_captions(untrained, SVMDirections(), seeds=[1])


@pytest.mark.parametrize("decoder", ["scenes", "retrieval"])
def test_report_and_pictures(inspection, tmp_path, decoder):
    report = write_report(inspection, tmp_path, decoder)
    assert json.loads((tmp_path / "captions.json").read_text()) == report
    assert set(report["captions"]["per_class"]) == {"circle", "square"}
    assert 0 <= report["decoded"]["hard"] <= report["decoded"]["easy"] <= 1
    for name in ("aligned.png", "decoded.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 10 * 60


def test_a_decoder_that_does_not_fit_is_told(inspection, tmp_path):
    for name in ("scene", "unclip", f"unclip:{tmp_path}"):
        with pytest.raises(SlicebenchError):
            write_report(inspection, tmp_path, name)


def test_vectors_have_no_pictures(problem, tmp_path):
    report = write_report(inspect_captions(problem, SVMDirections()), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["captions.json"]
    assert "decoded" not in report


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SUITE)
    return path


def test_command(suite, tmp_path):
    ran = CliRunner().invoke(
        app,
        ["captions", "--suite", str(suite), "--problem", "scenes", "--other-seed", "1", "--out", str(tmp_path / "o")],
    )
    assert ran.exit_code == 0, ran.output
    assert "a circle on a light background" in ran.output
    assert "for seed 1" in ran.output
    assert (tmp_path / "o" / "aligned.png").exists()
    asked = ["captions", "--suite", str(suite), "--problem", "scenes", "--json", "--out", str(tmp_path / "j")]
    assert json.loads(CliRunner().invoke(app, asked).output)["problem"] == "scenes-correlation"


def test_command_says_what_is_wrong(suite):
    for options in (["--problem", "scene"], ["--problem", "pixels"], ["--problem", "scenes", "--encoder", "nano"]):
        ran = CliRunner().invoke(app, ["captions", "--suite", str(suite), *options])
        assert isinstance(ran.exception, SlicebenchError)
