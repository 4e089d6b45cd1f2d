"""Any image dataset with some images corrupted, as in ImageNet-C."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

import numpy as np

from slicebench.errors import ConfigError
from slicebench.files.cache import content_key
from slicebench.files.image_arrays import mapped
from slicebench.plugins.dataset_card import DatasetCard
from slicebench.plugins.registry import DATASETS
from slicebench.problems.building import RawDataset
from slicebench.problems.files_read import files_of_encoders
from slicebench_datasets._parameters import check_choices, check_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.files.fingerprints import Source
    from slicebench.problems.raw import RawProblem, RawSplit

CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "snow", "frost",
    "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip
OWN_RANDOMNESS = ("impulse_noise", "glass_blur")
"""Corruptions that have their own random generators instead of NumPy's global one."""
SMALLEST = 32
"""Minimum number of pixels per side, set by the library."""
CHUNK = 256


class Corrupted(RawDataset):
    """Another image dataset with some images corrupted: noisy, blurred or foggy, rarely so in train.

    The classes are those of the other dataset. The group is the corrupted images.

    Parameters
    ----------
    dataset : str
        Registered name of an image dataset, such as "cifar10" or "imagenet"; its own groups are
        dropped.
    params : dict, optional
        Its parameters, training and encoder included.
    corruption : str
        One of ImageNet-C's fifteen.
    severity : int
        1 to 5.
    share_train, share_eval : float
        Share of corrupted images in train, and in the other splits.

    Notes
    -----
    Needs `pip install 'slicebench[corruptions]'`, whose OpenCV needs the system's libGL and GLib.
    Every image has its own random state, so its corruption does not depend on the other images.

    References
    ----------
    Hendrycks, Dietterich (2019), "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations"; Jain,
    Lawrence, Moitra, Madry (2022): Gaussian noise on 10 % of train and 50 % of val and test.

    >>> Corrupted(severity=5).corruption
    'gaussian_noise'

    """

    family: ClassVar[str] = "corrupted"
    modality: ClassVar[str] = "image"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="Corrupted images of any image dataset",
        size="that of the other dataset",
        group="corrupted images, one of 15 kinds",
        rate="10 % of train, 50 % of val and test",
        licence="as the other dataset's",
        source="Hendrycks, Dietterich 2019 (ImageNet-C)",
    )

    def __init__(
        self,
        dataset: str = "cifar10",
        params: dict[str, Any] | None = None,
        corruption: str = "gaussian_noise",
        severity: int = 3,
        share_train: float = 0.1,
        share_eval: float = 0.5,
    ) -> None:
        self.dataset = dataset
        self.params = params
        self.corruption = corruption
        self.severity = severity
        self.share_train = share_train
        self.share_eval = share_eval

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_choices(self, {"corruption": CORRUPTIONS})
        check_ranges(self, {"severity": (1, 5), "share_train": (0, 1), "share_eval": (0, 1)})
        _library()
        self._other().check()

    def sources(self) -> tuple[Source, ...]:
        """Return the files of the other dataset and of its encoders."""
        other = self._other()
        return (*other.sources(), *files_of_encoders(other))

    def raw(self, seed: int) -> RawProblem:
        """Corrupt a share of the other dataset's images."""
        other = self._other()
        raw = other.raw(seed)
        rng = np.random.default_rng([seed, 1])
        splits = {}
        for name, split in raw.splits.items():
            share = self.share_train if name == "train" else self.share_eval
            hit = rng.random(len(split.ids)) < share
            splits[name] = replace(split, inputs=self._images(split, hit, seed), groups=hit[:, None])
        return replace(
            raw,
            name=f"{raw.name}-{self.corruption}".replace("_", "-"),
            splits=splits,
            group_names=(f"{self.corruption} {self.severity}",),
            how=f"{self.corruption} {self.severity} on a share {self.share_train:g} of train, {self.share_eval:g} elsewhere",
            captions=None,
            captions_for_groups=None,
        )

    def _other(self) -> RawDataset:
        """Make the adapter of the other dataset."""
        found = DATASETS.load(self.dataset)
        if not issubclass(found, RawDataset) or found.modality != "image" or found is Corrupted:
            raise ConfigError(
                f"corrupted: dataset is {self.dataset!r}, which has no raw images; choose another image dataset"
            )
        try:
            return found(**(self.params or {}))
        except TypeError as error:
            raise ConfigError(f"corrupted: params of {self.dataset!r}: {error}") from error

    def _images(self, split: RawSplit, hit: NDArray[np.bool_], seed: int) -> NDArray[np.uint8]:
        """Return the split's images, those that are `hit` corrupted, mapped from the cache."""
        side = min(np.asarray(split.inputs[:1]).shape[1:3])
        if side < SMALLEST:
            raise ConfigError(
                f"corrupted: images of {self.dataset!r} have {side} pixels a side; expected {SMALLEST} or more"
            )
        about = self.corruption, self.severity, seed
        key = content_key(np.asarray(split.inputs), split.ids, hit.astype(np.uint8), about)
        return mapped(key, len(hit), f"corrupting with {self.corruption}", lambda: self._chunks(split, hit, seed))

    def _chunks(
        self, split: RawSplit, hit: NDArray[np.bool_], seed: int
    ) -> Iterator[tuple[range, str, NDArray[np.uint8]]]:
        for start in range(0, len(hit), CHUNK):
            rows = range(start, min(start + CHUNK, len(hit)))
            images = _colour(split.inputs, rows)
            for offset, row in enumerate(rows):
                if hit[row]:
                    state = crc32(f"{seed} {split.ids[row]}".encode())
                    images[offset] = corrupt(images[offset], self.corruption, self.severity, state)
            yield rows, str(split.ids[start]), images


def corrupt(image: NDArray[np.uint8], corruption: str, severity: int, state: int) -> NDArray[np.uint8]:
    """Corrupt an image (H, W, 3) with the random `state`; NumPy's global state is not changed."""
    library = _library()
    own = {"seed": state} if corruption in OWN_RANDOMNESS else {}
    before = np.random.get_state()  # noqa: NPY002 - the library draws from NumPy's global state
    try:
        np.random.seed(state)  # noqa: NPY002
        return np.asarray(library(image, severity, corruption, **own), dtype=np.uint8)
    finally:
        np.random.set_state(before)  # noqa: NPY002


def _library() -> Callable[..., Any]:
    """Import the library's function; a `ConfigError` says what to install."""
    try:
        from imagecorruptions import corrupt as function
    except ModuleNotFoundError as error:
        raise ConfigError("corrupted: needs the extra 'corruptions': pip install 'slicebench[corruptions]'") from error
    except ImportError as error:
        raise ConfigError(
            f"corrupted: imagecorruptions cannot be imported ({error}). If OpenCV lacks a system library: "
            "apt-get install libgl1 libglib2.0-0, or pip uninstall opencv-python && pip install opencv-python-headless"
        ) from error
    found: Callable[..., Any] = function
    return found


def _colour(inputs: Inputs, rows: range) -> NDArray[np.uint8]:
    """Copy images as (b, H, W, 3); grey ones are repeated over the channels."""
    images = np.asarray(inputs[rows.start : rows.stop])
    return np.repeat(images[..., None], 3, axis=-1) if images.ndim == 3 else np.array(images)
