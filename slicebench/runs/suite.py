"""Suites: TOML files that name problems, methods and seeds.

    name = "mine"
    seeds = [0, 1, 2]
    methods = ["random", "confidence"]

    [[problems]]
    name = "two-blobs"
    dataset = "gaussian"
    params = { plant = "linear" }

    [method_params.random]
    seed = 7

Every name and parameter is checked by the plan, before any work.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from slicebench.files.toml_documents import document_text, packaged_names, parsed

if TYPE_CHECKING:
    from slicebench.files.toml_documents import KeyPath


_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def _folder_name(value: object) -> object:
    """Check a name of a problem or suite, which becomes the name of a folder."""
    if isinstance(value, str) and not _FOLDER_NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be the name of a folder; use letters, digits, '.', '_' and '-', first a letter or digit"
        )
    return value


Name = Annotated[str, BeforeValidator(_folder_name)]
Seed = Annotated[int, Field(ge=0, strict=True)]


class ProblemSpec(BaseModel):
    """One dataset configuration of a suite; `params` go to the dataset adapter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    dataset: str
    params: dict[str, Any] = {}


class Suite(BaseModel):
    """A named list of problems, methods and seeds; `method_params` holds constructor parameters by method.

    `unit` is the unit of comparison between methods. With "family", problems of one dataset adapter
    count as one. With "problem", each problem counts; results are then about problems like these,
    not about other families (docs/concepts/statistics.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    description: str = ""
    seeds: tuple[Seed, ...] = Field(min_length=1)
    methods: tuple[str, ...] = Field(min_length=1)
    problems: tuple[ProblemSpec, ...] = Field(min_length=1)
    method_params: dict[str, dict[str, Any]] = {}
    unit: Literal["family", "problem"] = "family"

    @field_validator("seeds", "methods", "problems")
    @classmethod
    def _no_duplicates(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        keys = [v.name if isinstance(v, ProblemSpec) else v for v in values]
        twice = sorted(str(key) for key, count in Counter(keys).items() if count > 1)
        if twice:
            raise ValueError(f"named more than once: {', '.join(twice)}")
        return values


def suite_names() -> list[str]:
    """Return the names of the packaged suites."""
    return packaged_names("runs/suites")


def load_suite(name_or_path: str) -> Suite:
    """Read a packaged suite by name, or a file if the text ends in ".toml".

    Raises
    ------
    ConfigError
        that names file, key and what was expected.

    """
    return parse_suite(*document_text(name_or_path, "runs/suites", "suite"))


def parse_suite(text: str, where: str) -> Suite:
    """Parse a suite from TOML text; `where` names the file in errors."""
    return parsed(Suite, text, where, "suite", _known_keys)


def _known_keys(loc: KeyPath) -> list[str]:
    return list((ProblemSpec if loc[0] == "problems" else Suite).model_fields)
