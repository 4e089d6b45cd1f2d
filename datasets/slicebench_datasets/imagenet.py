"""ImageNet unchanged, optionally with ImageNet-V2 as the test set; no planted truth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.image_arrays import ImageFiles, decoded
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._parameters import check_cap, check_choices, check_ranges, given
from slicebench_datasets._splits import at_most, deal, recipe_from, split_up
from slicebench_datasets._tables import coded, read_csv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.captions import CaptionSet
    from slicebench.files.fingerprints import Source
    from slicebench.plugins.dataset_card import Place

PAPER = {"arch": "resnet18", "epochs": 16, "batch_size": 1024, "peak_lr": 0.5, "peak_epoch": 2, "augment": True}
KAGGLE = "Kaggle archive"
DATA = "ILSVRC/Data/CLS-LOC"
NAMES = "LOC_synset_mapping.txt"


class ImageNet(RawDataset):
    """A thousand classes without a planted subgroup; the dataset `corrupted` plants one.

    The official validation images are dealt evenly to val and test, or all go to val and
    ImageNet-V2 is the test split.

    Parameters
    ----------
    root : str, optional
        Folder of the data; the default is shown by `slicebench data check imagenet`.
    v2 : str, optional
        Folder of ImageNet-V2, such as imagenetv2-matched-frequency-format-val: 1,000 folders named by class number.
    classes : int
        Number of classes: the first ones by WordNet id.
    n_train : int, optional
        Number of train images, at random; all by default. Decoded images take 3 side² bytes each on
        disk, 193 GB for all of them at 224.
    captions : "none" or "ancestors"
        Candidate captions by the classes' closest ancestors in WordNet, which need its database.
    side : int
        Pixels.
    recipe : dict, optional
        Changes to the paper's training.
    encoder : str

    References
    ----------
    Russakovsky et al. (2015); Recht, Roelofs, Schmidt, Shankar (2019), ImageNet-V2; Jain, Lawrence, Moitra, Madry (2022), the
    ImageNet and ImageNet-C experiments; Singla, Chegini, Moayeri, Feizi (2022), who debug with ImageNet-V2.

    >>> ImageNet(classes=10).side
    224

    """

    family: ClassVar[str] = "imagenet"
    modality: ClassVar[str] = "image"
    card: ClassVar[DatasetCard | None] = DatasetCard(
        title="ImageNet (ILSVRC 2012), ImageNet-V2",
        size="1,281,167 train + 50,000 val (+ 10,000 V2)",
        group="none: natural",
        rate="nothing planted",
        licence="non-commercial research, on agreement with image-net.org; ImageNet-V2: MIT",
        source="Russakovsky et al. 2015; www.image-net.org",
        obtain="get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar and unpack them into train/<wnid>/ and val/<wnid>/, or "
        "unpack Kaggle's archive; ImageNet-V2 is an archive of its own.",
        folder="imagenet",
        layouts=(
            Layout(
                "folders",
                (Wanted("train/n*/*.JPEG", "train images", 1_281_167), Wanted("val/n*/*.JPEG", "val images", 50_000)),
            ),
            Layout(
                KAGGLE,
                (
                    Wanted(f"{DATA}/train/n*/*.JPEG", "train images", 1_281_167),
                    Wanted(f"{DATA}/val/*.JPEG", "val images", 50_000),
                    Wanted("LOC_val_solution.csv", "val labels"),
                    Wanted(NAMES, "class names"),
                ),
            ),
        ),
    )

    def __init__(
        self,
        root: str | None = None,
        v2: str | None = None,
        classes: int = 1000,
        n_train: int | None = None,
        captions: str = "none",
        side: int = 224,
        recipe: dict[str, Any] | None = None,
        encoder: str = "open_clip:ViT-B-32/openai",
    ) -> None:
        self.root = root
        self.v2 = v2
        self.classes = classes
        self.n_train = n_train
        self.captions = captions
        self.side = side
        self.recipe = recipe
        self.encoder = encoder

    def check(self) -> None:
        """Raise `ConfigError` for a parameter that cannot be used, and name it."""
        check_ranges(self, {"classes": (2, 1000), "side": (8, 1024)})
        check_choices(self, {"captions": ("none", "ancestors")})
        check_cap(self, "n_train")
        recipe_from(PAPER, self.recipe)

    def sources(self) -> tuple[Source, ...]:
        """Return the files of the data, and those of ImageNet-V2 if given."""
        return (*super().sources(), *given(self, "v2"))

    def raw(self, seed: int) -> RawProblem:
        """List the files, deal them, and decode those needed."""
        place = self.place()
        base = place.folder / DATA if place.layout == KAGGLE else place.folder
        known = sorted(entry.name for entry in os.scandir(base / "train") if entry.is_dir())
        wnids = known[: self.classes]
        files, labels, parts = self._files(place, base, known, np.random.default_rng(seed))
        return RawProblem(
            name="imagenet",
            splits=split_up(
                parts,
                ids=[_id(Path(file)) for file in files],
                inputs=lambda rows: decoded(ImageFiles(base, [files[row] for row in rows]), side=self.side),
                labels=labels,
                groups=np.zeros((len(files), 0), dtype=bool),
            ),
            base_model=recipe_from(PAPER, self.recipe),
            encoder=self.encoder,
            class_names=_class_names(place.folder / NAMES, wnids),
            group_names=(),
            how="natural: no subgroup is planted",
            kind="natural",
            provenance=provenance_of(self.card),
            captions=_candidates(wnids) if self.captions == "ancestors" else None,
        )

    def _files(
        self, place: Place, base: Path, known: list[str], rng: np.random.Generator
    ) -> tuple[list[str], NDArray[np.int64], dict[str, NDArray[np.intp]]]:
        """List files relative to `base`, their classes, and the rows of each split; `known` has all WordNet ids."""
        wnids = known[: self.classes]
        train = [(f"train/{w}/{name}", c) for c, w in enumerate(wnids) for name in _images(base / "train" / w)]
        val = _kaggle_val(place, known, self.classes) if place.layout == KAGGLE else [
            (f"val/{w}/{name}", c) for c, w in enumerate(wnids) for name in _images(base / "val" / w)
        ]  # fmt: skip
        extra = [] if self.v2 is None else _v2(Path(self.v2).expanduser().resolve(), len(wnids))
        ends = np.cumsum([len(train), len(val), len(extra)])
        rows = {"train": at_most(np.arange(ends[0]), self.n_train, "n_train", rng)}
        if extra:
            rows |= {"val": np.arange(ends[0], ends[1]), "test": np.arange(ends[1], ends[2])}
        else:
            rows |= deal(np.arange(ends[0], ends[1]), {"val": 0.5, "test": 0.5}, rng)
        listed = [*train, *val, *extra]
        return [file for file, _ in listed], np.array([c for _, c in listed], dtype=np.int64), rows


def _images(folder: Path) -> list[str]:
    """List the names of the images in a class's folder, sorted."""
    try:
        names = sorted(e.name for e in os.scandir(folder) if e.name.lower().endswith((".jpeg", ".jpg")))
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}; expected the images of one class") from error
    if not names:
        raise StorageError(f"{folder} holds no .JPEG images; unpack the archive of this class")
    return names


