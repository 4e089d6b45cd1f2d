"""The card of a pack: where its data come from, who may use them, and its problems.

Its keys have counterparts in Croissant (MLCommons): title, description, url, licence, cite_as,
version, date, creators and keywords are those of the data set, `files` its distribution, `columns`
the fields of its record set.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads it at run time
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from slicebench.errors import ConfigError, did_you_mean
from slicebench.files.toml_documents import KeyPath, parsed

FOLDER = Path(__file__).parent
CARD, TABLE, IMAGES, VECTORS = "card.toml", "table.parquet", "images.webp", "vectors.safetensors"
COLUMNS = "columns"
"""Name of the vectors that are made of the problem's own feature columns."""

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Value = bool | int | float | str


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bounds(_Strict):
    """Condition on a column: a range of numbers, or values that are left out; a missing value never meets it."""

    at_least: float | None = None
    below: float | None = None
    none_of: tuple[Value, ...] = ()


Rule = dict[str, tuple[Value, ...] | Bounds]
"""Conditions on columns, all of which a row must meet: {soil = ["cotton"], year = {below = 1900}}."""


class Named(_Strict):
    """A class or a group: the rows that meet a rule."""

    name: Text
    where: Rule = Field(min_length=1)


class Model(_Strict):
    """The base model: its kind, and changes to the kind's usual training."""

    kind: Literal["small_cnn", "mlp", "logistic", "hist_gradient_boosting"]
    settings: dict[str, int | float] = {}


class Plant(_Strict):
    """What makes the groups hard.

    "rare" and "correlation": train keeps the share `strength` of the groups' rows. With "correlation" the
    groups are the rows in which an attribute and the label do not go together. "corruption": noise of
    `strength` standard deviations (images: of the full range) on the share `train_share` of train and
    `share` of val and test; those rows are the group. "label_noise": labels of the groups' rows are
    replaced with probability `strength` in every split.
    """

    kind: Literal["rare", "correlation", "corruption", "label_noise"]
    strength: float = Field(ge=0, allow_inf_nan=False)
    train_share: float = Field(default=0.05, ge=0, le=1)
    share: float = Field(default=0.3, ge=0, le=1)


class Sizes(_Strict):
    """Numbers of examples; that of train is before rare groups are thinned."""

    train: int = Field(ge=2)
    val: int = Field(ge=2)
    test: int = Field(ge=2)


class ProblemCard(_Strict):
    """One problem of a pack.

    Parameters
    ----------
    name, how : str
        `how` says in words what is hard, and why.
    kind : "natural" or "planted"
        Natural groups are as the data have them; `plant` makes planted ones.
    classes, groups : list of Named
        Classes do not overlap; rows of no class are left out. Groups may overlap.
    where : Rule
        Rows that are used; by default all.
    unit : str
        Column of persons, faces, texts: rows with the same value are in the same split.
    sizes : Sizes
    metadata : list of columns
        What methods see. All others are hidden from them.
    inputs : str
        What the base model reads: "images", "columns" or the name of vectors.
    vectors : str
        What methods see as embeddings: "columns", or the name of vectors or of a registered encoder.
    features : list of columns
        The columns of "columns". Numbers are standardised and words one-hot, as fitted on train.
    model : Model
    plant : Plant, if the kind is "planted"

    """

    name: Text
    how: Text
    kind: Literal["natural", "planted"]
    classes: tuple[Named, ...] = Field(min_length=2)
    groups: tuple[Named, ...] = ()
    where: Rule = {}
    unit: str | None = None
    sizes: Sizes
    metadata: tuple[str, ...] = ()
    inputs: str
    vectors: str
    features: tuple[str, ...] = ()
    model: Model
    plant: Plant | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.kind == "planted") != (self.plant is not None):
            raise ValueError(f"kind is {self.kind!r}; expected a plant if and only if it is 'planted'")
        drawn = self.plant is not None and self.plant.kind == "corruption"
        if drawn == bool(self.groups):
            raise ValueError("groups: expected at least one; for a corruption none, because its rows are drawn")
        if (COLUMNS in (self.inputs, self.vectors)) != bool(self.features):
            raise ValueError("features: expected the columns of the vectors 'columns' if and only if they are used")
        return self

    def columns(self) -> set[str]:
        """Return every column of the table that the problem names."""
        rules = [self.where, *(one.where for one in (*self.classes, *self.groups))]
        named = {*self.metadata, *self.features, *(column for rule in rules for column in rule)}
        return named | ({self.unit} if self.unit else set())


