"""Parameters of adapters: the files that they name, and checks.

Errors give the dataset, the parameter, its value and what was expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicebench.errors import ConfigError, did_you_mean
from slicebench.files.fingerprints import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from slicebench.plugins.dataset import DatasetAdapter

EPOCHS = (1, 10_000)
COUNTS = (
    "n_train", "n_val", "n_test", "n_pool", "classes", "side", "d", "subtypes", "width", "epochs", "attributes", "blindspots",
    "conditions",
)  # fmt: skip


def given(adapter: DatasetAdapter, *names: str) -> tuple[Source, ...]:
    """Return the files or folders that parameters name; those that are None name none."""
    return tuple(Source.at(path, name) for name in names if (path := getattr(adapter, name)) is not None)


def check_choices(adapter: DatasetAdapter, choices: Mapping[str, Collection[str]]) -> None:
    """Raise `ConfigError` unless each parameter is one of the strings given for it."""
    for name, known in choices.items():
        value = getattr(adapter, name)
        if not isinstance(value, str) or value not in known:
            raise ConfigError(f"{adapter.family}: {name} is {value!r}; {did_you_mean(str(value), sorted(known))}")


def check_ranges(adapter: DatasetAdapter, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raise `ConfigError` unless each parameter is a number within its bounds; those in `COUNTS` must be whole."""
    for name, (low, high) in bounds.items():
        value = getattr(adapter, name)
        whole = name in COUNTS
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not low <= value <= high:
            kind = "a whole number" if whole else "a number"
            raise ConfigError(f"{adapter.family}: {name} is {value!r}; expected {kind} from {low:g} to {high:g}")


def check_cap(adapter: DatasetAdapter, *names: str) -> None:
    """Raise `ConfigError` unless each parameter is None or a whole number of examples."""
    check_ranges(adapter, {name: (1, 10**9) for name in names if getattr(adapter, name) is not None})


def check_subset(adapter: DatasetAdapter, name: str, known: Collection[str]) -> None:
    """Raise `ConfigError` unless the parameter is a list of one or more distinct ones of the `known` strings."""
    values = getattr(adapter, name)
    if not isinstance(values, list | tuple) or not values or len({*map(str, values)}) < len(values):
        raise ConfigError(
            f"{adapter.family}: {name} is {values!r}; expected a list of distinct names: {', '.join(known)}"
        )
    for value in values:
        if value not in known:
            raise ConfigError(f"{adapter.family}: {name} holds {value!r}; {did_you_mean(str(value), sorted(known))}")
