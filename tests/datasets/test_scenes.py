"""Rendered scenes: pixels, plants, captions, and the metadata that methods may see."""

from __future__ import annotations

import time

import numpy as np
import pytest

from slicebench.errors import ConfigError, DataError
from slicebench_datasets._render import VALUES, caption, captions_of, draw_attributes, render
from slicebench_datasets._scene_plants import PLANTS
from slicebench_datasets.scenes import Scenes

SMALL = {"side": 12, "n_train": 240, "n_val": 120, "n_test": 150, "epochs": 2, "classes": 2, "subtypes": 3}


def rng(seed=0):
    return np.random.default_rng(seed)


def scene(n=1, **fixed):
    plain = {"x": 0.0, "y": 0.0, "texture": "plain", "distractor": "none", "lighting": "even", "background": "dark"}
    return draw_attributes(n, rng(), **plain | fixed)


def test_rendering_is_seeded_and_of_the_shape_promised():
    table = draw_attributes(300, rng(), noise=0.1)
    one, two = render(table, 16, rng(1)), render(table, 16, rng(1))
    assert one.shape == (300, 16, 16, 3)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, render(table, 16, rng(2)))


def test_colour_background_and_position_are_drawn_where_they_say():
    image = render(scene(shape="square", colour="red", size="large"), 33, rng())[0].astype(int)
    assert abs(image[16, 16] - [215, 45, 40]).max() <= 1
    assert abs(image[0, 0] - 42).max() <= 13
    image = render(scene(shape="circle", colour="red", size="small", x=-1.0, y=1.0), 33, rng())[0].astype(int)
    red = image[..., 0] > 150
    rows, columns = np.nonzero(red)
    assert columns.max() < 16 < rows.min()


def test_large_shapes_cover_more_and_light_backgrounds_are_brighter():
    area = [
        (render(scene(shape="circle", colour="red", size=s), 32, rng())[..., 0] > 150).sum() for s in ("small", "large")
    ]
    assert abs(area[0] - np.pi * (0.2 * 32) ** 2) < 10
    assert abs(area[1] - np.pi * (0.3 * 32) ** 2) < 15
    light = render(scene(shape="circle", colour="red", size="small", background="light"), 32, rng())
    assert light[0, 0, 0].min() > 180


@pytest.mark.parametrize("column", ["shape", "texture", "distractor", "lighting"])
def test_every_value_looks_different(column):
    looks = [
        render(scene(**{"shape": "circle", "colour": "red", "size": "large", column: value}), 24, rng())[0].astype(int)
        for value in VALUES[column]
    ]
    for i, one in enumerate(looks):
        for other in looks[:i]:
            assert (np.abs(one - other).max(axis=-1) > 10).sum() >= 10


def test_pixel_noise_has_the_deviation_asked_for():
    table = scene(200, shape="circle", colour="red", size="small", noise=np.repeat([0.0, 0.1], 100), background="light")
    images = render(table, 24, rng()).astype(float)[:, :3, :3]  # a corner, one shade per image
    spread = images.std(axis=(1, 2, 3))
    assert spread[:100].max() == 0
    assert abs(spread[100:].mean() / 25.5 - 1) < 0.15


@pytest.mark.slow
def test_five_thousand_images_a_second():
    table = draw_attributes(10_000, rng(), noise=0.1)
    start = time.process_time()
    render(table, 32, rng())
    assert 10_000 / (time.process_time() - start) >= 5000


def test_unknown_attributes_values_and_sizes_are_named():
    with pytest.raises(DataError, match="unknown scene attributes"):
        draw_attributes(3, rng(), form="circle")
    with pytest.raises(DataError, match="colour is 'mauve' at row 0"):
        render(draw_attributes(3, rng(), colour="mauve"), 16, rng())
    with pytest.raises(DataError, match="side is 4"):
        render(draw_attributes(3, rng()), 4, rng())