class PackageRead(_Strict):
    """A package that the data were read from."""

    registry: Text
    package: Text
    version: Text
    file: Text
    sha256: Digest


class Licence(_Strict):
    """Licence of the data: name, link or text, why they may be handed on, and what is said of their makers."""

    name: Text
    redistribution: Text
    url: str = ""
    text: str = ""

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if not (self.url or self.text):
            raise ValueError("licence: expected url or text")
        return self


class About(_Strict):
    """How the data came about, in words."""

    labels: Text
    groups: Text
    duplicates: Text
    pretraining: Text


class Sheet(_Strict):
    """The images of a pack, side by side in one sheet, in the order of the table."""

    side: int = Field(ge=1)
    channels: Literal[1, 3]
    across: int = Field(ge=1)


class PackCard(_Strict):
    """Content of `card.toml`."""

    name: Text
    title: Text
    description: Text
    url: Text
    modality: Literal["image", "text", "audio", "sensor", "music", "molecule", "sequence", "tabular", "vector"]
    domain: Text
    keywords: tuple[str, ...] = ()
    creators: tuple[str, ...] = Field(min_length=1)
    version: int = Field(ge=1)
    date: dt.date
    cite_as: Text
    sources: tuple[PackageRead, ...] = Field(min_length=1)
    licence: Licence
    about: About
    columns: dict[str, str] = Field(min_length=1)
    images: Sheet | None = None
    vectors: dict[str, str] = {}
    problems: tuple[ProblemCard, ...] = Field(min_length=1)
    files: dict[str, Digest]

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        known = [*self.vectors, COLUMNS, *(["images"] if self.images else [])]
        for problem in self.problems:
            if missing := sorted(problem.columns() - set(self.columns)):
                raise ValueError(f"problem {problem.name!r} names the column {missing[0]!r}, which [columns] lacks")
            if problem.inputs not in known:
                raise ValueError(f"problem {problem.name!r}: inputs is {problem.inputs!r}; expected one of {known}")
        return self

    def problem(self, name: str | None) -> ProblemCard:
        """Return a problem by name, or the first; `ConfigError` for an unknown name."""
        found = {problem.name: problem for problem in self.problems}
        if name is None:
            return self.problems[0]
        if name not in found:
            raise ConfigError(f"{self.name}: problem is {name!r}; {did_you_mean(str(name), [*found])}")
        return found[name]


def pack_names() -> list[str]:
    """Return the names of all packs, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{CARD}"))


@cache
def read_card(name: str) -> PackCard:
    """Read and check the card of the pack `name`.

    Raises
    ------
    ConfigError
        naming every key that is wrong, and what was expected.

    """
    path = FOLDER / name / CARD
    card = parsed(PackCard, path.read_text(encoding="utf-8"), str(path), "card", _known_keys)
    if card.name != name:
        raise ConfigError(f"{path}: name is {card.name!r}; expected {name!r}, the name of its folder")
    return card


def _known_keys(at: KeyPath) -> list[str]:
    """Return the keys that are allowed beside the key at `at`."""
    kind: Any = PackCard
    for part in at[:-1]:
        if isinstance(part, str) and isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _model_of(kind.model_fields[part].annotation) if part in kind.model_fields else None
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _model_of(annotation: Any) -> Any:
    """Return the model in an annotation such as `tuple[Model, ...]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [_model_of(inner) for inner in getattr(annotation, "__args__", ())]
    return next((kind for kind in found if kind is not None), None)
