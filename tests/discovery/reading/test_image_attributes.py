"""Properties of images: values by hand."""

import numpy as np
import pytest

from slicebench.discovery.reading.image_attributes import attributes_of, colour_names
from slicebench.discovery.reading.images import Images


def images_of(pixels):
    return Images(pixels=pixels, sizes=np.tile([pixels.shape[2], pixels.shape[1]], (len(pixels), 1)))


def two(first, second, size=None):
    pixels = np.stack([first, second]).astype(np.uint8)
    sizes = np.array(size or [[pixels.shape[2], pixels.shape[1]]] * 2)
    return attributes_of(Images(pixels=pixels, sizes=sizes), "photo")


def test_brightness_contrast_and_colourfulness():
    black, red = np.zeros((4, 4, 3)), np.zeros((4, 4, 3))
    red[..., 0] = 255
    found = two(black, red)
    names = ("brightness", "colourfulness", "border brightness", "object colour")
    assert {*found} == {f"{name} of photo" for name in names}
    np.testing.assert_allclose(found["brightness of photo"], [0, 0.299 * 255], rtol=1e-6)
    np.testing.assert_allclose(found["colourfulness of photo"], [0, 0.3 * np.hypot(255, 127.5)], rtol=1e-6)
    half = np.zeros((4, 4))
    half[:, 2:] = 200
    assert two(np.full((4, 4), 100), half)["contrast of photo"].tolist() == [0, 100]
    green_and_red = np.zeros((2, 4, 3))
    green_and_red[0, :, 1], green_and_red[1, :, 0] = 255, 255
    expected = 255 + 0.3 * 127.5  # red - green is 255 or -255, (red + green) / 2 - blue is 127.5
    np.testing.assert_allclose(two(np.zeros((2, 4, 3)), green_and_red)["colourfulness of photo"][1], expected)


def test_sharpness_is_the_variance_of_the_laplacian():
    dot = np.zeros((5, 5))
    dot[2, 2] = 10
    laplacian = np.array([[0, 10, 0], [10, -40, 10], [0, 10, 0]])
    np.testing.assert_allclose(two(np.zeros((5, 5)), dot)["sharpness of photo"], [0, laplacian.var()])
    assert "sharpness of photo" not in two(np.zeros((2, 2)), np.ones((2, 2)))


def test_sizes_are_those_of_the_files():
    found = two(np.zeros((4, 4)), np.zeros((4, 4)), [[100, 50], [100, 100]])
    assert {name: values.tolist() for name, values in found.items()} == {
        "aspect ratio of photo": [2.0, 1.0],
        "height of photo": [50.0, 100.0],
    }


def test_many_images_are_measured_in_chunks(monkeypatch):
    images = images_of(np.random.default_rng(0).integers(256, size=(9, 20, 20, 3), dtype=np.uint8))
    at_once = attributes_of(images, "x")
    monkeypatch.setattr("slicebench.discovery.reading.image_attributes.PIXELS", 800)
    in_chunks = attributes_of(images, "x")
    assert {*at_once} == {*in_chunks}
    for name, values in at_once.items():
        if values.dtype == object:
            assert in_chunks[name].tolist() == values.tolist()
        else:
            np.testing.assert_allclose(in_chunks[name], values, rtol=1e-6)


def scene(colour, rows, columns, background):
    image = np.full((10, 20, 3), background)
    image[rows, columns] = colour
    return image


def test_the_object_is_what_differs_most_from_the_border():
    found = two(
        scene((230, 210, 50), slice(5, 9), slice(12, 18), 20), scene((40, 60, 220), slice(1, 3), slice(2, 4), 210)
    )
    assert found["object colour of photo"].tolist() == ["yellow", "blue"]
    np.testing.assert_allclose(found["border brightness of photo"], [20, 210], rtol=1e-5)
    np.testing.assert_allclose(found["object size of photo"], [24 / 200, 4 / 200])
    np.testing.assert_allclose(found["object x of photo"], [15 / 20, 3 / 20])
    np.testing.assert_allclose(found["object y of photo"], [7 / 10, 2 / 10])


def test_grey_images_have_an_object_without_a_colour():
    found = two(np.zeros((6, 6)), np.pad(np.full((2, 2), 200), 2))
    assert "object colour of photo" not in found
    assert found["object size of photo"].tolist() == [0.0, 4 / 36]
    assert "object x of photo" not in found  # both are in the middle


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((255, 0, 0), "red"), ((255, 0, 90), "pink"), ((255, 0, 20), "red"), ((255, 128, 0), "orange"), ((255, 255, 0), "yellow"),
        ((0, 255, 0), "green"), ((0, 255, 255), "cyan"), ((0, 0, 255), "blue"), ((160, 0, 255), "purple"),
        ((10, 0, 0), "grey"), ((128, 120, 128), "grey"), ((250, 250, 250), "grey"), ((0, 0, 0), "grey"),
    ],
)  # fmt: skip
def test_colours_have_names(rgb, name):
    assert colour_names(np.array([rgb], dtype=float)).tolist() == [name]
