"""Generators make training images from captions.

Jain, Lawrence, Moitra and Madry (2022) fine-tune on images that Stable Diffusion makes of the caption of a class's hard examples.

To add a generator: one file with one subclass of `Generator` with a `for_problem` and a `draw`, and
an entry point in the group `slicebench.generators`. The name of a generator is that of its entry
point, with or without an argument: "scenes", "folder:PATH".
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.models.synthesis.captioned_folder import captioned_files
from slicebench.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from PIL import Image

    from slicebench.data.problem import AuditData, Identified


class Generator:
    """Base class of generators, which make images that show what a caption says.

    Equal arguments give equal images.

    Parameters
    ----------
    shape : (H, W), (H, W, 1) or (H, W, 3)
        Shape of one image.
    n_classes : int
    seed : int
        The problem's seed, 0 or more.

    """

    argument_help: ClassVar[str] = ""
    """Form of the argument after the name, such as "FOLDER"; empty for a generator without one."""
    argument_optional: ClassVar[bool] = False

    def __init__(self, shape: tuple[int, ...], n_classes: int, seed: int = 0) -> None:
        self.shape = shape
        self.n_classes = n_classes
        self.seed = seed

    @classmethod
    def for_problem(cls, about: Identified, data: AuditData, argument: str | None = None) -> Self:
        """Return a generator of images like those of a problem.

        Raises `ConfigError` or `StorageError` if the generator does not fit the problem.
        """
        raise NotImplementedError(f"{cls.__name__} has no for_problem")

    def draw(self, caption: str, n: int, class_index: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Generate n images, shape (n, *self.shape), for arguments that `generate` has checked.

        All randomness comes from `rng`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no draw")

    def generate(self, caption: str, n: int, class_index: int, seed: int) -> NDArray[np.uint8]:
        """Generate images of `caption`, shape (n, H, W[, channels]).

        Size and channels are those of the problem's images.

        Parameters
        ----------
        caption : str
            What the images show; generators differ in the captions that they can read.
        n : int
            1 or more.
        class_index : int
            Label of the images. With one seed, all captions of a class use the same random numbers.
        seed : int
            0 or more.

        Raises
        ------
        DataError
            for an empty caption, numbers outside their ranges, and a caption with fewer than n
            images.
        StorageError
            for a file that cannot be read.

        """
        if not isinstance(caption, str) or not caption.strip():
            raise DataError(f"the caption is {caption!r}; expected a text that says what to generate")
        for name, value, least in (("n", n, 1), ("class_index", class_index, 0), ("seed", seed, 0)):
            if not isinstance(value, int | np.integer) or value < least:
                raise DataError(f"{name} is {value!r}; expected an integer, {least} or more")
        if class_index >= self.n_classes:
            raise DataError(
                f"class {class_index} is not one of the {self.n_classes} classes, 0 to {self.n_classes - 1}"
            )
        images = self.draw(caption, n, class_index, np.random.default_rng([self.seed, seed, class_index]))
        if images.dtype != np.uint8 or images.shape != (n, *self.shape):
            raise DataError(
                f"{type(self).__name__}.draw returned {images.dtype} of shape {images.shape}; "
                f"expected uint8 of {(n, *self.shape)}"
            )
        return images


GENERATORS = Registry("slicebench.generators", "slicebench.models.synthesis.generator:Generator")


def make_generator(name: str, about: Identified, data: AuditData) -> Generator:
    """Return the generator `name`, such as "scenes" or "folder:PATH".

    It makes images like those of the problem with `data`.

    Raises
    ------
    PluginError
        for an unknown name; the message suggests similar ones.
    ConfigError
        for an argument that is missing or not allowed, and a generator that does not fit the
        problem.
    StorageError
        for files of the generator that are missing or damaged.

    """
    kind, argument = GENERATORS.load_with_argument(name)
    generator: Generator = kind.for_problem(about, data, argument)
    return generator


def image_shape(about: Identified, data: AuditData) -> tuple[int, ...]:
    """Return the shape of one training image, (H, W) or (H, W, channels).

    Raises `ConfigError` if train has no uint8 images.
    """
    if data.train.inputs is None:
        raise ConfigError(f"problem {about.name!r} has no raw inputs, so the size of images for it is unknown")
    first = np.asarray(data.train.inputs[0])
    if first.dtype != np.uint8 or not (first.ndim == 2 or (first.ndim == 3 and first.shape[2] in (1, 3))):
        raise ConfigError(
            f"problem {about.name!r} has inputs of {first.dtype} and shape {first.shape}; images are generated for problems "
            "of uint8 images (H, W) or (H, W, 3)"
        )
    return first.shape


def fitted(image: Image.Image, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Crop the middle of `image` to the proportions of `shape`, and resize it.

    Resizing is bicubic and antialiased. `shape` determines whether the result is in colour or grey.
    """
    from PIL import Image, ImageOps

    converted = image.convert("RGB" if shape[2:] == (3,) else "L")
    small = ImageOps.fit(converted, (shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(small, dtype=np.uint8).reshape(shape)


class FolderGenerator(Generator):
    """Generator that returns images made elsewhere, in the layout of Hugging Face's imagefolder.

    The folder holds PNG or JPEG images and `metadata.csv` or `metadata.jsonl` with `file_name`,
    relative to the folder, and `text`, the caption. The seed determines which n of a caption's
    images are returned, without repetition.

    Parameters
    ----------
    folder : Path
    shape, n_classes, seed
        See `Generator`.

    Raises
    ------
    StorageError
        for a folder, metadata or image that is missing, metadata without the two columns, and a file outside the folder.

    """

    argument_help: ClassVar[str] = "PATH"

    def __init__(self, folder: Path, shape: tuple[int, ...], n_classes: int, seed: int = 0) -> None:
        super().__init__(shape, n_classes, seed)
        self.folder = Path(folder).expanduser()
        self.files = captioned_files(self.folder)

    @classmethod
    def for_problem(cls, about: Identified, data: AuditData, argument: str | None = None) -> Self:
        """Return a generator with the images in the folder `argument`."""
        if argument is None:
            raise ConfigError("the generator needs the folder of its images: folder:PATH")
        return cls(Path(argument), image_shape(about, data), len(data.class_names), about.seed)

    def draw(self, caption: str, n: int, class_index: int, rng: np.random.Generator) -> NDArray[np.uint8]:  # noqa: ARG002
        """Choose n of the caption's images, without replacement, and read them."""
        files = self.files.get(caption.strip(), [])
        if len(files) < n:
            raise DataError(
                f"{self.folder} has {len(files)} images whose text is {caption!r}, but {n} are needed; "
                f"add some, or ask for fewer. {_other_texts(caption, self.files)}"
            )
        return np.stack([_read(files[i], self.shape) for i in rng.permutation(len(files))[:n]])


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            if image.mode[0] in "IF":
                raise StorageError(f"{path} has more than 8 bits per channel ({image.mode}); save it with 8")
            return fitted(image, shape)
    except (SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _damaged(path, error) from error
    except OSError as error:
        raise error if isinstance(error, StorageError) else _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> StorageError:
    return StorageError(f"{path} cannot be decoded as a PNG or JPEG image: {error}; replace it")


def _other_texts(caption: str, texts: Iterable[str]) -> str:
    others = [text for text in texts if text != caption.strip()]
    near = get_close_matches(caption, others, n=3, cutoff=0.6)
    shown = "; ".join(repr(text) for text in near or others[:3]) or "none"
    return f"{'Near texts' if near else 'Other texts'}: {shown} ({len(others)} in all)."
