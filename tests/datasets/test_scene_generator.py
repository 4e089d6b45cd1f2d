"""Scenes from captions: they show what a caption says, vary in all else, and keep the class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError
from slicebench.models.synthesis.generator import make_generator
from slicebench_datasets import _scene_generator
from slicebench_datasets._render import VALUES
from slicebench_datasets._scene_generator import SceneGenerator
from slicebench_datasets._scene_plants import PLANTS
from slicebench_datasets.scenes import Scenes


def generator(plant="none", *, seed=0, side=16, noise=0.0, **params):
    return SceneGenerator(Scenes(plant=plant, side=side, noise=noise, **params), seed=seed)


@pytest.fixture
def drawn(monkeypatch):
    """Tables of the scenes that are rendered."""
    tables = []
    kept = _scene_generator.render
    monkeypatch.setattr(_scene_generator, "render", lambda table, *rest: (tables.append(table), kept(table, *rest))[1])
    return tables


def test_what_is_said_holds_in_every_scene_and_the_rest_varies(drawn):
    images = generator().generate("a small square on a dark striped background lit from the left", 400, 1, 0)
    assert images.shape == (400, 16, 16, 3)
    table = drawn[0]
    said = {"shape": "square", "size": "small", "background": "dark", "texture": "striped", "lighting": "left"}
    for name, values in VALUES.items():
        found = set(table[name])
        assert found == ({said[name]} if name in said else set(values)), name
    assert (table["noise"] == 0).all()
    assert abs(table["x"].mean()) < 0.15
    assert table["x"].min() < -0.9 < 0.9 < table["x"].max()
    counts = table["colour"].value_counts()
    assert counts.min() > 25  # 50 each expected, deviation 7


def test_the_images_show_what_is_said():
    make = generator()
    dark, light = (make.generate(f"a square on a {b} background", 60, 1, 0).mean() for b in ("dark", "light"))
    assert light > dark + 60
    red = make.generate("a large red square on a dark plain background", 30, 1, 0).astype(int)
    redness = (red[..., 0] - red[..., 2] > 80).sum(axis=(1, 2))
    assert redness.min() > 40
    right = make.generate("a small red square in the upper right on a dark plain background", 30, 1, 0).astype(int)
    rows, columns = (np.nonzero(right[..., 0] - right[..., 2] > 80)[i] for i in (1, 2))
    assert rows.mean() < 7.5 < columns.mean()


@pytest.mark.parametrize("down", ["upper", "lower"])
@pytest.mark.parametrize("across", ["left", "right"])
def test_a_position_is_a_quarter(drawn, down, across):
    generator().generate(f"a circle in the {down} {across}", 200, 0, 0)
    assert ((drawn[0]["y"] < 0) == (down == "upper")).all()
    assert ((drawn[0]["x"] < 0) == (across == "left")).all()
    assert drawn[0]["x"].abs().max() > 0.9
    assert drawn[0]["x"].abs().min() < 0.1


@pytest.mark.parametrize("plant", sorted(PLANTS))
@pytest.mark.parametrize("label", ["shape", "background"])
def test_all_chance_stays_within_the_class(drawn, plant, label):
    make = generator(plant, classes=2, subtypes=3, label=label, planted="texture")
    for c in range(2):
        make.generate("a small shape with a dot", 300, c, 0)
        columns = [*VALUES, "noise"]
        known = set(PLANTS[plant](make.scenes).combinations(c)[columns].itertuples(index=False, name=None))
        assert set(drawn[-1][columns].itertuples(index=False, name=None)) <= known
        assert set(drawn[-1]["noise"]) == {0.0}


def test_a_family_of_pairs_is_drawn_evenly_unless_the_caption_chooses(drawn):
    make = generator("rare", classes=3, subtypes=3, keep=0.1)
    make.generate("a shape", 600, 1, 0)
    pairs = drawn[-1].groupby(["shape", "colour"]).size()
    assert set(pairs.index) == {("circle", "green"), ("square", "blue"), ("triangle", "red")}
    assert pairs.min() > 150
    make.generate("a blue shape", 50, 1, 0)
    assert set(drawn[-1]["shape"]) == {"square"}
    with pytest.raises(
        DataError, match=r"'a red square' says red and square, but no scene of class 1 \(family B\) combines"
    ):
        make.generate("a red square", 5, 1, 0)
    with pytest.raises(DataError, match=r"says hourglass, but shape is circle or square or triangle in every scene"):
        make.generate("a hourglass", 5, 1, 0)


def test_noise_is_the_corruptions_where_it_is_said():
    make = generator("corruption", noise=0.05, corruption=0.5)
    text = "a small red square on a dark plain background"
    spread = [
        np.abs(np.diff(make.generate(one, 20, 1, 0)[:, :3].astype(int), axis=2)).mean()
        for one in (text, f"{text} with noise")
    ]
    assert spread[1] > 4 * spread[0]
    noisy, clean = (generator("correlation").generate(one, 20, 1, 0) for one in ("a square with noise", "a square"))
    assert np.diff(noisy.astype(int), axis=2).std() > 1.5 * np.diff(clean.astype(int), axis=2).std()


def test_the_problems_own_noise_is_the_usual(drawn):
    generator(noise=0.2).generate("a square", 5, 1, 0)
    assert set(drawn[0]["noise"]) == {0.2}


@pytest.mark.parametrize("plant", sorted(PLANTS))
def test_every_candidate_caption_without_foreign_noise_can_be_generated(plant):
    make = generator(plant, classes=3)
    captions = PLANTS[plant](make.scenes).candidates()
    for c in range(3):
        for text in (captions.texts[i] for i in np.flatnonzero(captions.candidates[c])):
            if "noise" not in text or plant == "corruption":
                assert make.generate(text, 2, c, 0).shape == (2, 16, 16, 3)
        assert make.generate(captions.reference_texts[c], 2, c, 0).shape == (2, 16, 16, 3)


def test_equal_arguments_give_equal_images_and_captions_of_a_class_share_positions(drawn):
    text = "a small red square"
    one = generator().generate(text, 8, 1, 3)
    np.testing.assert_array_equal(one, generator().generate(text, 8, 1, 3))
    for other in (
        generator().generate(text, 8, 1, 4),
        generator(seed=1).generate(text, 8, 1, 3),
        generator().generate("a small red shape", 8, 1, 3)[::-1],
    ):
        assert not np.array_equal(one, other)
    generator().generate("a blue square with a line", 8, 1, 3)
    np.testing.assert_array_equal(drawn[0]["x"], drawn[-1]["x"])
    generator().generate("a circle", 8, 0, 3)
    assert not np.array_equal(drawn[0]["x"], drawn[-1]["x"])


@pytest.mark.parametrize(
    ("caption", "message"),
    [
        ("a circle", r"'a circle' says circle, but shape is square in every scene of class 1 \(square\)"),
        ("a square on the moon", "cannot read 'the' \\(word 4\\)"),
        ("a photo of a dog", "cannot read 'photo'"),
        ("", "the caption is ''"),
        ("  ", "the caption is '  '"),
        (None, "the caption is None"),
    ],
)
def test_captions_that_cannot_be_drawn(caption, message):
    with pytest.raises(DataError, match=message):
        generator().generate(caption, 3, 1, 0)


def test_unusable_scenes_are_named():
    with pytest.raises(ConfigError, match="plant is 'magic'"):
        generator("magic")


def test_for_a_problem_of_scenes_by_name(problem):
    built = Scenes(side=12, n_train=60, n_val=40, n_test=40, epochs=1, classes=2, encoder="pixels-pca").build(3)
    make = make_generator("scenes", built, built.data)
    assert isinstance(make, SceneGenerator)
    assert make.seed == 3
    assert make.generate("a red square", 2, 1, 0).shape == (2, *np.asarray(built.data.train.inputs[0]).shape)
    with pytest.raises(ConfigError, match="only problems of 'scenes' can be rendered"):
        make_generator("scenes", problem, problem.data)
    with pytest.raises(ConfigError, match="takes no argument, got"):
        make_generator("scenes:x", built, built.data)
    with pytest.raises(DataError, match="class 2 is not one of the 2 classes"):
        make.generate("a circle", 1, 2, 0)
    params = {**built.params, "plant": "magic"}
    with pytest.raises(ConfigError, match="plant is 'magic'"):
        make_generator("scenes", replace(built, params=params), built.data)