def _id(path: Path) -> str:
    """Make an id of the file's name, for ImageNet-V2 (whose paths are absolute) with the class's folder."""
    return f"v2-{path.parent.name}-{path.stem}" if path.is_absolute() else path.stem


def _v2(folder: Path, classes: int) -> list[tuple[str, int]]:
    """List ImageNet-V2's images by class number, as absolute paths."""
    return [(str(folder / str(c) / name), c) for c in range(classes) for name in _images(folder / str(c))]


def _kaggle_val(place: Place, known: list[str], classes: int) -> list[tuple[str, int]]:
    """List the val images of the first `classes` classes."""
    path = place.file("LOC_val_solution.csv")
    table = read_csv(path, ["ImageId", "PredictionString"])
    codes = coded(path, table["PredictionString"].str.split().str[0], {w: c for c, w in enumerate(known)})
    return [(f"val/{name}.JPEG", int(c)) for name, c in zip(table["ImageId"], codes, strict=True) if c < classes]


def _class_names(path: Path, wnids: list[str]) -> list[str]:
    """Return the first words of the synsets, or the WordNet ids if their file is missing."""
    if not path.is_file():
        return wnids
    known = dict(line.split(" ", 1) for line in path.read_text(encoding="utf-8").splitlines() if " " in line)
    names = [known.get(w, w).split(",")[0].strip() for w in wnids]
    return [f"{name} ({w})" if names.count(name) > 1 else name for name, w in zip(names, wnids, strict=True)]


def _candidates(wnids: list[str]) -> CaptionSet:
    from slicebench.data.captions.grammar import caption_set, load_grammar
    from slicebench.data.captions.wordnet import closest_ancestor

    ancestors = [*load_grammar("imagenet").classes]
    return caption_set("imagenet", wnids, entries={w: closest_ancestor(w, ancestors) for w in wnids})
