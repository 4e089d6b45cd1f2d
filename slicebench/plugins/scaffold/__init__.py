"""Write an installable package for a new method or dataset (`slicebench new`).

The package works before anything in it is changed. Its files come from the templates here. The user
gives only a name, which is checked before anything is written.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from slicebench.errors import ConfigError, StorageError
from slicebench.plugins.allowed import normalised
from slicebench.plugins.registry import DATASETS, METHODS, Registry, distribution_of
from slicebench.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


Kind = Literal["method", "dataset"]

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST = 40

FILES: dict[Kind, tuple[str, ...]] = {
    "method": (
        "pyproject.toml",
        "{module}.py",
        "tests/test_{name}.py",
        "README.md",
        "leaderboard/golden.toml",
        "leaderboard/tolerances.toml",
        ".github/workflows/ci.yml",
        ".gitignore",
    ),
    "dataset": (
        "pyproject.toml",
        "{module}.py",
        "tests/test_{name}.py",
        "README.md",
        "suite.toml",
        ".github/workflows/ci.yml",
        ".gitignore",
    ),
}
"""Paths in the new folder. The template of each is its last part, with `plugin` for the names in braces."""

REGISTRIES: dict[Kind, Registry] = {"method": METHODS, "dataset": DATASETS}
OCCUPIED = {"slicebench_methods", "slicebench_datasets"}
"""slicebench's own modules, whose names a plugin's module must not have."""


@dataclass(frozen=True)
class Plugin:
    """A plugin to create, and the names made from its name."""

    kind: Kind
    name: str

    @property
    def distribution(self) -> str:
        """Name of the package for pip."""
        return "slicebench-" + self.name.replace("_", "-")

    @property
    def module(self) -> str:
        """Name of its Python module; the prefix keeps it from hiding other modules."""
        return f"slicebench_{self.name}"

    @property
    def class_name(self) -> str:
        """Name of its class.

        The kind is appended if the name alone belongs to Python or slicebench ("none", "split").
        """
        camel = "".join(part.capitalize() for part in self.name.split("_"))
        taken = keyword.iskeyword(camel) or camel in TAKEN
        return camel + self.kind.capitalize() if taken else camel


TAKEN = {
    *("AuditData", "SliceMethod", "SliceScores", "Split", "Self", "ClassVar"),
    *("RawDataset", "RawProblem", "RawSplit", "DatasetCard", "Layout", "Wanted", "Recipe", "Place"),
}
"""Names that the templates import."""


def planned(kind: Kind, name: str) -> Plugin:
    """Check `name` and return the plugin to create.

    Raises
    ------
    ConfigError
        for a name that cannot be a Python module's, or that is taken.

    """
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        fitting = _fitting(name)
        hint = f", such as {fitting!r}" if fitting else ""
        raise ConfigError(
            f"{name!r} cannot be the name of a {kind}: expected up to {LONGEST} lower-case letters and digits, a letter first, "
            f"words joined by single underscores{hint}"
        )
    if keyword.iskeyword(name):
        raise ConfigError(f"{name!r} is a Python keyword; choose another name for the {kind}")
    plugin = Plugin(kind, name)
    if plugin.module in OCCUPIED:
        raise ConfigError(
            f"{name!r} would make the module {plugin.module}, which is slicebench's own; choose another name"
        )
    registry = REGISTRIES[kind]
    owners = {distribution_of(e) for e in (*registry.entries(), *registry.ignored()) if e.name == name}
    others = sorted(owner for owner in owners if normalised(owner) != plugin.distribution)
    if others:
        raise ConfigError(f"a {kind} named {name!r} is already registered by {', '.join(others)}; choose another name")
    return plugin


def _fitting(name: str) -> str:
    """Return a valid name that is similar to `name`; empty if there is none."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower())
    fitting = "_".join(words)[:LONGEST].strip("_")
    return fitting if NAME.fullmatch(fitting) and not keyword.iskeyword(fitting) else ""


def rendered(plugin: Plugin) -> dict[str, str]:
    """Return the text of every file of the package, by its path in the folder."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - Python, TOML and Markdown, not HTML; the name is checked
        loader=PackageLoader("slicebench.plugins.scaffold"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    names = {key: getattr(plugin, key) for key in ("kind", "name", "distribution", "module", "class_name")}
    out = {}
    for pattern in FILES[plugin.kind]:
        last = pattern.rpartition("/")[2].format(module="plugin", name="plugin").lstrip(".")
        template = environment.select_template([f"{plugin.kind}/{last}.j2", f"shared/{last}.j2"])
        out[pattern.format(**names)] = template.render(slicebench_version=__version__, **names)
    return out


def write_files(texts: Mapping[str, str], folder: Path, *, force: bool = False) -> list[Path]:
    """Write each text to its path in `folder`, and return the paths.

    The folder is created if it does not exist.

    Raises
    ------
    StorageError
        if a file exists and `force` is not set, if a link in `folder` leads out of it, or if a file
        cannot be written.

    """
    from slicebench.files.atomic import write_text

    home = folder.expanduser().resolve()
    if home.exists() and not home.is_dir():
        raise StorageError(f"cannot write to {folder}: it is a file; choose another folder")
    there = [name for name in texts if (home / name).is_symlink() or (home / name).exists()]
    if there and not force:
        raise StorageError(f"{folder} already has {', '.join(there)}; choose another folder, or overwrite with --force")
    for name in texts:
        if not (home / name).parent.resolve().is_relative_to(home):
            raise StorageError(
                f"{folder / name} is outside {folder}, because a symbolic link leads there; remove the link"
            )
    for name, text in texts.items():
        write_text(home / name, text)
    return [folder / name for name in texts]
