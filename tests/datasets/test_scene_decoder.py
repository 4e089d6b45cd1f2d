"""Decoding into scenes, with an encoder whose nearest caption is known: one dimension per word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError
from slicebench.models.encoders.encoder import Encoder
from slicebench.models.synthesis.decoder import decoded_points
from slicebench_datasets import _scene_decoder as scene_decoder
from slicebench_datasets._render import VALUES, captions_of, render
from slicebench_datasets._scene_decoder import SceneDecoder
from slicebench_datasets._scene_plants import PLANTS
from slicebench_datasets.scenes import Scenes

WORDS = ["lit", "with", "noise", *(v for values in VALUES.values() for v in values)]


class Bag(Encoder):
    """Counts of words."""

    calls = 0

    def encode_texts(self, texts):
        self.calls += 1
        assert len(texts) <= scene_decoder.CHUNK
        return np.array([[text.split().count(word) for word in WORDS] for text in texts], dtype=np.float32)


def decoder(plant="none", *, seed=0, encoder=None, **params):
    return SceneDecoder(Scenes(plant=plant, side=16, **params), encoder or Bag(), seed=seed)


def embed(*texts):
    return Bag().encode_texts(texts)


@pytest.mark.parametrize("plant", sorted(PLANTS))
@pytest.mark.parametrize("label", ["shape", "size"])
def test_combinations_are_all_scenes_of_the_class(plant, label):
    found = decoder(plant, label=label, classes=2, subtypes=3)
    sets = []
    for c in range(2):
        table = found.combinations(c)
        assert list(table.columns) == [*VALUES, "noise"]
        assert not table.duplicated().any()
        assert len(table) <= 20_000
        sets.append(set(table.itertuples(index=False, name=None)))
        drawn, labels, _ = PLANTS[plant](found.scenes).draw("train", 300, np.random.default_rng(0))
        assert set(drawn[labels == c][[*VALUES, "noise"]].itertuples(index=False, name=None)) <= sets[c]
        texts = found.captions(c)
        assert len(set(texts)) == len(texts) == len(table)
    assert not sets[0] & sets[1]
    everything = 8 * 8 * 2 * 2 * 4 * 3 * 3
    pairs = {"rare": 3 * 144, "corruption": 2 * everything // (8 if label == "shape" else 2)}
    assert len(sets[0]) == pairs.get(plant, everything // (8 if label == "shape" else 2))


def test_the_nearest_scene_is_drawn_with_its_label_and_caption():
    texts = [
        "a small red square on a dark striped background with a dot lit from the left",
        "a large teal square on a light plain background",
    ]
    decoded = decoder().decode(embed(*texts), 1)
    assert list(decoded.texts) == texts
    assert decoded.labels.tolist() == [1, 1]
    assert decoded.images.shape == (2, 16, 16, 3)
    assert decoded.images[1].mean() > decoded.images[0].mean() + 50


def test_a_point_of_another_class_becomes_the_nearest_scene_of_the_class_asked_for():
    point = embed("a small blue circle on a dark checked background with a line")
    assert decoder().decode(point, 1).texts == ("a small blue square on a dark checked background with a line",)


def test_the_nearest_is_exact():
    found, points = decoder(), np.random.default_rng(0).normal(size=(20, len(WORDS)))
    texts = found.captions(2)
    known = np.concatenate([embed(*texts[:1000]), embed(*texts[1000:])]).astype(float)
    cosines = points @ known.T / np.linalg.norm(known, axis=1) / np.linalg.norm(points, axis=1, keepdims=True)
    assert found.decode(points, 2).texts == tuple(texts[i] for i in cosines.argmax(axis=1))


def test_images_show_what_the_renderer_draws_of_the_caption():
    found = decoder(noise=0.0)
    text = "a large red square on a light plain background"
    image = found.decode(embed(text), 1).images[0]
    table = found.combinations(1)
    row = table.iloc[[found.captions(1).index(text)]].reset_index(drop=True)
    rng = np.random.default_rng([0, 1])
    x, y = rng.uniform(-1, 1, size=(1, 2)).T
    np.testing.assert_array_equal(image, render(row.assign(x=x, y=y), 16, rng)[0])
    assert captions_of(row, tuple(VALUES)) == [text]


def test_noise_is_rendered_where_the_caption_says_so_under_corruption():
    found = decoder("corruption", noise=0.0, corruption=0.5)
    plain = "a small red square on a dark plain background"
    decoded = found.decode(embed(f"{plain} with noise", plain), 1)
    assert decoded.texts == (f"{plain} with noise", plain)
    spread = [np.abs(np.diff(image[:3].astype(int), axis=1)).mean() for image in decoded.images]
    assert spread[0] > 20 * (spread[1] + 0.1)
    assert not any("noise" in text for text in decoder("none", noise=0.3).captions(0))


def test_rare_has_its_classes_pairs():
    found = decoder("rare", classes=3, subtypes=3)
    pairs = set(found.combinations(1)[["shape", "colour"]].itertuples(index=False, name=None))
    assert pairs == {("circle", "green"), ("square", "blue"), ("triangle", "red")}
    decoded = found.decode(embed("a small blue square on a light dotted background"), 1)
    assert decoded.texts == ("a small blue square on a light dotted background",)


def test_hard_and_easy_images_of_a_direction_differ_in_what_is_planted():
    """Slerp from a class's caption along 'light minus dark' lights the background on one side and darkens it on the other."""
    reference, direction = embed("a circle")[0], np.zeros(len(WORDS))
    direction[WORDS.index("light")], direction[WORDS.index("dark")] = 1, -1
    hard, easy = decoded_points(reference, direction, [0.3, 0.5])
    found = decoder("correlation")
    light, dark = found.decode(hard, 0), found.decode(easy, 0)
    assert all("on a light" in text for text in light.texts)
    assert all("on a dark" in text for text in dark.texts)
    assert light.images.mean() > dark.images.mean() + 60


