"""CelebA: one attribute is the label, another one is planted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.data.captions.naming import captions_naming
from slicebench.files.image_arrays import decoded
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._celeba_files import ATTRIBUTES, published_rows, read_faces
from slicebench_datasets._cifar import check_indices
from slicebench_datasets._parameters import check_choices, check_ranges, given
from slicebench_datasets._splits import deal, in_each_class, recipe_from, split_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from slicebench.files.fingerprints import Source
    from slicebench.plugins.dataset_card import Place
    from slicebench_datasets._celeba_files import Faces

PAPER = {"arch": "resnet18", "epochs": 30, "batch_size": 512, "peak_lr": 0.02, "peak_epoch": 2, "augment": True}
WORDS = {"Young": ("old", "young"), "Male": ("female", "male")}
"""Words for the two values of an attribute in captions and groups."""
OFFICIAL = "official archive"


class CelebA(RawDataset):
    """Faces with one attribute as label and a second one that correlates with it in train.

    In each class, the group is the value of `planted` that is rarer there in the official train
    split: old women and young men. With plant "correlation", train has `ratio` examples of the
    majority of each class for one of its group, as many as there are, and val equally many of each
    (or, with val "train", as train has). With "natural", nothing is changed. The official test
    split is the test split.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check celeba`.
    label, planted : str
        Two of the 40 attributes: Young and Male (Jain et al.), Blond_Hair and Male (Sagawa et al.), ...
    plant : "correlation" or "natural"
    ratio : float
        Majority over minority in train; 1 is balanced. The gradations experiment starts at 1.
    val : "balanced" or "train"
        Composition of val under "correlation".
    pool : bool
        Whether half of the official train split becomes the pool.
    indices : str, optional
        Path of published indices (.npz with train, val and perhaps pool): positions in the official
        train and valid splits. `plant`, `ratio`, `val` and `pool` are then ignored.
    side : int
        Pixels.
    recipe : dict, optional
        Changes to the paper's training.
    encoder : str

    References
    ----------
    Liu, Luo, Wang, Tang (2015); Jain, Lawrence, Moitra, Madry (2022), section 4: train 6,203 of each minority and 24,812 of each
    majority, val 1,795 of each, flagged are minority in 89.9 %; Sagawa, Koh, Hashimoto, Liang (2020) for blond hair.

    >>> CelebA(label="Blond_Hair", plant="natural").planted
    'Male'

    """

    family: ClassVar[str] = "celeba"
    modality: ClassVar[str] = "image"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="CelebA",
        size="162,770 train + 19,867 val + 19,962 test",
        group="old women and young men, or any two attributes",
        rate="20 % of train (ratio 4), 34 % of test",
        licence="non-commercial research only",
        source="Liu, Luo, Wang, Tang 2015; mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        obtain="fetch img_align_celeba.zip, list_attr_celeba.txt and list_eval_partition.txt from the source's page and unpack "
        "the first.",
        folder="celeba",
        layouts=(
            Layout(
                OFFICIAL,
                (
                    Wanted("list_attr_celeba.txt", "attributes", md5="75e246fa4810816ffd6ee81facbd244c"),
                    Wanted("list_eval_partition.txt", "splits", md5="d32c9cbf5e040fd4025c592c306e6668"),
                    Wanted("img_align_celeba/*.jpg", "aligned faces", count=202_599),
                ),
            ),
            Layout(
                "Hugging Face parquet",
                tuple(Wanted(f"{part}-*.parquet", f"{part} faces") for part in ("train", "valid", "test")),
            ),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        label: str = "Young",
        planted: str = "Male",
        plant: str = "correlation",
        ratio: float = 4.0,
        val: str = "balanced",
        pool: bool = False,  # noqa: FBT001, FBT002 - a parameter like the others
        indices: str | None = None,
        side: int = 75,
        recipe: dict[str, Any] | None = None,
        encoder: str = "open_clip:ViT-B-32/openai",
    ) -> None:
        self.root = root
        self.label = label
        self.planted = planted
        self.plant = plant
        self.ratio = ratio
        self.val = val
        self.pool = pool
        self.indices = indices
        self.side = side
        self.recipe = recipe
        self.encoder = encoder

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        others = [name for name in ATTRIBUTES if name != self.label]
        check_choices(self, {"label": ATTRIBUTES, "planted": others})
        check_choices(self, {"plant": ("correlation", "natural"), "val": ("balanced", "train")})
        check_ranges(self, {"ratio": (1, 1e6), "side": (8, 1024)})
        check_indices(self.indices, self.family)
        recipe_from(PAPER, self.recipe)

    def sources(self) -> tuple[Source, ...]:
        """Return the files of the data, and those of the published indices if given."""
        return (*super().sources(), *given(self, "indices"))

    def raw(self, seed: int) -> RawProblem:
        """Read the tables, choose the rows, and decode the images needed."""
        from slicebench.data.captions.grammar import caption_set

        place = self.place()
        faces = read_faces(place, (self.label, self.planted))
        y, a = (faces.attributes[name].astype(np.int64) for name in (self.label, self.planted))
        rarer = _rarer(y[faces.rows["train"]], a[faces.rows["train"]])
        minority = a == rarer[y]
        names = [f"{_word(self.label, c)} {_word(self.planted, rarer[c])}" for c in range(2)]
        captions = caption_set("celeba", [_word(self.label, c) for c in range(2)])
        return RawProblem(
            name=f"celeba-{self.label}-{self.planted}".lower().replace("_", "-"),
            splits=split_up(
                self._rows(place, faces, y, minority, np.random.default_rng(seed)),
                ids=faces.ids,
                inputs=self._pixels(faces),
                labels=y,
                groups=in_each_class(minority, y),
            ),
            base_model=recipe_from(PAPER, self.recipe),
            encoder=self.encoder,
            class_names=[_word(self.label, c) for c in range(2)],
            group_names=names,
            how=self._how(),
            kind="natural" if self.plant == "natural" and self.indices is None else "planted",
            provenance=provenance_of(self.card),
            captions=captions,
            captions_for_groups=self._naming(captions.texts, names, rarer),
        )

    def _rows(
        self, place: Place, faces: Faces, y: NDArray[np.int64], minority: NDArray[np.bool_], rng: np.random.Generator
    ) -> dict[str, NDArray[np.intp]]:
        official = faces.rows
        if self.indices is not None:
            return published_rows(self.indices, place, official) | {"test": official["test"]}
        train, val, parts = official["train"], official["valid"], {}
        if self.pool:
            parts = deal(train, {"train": 0.5, "pool": 0.5}, rng)
            train = parts["train"]
        if self.plant == "correlation":
            cells = 2 * y + minority
            train = _composed(train, cells, self.ratio, rng)
            val = _composed(val, cells, self.ratio if self.val == "train" else 1.0, rng)
        return parts | {"train": train, "val": val, "test": official["test"]}

    def _pixels(self, faces: Faces) -> Callable[[NDArray[np.intp]], NDArray[np.uint8]]:
        return lambda rows: decoded(faces.images(rows), side=self.side)

    def _how(self) -> str:
        if self.indices is not None:
            return "the published indices"
        if self.plant == "natural":
            return f"natural: in each class the rarer value of {self.planted}"
        return f"train has {self.ratio:g} of the other value of {self.planted} to one of the group's in each class"

    def _naming(self, texts: tuple[str, ...], names: list[str], rarer: NDArray[np.int64]) -> dict[str, tuple[str, ...]]:
        """Find the captions that name a group's value of the planted attribute, if `WORDS` has words for it."""
        if self.planted not in WORDS:
            return {}
        return {name: captions_naming(texts, [WORDS[self.planted][rarer[c]]]) for c, name in enumerate(names)}


def _rarer(y: NDArray[np.int64], a: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the rarer value of the planted attribute in each class, (2,)."""
    return np.array([int(a[y == c].mean() < 0.5) for c in range(2)])


def _composed(
    rows: NDArray[np.intp], cells: NDArray[np.int64], ratio: float, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Choose as many `rows` as possible with equal classes and `ratio` majority rows (even cells) per group row."""
    count = np.bincount(cells[rows], minlength=4)
    n = int(min(count[1], count[3], count[0] / ratio, count[2] / ratio))
    sizes = [int(n * ratio), n, int(n * ratio), n]
    chosen = [rng.choice(rows[cells[rows] == cell], size, replace=False) for cell, size in enumerate(sizes)]
    return np.sort(np.concatenate(chosen))


def _word(attribute: str, value: int) -> str:
    if attribute in WORDS:
        return WORDS[attribute][value]
    plain = attribute.replace("_", " ").lower()
    return plain if value else f"no {plain}"