def test_captions():
    table = scene(2, shape="ring", colour="orange", size="small", lighting="left", distractor="dot", noise=0.2)
    assert captions_of(table)[0] == "a small orange ring on a dark background"
    assert captions_of(table, ("colour", "shape"))[1] == "an orange ring"
    everything = captions_of(table, (*VALUES, "position", "noise"))[0]
    assert everything == (
        "a small orange ring in the lower right on a dark plain background with a dot lit from the left with noise"
    )
    assert caption(background="light") == "a shape on a light background"
    with pytest.raises(DataError, match="cannot mention"):
        captions_of(table, ("mood",))


def drawn(plant, split="train", n=6000, **params):
    scenes = Scenes(plant=plant, **params)
    return PLANTS[plant](scenes), PLANTS[plant](scenes).draw(split, n, rng())


@pytest.mark.parametrize(("split", "share"), [("train", 1 / 6), ("val", 1 / 2), ("test", 1 / 3)])
def test_correlation_has_the_ratio_asked_for(split, share):
    plant, (table, labels, groups) = drawn("correlation", split, ratio=5.0, test="natural", classes=4)
    for c, (usual, odd) in enumerate(plant.pairs()):
        of_class = table[labels == c]
        assert set(of_class["background"]) == {usual, odd}
        assert abs((of_class["background"] == odd).mean() - share) < 0.04
        np.testing.assert_array_equal(groups[labels == c, c], of_class["background"] == odd)
    assert (groups.sum(axis=1) <= 1).all()
    np.testing.assert_array_equal(table["shape"], np.array(plant.class_names())[labels])


def test_correlation_val_may_be_as_train_and_any_attribute_planted():
    _, (_, _, groups) = drawn("correlation", "val", ratio=5.0, val="train")
    assert abs(groups.any(axis=1).mean() - 1 / 6) < 0.02
    plant, (table, _, _) = drawn("correlation", label="size", planted="colour", classes=2)
    assert set(table["colour"]) == {"red", "green"}
    assert list(plant.captions()) == ["small, green", "large, red"]
    assert plant.captions()["small, green"] == ("a small green shape", "a green shape")


def test_rare_keeps_a_quarter_and_neither_shape_nor_colour_tells_the_class():
    plant, (table, labels, groups) = drawn("rare", n=20_000, classes=4, subtypes=4, keep=0.25)
    rare = groups.any(axis=1)
    assert abs(rare.mean() - 0.25 / 3.25) < 0.01
    pairs = table["colour"] + " " + table["shape"]
    for c, name in enumerate(plant.captions()):
        np.testing.assert_array_equal(groups[:, c], pairs == name)
        assert set(labels[pairs == name]) == {c}
    for column in ("shape", "colour"):
        assert all(set(labels[table[column] == value]) == {0, 1, 2, 3} for value in set(table[column]))
    _, (_, _, groups) = drawn("rare", "test", n=20_000, classes=4, subtypes=4)
    assert abs(groups.any(axis=1).mean() - 0.25) < 0.01


@pytest.mark.parametrize(("split", "share"), [("train", 0.1), ("test", 0.5)])
def test_corruption_is_on_a_tenth_of_train_and_half_of_test(split, share):
    _, (table, _, groups) = drawn("corruption", split, corruption=0.3, noise=0.05)
    assert abs(groups.mean() - share) < 0.02
    np.testing.assert_array_equal(table["noise"], np.where(groups[:, 0], 0.3, 0.05))


@pytest.mark.parametrize("plant", sorted(PLANTS))
def test_builds_and_hides_what_is_planted(plant):
    problem = Scenes(plant=plant, **SMALL).build(0)
    hidden = {"correlation": {"background"}, "rare": {"shape", "colour"}, "corruption": {"noise"}, "none": set()}[plant]
    assert not hidden & set(problem.test.metadata.columns)
    assert len(problem.test.metadata.columns) == 10 - len(hidden)
    assert problem.test.inputs.shape == (150, 12, 12, 3)
    assert set(problem.truth.captions) == set(problem.truth.group_names)
    assert len(problem.truth.group_names) == problem.truth.groups["test"].shape[1]
    assert (problem.truth.groups["test"].shape[1] == 0) == (plant == "none")


