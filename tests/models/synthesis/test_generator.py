"""The contract of generators, and images out of a folder."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from slicebench.errors import ConfigError, DataError, PluginError, StorageError
from slicebench.models.synthesis.generator import FolderGenerator, Generator, fitted, image_shape, make_generator


class Constant(Generator):
    """Images of one grey value drawn at random each."""

    def draw(self, caption, n, class_index, rng):
        return np.broadcast_to(rng.integers(256, size=(n, 1, 1), dtype=np.uint8), (n, *self.shape)).copy()


def save(path, value, size=(10, 10), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def write(folder, rows, columns=("file_name", "text")):
    with (folder / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


@pytest.fixture
def folder(tmp_path):
    """Eight red images, two blue ones, in a folder with a subfolder; one red image is listed twice."""
    home = tmp_path / "images"
    rows = [(f"red/{i}.png", "a red ball") for i in range(8)] + [("b0.jpg", "a blue ball"), ("b1.png", "a blue ball")]
    for i, (name, text) in enumerate(rows):
        save(home / name, (200 + i, 10, 10) if "red" in text else (10, 10, 200 + i))
    write(home, [*rows, rows[0]])
    return home


def pictured(problem, shape=(9, 9, 3)):
    images = np.zeros((problem.data.train.n, *shape), dtype=np.uint8)
    return replace(problem.data, train=replace(problem.data.train, inputs=images))


def generator(folder, shape=(9, 9, 3), seed=0):
    return FolderGenerator(folder, shape, 3, seed)


def test_chance_follows_from_the_arguments():
    one = Constant((4, 4), 3, 7).generate("a", 5, 1, 2)
    np.testing.assert_array_equal(one, Constant((4, 4), 3, 7).generate("b", 5, 1, 2))
    for other in (
        Constant((4, 4), 3, 7).generate("a", 5, 0, 2),
        Constant((4, 4), 3, 7).generate("a", 5, 1, 3),
        Constant((4, 4), 3, 8).generate("a", 5, 1, 2),
    ):
        assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("caption", "n", "c", "seed", "message"),
    [
        ("", 1, 0, 0, "the caption is ''"),
        (" \n", 1, 0, 0, "expected a text"),
        (None, 1, 0, 0, "the caption is None"),
        ("a", 0, 0, 0, "n is 0; expected an integer, 1 or more"),
        ("a", -3, 0, 0, "n is -3"),
        ("a", 2.0, 0, 0, "n is 2.0; expected an integer"),
        ("a", 1, -1, 0, "class_index is -1"),
        ("a", 1, 3, 0, "class 3 is not one of the 3 classes, 0 to 2"),
        ("a", 1, "cat", 0, "class_index is 'cat'"),
        ("a", 1, 0, -1, "seed is -1"),
    ],
)
def test_requests_that_cannot_be_met(caption, n, c, seed, message):
    with pytest.raises(DataError, match=message):
        Constant((4, 4), 3).generate(caption, n, c, seed)


def test_numpy_integers_are_integers():
    assert Constant((4, 4), 3).generate("a", np.int64(2), np.int64(1), np.int64(0)).shape == (2, 4, 4)


@pytest.mark.parametrize(
    "images", [np.zeros((2, 4, 4)), np.zeros((1, 4, 4), np.uint8), np.zeros((2, 4, 4, 3), np.uint8)], ids=str
)
def test_a_generator_that_breaks_the_contract_is_named(images):
    class Broken(Generator):
        def draw(self, caption, n, class_index, rng):
            return images

    with pytest.raises(DataError, match=r"Broken.draw returned .*expected uint8 of \(2, 4, 4\)"):
        Broken((4, 4), 3).generate("a", 2, 0, 0)


@pytest.mark.parametrize("shape", [(9, 9), (9, 9, 1), (6, 9, 3)])
def test_the_shape_is_that_of_the_problems_images(problem, shape):
    assert image_shape(problem, pictured(problem, shape)) == shape


def test_problems_without_images_are_refused(problem):
    with pytest.raises(ConfigError, match=r"inputs of float32 and shape \(12,\)"):
        image_shape(problem, problem.data)
    with pytest.raises(ConfigError, match="has no raw inputs"):
        image_shape(problem, replace(problem.data, train=replace(problem.data.train, inputs=None)))
    with pytest.raises(ConfigError, match=r"shape \(9, 9, 4\)"):
        image_shape(problem, pictured(problem, (9, 9, 4)))
    texts = replace(problem.data.train, inputs=["a text"] * problem.data.train.n)
    with pytest.raises(ConfigError, match="images are generated for"):
        image_shape(problem, replace(problem.data, train=texts))


def test_fitting_keeps_proportions_and_cuts_the_middle_out():
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = (250, 0, 0)
    wide[:, :20] = (0, 0, 250)
    small = fitted(Image.fromarray(wide), (5, 5, 3))
    assert np.abs(small[:, 1:4].astype(int) - [250, 0, 0]).max() <= 4  # the cubic filter overshoots at an edge
    assert fitted(Image.fromarray(wide), (5, 15, 3))[2, 2].tolist() == [0, 0, 250]
    grey = fitted(Image.fromarray(wide), (5, 5))
    assert grey.shape == (5, 5)
    assert grey[2, 2] == 75  # 0.299 of 250
    assert fitted(Image.fromarray(wide), (5, 5, 1)).shape == (5, 5, 1)


def test_fitting_an_image_of_the_right_size_changes_nothing():
    noise = np.random.default_rng(0).integers(256, size=(7, 11, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fitted(Image.fromarray(noise), (7, 11, 3)), noise)


def test_n_different_images_of_the_caption_are_chosen_by_the_seed(folder):
    images = generator(folder).generate("a red ball", 8, 0, 0)
    assert sorted(images[:, 0, 0, 0].tolist()) == list(range(200, 208))
    assert (images == images[:, :1, :1]).all()
    few = [generator(folder).generate("a red ball", 3, 0, seed)[:, 0, 0, 0].tolist() for seed in (0, 0, 1)]
    assert few[0] == few[1] != few[2]
    assert few[0] == images[:3, 0, 0, 0].tolist()  # more images are the same ones and others
    assert len(set(few[2])) == 3
    blue = generator(folder).generate("a blue ball", 2, 2, 0)
    assert (blue[..., 2] > 150).all()
    assert generator(folder, (9, 9)).generate("a blue ball", 2, 2, 0).shape == (2, 9, 9)


def test_too_few_images_are_counted_with_near_texts(folder):
    with pytest.raises(
        DataError, match=r"has 2 images whose text is 'a blue ball', but 3 are needed.*Near texts: 'a red ball'"
    ):
        generator(folder).generate("a blue ball", 3, 0, 0)
    with pytest.raises(DataError, match=r"has 8 images whose text is 'a red ball', but 9 are needed"):
        generator(folder).generate("a red ball", 9, 0, 0)  # the one listed twice counts once
    with pytest.raises(DataError, match=r"has 0 images.*Other texts: 'a red ball'; 'a blue ball' \(2 in all\)"):
        generator(folder).generate("zzz", 1, 0, 0)


def test_metadata_may_be_lines_of_json(folder):
    expected = generator(folder).generate("a red ball", 4, 0, 0)
    with (folder / "metadata.csv").open() as file:
        lines = [json.dumps(row) for row in csv.DictReader(file)]
    (folder / "metadata.jsonl").write_text("\n".join([*lines[:4], "", *lines[4:]]) + "\n")
    with pytest.raises(StorageError, match=r"has 2 of the files metadata.csv and metadata.jsonl; expected exactly one"):
        generator(folder)
    (folder / "metadata.csv").unlink()
    np.testing.assert_array_equal(generator(folder).generate("a red ball", 4, 0, 0), expected)


def test_texts_may_hold_commas_letters_of_any_script_and_words_that_look_missing(folder):
    texts = ["a ball, red", "ein grüner Bär", "NA", '"quoted"']
    (folder / "metadata.csv").write_bytes(b"")
    write(folder, [(f"red/{i}.png", f" {text} ") for i, text in enumerate(texts)])
    (folder / "metadata.csv").write_bytes(
        b"\xef\xbb\xbf" + (folder / "metadata.csv").read_bytes()
    )  # as Excel writes it
    for i, text in enumerate(texts):
        assert generator(folder).generate(text, 1, 0, 0)[0, 0, 0, 0] == 200 + i


def test_missing_folders_and_metadata(tmp_path, folder):
    with pytest.raises(StorageError, match=r"there is no folder .*nowhere; expected one of images with metadata.csv"):
        generator(tmp_path / "nowhere")
    (folder / "metadata.csv").unlink()
    with pytest.raises(StorageError, match="has 0 of the files"):
        generator(folder)
    write(folder, [])
    with pytest.raises(StorageError, match="lists no images"):
        generator(folder)
    (folder / "metadata.csv").write_bytes(b"file_name,text\n\xff\xfe,a\n")
    with pytest.raises(StorageError, match=r"cannot read .*metadata.csv.*UTF-8"):
        generator(folder)
    (folder / "metadata.csv").write_text('file_name,text\n"red/0.png,a\n')
    with pytest.raises(StorageError, match=r"cannot read .*metadata.csv"):
        generator(folder)


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        (
            ("file_name", "caption"),
            ("red/0.png", "a"),
            r"line 2 has no text; expected file_name and text, found file_name, caption",
        ),
        (("image", "text"), ("red/0.png", "a"), "line 2 has no file_name"),
        (("file_name", "text"), ("red/0.png",), "line 2 has no text"),
        (("file_name", "text"), ("red/0.png", " "), "line 2 has no text"),
        (("file_name", "text"), ("gone.png", "a"), r"line 2: there is no file 'gone.png'"),
        (("file_name", "text"), ("red", "a"), "there is no file 'red'"),
        (("file_name", "text"), ("../secret.png", "a"), "'../secret.png' lies outside"),
        (("file_name", "text"), ("red/../../secret.png", "a"), "lies outside"),
        (("file_name", "text"), ("/etc/passwd", "a"), "'/etc/passwd' lies outside"),
        (("file_name", "text"), ("link.png", "a"), "'link.png' lies outside"),
        (("file_name", "text"), ("red/\0.png", "a"), "cannot be a file"),
        (("file_name", "text"), ("a" * 300, "a"), "cannot be a file"),
    ],
)
def test_lines_that_cannot_be_used(folder, columns, row, message):
    save(folder.parent / "secret.png", 0)
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    write(folder, [row], columns)
    with pytest.raises(StorageError, match=message):
        generator(folder)


@pytest.mark.parametrize("line", ["[1]", '"a"', "null", '{"file_name": 3, "text": "a"}', "{", '{"text": "a"}'])
def test_lines_of_json_that_cannot_be_used(folder, line):
    (folder / "metadata.csv").unlink()
    (folder / "metadata.jsonl").write_text(line)
    with pytest.raises(StorageError, match=r"metadata.jsonl"):
        generator(folder)


def test_damaged_images_are_named(folder, monkeypatch):
    path = folder / "b1.png"
    whole = path.read_bytes()
    for data in (b"", b"no image", whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(StorageError, match=r"b1.png cannot be decoded as a PNG or JPEG image"):
            generator(folder).generate("a blue ball", 2, 0, 0)
    Image.new("RGB", (10, 10)).save(path, format="GIF")
    with pytest.raises(StorageError, match="cannot be decoded as a PNG or JPEG"):
        generator(folder).generate("a blue ball", 2, 0, 0)
    save(path, 40_000, mode="I;16")
    with pytest.raises(StorageError, match="more than 8 bits"):
        generator(folder).generate("a blue ball", 2, 0, 0)
    made = generator(folder)
    path.unlink()
    with pytest.raises(StorageError, match=r"b1\.png"):
        made.generate("a blue ball", 2, 0, 0)
    path.write_bytes(whole)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(StorageError, match="cannot be decoded"):
        generator(folder).generate("a blue ball", 2, 0, 0)


def test_images_of_other_modes_are_converted(folder):
    for mode, value in (("L", 77), ("P", 3), ("RGBA", (1, 2, 3, 0)), ("1", 1), ("LA", (9, 9))):
        save(folder / "b1.png", value, mode=mode)
        assert generator(folder).generate("a blue ball", 2, 0, 0).shape == (2, 9, 9, 3)


def test_by_name_for_a_problem(problem, folder):
    data = pictured(problem, (6, 8, 3))
    made = make_generator(f"folder:{folder}", problem, data)
    assert isinstance(made, FolderGenerator)
    assert (made.shape, made.n_classes, made.seed) == ((6, 8, 3), 3, problem.seed)
    assert made.generate("a red ball", 2, 0, 0).shape == (2, 6, 8, 3)
    with pytest.raises(ConfigError, match="needs an argument: folder:PATH"):
        make_generator("folder", problem, data)
    with pytest.raises(ConfigError, match="folder:PATH"):
        FolderGenerator.for_problem(problem, data)
    with pytest.raises(PluginError, match="did you mean 'folder'"):
        make_generator("foldr:x", problem, data)


def test_generators_see_no_truth(problem, folder, reachable):
    data = pictured(problem)
    made = make_generator(f"folder:{folder}", problem, data)
    assert id(problem.truth) not in reachable(made)
