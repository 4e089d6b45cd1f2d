"""Handwritten digits: scikit-learn's 1,797 of 8 x 8 pixels, or MNIST from a folder; drawn into disjoint splits.

`DigitDataset` is the base class of the digit datasets.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.data.problem import Provenance
from slicebench.errors import ConfigError, StorageError
from slicebench.files.fingerprints import Source
from slicebench.files.untrusted import opened, read_parquet
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, RawSplit
from slicebench_datasets._parameters import EPOCHS, check_ranges
from slicebench_datasets._render import article

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.data.captions import CaptionSet
    from slicebench.models.training import Recipe

    Planted = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]

LAYOUT = (
    "either Hugging Face's parquet files train-*.parquet and test-*.parquet (columns image, label) or the IDX files "
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each also as .gz"
)


@dataclass(frozen=True, eq=False)
class Digits:
    """Images (n, side, side) of bytes with their digits (n,), from which splits are drawn."""

    images: NDArray[Any]
    digits: NDArray[np.int64]


class DigitDataset(RawDataset):
    """Digits with a plant, and a small network trained on them.

    A subclass implements `planted`, which turns a split's digits into images, labels and groups,
    and `raw`, which returns `problem`.
    """

    modality: ClassVar[str] = "image"
    version: ClassVar[str] = "2"

    def __init__(
        self,
        root: str | None,
        n_train: int,
        n_val: int,
        n_test: int,
        pixel_noise: float,
        width: int,
        epochs: int,
        encoder: str,
        n_pool: int = 0,
    ) -> None:
        self.root = root
        self.n_train = n_train
        self.n_val = n_val
        self.n_test = n_test
        self.pixel_noise = pixel_noise
        self.width = width
        self.epochs = epochs
        self.encoder = encoder
        self.n_pool = n_pool

    def check_digits(self, **highest: float) -> None:
        """Raise `ConfigError` unless the named parameters are in 0..highest, and sizes, width and epochs at least 1."""
        bounds: dict[str, tuple[float, float]] = {name: (0, high) for name, high in highest.items()}
        bounds |= dict.fromkeys(("n_train", "n_val", "n_test"), (1, 70_000))
        check_ranges(self, bounds | {"n_pool": (0, 70_000), "width": (1, 4096), "epochs": EPOCHS})

    def digits_root(self) -> str | None:
        """Return the folder of MNIST files; None for scikit-learn's digits."""
        return self.root

    def sources(self) -> tuple[Source, ...]:
        """Return MNIST's files; none for scikit-learn's digits."""
        root = self.digits_root()
        return () if root is None else mnist_sources(Path(root))

    def training(self) -> Recipe:
        """Return how the base model is trained."""
        from slicebench.models.training import Recipe

        epochs, width = self.epochs, self.width
        return Recipe(
            arch="small_cnn", width=width, epochs=epochs, batch_size=50, peak_lr=0.1, peak_epoch=min(2, epochs)
        )

    def planted(self, part: Digits, split: str, rng: np.random.Generator) -> Planted:
        """Return images, labels (n,) and groups (n, g) of the digits drawn for a split."""
        raise NotImplementedError(f"{type(self).__name__} has no planted")

    def problem(
        self,
        seed: int,
        *,
        class_names: Sequence[str],
        how: str,
        captions: CaptionSet,
        naming: Mapping[str, tuple[str, ...]],
        keep: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> RawProblem:
        """Draw, plant and shuffle; `naming` gives the groups and their captions, `keep` is passed to `draw_digits`."""
        rng, root = np.random.default_rng(seed), self.digits_root()
        sizes = {"train": self.n_train, "val": self.n_val, "test": self.n_test}
        if self.n_pool:
            sizes["pool"] = self.n_pool
        splits = {}
        for name, part in draw_digits(root, sizes, rng, keep).items():
            images, labels, groups = self.planted(part, name, rng)
            splits[name] = RawSplit.shuffled(name, rng, inputs=images, labels=labels, groups=groups)
        return RawProblem(
            name=self.family.replace("_", "-"),
            splits=splits,
            base_model=self.training(),
            encoder=self.encoder,
            class_names=class_names,
            group_names=tuple(naming),
            how=how,
            provenance=provenance_of(root),
            captions=captions,
            captions_for_groups=naming,
        )


def draw_digits(
    root: str | None,
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    keep: Mapping[str, NDArray[np.float64]] | None = None,
) -> dict[str, Digits]:
    """Draw disjoint random splits of given sizes, by name.

    With a `root`, train, val and pool come from MNIST's train files, test from its test files,
    whose images no model has seen. `keep` gives, for some splits, the share of each digit's images
    that stays. Dropped images are removed from the split's candidates, so the sizes are exact as
    long as there are enough images.

    Raises
    ------
    ConfigError
        if the splits need more images than there are.
    StorageError
        if `root` lacks a file.

    """
    if root is None:
        source = _sklearn_digits()
        return _cut(source, sizes, rng, keep or {}, "scikit-learn's digits")
    from_train = {name: n for name, n in sizes.items() if name != "test"}
    out = _cut(_mnist(Path(root), "train"), from_train, rng, keep or {}, "MNIST's train files")
    if "test" in sizes:
        out |= _cut(_mnist(Path(root), "test"), {"test": sizes["test"]}, rng, keep or {}, "MNIST's test files")
    return out


def _cut(
    source: Digits,
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    keep: Mapping[str, NDArray[np.float64]],
    of: str,
) -> dict[str, Digits]:
    """Cut one random order into splits; a split with `keep` skips some images, which no split gets."""
    order = rng.permutation(len(source.digits))
    out = {}
    for name in sorted(sizes, key=lambda name: name in keep):  # thinned splits last: they eat what is left
        stays = np.ones(len(order), dtype=bool)
        if name in keep:
            stays = rng.random(len(order)) < keep[name][source.digits[order]]
        rows = np.flatnonzero(stays)[: sizes[name]]
        if len(rows) < sizes[name]:
            raise ConfigError(
                f"n_{name} is {sizes[name]}, but only {len(rows)} images of {of} are left for it; lower n_train, n_val, "
                "n_test or n_pool, or give a root with MNIST's files"
            )
        out[name] = Digits(_decoded(source.images[order[rows]]), source.digits[order[rows]])
        order = order[rows[-1] + 1 :] if len(rows) else order
    return out


def provenance_of(root: str | None) -> Provenance:
    """Describe where the images come from."""
    if root is None:
        from sklearn import __version__

        return Provenance(
            source="sklearn.datasets.load_digits: UCI Optical Recognition of Handwritten Digits (Alpaydin, Kaynak 1998)",
            licence="CC BY 4.0",
            revision=f"scikit-learn {__version__}",
        )
    return Provenance(source="MNIST (LeCun, Cortes, Burges), local files", licence="CC BY-SA 3.0")


def digit_caption(
    *, digit: int | None = None, colour: str | None = None, ground: str | None = None, noisy: bool = False
) -> str:
    """Write the caption of a digit from the attributes given.

    >>> digit_caption(digit=3), digit_caption(colour="red", noisy=True), digit_caption(digit=3, ground="blue")
    ('the digit 3', 'a noisy red digit', 'the digit 3 on a blue background')
    """
    words = [w for w in ("noisy" if noisy else None, colour) if w]
    name = "digit" if digit is None else f"digit {digit}"
    first = "the" if digit is not None and not words else article((words or [name])[0])
    text = " ".join([first, *words, name])
    return text if ground is None else f"{text} on {article(ground)} {ground} background"


def with_pixel_noise(
    images: NDArray[np.uint8], sigma: float | NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Add Gaussian noise of standard deviation `sigma` (1 = the full range; one value, or one per image), clipped."""
    spread = np.broadcast_to(np.asarray(sigma, dtype=np.float64), len(images)).reshape(-1, *(1,) * (images.ndim - 1))
    noisy = images + 255 * spread * rng.standard_normal(images.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _sklearn_digits() -> Digits:
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return Digits(np.rint(loaded.images * (255 / 16)).astype(np.uint8), loaded.target.astype(np.int64))


def _mnist(root: Path, part: str) -> Digits:
    """Read all images of one part, "train" or "test", of the MNIST files in `root`."""
    if not root.is_dir():
        raise StorageError(f"root {root} is not a folder; expected {LAYOUT}")
    tables = sorted(root.glob(f"{part}-*.parquet"))
    if tables:
        return _from_parquet(tables)
    prefix = {"train": "train", "test": "t10k"}[part]
    wanted = {"images": f"{prefix}-images-idx3-ubyte", "labels": f"{prefix}-labels-idx1-ubyte"}
    found = {key: _find(root, name) for key, name in wanted.items()}
    missing = [wanted[key] for key, path in found.items() if path is None]
    if missing:
        raise StorageError(f"{root} has no {part}-*.parquet and lacks {' and '.join(missing)}; expected {LAYOUT}")
    images, digits = (_read_idx(path, ndim) for path, ndim in zip(found.values(), (3, 1), strict=True) if path)
    if len(images) != len(digits):
        raise StorageError(f"{root} holds {len(images)} {part} images but {len(digits)} labels; fetch the files again")
    return Digits(images, digits.astype(np.int64))


def mnist_sources(root: Path) -> tuple[Source, ...]:
    """Return the files of both parts of MNIST that are in `root`, as `draw_digits` reads them."""
    patterns = ["train-*.parquet", "test-*.parquet"]
    for prefix in ("train", "t10k"):
        patterns += [f"{prefix}-{kind}" for kind in ("images-idx3-ubyte*", "labels-idx1-ubyte*")]
    there = [Source(root, pattern) for pattern in patterns if next(root.glob(pattern), None) is not None]
    if not there:
        raise StorageError(f"{root} holds no file of MNIST; expected {LAYOUT}")
    return tuple(there)


def _find(root: Path, name: str) -> Path | None:
    return next((path for path in (root / name, root / f"{name}.gz") if path.is_file()), None)


def _read_idx(path: Path, ndim: int) -> NDArray[np.uint8]:
    """Read the array in an IDX file: magic 0 0 8 ndim, big-endian sizes, bytes."""
    try:
        with opened(path) as file:
            raw = file.read()
    except (OSError, EOFError, zlib.error, MemoryError) as error:
        raise StorageError(f"cannot read {path}: {error}; fetch it again") from error
    if raw[:4] != bytes((0, 0, 8, ndim)):
        raise StorageError(f"{path} begins with {raw[:4].hex()}; expected an IDX file of bytes with {ndim} axes")
    shape = [int.from_bytes(raw[at : at + 4], "big") for at in range(4, 4 + 4 * ndim, 4)]
    if len(raw) != (expected := 4 + 4 * ndim + prod(shape)):
        raise StorageError(f"{path} has {len(raw)} bytes, but its header says {expected}; fetch it again")
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * ndim).reshape(shape).copy()


def _from_parquet(paths: list[Path]) -> Digits:
    """Read encoded images (an array of byte strings) with their digits; only those in a split are decoded later."""
    import pandas as pd
    from pyarrow import ArrowException

    try:
        table = pd.concat([read_parquet(path, ["image", "label"]) for path in paths])
        encoded = np.array([cell["bytes"] for cell in table["image"]], dtype=object)
        return Digits(encoded, table["label"].to_numpy(dtype=np.int64))
    except (OSError, ArrowException, ValueError, KeyError, TypeError, MemoryError) as error:
        raise StorageError(f"cannot read {paths[0]}: {error}; expected {LAYOUT}") from error


def _decoded(images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.dtype != object:
        return images
    from PIL import Image, UnidentifiedImageError

    try:
        return np.stack([np.asarray(Image.open(io.BytesIO(data)).convert("L")) for data in images])
    except (UnidentifiedImageError, OSError) as error:
        raise StorageError(f"an image in the parquet files cannot be decoded: {error}; fetch them again") from error