def test_no_metadata_column_gives_the_group_away():
    """Within a class, no visible column may be a function of the group."""
    problem = Scenes(plant="rare", **SMALL | {"n_test": 600}).build(0)
    minority = problem.truth.minority(problem.test.ids)
    for _, rows in problem.test.by_class():
        for column in VALUES.keys() & set(problem.test.metadata.columns):
            codes = problem.test.metadata[column].to_numpy()[rows]
            rates = [minority[rows][codes == value].mean() for value in set(codes)]
            assert max(rates) < 0.6


def test_same_seed_same_problem():
    one, two, other = (Scenes(**SMALL).build(seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.test.inputs, two.test.inputs)
    np.testing.assert_array_equal(one.test.probs, two.test.probs)
    assert not np.array_equal(one.test.inputs, other.test.inputs)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"plant": "magic"}, "plant is 'magic'"),
        ({"planted": "shape"}, "planted is 'shape'"),
        ({"label": "size", "classes": 3}, "classes is 3; expected a whole number from 2 to 2"),
        ({"side": 2}, "side is 2"),
        ({"ratio": 0.5}, "ratio is 0.5"),
        ({"val": "half"}, "val is 'half'"),
        ({"n_test": 0}, "n_test is 0"),
        ({"n_train": 100.5}, "n_train is 100.5; expected a whole number"),
    ],
)
def test_impossible_parameters_are_named(params, message):
    with pytest.raises(ConfigError, match=message):
        Scenes(**params).build(0)


def test_candidates_are_the_values_of_every_other_attribute():
    plant = PLANTS["correlation"](Scenes(**SMALL))
    found, naming = plant.candidates(), plant.captions()
    assert found.reference_texts[0] == "a circle"
    said = found.of_class(0)
    assert len(said) == len(set(said)) == 8 + 2 + 2 + 4 + 2 + 2 + 1
    assert {"a red circle", "a circle on a dark background", "a circle with a dot", "a circle with noise"} <= set(said)
    for c, name in enumerate(naming):
        assert len(set(naming[name]) & set(found.of_class(c))) == 1, "exactly one candidate names the group"


@pytest.mark.parametrize("plant", ["correlation", "rare", "corruption"])
@pytest.mark.parametrize("label", ["shape", "colour", "background"])
def test_one_candidate_of_each_class_names_its_group_whatever_the_label(plant, label):
    planted = "size" if label == "background" else "background"
    scenes = Scenes(**SMALL | {"plant": plant, "label": label, "planted": planted, "classes": 2})
    chosen = PLANTS[plant](scenes)
    found = chosen.candidates()
    groups = list(chosen.captions().values())
    for c in range(2):
        named = set(groups[c] if len(groups) > 1 else groups[0]) & set(found.of_class(c))
        assert len(named) == 1


def test_the_synonym_table_agrees_with_the_renderer_on_what_a_caption_names():
    from slicebench.data.captions.naming import names

    for name, values in VALUES.items():
        for value in set(values) - {"none", "even"}:
            text = caption(**{name: value})
            assert names(text, [value])
            assert not any(names(text, [other]) for other in set(values) - {value, "none", "even"})


def test_candidates_are_embedded_where_the_encoder_reads_captions():
    with_text = Scenes(**SMALL).build(0)
    assert with_text.encoder == "nano-clip"
    assert with_text.data.captions.candidates.shape == (
        len(with_text.data.class_names),
        len(with_text.data.captions.texts),
    )
    without = Scenes(**SMALL | {"encoder": "pixels-pca"}).build(0)
    assert without.data.captions is None
    np.testing.assert_array_equal(without.test.probs, with_text.test.probs)