def test_seeds_decide_and_places_are_shared():
    points = embed(*["a small red square on a dark plain background"] * 2)
    one, again, other = (decoder(seed=s).decode(points, 1).images for s in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[0], one[1])
    blue = (
        decoder(noise=0.0).decode(embed(*["a small blue square on a dark plain background"] * 2), 1).images.astype(int)
    )
    red = decoder(noise=0.0).decode(points, 1).images.astype(int)
    np.testing.assert_array_equal(blue[..., 2] > 150, red[..., 0] > 150)


def test_captions_are_embedded_once_a_class_and_may_be_embedded_elsewhere():
    bag = Bag()
    found = decoder(encoder=bag)
    points = embed("a small red square on a dark plain background")
    expected = found.decode(points, 1)
    calls = bag.calls
    assert calls == 2  # 1,152 captions
    found.decode(points, 1)
    assert bag.calls == calls
    given = np.concatenate([embed(*found.captions(1)[:1000]), embed(*found.captions(1)[1000:])])
    elsewhere = decoder(encoder={1: given})
    np.testing.assert_array_equal(elsewhere.decode(points, 1).images, expected.images)
    with pytest.raises(DataError, match=r"no caption embeddings of class 0; expected 1152 rows"):
        elsewhere.decode(points, 0)
    with pytest.raises(DataError, match="caption embeddings of class 1 has 5 rows; expected 1152"):
        decoder(encoder={1: given[:5]}).decode(points, 1)


def test_mistakes_are_named():
    with pytest.raises(DataError, match="class 4 is not one of the 4 classes"):
        decoder().decode(embed("a circle"), 4)
    with pytest.raises(DataError, match=f"points have 3 columns but the captions' embeddings {len(WORDS)}"):
        decoder().decode(np.ones((1, 3)), 0)
    with pytest.raises(DataError, match="no text tower"):
        decoder(encoder=Encoder()).decode(np.ones((1, 3)), 0)
    with pytest.raises(ConfigError, match="plant is 'magic'"):
        decoder("magic")


def test_for_a_problem_with_its_own_encoder(problem):
    small = {"side": 12, "n_train": 60, "n_val": 40, "n_test": 40, "epochs": 1, "classes": 2}
    scenes = Scenes(**small, encoder="nano-clip").build(3)
    found = SceneDecoder.for_problem(scenes)
    text = "a large red square on a light striped background"
    decoded = found.decode(found.encoder.encode_texts([text]), 1)
    assert decoded.texts == (text,)
    assert decoded.images.shape == (1, 12, 12, 3)
    assert found.seed == 3
    with pytest.raises(ConfigError, match="cannot embed captions"):
        SceneDecoder.for_problem(replace(scenes, encoder="identity"))
    with pytest.raises(ConfigError, match="only problems of 'scenes' can be rendered"):
        SceneDecoder.for_problem(problem)
